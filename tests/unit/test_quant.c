#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "engine/quant.h"
#include "tests/check.h"

static void normals(struct rng *r, float *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        v[i] = rng_normal(r);
}

/* The definition, slowly: i is in when fewer than k others come before it. */
static uint32_t top_slowly(const float *v, uint32_t n, uint32_t k, uint16_t *pos)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t before = 0;
        for (uint32_t j = 0; j < n; j++)
            before += fabsf(v[j]) > fabsf(v[i]) || (fabsf(v[j]) == fabsf(v[i]) && j < i);
        if (before < k) pos[at++] = (uint16_t)i;
    }
    return at;
}

static void top_agrees_with_the_definition(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 2, 0);
    for (int round = 0; round < 200; round++) {
        float v[300];
        uint16_t got[300];
        uint16_t want[300];
        uint32_t n = 1 + rng_below(&r, 300);
        uint32_t k = 1 + rng_below(&r, n);
        normals(&r, v, n);
        if (round % 2) /* many ties, zeros of both signs among them */
            for (uint32_t i = 0; i < n; i++)
                v[i] = roundf(v[i]);
        quant_top(v, n, k, got);
        assert_int_equal(top_slowly(v, n, k, want), k);
        assert_memory_equal(got, want, k * sizeof *got);
    }
}

/* Long chunks, few wanted: the way by groups; with few different values it gives up and falls back. */
static void top_of_long_chunks_agrees_too(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 6, 0);
    for (int round = 0; round < 24; round++) {
        static float v[4096];
        uint16_t got[64];
        uint16_t want[64];
        uint32_t n = round % 3 ? 4096 : 512 + rng_below(&r, 3000);
        uint32_t k = 1 + rng_below(&r, 64);
        normals(&r, v, n);
        for (uint32_t i = 0; i < n && round % 4; i++)
            v[i] = round % 4 == 1 ? roundf(v[i]) : round % 4 == 2 ? roundf(v[i] * 30) : v[i];
        quant_top(v, n, k, got);
        assert_int_equal(top_slowly(v, n, k, want), k);
        assert_memory_equal(got, want, k * sizeof *got);
    }
}

static void top_of_equal_values_takes_the_first(void **state)
{
    (void)state;
    float v[4096];
    uint16_t pos[4096];
    for (uint32_t i = 0; i < 4096; i++)
        v[i] = i % 2 ? 0.5F : -0.5F;
    quant_top(v, 4096, 100, pos);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(pos[i], i);
    quant_top(v, 4096, 4095, pos);
    assert_int_equal(pos[4094], 4094);
}

static double error_of(const float *v, uint32_t n, const struct quant_levels *q,
                       const uint8_t *negative, const uint8_t *high)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        float seen = q->ratio && high[i] ? q->hi : q->lo;
        double d = (double)(v[i] - (negative[i] ? -seen : seen));
        sum += d * d;
    }
    return sum;
}

static void two_levels_of_all_normal_values_come_near_the_best(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, 0);
    float v[4096];
    uint8_t negative[4096];
    uint8_t high[4096];
    struct quant_levels q;
    normals(&r, v, 4096);
    quant_choose(v, 4096, 4096, &q, negative, high);
    assert_true(q.ratio > 0);
    /* Max 1960, table I: four levels of a normal variable leave 0.1175 of its power. */
    double power = 0;
    for (uint32_t i = 0; i < 4096; i++)
        power += (double)v[i] * (double)v[i];
    assert_true(error_of(v, 4096, &q, negative, high) / power < 0.1175 * 1.03);
}

/* The 64 largest of 4096 are nearly alike: one bit more for each is better spent on other values. */
static void the_few_largest_get_one_level(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, 0);
    float v[4096];
    float top[64];
    uint16_t pos[64];
    uint8_t negative[64];
    uint8_t high[64];
    struct quant_levels q;
    normals(&r, v, 4096);
    quant_top(v, 4096, 64, pos);
    double power = 0;
    for (uint32_t i = 0; i < 64; i++) {
        top[i] = v[pos[i]];
        power += (double)top[i] * (double)top[i];
    }
    quant_choose(top, 64, 4096, &q, negative, high);
    assert_int_equal(q.ratio, 0);
    assert_true(error_of(top, 64, &q, negative, high) / power < 0.02);
    for (uint32_t i = 0; i < 8; i++) /* but not where some tower above the rest */
        top[i] *= 4;
    quant_choose(top, 64, 4096, &q, negative, high);
    assert_true(q.ratio > 0);
}

static void levels_always_use_lo_and_name_hi_only_when_used(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 4, 0);
    for (int round = 0; round < 2000; round++) {
        float v[64];
        uint8_t negative[64];
        uint8_t high[64];
        struct quant_levels q;
        uint32_t n = 1 + rng_below(&r, 64);
        normals(&r, v, n);
        for (uint32_t i = 0; i < n; i++)
            v[i] = rng_below(&r, 4) ? ldexpf(v[i], (int)rng_below(&r, 40) - 20) : 0.25F;
        quant_choose(v, n, n + rng_below(&r, 4000), &q, negative, high);
        uint32_t n_hi = 0;
        for (uint32_t i = 0; i < n; i++) {
            n_hi += high[i];
            assert_int_equal(negative[i], v[i] < 0);
        }
        assert_true(q.ratio ? n_hi > 0 && n_hi < n : n_hi == 0);
        struct quant_levels read;
        assert_true(quant_levels_read(q.lo_code, q.ratio, &read));
        assert_true(read.lo == q.lo && read.hi == q.hi);
    }
}

static void nothing_and_dust_have_no_scale(void **state)
{
    (void)state;
    float v[3] = {0, -0.0F, 1e-38F};
    uint8_t negative[3];
    uint8_t high[3];
    int8_t bytes[3];
    struct quant_levels q;
    quant_choose(v, 3, 3, &q, negative, high);
    assert_int_equal(q.lo_code, 0);
    assert_int_equal(quant_eight(v, 3, bytes), 0);
    assert_int_equal(bytes[2], 0);
}

static void eight_bits_stay_within_half_a_step(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 5, 0);
    for (int round = 0; round < 3000; round++) {
        float v[256];
        int8_t codes[256];
        uint32_t top = 0;
        normals(&r, v, 256);
        uint32_t code = quant_eight(v, 256, codes);
        float scale = quant_scale(code);
        for (int i = 0; i < 256; i++) {
            assert_true(fabsf(v[i] - scale * (float)codes[i]) <= scale * 0.54F);
            uint32_t size = (uint32_t)(codes[i] < 0 ? -codes[i] : codes[i]);
            top = size > top ? size : top;
        }
        /* and the scale is the only one that could have been chosen for what is read */
        assert_true(quant_scale_ok(code, top, QUANT_MAX));
        float seen[256];
        int8_t again[256];
        for (int i = 0; i < 256; i++)
            seen[i] = scale * (float)codes[i];
        assert_int_equal(quant_eight(seen, 256, again), code);
        assert_memory_equal(again, codes, 256);
    }
}

static void insane_values_are_seen(void **state)
{
    (void)state;
    float v[4] = {1, -2, 3, -QUANT_MAX};
    assert_true(quant_all_sane(v, 4, QUANT_MAX));
    v[3] = -QUANT_MAX * 1.001F;
    assert_false(quant_all_sane(v, 4, QUANT_MAX));
    v[3] = NAN;
    assert_false(quant_all_sane(v, 4, QUANT_MAX));
    v[3] = -INFINITY;
    assert_false(quant_all_sane(v, 4, QUANT_MAX));
    struct quant_levels q;
    assert_false(quant_levels_read(QUANT_SCALE_MAX + 1, 0, &q)); /* infinity */
    assert_false(quant_levels_read(QUANT_SCALE_MAX, 0, &q));
    assert_false(quant_levels_read(1, 0, &q));
    assert_false(quant_levels_read(2000, 16, &q));
    assert_false(quant_scale_ok(0, 127, QUANT_MAX));
    assert_false(quant_scale_ok(QUANT_SCALE_MAX + 1, 127, QUANT_MAX));
    assert_false(quant_scale_ok(2000, 128, QUANT_MAX));
    assert_true(quant_scale_ok(2000, 127, QUANT_MAX));
    assert_false(quant_scale_ok(2000, 100, QUANT_MAX)); /* a smaller scale would do */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(top_agrees_with_the_definition),
        cmocka_unit_test(top_of_long_chunks_agrees_too),
        cmocka_unit_test(top_of_equal_values_takes_the_first),
        cmocka_unit_test(two_levels_of_all_normal_values_come_near_the_best),
        cmocka_unit_test(the_few_largest_get_one_level),
        cmocka_unit_test(levels_always_use_lo_and_name_hi_only_when_used),
        cmocka_unit_test(nothing_and_dust_have_no_scale),
        cmocka_unit_test(eight_bits_stay_within_half_a_step),
        cmocka_unit_test(insane_values_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
