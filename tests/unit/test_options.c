#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tui/options.h"

static struct options o;

#define LIST                                                                                       \
    "{\"settings\":[{\"key\":\"gear_idle\",\"value\":\"balanced\",\"unit\":\"\",\"source\":"       \
    "\"default\",\"default\":\"balanced\",\"help\":\"how much\",\"applies\":\"at once\","          \
    "\"choices\":[\"off\",\"balanced\",\"full\"],\"in_effect\":\"2 cores\"},"                      \
    "{\"key\":\"disk_quota_mib\",\"value\":\"512\",\"unit\":\"MiB\",\"source\":\"file\","          \
    "\"least\":1,\"most\":1048576,\"help\":\"disk\",\"new\":7},"                                   \
    "{\"key\":\"hours\",\"value\":\"always\",\"help\":\"when\"}],\"file\":\"x\"}"

static int setup(void **state)
{
    (void)state;
    return options_parse(LIST, strlen(LIST), &o, NULL);
}

static void what_the_agent_says_is_what_is_shown(void **state)
{
    (void)state;
    assert_int_equal(o.n, 3);
    assert_string_equal(o.at[0].in_effect, "2 cores");
    assert_int_equal(o.at[0].n_choices, 3);
    assert_true(o.at[1].is_number && o.at[1].most == 1048576);
    assert_false(o.at[2].is_number);
}

static void choices_go_round_and_numbers_stop_at_their_ends(void **state)
{
    (void)state;
    char next[OPTIONS_VALUE];
    assert_true(options_next(&o.at[0], 1, next));
    assert_string_equal(next, "full");
    snprintf(o.at[0].value, OPTIONS_VALUE, "full");
    assert_true(options_next(&o.at[0], 1, next));
    assert_string_equal(next, "off");
    assert_true(options_next(&o.at[1], 1, next));
    assert_string_equal(next, "562");
    snprintf(o.at[1].value, OPTIONS_VALUE, "1");
    assert_false(options_next(&o.at[1], -1, next));
    snprintf(o.at[1].value, OPTIONS_VALUE, "1048576");
    assert_false(options_next(&o.at[1], 1, next));
    for (int i = 0; i < 1000; i++) { /* every step down is a change, until the end */
        if (!options_next(&o.at[1], -1, next)) break;
        assert_string_not_equal(next, o.at[1].value);
        snprintf(o.at[1].value, OPTIONS_VALUE, "%s", next);
    }
    assert_string_equal(o.at[1].value, "1");
    assert_false(options_next(&o.at[2], 1, next)); /* a text is typed */
}

static void what_is_no_list_leaves_the_old_one(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "[]", "{\"settings\":3}",
                                      "{\"error\":\"no such command\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_not_equal(options_parse(bad[i], strlen(bad[i]), &o, NULL), OK);
    assert_int_equal(o.n, 3);
    static const char odd[] = "{\"settings\":[3,{},{\"key\":\"a\",\"value\":\"\\u001b[31m\"}]}";
    assert_int_equal(options_parse(odd, sizeof odd - 1, &o, NULL), OK);
    assert_int_equal(o.n, 1);
    assert_null(strchr(o.at[0].value, 0x1b));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        T(what_the_agent_says_is_what_is_shown),
        T(choices_go_round_and_numbers_stop_at_their_ends),
        T(what_is_no_list_leaves_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
