#include <string.h>

#include "base/file.h"
#include "client/invite.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

static void expect_neither(const char *source)
{
    struct buf jws = {0};
    struct err e = {0};
    struct rundesc *d = calloc(1, sizeof *d);
    assert_non_null(d);
    assert_int_not_equal(invite_get(source, &jws, d, &e), OK);
    assert_non_null(strstr(e.what, "is neither an invite link nor a run description"));
    assert_non_null(strstr(e.hint, "potluck://"));
    buf_deinit(&jws);
    free(d);
}

static void invite_says_what_it_wants_instead_of_junk(void **state)
{
    (void)state;
    char dir[PATH_CAP], path[PATH_CAP];
    scratch_make(dir);
    assert_int_equal(path_format(path, "%s/junk", dir), 0);
    expect_neither(path); /* no such file */
    assert_int_equal(file_replace(path, "junk\n", 5, 0600, NULL), OK);
    expect_neither(path);
    assert_int_equal(file_replace(path, "", 0, 0600, NULL), OK);
    expect_neither(path);
    scratch_remove(dir);
}

static void invite_says_what_is_wrong_with_a_damaged_run_description(void **state)
{
    (void)state;
    char dir[PATH_CAP], path[PATH_CAP];
    struct buf jws = {0};
    struct err e = {0};
    struct rundesc *d = calloc(1, sizeof *d);
    assert_non_null(d);
    scratch_make(dir);
    assert_int_equal(path_format(path, "%s/run.potluck", dir), 0);
    assert_int_equal(file_replace(path, "eyJ9.e30.AA", 11, 0600, NULL), OK);
    assert_int_not_equal(invite_get(path, &jws, d, &e), OK);
    assert_null(strstr(e.what, "neither"));
    assert_true(e.hint[0] != 0);
    buf_deinit(&jws);
    free(d);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(invite_says_what_it_wants_instead_of_junk),
        cmocka_unit_test(invite_says_what_is_wrong_with_a_damaged_run_description),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
