#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "engine/kernels.h"
#include "engine/micro.h"
#include "tests/check.h"

enum { MAX = 67 };

static void draw(float *x, uint32_t n, uint64_t seed)
{
    struct rng r;
    rng_init(&r, seed, 0);
    for (uint32_t i = 0; i < n; i++)
        x[i] = rng_normal(&r) * 2;
}

static void near(double got, double want, double tol)
{
    if (!(fabs(got - want) <= tol * fmax(1, fabs(want))))
        fail_msg("got %.17g, want %.17g", got, want);
}

static void kernels_scalar_functions_match_libm(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 1, 0);
    for (int i = 0; i < 20000; i++) {
        double x = (rng_unit(&r) - 0.5) * 200;
        assert_true(fabs(kernels_exp64(x) / exp(x) - 1) < 1e-13);
        near(kernels_log64(exp(x)), x, 1e-13);
        near(kernels_sin64(x * 1000), sin(x * 1000), 2e-12);
        near(kernels_cos64(x * 1000), cos(x * 1000), 2e-12);
    }
    assert_true(kernels_exp64(0) == 1 && kernels_exp64(-1e9) == 0);
    assert_true(kernels_log64(1) == 0 && kernels_sin64(0) == 0 && kernels_cos64(0) == 1);
    near(kernels_log64(1e-300), log(1e-300), 1e-14);
    near(kernels_pow_int(0.9, 57), pow(0.9, 57), 1e-13);
    assert_true(kernels_pow_int(0.5, 0) == 1);
}

static void kernels_exp_stays_within_two_parts_in_ten_million(void **state)
{
    (void)state;
    for (int i = -87000; i < 88000; i++) {
        float x = (float)i / 1000.0F;
        assert_true(fabs((double)kernels_exp(x) / exp((double)x) - 1) < 2e-7);
    }
    assert_true(kernels_exp(-100) == 0 && kernels_exp(0) == 1);
    assert_true(isfinite(kernels_exp(1e30F)) && kernels_exp(1e30F) > 1e38F);
    assert_true(isnan(kernels_exp(NAN)));
}

static void kernels_sums_match_plain_double(void **state)
{
    (void)state;
    float x[MAX];
    float y[MAX];
    draw(x, MAX, 1);
    draw(y, MAX, 2);
    for (uint32_t n = 0; n <= MAX; n++) {
        double xx = 0;
        double xy = 0;
        double top = -1e9;
        for (uint32_t i = 0; i < n; i++) {
            xx += (double)x[i] * (double)x[i];
            xy += (double)x[i] * (double)y[i];
            top = fmax(top, (double)x[i]);
        }
        near((double)kernels_sumsq(x, n), xx, 1e-6);
        near(kernels_sumsq64(x, n), xx, 1e-14);
        near((double)kernels_dot(x, y, n), xy, 1e-5);
        if (n) near((double)kernels_max(x, n), top, 0);
    }
}

static void kernels_rows_match_plain_double(void **state)
{
    (void)state;
    for (uint32_t n = 0; n <= MAX; n++) {
        float x[MAX];
        float y[MAX];
        float o[MAX];
        draw(x, MAX, n);
        draw(y, MAX, n + 100);
        memcpy(o, x, sizeof o);
        kernels_exp_shift(o, 1.5F, n);
        for (uint32_t i = 0; i < n; i++)
            near((double)o[i], exp((double)x[i] - 1.5), 3e-7);
        for (uint32_t i = n; i < MAX; i++)
            assert_true(o[i] == x[i]); /* nothing past n */
        memcpy(o, x, sizeof o);
        kernels_max_rows(o, y, n);
        for (uint32_t i = 0; i < MAX; i++)
            assert_true(o[i] == (i < n && y[i] > x[i] ? y[i] : x[i]));
    }
}

static void kernels_adamw_matches_plain_double(void **state)
{
    (void)state;
    float w[MAX];
    float m[MAX];
    float v[MAX];
    float g[MAX];
    draw(w, MAX, 1);
    draw(m, MAX, 2);
    draw(g, MAX, 4);
    for (int i = 0; i < MAX; i++)
        v[i] = fabsf(m[i]) + 0.1F;
    float w0[MAX];
    float m0[MAX];
    float v0[MAX];
    memcpy(w0, w, sizeof w);
    memcpy(m0, m, sizeof m);
    memcpy(v0, v, sizeof v);
    struct kernels_adamw k = {.grad_scale = 0.5F,
                              .beta1 = 0.9F,
                              .beta2 = 0.95F,
                              .eps = 1e-3F,
                              .keep = 0.99F,
                              .step = 0.02F,
                              .root_bias = 0.7F};
    kernels_adamw(&k, w, m, v, g, MAX - 1);
    for (int i = 0; i < MAX - 1; i++) {
        double d = (double)g[i] * 0.5;
        double mi = 0.9 * (double)m0[i] + 0.1 * d;
        double vi = 0.95 * (double)v0[i] + 0.05 * d * d;
        near((double)m[i], mi, 1e-6);
        near((double)v[i], vi, 1e-6);
        near((double)w[i], (double)w0[i] * 0.99 - 0.02 * mi / (sqrt(vi) / 0.7 + 1e-3), 1e-6);
    }
    assert_true(w[MAX - 1] == w0[MAX - 1] && v[MAX - 1] == v0[MAX - 1]);
}

/* The bits themselves. The same hash must come out of every instruction set (plain C, AVX2, AVX-512), of the
 * sanitizer builds, of clang and of any other processor; when it changes on purpose,
 * KERNELS_VERSION goes up.
 */
static struct hash bits(void)
{
    static float out[5][1000];
    static float x[1000];
    static float y[1000];
    static float z[1000];
    draw(x, 1000, 1);
    draw(y, 1000, 2);
    draw(z, 1000, 3);
    for (int i = 0; i < 5; i++)
        draw(out[i], 1000, 10 + (uint64_t)i);
    const uint32_t n = 997;
    out[0][0] = kernels_sumsq(x, n);
    out[0][1] = (float)kernels_sumsq64(x, n);
    out[0][2] = kernels_dot(x, y, n);
    out[0][3] = kernels_max(x, n);
    kernels_exp_shift(out[1], 1.1F, n);
    kernels_max_rows(out[2], x, n);
    kernels_add(out[3], y, n);
    kernels_scale(out[3], 0.3F, n);
    for (int i = 0; i < 1000; i++)
        x[i] = fabsf(x[i]);
    struct kernels_adamw k = {.grad_scale = 0.5F,
                              .beta1 = 0.9F,
                              .beta2 = 0.95F,
                              .eps = 1e-6F,
                              .keep = 0.99F,
                              .step = 0.02F,
                              .root_bias = 0.7F};
    kernels_adamw(&k, out[4], y, x, z, n);
    return hash_of(out, sizeof out);
}

static void kernels_bits_are_the_same_everywhere(void **state)
{
    (void)state;
    for (int set = MICRO_C; set < MICRO_SETS; set++) {
        char hex[HASH_HEX];
        micro_force((enum micro_set)set);
        struct hash h = bits();
        micro_force(MICRO_SETS);
        assert_string_equal(hash_hex(&h, hex),
                            "a73503421288a63f4755556eb37d0d8278a7bb57408af1425495da51501621f2");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_scalar_functions_match_libm),
        cmocka_unit_test(kernels_exp_stays_within_two_parts_in_ten_million),
        cmocka_unit_test(kernels_sums_match_plain_double),
        cmocka_unit_test(kernels_rows_match_plain_double),
        cmocka_unit_test(kernels_adamw_matches_plain_double),
        cmocka_unit_test(kernels_bits_are_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
