#include <string.h>

#include "base/file.h"
#include "client/payto.h"
#include "tests/unit/keycase.h"
#include "tests/unit/scratch.h"

#define ALICE "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"

static char dir[PATH_CAP];
static struct home home;
static struct key key;
static struct rundesc run; /* no aggregator: nobody is told */
static struct err e;

static int set_up(void **state)
{
    char path[PATH_CAP];
    (void)state;
    e = (struct err){0};
    run.id = test_hash("run");
    scratch_make(dir);
    assert_int_equal(home_open(&home, dir, &e), OK);
    assert_int_equal(home_key(&home, &key, &e), OK);
    assert_int_equal(home_run_path(&home, &run.id, "", path, &e), OK);
    assert_int_equal(file_mkdirs(path, &e), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    home_close(&home);
    scratch_remove(dir);
    return 0;
}

static void what_is_kept_is_signed_and_later_each_time(void **state)
{
    (void)state;
    struct payee m;
    struct buf text = {0};
    assert_int_equal(payto_load(&home, &run, &key, &m, NULL, &e), ERR_NOTFOUND);
    assert_int_equal(payto_keep(&home, &run, &key, PAYEE_SS58, ALICE, 1000, &e), OK);
    assert_int_equal(payto_load(&home, &run, &key, &m, &text, &e), OK);
    assert_string_equal(m.address, ALICE);
    assert_int_equal(m.created_at_ms, 1000);
    assert_int_equal(payee_verify(text.p, text.len, &key.pub, &m, &e), OK);
    assert_int_equal(payto_keep(&home, &run, &key, PAYEE_NONE, "", 900, &e),
                     OK); /* a clock set back */
    assert_int_equal(payto_load(&home, &run, &key, &m, NULL, &e), OK);
    assert_int_equal(m.created_at_ms, 1001);
    assert_int_equal(m.kind, PAYEE_NONE);
    buf_deinit(&text);
}

static void a_wrong_address_changes_nothing(void **state)
{
    (void)state;
    struct payee m;
    assert_int_equal(payto_keep(&home, &run, &key, PAYEE_TEXT, "a", 5, &e), OK);
    assert_int_equal(payto_keep(&home, &run, &key, PAYEE_SS58, "5Grwv", 6, &e), ERR_PROTO);
    assert_true(e.what[0] && e.hint[0]);
    assert_int_equal(payto_load(&home, &run, &key, &m, NULL, &e), OK);
    assert_string_equal(m.address, "a");
}

/* Damaged, or of another key: said, and mended by setting it anew. */
static void a_file_that_is_not_ours_is_said(void **state)
{
    (void)state;
    char path[PATH_CAP];
    struct payee m;
    struct key other = test_key(8);
    assert_int_equal(payto_keep(&home, &run, &key, PAYEE_TEXT, "a", 5, &e), OK);
    assert_int_equal(payto_load(&home, &run, &other, &m, NULL, &e), ERR_AUTH);
    assert_int_equal(home_run_path(&home, &run.id, "payout.jws", path, &e), OK);
    assert_int_equal(file_replace(path, "junk", 4, 0600, &e), OK);
    assert_int_not_equal(payto_load(&home, &run, &key, &m, NULL, &e), OK);
    assert_non_null(strstr(e.hint, "payout set"));
    assert_int_equal(payto_keep(&home, &run, &key, PAYEE_TEXT, "b", 7, &e), OK);
    assert_int_equal(payto_load(&home, &run, &key, &m, NULL, &e), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_kept_is_signed_and_later_each_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_address_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_not_ours_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
