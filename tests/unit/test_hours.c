#include <string.h>

#include "client/hours.h"
#include "tests/check.h"

static uint32_t at(int day, int h, int m)
{
    return (uint32_t)(day * 24 * 60 + h * 60 + m);
}

static void always_is_always(void **state)
{
    (void)state;
    struct hours h = {.n = 3};
    assert_int_equal(hours_parse("always", &h, NULL), OK);
    for (uint32_t i = 0; i < HOURS_WEEK; i++)
        assert_true(hours_hold(&h, i));
    assert_int_equal(hours_until(&h, 77), 0);
}

static void a_night_belongs_to_the_day_it_begins(void **state)
{
    (void)state;
    struct hours h;
    assert_int_equal(hours_parse("mon-fri 20:00-08:00, sat+sun 10:00-24:00", &h, NULL), OK);
    assert_false(hours_hold(&h, at(0, 7, 0))); /* the night before was a sunday's */
    assert_false(hours_hold(&h, at(0, 19, 59)));
    assert_true(hours_hold(&h, at(0, 20, 0)));
    assert_true(hours_hold(&h, at(1, 7, 59)));
    assert_false(hours_hold(&h, at(1, 8, 0)));
    assert_true(hours_hold(&h, at(5, 7, 59))); /* friday's night */
    assert_false(hours_hold(&h, at(5, 8, 0)));
    assert_true(hours_hold(&h, at(6, 23, 59)));
    assert_int_equal(hours_until(&h, at(0, 0, 0)), 20 * 60);
    assert_int_equal(hours_until(&h, at(0, 21, 0)), 0);
}

static void days_wrap_round_the_week(void **state)
{
    (void)state;
    struct hours h;
    assert_int_equal(hours_parse("sat-mon 00:00-01:00", &h, NULL), OK);
    assert_true(hours_hold(&h, at(5, 0, 30)));
    assert_true(hours_hold(&h, at(6, 0, 30)));
    assert_true(hours_hold(&h, at(0, 0, 30)));
    assert_false(hours_hold(&h, at(1, 0, 30)));
}

static void what_is_no_time_is_refused_with_an_example(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "20:00",
                                      "20:00-",
                                      "25:00-08:00",
                                      "20:00-08:60",
                                      "20:00-20:00",
                                      "noon",
                                      "mon 9-17:00",
                                      "mon- 9:00-17:00",
                                      "mon+ 9:00-17:00",
                                      "9:00-17:00,",
                                      "monfri 9:00-17:00",
                                      "9:00-17:00 mon",
                                      "24:00-25:00",
                                      "8:0-9:00"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct hours h = {.n = 5};
        struct err e = {0};
        assert_int_equal(hours_parse(bad[i], &h, &e), ERR_ARG);
        assert_int_equal(h.n, 5);
        assert_true(e.hint[0]);
    }
    char many[400] = "";
    for (int i = 0; i < 17; i++)
        strcat(many, i ? ",1:00-2:00" : "1:00-2:00");
    struct hours h;
    assert_int_equal(hours_parse(many, &h, NULL), ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(always_is_always),
        cmocka_unit_test(a_night_belongs_to_the_day_it_begins),
        cmocka_unit_test(days_wrap_round_the_week),
        cmocka_unit_test(what_is_no_time_is_refused_with_an_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
