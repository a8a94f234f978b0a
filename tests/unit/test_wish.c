#include "client/wish.h"
#include "tests/check.h"

#define HOUR INT64_C(3600000)

static void spans_are_read_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t second;
        int64_t ms;
    } t[] = {
        {"90s",   0,        90000             },
        {"30m",   0,        1800000           },
        {"30min", 0,        1800000           },
        {"2h",    0,        2 * HOUR          },
        {"30d",   0,        WISH_MAX_SNOOZE_MS},
        {"08:00", 7 * 3600, HOUR              },
        {"8:00",  9 * 3600, 23 * HOUR         },
        {"00:00", 0,        24 * HOUR         },
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        int64_t ms = 0;
        assert_int_equal(wish_span(t[i].text, t[i].second, &ms, NULL), OK);
        assert_int_equal(ms, t[i].ms);
    }
    static const char *const bad[] = {"",  "h",     "0m",    "-2h",  "2 h",  "31d", "1000000s",
                                      "2", "25:00", "08:60", "08:1", "soon", "1.5h"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        int64_t ms = 7;
        assert_int_equal(wish_span(bad[i], 0, &ms, &e), ERR_ARG);
        assert_true(e.hint[0] && ms == 7);
    }
}

static void a_snooze_counts_real_time_whatever_the_wall_clock_does(void **state)
{
    (void)state;
    struct wish_snooze s;
    wish_begin(&s, HOUR, 1000 * HOUR, 5 * HOUR);
    assert_true(wish_lasts(&s, 1000 * HOUR + 60000, 5 * HOUR + 60000));
    assert_int_equal(s.until_ms, 1001 * HOUR);
    assert_true(wish_lasts(&s, 2000 * HOUR, 5 * HOUR + HOUR / 2)); /* jumped ahead */
    assert_int_equal(s.until_ms, 2000 * HOUR + HOUR / 2);
    assert_true(wish_lasts(&s, 10 * HOUR, 6 * HOUR - 1)); /* and back */
    assert_false(wish_lasts(&s, 10 * HOUR, 6 * HOUR));
    assert_int_equal(s.ms, 0);
}

static void a_restart_brings_back_the_rest_and_never_more_than_was_asked(void **state)
{
    (void)state;
    struct wish_snooze s = {.ms = HOUR, .until_ms = 100 * HOUR};
    struct wish_snooze back = s;
    struct wish_snooze late = s;
    wish_restore(&s, 100 * HOUR - HOUR / 4, 0);
    assert_int_equal(s.end_ms, HOUR / 4);
    wish_restore(&back, 3 * HOUR, 0); /* the clock was set back by days */
    assert_int_equal(back.end_ms, HOUR);
    wish_restore(&late, 300 * HOUR, 0);
    assert_false(wish_lasts(&late, 300 * HOUR, 0));
}

static void the_word_is_the_strongest_wish(void **state)
{
    (void)state;
    struct wish_snooze none = {0}, some = {.ms = 1};
    assert_string_equal(wish_word(&none, false, false, false), "run");
    assert_string_equal(wish_word(&none, false, true, false), "finish");
    assert_string_equal(wish_word(&some, false, true, false), "snooze");
    assert_string_equal(wish_word(&some, true, false, false), "pause");
    assert_string_equal(wish_word(&none, true, true, true), "leave");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_are_read_as_people_write_them),
        cmocka_unit_test(a_snooze_counts_real_time_whatever_the_wall_clock_does),
        cmocka_unit_test(a_restart_brings_back_the_rest_and_never_more_than_was_asked),
        cmocka_unit_test(the_word_is_the_strongest_wish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
