#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "tests/check.h"

static void err_set_fills_code_text_and_reason(void **state)
{
    (void)state;
    struct err e = {.hint = "old"};
    assert_int_equal(err_set(&e, ERR_IO, ENOENT, "cannot open '%s'", "a"), ERR_IO);
    assert_int_equal(e.code, ERR_IO);
    assert_int_equal(e.sys, ENOENT);
    assert_string_equal(e.what, "cannot open 'a': No such file or directory");
    assert_string_equal(e.hint, "");
}

static void err_functions_accept_null(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_AUTH, 0, "no"), ERR_AUTH);
    err_hint(NULL, "nothing");
    assert_int_equal(err_wrap(NULL, "context"), ERR_WRONG_STATE);
}

static void err_wrap_puts_context_in_front(void **state)
{
    (void)state;
    struct err e = {0};
    err_set(&e, ERR_PROTO, 0, "bad header");
    assert_int_equal(err_wrap(&e, "loading %s", "checkpoint"), ERR_PROTO);
    assert_string_equal(e.what, "loading checkpoint: bad header");
}

static void err_texts_stay_terminated_when_too_long(void **state)
{
    (void)state;
    struct err e = {0};
    char longer[400];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    err_set(&e, ERR_IO, EIO, "%s", longer);
    assert_int_equal(strlen(e.what), sizeof e.what - 1);
    err_wrap(&e, "%s", longer);
    assert_int_equal(strlen(e.what), sizeof e.what - 1);
    err_hint(&e, "%s", longer);
    assert_int_equal(strlen(e.hint), sizeof e.hint - 1);
}

static void err_line_adds_the_hint_in_brackets(void **state)
{
    (void)state;
    struct err e = {0};
    char line[64];
    err_set(&e, ERR_IO, 0, "disk full");
    assert_string_equal(err_line(&e, line, sizeof line), "disk full");
    err_hint(&e, "free some space");
    assert_string_equal(err_line(&e, line, sizeof line), "disk full (free some space)");
}

static void every_code_has_its_own_name(void **state)
{
    (void)state;
    for (int a = OK; a >= ERR_NOTFOUND; a--)
        for (int b = a - 1; b >= ERR_NOTFOUND; b--)
            assert_string_not_equal(err_name(a), err_name(b));
    assert_string_equal(err_name(ERR_NOTFOUND), "ERR_NOTFOUND");
    assert_string_equal(err_name(ERR_NOTFOUND - 1), "ERR_UNKNOWN");
    assert_string_equal(err_name(1), "ERR_UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_set_fills_code_text_and_reason),
        cmocka_unit_test(err_functions_accept_null),
        cmocka_unit_test(err_wrap_puts_context_in_front),
        cmocka_unit_test(err_texts_stay_terminated_when_too_long),
        cmocka_unit_test(err_line_adds_the_hint_in_brackets),
        cmocka_unit_test(every_code_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
