#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "tests/check.h"

static void buf_appends_numbers_little_endian(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_put_u8(&b, 0x01);
    buf_put_u16(&b, 0x0302);
    buf_put_u32(&b, 0x07060504);
    buf_put_u64(&b, 0x0f0e0d0c0b0a0908);
    buf_put_f32(&b, 1.0F);
    assert_int_equal(b.len, 19);
    for (uint8_t i = 0; i < 15; i++)
        assert_int_equal(b.p[i], i + 1);
    assert_memory_equal(b.p + 15, "\x00\x00\x80\x3f", 4);
    buf_deinit(&b);
}

static void buf_str_terminates_without_counting_the_nul(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_string_equal(buf_str(&b), "");
    buf_put_str(&b, "two ");
    buf_printf(&b, "%s %d", "spoons", 3);
    assert_string_equal(buf_str(&b), "two spoons 3");
    assert_int_equal(b.len, 12);
    buf_deinit(&b);
}

static void buf_grows_far_beyond_its_first_size(void **state)
{
    (void)state;
    struct buf b = {0};
    for (uint32_t i = 0; i < 10000; i++)
        buf_put_u32(&b, i);
    assert_int_equal(b.len, 40000);
    assert_int_equal(b.p[39996] | b.p[39997] << 8, 9999);
    assert_int_equal(buf_ok(&b, NULL), OK);
    buf_deinit(&b);
}

static void buf_clear_keeps_the_memory(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_put_str(&b, "gone");
    size_t cap = b.cap;
    buf_clear(&b);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.cap, cap);
    assert_string_equal(buf_str(&b), "");
    buf_deinit(&b);
}

static void buf_remembers_a_failed_append_until_cleared(void **state)
{
    (void)state;
    struct buf b = {0};
    struct err e = {0};
    alloc_fail_nth(1);
    buf_put_str(&b, "does not fit");
    alloc_fail_nth(0);
    buf_put_str(&b, "later appends do nothing");
    assert_int_equal(b.len, 0);
    assert_null(buf_grow(&b, 1));
    assert_int_equal(buf_ok(&b, &e), ERR_NOMEM);
    assert_non_null(strstr(e.what, "out of memory"));
    buf_clear(&b);
    buf_put_str(&b, "fits");
    assert_int_equal(buf_ok(&b, &e), OK);
    buf_deinit(&b);
}

static void buf_refuses_a_length_that_overflows(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_put_u8(&b, 1);
    assert_null(buf_grow(&b, SIZE_MAX));
    assert_true(b.failed);
    assert_int_equal(b.len, 1);
    buf_deinit(&b);
}

static void buf_deinit_accepts_null_and_zero(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_deinit(NULL);
    buf_deinit(&b);
    assert_null(b.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_appends_numbers_little_endian),
        cmocka_unit_test(buf_str_terminates_without_counting_the_nul),
        cmocka_unit_test(buf_grows_far_beyond_its_first_size),
        cmocka_unit_test(buf_clear_keeps_the_memory),
        cmocka_unit_test(buf_remembers_a_failed_append_until_cleared),
        cmocka_unit_test(buf_refuses_a_length_that_overflows),
        cmocka_unit_test(buf_deinit_accepts_null_and_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
