#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "engine/dtype.h"
#include "tests/check.h"

static float of_bits(uint32_t b)
{
    float v;
    memcpy(&v, &b, 4);
    return v;
}

static uint32_t bits_of(float v)
{
    uint32_t b;
    memcpy(&b, &v, 4);
    return b;
}

static void dtype_every_bf16_and_f16_comes_back(void **state)
{
    (void)state;
    for (uint32_t b = 0; b < 65536; b++) {
        float v = dtype_from_bf16((uint16_t)b);
        if (!isnan(v)) assert_int_equal(dtype_to_bf16(v), b);
        if (isnan(v)) assert_true(isnan(dtype_from_bf16(dtype_to_bf16(v))));
        v = dtype_from_f16((uint16_t)b);
        if (!isnan(v)) assert_int_equal(dtype_to_f16(v), b);
        if (isnan(v)) assert_true(isnan(dtype_from_f16(dtype_to_f16(v))));
    }
}

/* The nearest of the two neighbours in exact arithmetic (double holds all of it); even on a tie. */
static void assert_nearest(float v, uint16_t got, float (*from)(uint16_t))
{
    double here = fabs((double)from(got) - (double)v);
    uint16_t mag = got & 0x7fff;
    uint16_t sign = got & 0x8000;
    if (mag) {
        double below = fabs((double)from((uint16_t)(sign | (mag - 1))) - (double)v);
        assert_true(here < below || (here == below && got % 2 == 0));
    }
    float up = from((uint16_t)(sign | (mag + 1)));
    if (isfinite(up)) {
        double above = fabs((double)up - (double)v);
        assert_true(here < above || (here == above && got % 2 == 0));
    }
}

static void dtype_rounds_to_nearest_even(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 7, 0);
    for (int i = 0; i < 200000; i++) {
        uint32_t b = rng_below(&r, UINT32_MAX);
        if (i % 3 == 0) b = (b & 0xffff0000u) | 0x8000u;     /* ties of bf16 */
        if (i % 3 == 1) b = (b & 0x87ffe000u) + 0x33801000u; /* ties of f16, most of them */
        float v = of_bits(b);
        if (!isfinite(v)) continue;
        if (fabsf(v) <= dtype_max(DTYPE_BF16)) assert_nearest(v, dtype_to_bf16(v), dtype_from_bf16);
        if (fabsf(v) <= dtype_max(DTYPE_F16)) assert_nearest(v, dtype_to_f16(v), dtype_from_f16);
    }
    assert_int_equal(dtype_to_f16(1.0F), 0x3c00);
    assert_int_equal(dtype_to_f16(-2.0F), 0xc000);
    assert_int_equal(dtype_to_f16(0x1p-24F), 1);
    assert_int_equal(dtype_to_f16(0x1p-25F), 0);          /* tie to even */
    assert_int_equal(dtype_to_f16(0x1.000002p-25F), 1);   /* just above it */
    assert_int_equal(dtype_to_f16(0x1.ffcp-15F), 0x0400); /* up to the least normal one */
    assert_int_equal(dtype_to_bf16(1.00390625F), 0x3f80); /* tie to even, down */
    assert_int_equal(dtype_to_bf16(1.01171875F), 0x3f82); /* tie to even, up */
}

static void dtype_max_is_the_last_that_stays_finite(void **state)
{
    (void)state;
    float m = dtype_max(DTYPE_F16);
    assert_true(isfinite(dtype_from_f16(dtype_to_f16(m))));
    assert_true(isinf(dtype_from_f16(dtype_to_f16(of_bits(bits_of(m) + 1)))));
    m = dtype_max(DTYPE_BF16);
    assert_true(isfinite(dtype_from_bf16(dtype_to_bf16(m))));
    assert_true(isinf(dtype_from_bf16(dtype_to_bf16(of_bits(bits_of(m) + 1)))));
    assert_true(isinf(of_bits(bits_of(dtype_max(DTYPE_F32)) + 1)));
    float block[32] = {dtype_max(DTYPE_Q8_0)};
    uint8_t packed[DTYPE_Q8_0_BYTES];
    dtype_pack(DTYPE_Q8_0, block, 32, packed);
    dtype_unpack(DTYPE_Q8_0, packed, 32, block);
    assert_true(isfinite(block[0]) && block[0] > 8e6F);
}

static void dtype_q8_0_is_llama_cpps(void **state)
{
    (void)state;
    float v[32], back[32];
    uint8_t p[DTYPE_Q8_0_BYTES];
    for (int i = 0; i < 32; i++)
        v[i] = (float)(i - 16) * 8; /* most: 128, d = 128 / 127 */
    dtype_pack(DTYPE_Q8_0, v, 32, p);
    assert_int_equal(p[0] | p[1] << 8, dtype_to_f16(128.0F / 127.0F));
    assert_int_equal((int8_t)p[2], -127);
    assert_int_equal((int8_t)p[2 + 16], 0);
    assert_int_equal((int8_t)p[2 + 17], 8);   /* 7.9375 */
    assert_int_equal((int8_t)p[2 + 31], 119); /* 119.06 */
    dtype_unpack(DTYPE_Q8_0, p, 32, back);
    for (int i = 0; i < 32; i++)
        assert_true(fabsf(back[i] - v[i]) <= 128.0F / 127.0F * 0.51F);
    float half[32] = {127, 0.5F, -0.5F, 1.5F}; /* d = 1: halves go away from zero */
    dtype_pack(DTYPE_Q8_0, half, 32, p);
    assert_int_equal((int8_t)p[2], 127);
    assert_int_equal((int8_t)p[3], 1);
    assert_int_equal((int8_t)p[4], -1);
    assert_int_equal((int8_t)p[5], 2);
}

static void dtype_q8_0_takes_zeros_and_the_smallest_values(void **state)
{
    (void)state;
    float v[32] = {0}, back[32];
    uint8_t p[DTYPE_Q8_0_BYTES];
    dtype_pack(DTYPE_Q8_0, v, 32, p);
    dtype_unpack(DTYPE_Q8_0, p, 32, back);
    for (int i = 0; i < 32; i++)
        assert_true(back[i] == 0);
    v[3] = 0x1p-149F;
    v[4] = -0x1p-130F;
    dtype_pack(DTYPE_Q8_0, v, 32, p);
    dtype_unpack(DTYPE_Q8_0, p, 32, back);
    for (int i = 0; i < 32; i++)
        assert_true(back[i] == 0);
}

static void dtype_f32_blocks_come_back_to_the_bit(void **state)
{
    (void)state;
    const float v[4] = {-0.0F, 1e-42F, 3.1415927F, -1e38F};
    float back[4];
    uint8_t p[16];
    assert_int_equal(dtype_bytes(DTYPE_F32, 4), 16);
    assert_int_equal(dtype_bytes(DTYPE_BF16, 4), 8);
    assert_int_equal(dtype_bytes(DTYPE_Q8_0, 64), 68);
    dtype_pack(DTYPE_F32, v, 4, p);
    dtype_unpack(DTYPE_F32, p, 4, back);
    assert_memory_equal(v, back, sizeof v);
}

static void dtype_names_go_both_ways_and_bad_values_are_found(void **state)
{
    (void)state;
    for (int t = DTYPE_F32; t <= DTYPE_Q8_0; t++)
        assert_int_equal(dtype_find(dtype_name((enum dtype)t)), t);
    assert_int_equal(dtype_find("f64"), 0);
    float v[3] = {1, -1, 0};
    assert_int_equal(dtype_first_bad(v, 3), 3);
    v[1] = (float)NAN;
    assert_int_equal(dtype_first_bad(v, 3), 1);
    v[0] = -(float)INFINITY;
    assert_int_equal(dtype_first_bad(v, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtype_every_bf16_and_f16_comes_back),
        cmocka_unit_test(dtype_rounds_to_nearest_even),
        cmocka_unit_test(dtype_max_is_the_last_that_stays_finite),
        cmocka_unit_test(dtype_q8_0_is_llama_cpps),
        cmocka_unit_test(dtype_q8_0_takes_zeros_and_the_smallest_values),
        cmocka_unit_test(dtype_f32_blocks_come_back_to_the_bit),
        cmocka_unit_test(dtype_names_go_both_ways_and_bad_values_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
