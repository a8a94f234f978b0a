#include <stdio.h>
#include <string.h>

#include "app/runs.h"
#include "base/json.h"
#include "tests/check.h"

static struct runlist l;

static void fill(void)
{
    l = (struct runlist){.updated_at_ms = 1760000000000, .n = 2};
    l.runs[0] = (struct runlist_run){.name = "Soup",
                                     .note = "English stories, CC0",
                                     .link = "potluck://a:1/#k.p",
                                     .n_params = 5400000,
                                     .reward_unit = "credits",
                                     .since_ms = 1750000000000};
    l.runs[1] = (struct runlist_run){.name = "Bread",
                                     .link = "potluck://b:2/#k.p",
                                     .n_params = 1230000000,
                                     .reward_unit = "points"};
}

static void each_run_comes_with_the_command_that_joins(void **state)
{
    (void)state;
    struct lists_news news = {.is_first = true};
    struct buf b = {0};
    fill();
    runs_text(&l, &news, " --home a", &b);
    assert_string_equal(
        buf_str(&b),
        "2 runs, listed on 2025-10-09, signed by 0000000000000000 (first seen now; remembered)\n"
        "\nSoup\n  5.4M weights, pays in credits, listed since 2025-06-15\n"
        "  English stories, CC0\n  potluck join --home a 'potluck://a:1/#k.p'\n"
        "\nBread\n  1.23B weights, pays in points, listed since -\n"
        "  potluck join --home a 'potluck://b:2/#k.p'\n");
    buf_deinit(&b);
}

static void an_old_list_says_that_it_is_old(void **state)
{
    (void)state;
    struct lists_news news = {.is_older = true, .seen_before = 1760200000000};
    struct buf b = {0};
    fill();
    runs_text(&l, &news, "", &b);
    assert_non_null(strstr(buf_str(&b), "a newer list (2025-10-11) was seen here before"));
    buf_deinit(&b);
}

static void a_script_gets_all_of_it(void **state)
{
    (void)state;
    struct lists_news news = {0};
    struct buf b = {0};
    json_t *o = NULL;
    fill();
    assert_int_equal(runs_json(&l, &news, &b, NULL), OK);
    assert_int_equal(json_parse(b.p, b.len, &o, NULL), OK);
    const json_t *run = json_array_get(json_object_get(o, "runs"), 1);
    assert_string_equal(json_string_value(json_object_get(run, "link")), "potluck://b:2/#k.p");
    assert_int_equal(json_integer_value(json_object_get(run, "params")), 1230000000);
    json_decref(o);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_run_comes_with_the_command_that_joins),
        cmocka_unit_test(an_old_list_says_that_it_is_old),
        cmocka_unit_test(a_script_gets_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
