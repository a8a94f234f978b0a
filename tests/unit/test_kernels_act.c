#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "engine/bf16.h"
#include "engine/kernels_act.h"
#include "tests/check.h"

enum { MAX = 67 };

/* A block of activations of either type, and what it says in doubles. */
struct act {
    union {
        float f[MAX];
        uint16_t h[MAX];
    } u;
};

static double at(enum micro_type type, const struct act *a, uint32_t i)
{
    return (double)(type == MICRO_BF16 ? bf16_to_float(a->u.h[i]) : a->u.f[i]);
}

static void draw(float *x, uint32_t n, uint64_t seed)
{
    struct rng r;
    rng_init(&r, seed, 0);
    for (uint32_t i = 0; i < n; i++)
        x[i] = rng_normal(&r) * 2;
}

static struct act draw_act(enum micro_type type, uint64_t seed)
{
    struct act a;
    float x[MAX];
    memset(&a, 0, sizeof a); /* all of it is hashed below, and bf16 fills half */
    draw(x, MAX, seed);
    kernels_act_put(type, &a, x, MAX);
    return a;
}

/* Stored results may be off by a rounding of bfloat16. */
static void near_stored(enum micro_type type, double got, double want)
{
    double tol = type == MICRO_BF16 ? 4.1e-3 : 2e-6;
    if (!(fabs(got - want) <= tol * fabs(want) + 3e-6)) fail_msg("got %.9g, want %.9g", got, want);
}

#define EACH(type, n)                                                                              \
    for (enum micro_type type = MICRO_F32; type <= MICRO_BF16; type++)                             \
        for (uint32_t n = 0; n <= MAX; n++)

static void kernels_act_round_trip(void **state)
{
    (void)state;
    EACH(type, n)
    {
        float x[MAX], back[MAX];
        struct act a = draw_act(type, 9);
        struct act before = a;
        draw(x, MAX, n);
        kernels_act_put(type, &a, x, n);
        kernels_act_get(type, back, &a, n);
        for (uint32_t i = 0; i < n; i++)
            near_stored(type, (double)back[i], (double)x[i]);
        for (uint32_t i = n; i < MAX; i++)
            assert_true(at(type, &a, i) == at(type, &before, i)); /* nothing past n */
        kernels_act_scaled(type, &a, x, -0.5F, n);
        for (uint32_t i = 0; i < n; i++)
            near_stored(type, at(type, &a, i), -0.5 * (double)x[i]);
    }
}

static void kernels_act_norm_is_x_rstd_w(void **state)
{
    (void)state;
    EACH(type, n)
    {
        float x[MAX], w[MAX];
        struct act unit, y, again;
        draw(x, MAX, n);
        draw(w, MAX, n + 1);
        kernels_act_norm(type, &unit, &y, x, w, 0.7F, n);
        kernels_act_norm_again(type, &again, &unit, w, n);
        for (uint32_t i = 0; i < n; i++) {
            near_stored(type, at(type, &unit, i), (double)x[i] * 0.7);
            near_stored(type, at(type, &y, i), at(type, &unit, i) * (double)w[i]);
            assert_true(at(type, &y, i) == at(type, &again, i));
        }
    }
}

static void kernels_act_norm_back_matches_plain_double(void **state)
{
    (void)state;
    EACH(type, n)
    {
        float dx[MAX], dx0[MAX], dw[MAX], dw0[MAX], w[MAX];
        struct act dy = draw_act(type, n), unit = draw_act(type, n + 1), copy;
        draw(dx, MAX, n + 2);
        draw(dw, MAX, n + 3);
        draw(w, MAX, n + 4);
        memcpy(dx0, dx, sizeof dx);
        memcpy(dw0, dw, sizeof dw);
        double dot = 0;
        for (uint32_t i = 0; i < n; i++)
            dot += at(type, &dy, i) * (double)w[i] * at(type, &unit, i);
        assert_true(fabs((double)kernels_act_norm_dot(type, &dy, w, &unit, n) - dot) < 1e-4);
        kernels_act_norm_back(type, dx, &copy, dw, &dy, w, &unit, 0.7F, 0.3F, n);
        for (uint32_t i = 0; i < n; i++) {
            double d = at(type, &dy, i), u = at(type, &unit, i);
            near_stored(MICRO_F32, (double)dx[i],
                        (double)dx0[i] + 0.7 * (d * (double)w[i] - u * 0.3));
            near_stored(MICRO_F32, (double)dw[i], (double)dw0[i] + d * u);
            if (type == MICRO_BF16) near_stored(type, at(type, &copy, i), (double)dx[i]);
        }
    }
}

static void kernels_act_swiglu_and_back_match_plain_double(void **state)
{
    (void)state;
    EACH(type, n)
    {
        struct act g = draw_act(type, n), u = draw_act(type, n + 1), d = draw_act(type, n + 2);
        struct act act, again, d_g, d_u;
        kernels_act_swiglu(type, &act, &g, &u, n);
        kernels_act_swiglu_back(type, &again, &d_g, &d_u, &d, &g, &u, n);
        for (uint32_t i = 0; i < n; i++) {
            double x = at(type, &g, i), y = at(type, &u, i), s = 1 / (1 + exp(-x));
            near_stored(type, at(type, &act, i), x * s * y);
            near_stored(type, at(type, &again, i), x * s * y);
            near_stored(type, at(type, &d_u, i), at(type, &d, i) * x * s);
            near_stored(type, at(type, &d_g, i), at(type, &d, i) * y * (s + x * s * (1 - s)));
        }
    }
}

static void kernels_act_rope_turns_and_turns_back(void **state)
{
    (void)state;
    for (enum micro_type type = MICRO_F32; type <= MICRO_BF16; type++) {
        float c[MAX / 2], s[MAX / 2];
        struct act x = draw_act(type, 5), x0 = x;
        uint32_t half = MAX / 2;
        for (uint32_t i = 0; i < half; i++) {
            c[i] = (float)cos(i * 0.1);
            s[i] = (float)sin(i * 0.1);
        }
        kernels_act_rope(type, &x, c, s, half);
        for (uint32_t i = 0; i < half; i++) {
            double a = at(type, &x0, i), b = at(type, &x0, i + half);
            double tol = type == MICRO_BF16 ? 0.03 : 1e-5;
            assert_true(fabs(at(type, &x, i) - (a * cos(i * 0.1) - b * sin(i * 0.1))) < tol);
            assert_true(fabs(at(type, &x, i + half) - (b * cos(i * 0.1) + a * sin(i * 0.1))) < tol);
        }
        kernels_act_rope_back(type, &x, c, s, half);
        for (uint32_t i = 0; i < 2 * half; i++)
            assert_true(fabs(at(type, &x, i) - at(type, &x0, i)) <
                        (type == MICRO_BF16 ? 0.05 : 1e-5));
    }
}

static void kernels_act_attention_rows_match_plain_double(void **state)
{
    (void)state;
    EACH(type, n)
    {
        float x[2][MAX], e[2][MAX], top[MAX], sum[MAX] = {0}, dp[2][MAX], dp0[2][MAX];
        float lse[MAX], delta[MAX];
        uint32_t units[MAX], back[MAX];
        struct act p[2], ds[2];
        draw(delta, MAX, n + 2);
        for (int k = 0; k < 2; k++) {
            draw(x[k], MAX, n + 10 * (uint64_t)k);
            draw(dp[k], MAX, n + 1 + 10 * (uint64_t)k);
        }
        for (uint32_t i = 0; i < MAX; i++) {
            top[i] = fmaxf(x[0][i], x[1][i]) + 1;
            lse[i] = top[i] * 0.5F + 2;
        }
        memcpy(e, x, sizeof x);
        memcpy(dp0, dp, sizeof dp);
        kernels_act_attn_exp(type, units, e[0], e[1], top, sum, 0.5F, n);
        struct kernels_act_back k = {.units = back, .lse = lse, .delta = delta, .scale = 0.5F};
        for (int r = 0; r < 2; r++) {
            k.x[r] = x[r];
            k.dp[r] = dp[r];
            k.p[r] = &p[r];
            k.ds[r] = &ds[r];
        }
        kernels_act_attn_back(type, &k, n);
        for (uint32_t i = 0; i < n; i++) {
            double all = 0;
            for (int r = 0; r < 2; r++) {
                double want = exp(((double)x[r][i] - (double)top[i]) * 0.5);
                double w = exp((double)x[r][i] * 0.5 - (double)lse[i]);
                double d = w * ((double)dp0[r][i] - (double)delta[i]) * 0.5;
                bool is_bf16 = type == MICRO_BF16;
                float unit = bf16_to_float((uint16_t)(units[i] >> 16 * r));
                near_stored(type, (double)(is_bf16 ? unit : e[r][i]), want);
                near_stored(type, at(type, &p[r], i), w);
                near_stored(type, at(type, &ds[r], i), d);
                if (is_bf16) assert_int_equal(back[i] >> 16 * r & 0xffffu, ds[r].u.h[i]);
                if (!is_bf16) assert_true(dp[r][i] == ds[r].u.f[i]);
                all += want;
            }
            near_stored(MICRO_F32, (double)sum[i], all);
        }
    }
}

static void kernels_act_logits_keep_the_largest_apart(void **state)
{
    (void)state;
    EACH(type, n)
    {
        if (n == 0 || n > MICRO_NR) continue;
        float x[MAX], top = 0, factor[MAX];
        struct act e;
        draw(x, MAX, n);
        double most = -1e9, sum = 0, dot = 0;
        for (uint32_t i = 0; i < n; i++)
            most = fmax(most, (double)x[i]);
        for (uint32_t i = 0; i < n; i++)
            sum += exp((double)x[i] - most);
        near_stored(MICRO_F32, (double)kernels_act_logits(type, &e, x, n, &top), sum);
        near_stored(MICRO_F32, (double)kernels_act_logits(type, NULL, x, n, &top), sum);
        assert_true((double)top == most);
        for (uint32_t i = 0; i < n; i++)
            near_stored(type, at(type, &e, i), exp((double)x[i] - most));
        draw(factor, MAX, 77);
        struct act before = e;
        uint32_t panel = n % 2 ? 5 : 48;
        kernels_act_scale_panels(type, &e, factor, panel, n);
        for (uint32_t i = 0; i < n; i++)
            near_stored(type, at(type, &e, i), at(type, &before, i) * (double)factor[i / panel]);
        for (uint32_t i = 0; i < n; i++)
            dot += at(type, &e, i) * at(type, &before, i);
        assert_true(fabs((double)kernels_act_dot(type, &e, &before, n) - dot) < 1e-4);
    }
}

/* The bits themselves, as in test_kernels.c. */
static struct hash bits(void)
{
    static struct act out[2][12];
    memset(out, 0, sizeof out);
    for (enum micro_type type = MICRO_F32; type <= MICRO_BF16; type++) {
        struct act *o = out[type];
        struct act a = draw_act(type, 1), b = draw_act(type, 2), c = draw_act(type, 3);
        float x[MAX], y[MAX], z[MAX], w[MAX], v[MAX];
        draw(w, MAX, 7);
        draw(v, MAX, 8);
        draw(x, MAX, 4);
        draw(y, MAX, 5);
        draw(z, MAX, 6);
        kernels_act_norm(type, &o[0], &o[1], x, y, 0.7F, MAX);
        kernels_act_norm_back(type, x, &o[2], y, &a, z, &b, 0.7F, 0.1F, MAX);
        kernels_act_swiglu_back(type, &o[3], &o[4], &o[5], &a, &b, &c, MAX);
        kernels_act_swiglu(type, &o[6], &a, &b, MAX);
        o[7] = c;
        kernels_act_rope(type, &o[7], x, y, MAX / 2);
        o[8].u.f[0] = kernels_act_logits(type, &o[9], x, 47, &o[8].u.f[1]);
        o[8].u.f[2] = kernels_act_dot(type, &a, &b, MAX);
        o[8].u.f[3] = kernels_act_norm_dot(type, &a, z, &b, MAX);
        struct kernels_act_back k = {.lse = z, .delta = w, .scale = 0.3F};
        k.x[0] = x;
        k.x[1] = z;
        k.dp[0] = y;
        k.dp[1] = v;
        k.p[0] = &o[10];
        k.p[1] = &o[7];
        k.ds[0] = &o[11];
        k.ds[1] = &o[2];
        k.units = (uint32_t *)(void *)o[0].u.f;
        kernels_act_attn_back(type, &k, MAX);
        kernels_act_attn_exp(type, (uint32_t *)(void *)o[1].u.f, w, v, z, x, 0.3F, MAX);
        kernels_act_put(type, &o[3], x, MAX);
        kernels_act_scale_panels(type, &o[9], z, 16, MAX);
    }
    return hash_of(out, sizeof out);
}

static void kernels_act_bits_are_the_same_everywhere(void **state)
{
    (void)state;
    for (int set = MICRO_C; set < MICRO_SETS; set++) {
        char hex[HASH_HEX];
        micro_force((enum micro_set)set);
        struct hash h = bits();
        micro_force(MICRO_SETS);
        assert_string_equal(hash_hex(&h, hex),
                            "1124a2afb1fe429f84ff35818235b7faaa39e5630893d284700addbecf333378");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_act_round_trip),
        cmocka_unit_test(kernels_act_norm_is_x_rstd_w),
        cmocka_unit_test(kernels_act_norm_back_matches_plain_double),
        cmocka_unit_test(kernels_act_swiglu_and_back_match_plain_double),
        cmocka_unit_test(kernels_act_rope_turns_and_turns_back),
        cmocka_unit_test(kernels_act_attention_rows_match_plain_double),
        cmocka_unit_test(kernels_act_logits_keep_the_largest_apart),
        cmocka_unit_test(kernels_act_bits_are_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
