#include "client/meter.h"
#include "tests/check.h"

/* 27 November 2026, 12:00 UTC; December; January. */
#define NOVEMBER 1795780800000LL
#define DAY      86400000LL

static void bytes_add_up_within_a_month(void **state)
{
    (void)state;
    struct meter m = {0};
    meter_add(&m, NOVEMBER, 100, 20);
    meter_add(&m, NOVEMBER + DAY, 5, 1);
    assert_int_equal(m.in, 105);
    assert_int_equal(m.out, 21);
    meter_add(&m, NOVEMBER + 5 * DAY, 7, 0); /* December */
    assert_int_equal(m.in, 7);
    assert_int_equal(m.out, 0);
}

static void both_ways_count_against_the_allowance(void **state)
{
    (void)state;
    struct meter m = {0};
    struct link_limits l = {.gb_month = 1};
    meter_add(&m, NOVEMBER, 600000000, 399999999);
    assert_false(meter_is_spent(&m, &l, NOVEMBER));
    meter_add(&m, NOVEMBER, 0, 1);
    assert_true(meter_is_spent(&m, &l, NOVEMBER));
    assert_false(meter_is_spent(&m, &l, NOVEMBER + 5 * DAY)); /* a new month */
    l.gb_month = 0;
    assert_false(meter_is_spent(&m, &l, NOVEMBER));
}

static void the_next_month_begins_at_midnight(void **state)
{
    (void)state;
    assert_int_equal(meter_left_ms(NOVEMBER), 3 * DAY + DAY / 2);
    assert_int_equal(meter_left_ms(NOVEMBER + 30 * DAY), 4 * DAY + DAY / 2);
}

static void what_is_kept_is_read_again(void **state)
{
    (void)state;
    struct meter m = {.month = 24322, .in = 5000000000, .out = 7}, back = {0};
    struct buf b = {0};
    struct err e = {0};
    assert_int_equal(meter_encode(&m, &b, &e), OK);
    assert_int_equal(meter_decode(b.p, b.len, &back, &e), OK);
    assert_int_equal(back.month, m.month);
    assert_int_equal(back.in, m.in);
    assert_int_equal(back.out, m.out);
    assert_int_not_equal(meter_decode("{}", 2, &back, &e), OK);
    assert_int_not_equal(meter_decode("{\"month\":-1,\"in\":0,\"out\":0}", 28, &back, &e), OK);
    assert_int_not_equal(meter_decode("x", 1, &back, &e), OK);
    assert_int_equal(back.out, 7);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_add_up_within_a_month),
        cmocka_unit_test(both_ways_count_against_the_allowance),
        cmocka_unit_test(the_next_month_begins_at_midnight),
        cmocka_unit_test(what_is_kept_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
