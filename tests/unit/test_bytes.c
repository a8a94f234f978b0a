#include "base/bytes.h"
#include "tests/check.h"

static void bytes_round_trip_at_odd_addresses(void **state)
{
    (void)state;
    uint8_t b[9] = {0};
    bytes_put_u64(b + 1, 0x8877665544332211);
    assert_int_equal(b[1], 0x11);
    assert_int_equal(b[8], 0x88);
    assert_int_equal(bytes_u16(b + 1), 0x2211);
    assert_int_equal(bytes_u32(b + 1), 0x44332211);
    assert_true(bytes_u64(b + 1) == 0x8877665544332211);
}

static void cursor_reads_in_order(void **state)
{
    (void)state;
    static const uint8_t b[] = {1, 2, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f};
    struct cursor c = {.p = b, .n = sizeof b};
    assert_int_equal(cursor_u8(&c), 1);
    assert_int_equal(cursor_u16(&c), 2);
    assert_int_equal(cursor_u32(&c), 3);
    assert_int_equal(cursor_u64(&c), 4);
    assert_true(cursor_f32(&c) == 1.0F);
    assert_int_equal(c.n, 0);
    assert_false(c.bad);
}

static void cursor_never_runs_past_the_end(void **state)
{
    (void)state;
    static const uint8_t b[] = {0xff, 0xff, 0xff};
    struct cursor c = {.p = b, .n = sizeof b};
    assert_int_equal(cursor_u32(&c), 0);
    assert_true(c.bad);
    assert_int_equal(cursor_u8(&c), 0); /* sticky: even what would fit is refused now */
    assert_null(cursor_take(&c, 0));
}

static void cursor_takes_exactly_the_rest(void **state)
{
    (void)state;
    static const uint8_t b[] = {7, 8, 9};
    struct cursor c = {.p = b, .n = sizeof b};
    assert_ptr_equal(cursor_take(&c, 3), b);
    assert_false(c.bad);
    assert_null(cursor_take(&c, SIZE_MAX));
    assert_true(c.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_round_trip_at_odd_addresses),
        cmocka_unit_test(cursor_reads_in_order),
        cmocka_unit_test(cursor_never_runs_past_the_end),
        cmocka_unit_test(cursor_takes_exactly_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
