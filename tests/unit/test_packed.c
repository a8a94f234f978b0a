#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "engine/packed.h"
#include "tests/check.h"

enum { N = 600 }; /* two groups and a part of one */

static void draw(float *x, bool is_positive)
{
    struct rng r;
    rng_init(&r, 3, 0);
    for (int i = 0; i < N; i++) {
        x[i] = rng_normal(&r) * powf(10, (float)(i % 5) - 4);
        if (is_positive) x[i] *= x[i];
    }
}

static void round_trip(enum packed_kind kind, const float *x, float *y)
{
    unsigned char *block = malloc(packed_bytes(kind, N) + 1);
    assert_non_null(block);
    block[packed_bytes(kind, N)] = 0x5a;
    for (uint32_t at = 0; at < N; at += PACKED_GROUP)
        packed_put(kind, block, at, N - at < PACKED_GROUP ? N - at : PACKED_GROUP, x + at);
    for (uint32_t at = 0; at < N; at += PACKED_GROUP)
        packed_get(kind, block, at, N - at < PACKED_GROUP ? N - at : PACKED_GROUP, y + at);
    assert_int_equal(block[packed_bytes(kind, N)], 0x5a); /* nothing past the end */
    free(block);
}

static void packed_floats_come_back_as_they_were(void **state)
{
    (void)state;
    float x[N], y[N];
    draw(x, false);
    round_trip(PACKED_F32, x, y);
    assert_memory_equal(x, y, sizeof x);
    round_trip(PACKED_BF16, x, y);
    for (int i = 0; i < N; i++)
        assert_true(fabsf(x[i] - y[i]) <= fabsf(x[i]) / 256);
}

static void packed_codes_stay_within_half_a_step_of_their_curve(void **state)
{
    (void)state;
    for (int positive = 0; positive < 2; positive++) {
        float x[N], y[N];
        draw(x, positive);
        round_trip(positive ? PACKED_U8 : PACKED_Q8, x, y);
        for (int i = 0; i < N; i++) {
            double top = 0;
            for (int j = i / 256 * 256; j < N && j < i / 256 * 256 + 256; j++)
                top = fmax(top, fabs((double)x[j]));
            double root = positive ? 0.25 : 0.5, steps = positive ? 255 : 127;
            double want = pow(fabs((double)x[i]) / top, root);
            double got = pow(fabs((double)y[i]) / top, root);
            assert_true(fabs(want - got) <= 0.5 / steps + 1e-5 || (positive && got * steps < 1.01));
            assert_true(x[i] == 0 || (double)y[i] * (double)x[i] >= 0);
        }
    }
}

static void packed_variance_that_is_not_zero_stays_so(void **state)
{
    (void)state;
    float x[N] = {1.0F}, y[N];
    x[1] = 1e-12F;
    round_trip(PACKED_U8, x, y);
    assert_true(y[0] == 1.0F && y[1] > 0 && y[2] == 0);
    memset(x, 0, sizeof x);
    round_trip(PACKED_Q8, x, y);
    assert_memory_equal(x, y, sizeof x);
}

static void packed_bytes_grow_as_the_header_says(void **state)
{
    (void)state;
    assert_int_equal(packed_bytes(PACKED_F32, 1000), 4000);
    assert_int_equal(packed_bytes(PACKED_BF16, 1000), 2000);
    assert_int_equal(packed_bytes(PACKED_Q8, 1000), 4 * 260);
    assert_int_equal(packed_bytes(PACKED_U8, 1), 260);
    assert_true(packed_bytes(PACKED_F32, UINT64_MAX / 2) == SIZE_MAX);
}

static void packed_kinds_have_words_that_lead_back(void **state)
{
    (void)state;
    enum packed_kind kind = PACKED_KINDS;
    for (int i = PACKED_F32; i <= PACKED_Q8; i++) {
        assert_int_equal(packed_of_word(packed_word((enum packed_kind)i), &kind), 0);
        assert_int_equal(kind, i);
    }
    assert_null(packed_word(PACKED_U8));
    assert_null(packed_word(PACKED_KINDS));
    assert_int_equal(packed_of_word("8 bit", &kind), -1);
    assert_int_equal(packed_of_word("", &kind), -1);
    assert_int_equal(kind, PACKED_Q8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_floats_come_back_as_they_were),
        cmocka_unit_test(packed_codes_stay_within_half_a_step_of_their_curve),
        cmocka_unit_test(packed_variance_that_is_not_zero_stays_so),
        cmocka_unit_test(packed_bytes_grow_as_the_header_says),
        cmocka_unit_test(packed_kinds_have_words_that_lead_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
