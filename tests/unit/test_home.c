#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "client/home.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

struct rig {
    char dir[PATH_CAP];
    struct home h;
};

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    scratch_make(r->dir);
    assert_int_equal(home_open(&r->h, r->dir, NULL), OK);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    home_close(&r->h);
    scratch_remove(r->dir);
    free(r);
    return 0;
}

static void home_keeps_one_key_for_ever(void **state)
{
    struct rig *r = *state;
    struct key a, b;
    assert_int_equal(home_key(&r->h, &a, NULL), OK);
    assert_int_equal(home_key(&r->h, &b, NULL), OK);
    assert_true(key_equal(&a.pub, &b.pub));
}

static void home_refuses_a_key_that_others_can_read(void **state)
{
    struct rig *r = *state;
    struct key k;
    char path[PATH_CAP];
    assert_int_equal(home_key(&r->h, &k, NULL), OK);
    path_format(path, "%s/key", r->h.paths.data);
    assert_int_equal(chmod(path, 0644), 0);
    struct err e = {0};
    assert_int_equal(home_key(&r->h, &k, &e), ERR_AUTH);
}

static void home_takes_one_agent_only(void **state)
{
    struct rig *r = *state;
    assert_false(home_is_locked(&r->h));
    assert_int_equal(home_lock(&r->h, NULL), OK);
    assert_true(home_is_locked(&r->h));
    struct home other;
    struct err e = {0};
    assert_int_equal(home_open(&other, r->dir, NULL), OK);
    assert_int_equal(home_lock(&other, &e), ERR_WRONG_STATE);
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(e.what, pid));
    assert_non_null(strstr(e.hint, "potluck stop"));
    home_close(&r->h);
    assert_int_equal(home_lock(&other, NULL), OK);
    home_close(&other);
}

static void home_knows_the_joined_run(void **state)
{
    struct rig *r = *state;
    struct hash a = hash_of("run", 3), b;
    assert_int_equal(home_current(&r->h, &b, NULL), ERR_NOTFOUND);
    assert_int_equal(home_set_current(&r->h, &a, NULL), OK);
    assert_int_equal(home_current(&r->h, &b, NULL), OK);
    assert_true(hash_equal(&a, &b));
    assert_int_equal(home_forget_current(&r->h, NULL), OK);
    assert_int_equal(home_forget_current(&r->h, NULL), OK);
    assert_int_equal(home_current(&r->h, &b, NULL), ERR_NOTFOUND);
}

static void home_does_not_believe_a_damaged_current_file(void **state)
{
    struct rig *r = *state;
    struct hash h;
    struct err e = {0};
    scratch_write(r->h.paths.data, "current", "../../etc/passwd", 16);
    assert_int_equal(home_current(&r->h, &h, &e), ERR_PROTO);
    assert_non_null(strstr(e.hint, "join"));
}

static void home_refuses_a_run_file_that_is_not_the_one_joined(void **state)
{
    struct rig *r = *state;
    struct hash run = hash_of("run", 3);
    static struct rundesc d;
    assert_int_equal(home_store_run(&r->h, &run, "junk", 4, NULL), OK);
    assert_int_not_equal(home_load_run(&r->h, &run, &d, NULL), OK);
}

static void home_remembers_a_printable_name_only(void **state)
{
    struct rig *r = *state;
    char name[MSG_NAME_CAP];
    home_name(&r->h, name);
    assert_string_equal(name, "");
    assert_int_equal(home_name_set(&r->h, "maple-kitchen", NULL), OK);
    home_name(&r->h, name);
    assert_string_equal(name, "maple-kitchen");
    assert_int_equal(home_name_set(&r->h, "a\x1b[2J", NULL), ERR_ARG);
    assert_int_equal(home_name_set(&r->h, "a name that is longer than 32 bytes", NULL), ERR_ARG);
    home_name(&r->h, name);
    assert_string_equal(name, "maple-kitchen");
}

static void home_calls_the_nameless_by_their_key(void **state)
{
    (void)state;
    struct key_pub k = {
        {0x7f, 0x3c}
    };
    char name[40];
    home_display_name("", &k, name);
    assert_string_equal(name, "peer-7f3c");
    home_display_name("ana", &k, name);
    assert_string_equal(name, "ana");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(home_keeps_one_key_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(home_refuses_a_key_that_others_can_read, setup, teardown),
        cmocka_unit_test_setup_teardown(home_takes_one_agent_only, setup, teardown),
        cmocka_unit_test_setup_teardown(home_knows_the_joined_run, setup, teardown),
        cmocka_unit_test_setup_teardown(home_does_not_believe_a_damaged_current_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(home_refuses_a_run_file_that_is_not_the_one_joined, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(home_remembers_a_printable_name_only, setup, teardown),
        cmocka_unit_test(home_calls_the_nameless_by_their_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
