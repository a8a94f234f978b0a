#include "aggregator/payouts.h"
#include "tests/check.h"

static struct err e;

static void a_number_is_a_round(void **state)
{
    (void)state;
    struct payouts_when w;
    assert_int_equal(payouts_when("12", &w, &e), OK);
    assert_true(w.is_set && !w.is_day);
    assert_int_equal(w.round, 12);
}

static void a_day_is_one_of_utc(void **state)
{
    (void)state;
    struct payouts_when w;
    assert_int_equal(payouts_when("1970-01-02", &w, &e), OK);
    assert_true(w.is_day);
    assert_int_equal(w.day_ms, 86400000);
    assert_int_equal(payouts_when("2024-02-29", &w, &e), OK);
    assert_int_equal(w.day_ms, INT64_C(1709164800000));
}

static void anything_else_is_neither(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "",       "x",           "-1",         "1.5", "2026-02-30",
        "2026-1", "2026-11-27x", "1969-12-31", "12 ", "99999999999999999999"};
    struct payouts_when w = {0};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        assert_int_equal(payouts_when(odd[i], &w, &e), ERR_ARG);
        assert_true(e.what[0] && e.hint[0] && !w.is_set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_a_round),
        cmocka_unit_test(a_day_is_one_of_utc),
        cmocka_unit_test(anything_else_is_neither),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
