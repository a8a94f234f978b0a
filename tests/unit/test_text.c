#include <math.h>

#include "tests/check.h"
#include "view/text.h"
#include "view/view.h"

static void numbers_keep_three_digits_and_a_unit(void **state)
{
    (void)state;
    static const struct {
        double x;
        const char *want;
    } t[] = {
        {412,      "412"     },
        {3.214,    "3.21"    },
        {12.44,    "12.4"    },
        {0,        "0"       },
        {18240,    "18.2k"   },
        {999.4,    "999"     },
        {999.6,    "1.00k"   },
        {1.25e8,   "125M"    },
        {0.0213,   "0.0213"  },
        {-3.5,     "-3.50"   },
        {9.996,    "10.0"    },
        {1e21,     "1000E"   },
        {NAN,      "-"       },
        {INFINITY, "-"       },
        {0.00012,  "1.20e-04"},
    };
    char b[TEXT_CAP];
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        assert_string_equal(text_number(t[i].x, b), t[i].want);
}

static void losses_keep_their_decimals(void **state)
{
    (void)state;
    char b[TEXT_CAP];
    assert_string_equal(text_fixed(3.2, 3, b), "3.200");
    assert_string_equal(text_fixed(NAN, 3, b), "-");
    assert_string_equal(text_fixed(1e18, 3, b), "1.00E");
}

static void counts_are_grouped_by_three(void **state)
{
    (void)state;
    char b[TEXT_CAP];
    assert_string_equal(text_count(0, b), "0");
    assert_string_equal(text_count(999, b), "999");
    assert_string_equal(text_count(48210, b), "48,210");
    assert_string_equal(text_count(-1234567, b), "-1,234,567");
    assert_string_equal(text_count(VIEW_NONE, b), "-");
    assert_string_equal(text_count(INT64_MAX, b), "9,223,372,036,854,775,807");
}

static void bytes_have_their_unit(void **state)
{
    (void)state;
    char b[TEXT_CAP];
    assert_string_equal(text_bytes(0, b), "0 B");
    assert_string_equal(text_bytes(999, b), "999 B");
    assert_string_equal(text_bytes(1000, b), "1.00 kB");
    assert_string_equal(text_bytes(1130000000, b), "1.13 GB");
    assert_string_equal(text_bytes(UINT64_MAX, b), "18.4 EB");
}

static void durations_use_the_unit_a_person_would(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *want;
    } t[] = {
        {0,              "0 ms"      },
        {350,            "350 ms"    },
        {38000,          "38 s"      },
        {119000,         "119 s"     },
        {240000,         "4 min"     },
        {8400000,        "2 h 20 min"},
        {7200000,        "2 h"       },
        {47 * 3600000LL, "47 h"      },
        {777600000,      "9 d"       },
        {-5,             "0 ms"      },
        {VIEW_NONE,      "-"         },
    };
    char b[TEXT_CAP];
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        assert_string_equal(text_duration(t[i].ms, b), t[i].want);
}

static void credits_round_at_the_last_shown_digit(void **state)
{
    (void)state;
    char b[TEXT_CAP];
    assert_string_equal(text_credits(12400000, b), "12.40");
    assert_string_equal(text_credits(1284640000, b), "1,284.6");
    assert_string_equal(text_credits(187500, b), "0.188");
    assert_string_equal(text_credits(18750, b), "0.0188");
    assert_string_equal(text_credits(0, b), "0.00");
    assert_string_equal(text_credits(1999999, b), "2.00");
    assert_string_equal(text_credits(-12400000, b), "-12.40");
    assert_string_equal(text_credits_signed(190000, b), "+0.190");
    assert_string_equal(text_credits_signed(VIEW_NONE, b), "-");
    assert_string_equal(text_credits_signed(-1000000, b), "-1.00");
}

static void percentages_never_round_something_to_nothing(void **state)
{
    (void)state;
    char b[TEXT_CAP];
    assert_string_equal(text_percent(0.62, b), "62%");
    assert_string_equal(text_percent(0.004, b), "<1%");
    assert_string_equal(text_percent(0, b), "0%");
    assert_string_equal(text_percent(NAN, b), "-");
    assert_string_equal(text_percent(1e300, b), "1000000000%");
}

static void times_are_local_and_missing_ones_are_a_dash(void **state)
{
    (void)state;
    char b[TEXT_CAP];
    assert_string_equal(text_clock(INT64_C(1700000000000), b), "22:13");
    assert_string_equal(text_date(INT64_C(1700000000000), b), "14 Nov 22:13");
    assert_string_equal(text_clock(VIEW_NONE, b), "-");
    assert_string_equal(text_date(VIEW_NONE, b), "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_keep_three_digits_and_a_unit),
        cmocka_unit_test(losses_keep_their_decimals),
        cmocka_unit_test(counts_are_grouped_by_three),
        cmocka_unit_test(bytes_have_their_unit),
        cmocka_unit_test(durations_use_the_unit_a_person_would),
        cmocka_unit_test(credits_round_at_the_last_shown_digit),
        cmocka_unit_test(percentages_never_round_something_to_nothing),
        cmocka_unit_test(times_are_local_and_missing_ones_are_a_dash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
