#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/sample.h"
#include "tests/check.h"

enum { N = 40 };

static const struct sample_choice plain = {.temperature = 1, .top_p = 1};

/* Logits with many ties: 40 tokens, 20 values. */
static void fill(float *logits, uint64_t seed)
{
    struct rng r;
    rng_init(&r, seed, 0);
    for (uint32_t i = 0; i < N; i++)
        logits[i] = (float)rng_below(&r, 20) * 0.3F;
}

/* Which tokens may come out, by sorting everything: the plain definition. Returns their number. */
static uint32_t allowed(const float *logits, const struct sample_choice *c, uint32_t *ids)
{
    double p[N];
    double sum = 0;
    for (uint32_t i = 0; i < N; i++) {
        ids[i] = i;
        p[i] = exp((double)logits[i] / c->temperature);
    }
    for (uint32_t i = 1; i < N; i++) /* insertion sort, stable: ties stay in order of id */
        for (uint32_t k = i; k > 0 && p[ids[k]] > p[ids[k - 1]]; k--) {
            uint32_t t = ids[k];
            ids[k] = ids[k - 1];
            ids[k - 1] = t;
        }
    uint32_t n = c->top_k && c->top_k < N ? c->top_k : N;
    for (uint32_t i = 0; i < n; i++)
        sum += p[ids[i]];
    double so_far = 0;
    for (uint32_t i = 0; i < n; i++) {
        so_far += p[ids[i]];
        if (so_far >= c->top_p * sum * (1 - 1e-6)) return i + 1;
    }
    return n;
}

static void draw_all(const struct sample_choice *c, const float *logits, uint32_t n_draws,
                     uint64_t seed, uint32_t *counts)
{
    struct sample_entry scratch[N];
    float copy[N];
    struct rng r;
    rng_init(&r, seed, 1);
    memset(counts, 0, N * sizeof *counts);
    for (uint32_t i = 0; i < n_draws; i++) {
        memcpy(copy, logits, sizeof copy);
        uint32_t id = sample_pick(c, copy, N, scratch, &r);
        assert_true(id < N);
        counts[id]++;
    }
}

static void sample_keeps_exactly_the_smallest_prefix(void **state)
{
    (void)state;
    static const double top_p[] = {1, 0.97, 0.9, 0.5, 0.2, 1e-9};
    static const uint32_t top_k[] = {0, 1, 2, 7, 39, 40, 1000};
    float logits[N];
    uint32_t ids[N];
    uint32_t counts[N];
    for (uint64_t seed = 0; seed < 4; seed++) {
        fill(logits, seed);
        for (size_t p = 0; p < sizeof top_p / sizeof *top_p; p++) {
            for (size_t k = 0; k < sizeof top_k / sizeof *top_k; k++) {
                struct sample_choice c = {1.5, top_k[k], top_p[p]};
                uint32_t n = allowed(logits, &c, ids);
                draw_all(&c, logits, 6000, seed, counts);
                for (uint32_t i = 0; i < N; i++)
                    if ((i < n) != (counts[ids[i]] > 0))
                        fail_msg("p %g k %u: token %u at rank %u of %u, drawn %u times", c.top_p,
                                 c.top_k, ids[i], i, n, counts[ids[i]]);
            }
        }
    }
}

static void sample_ties_go_to_the_lowest_id(void **state)
{
    (void)state;
    float flat[N];
    uint32_t counts[N];
    for (uint32_t i = 0; i < N; i++)
        flat[i] = 2;
    assert_int_equal(sample_greedy(flat, N), 0);
    struct sample_choice c = {1, 3, 1};
    draw_all(&c, flat, 400, 5, counts);
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(counts[i] > 0, i < 3);
    c = (struct sample_choice){1, 0, 0.1}; /* 4 of 40 */
    draw_all(&c, flat, 400, 5, counts);
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(counts[i] > 0, i < 4);
}

/* Pearson's chi-square against softmax(logits / T); 99.9 % of fair draws stay below the bound. */
static void sample_draws_from_the_softmax(void **state)
{
    (void)state;
    enum { DRAWS = 100000 };
    static const double temperature[] = {0.5, 1, 3};
    float logits[N];
    uint32_t counts[N];
    fill(logits, 11);
    for (size_t i = 0; i < 3; i++) {
        struct sample_choice c = {temperature[i], 0, 1};
        double sum = 0;
        double chi = 0;
        uint32_t cells = 0;
        draw_all(&c, logits, DRAWS, 12, counts);
        for (uint32_t k = 0; k < N; k++)
            sum += exp((double)logits[k] / c.temperature);
        for (uint32_t k = 0; k < N; k++) {
            double want = DRAWS * exp((double)logits[k] / c.temperature) / sum;
            if (want < 5) continue;
            chi += (counts[k] - want) * (counts[k] - want) / want;
            cells++;
        }
        assert_true(cells > 15);
        double bound = cells + 3.1 * sqrt(2.0 * cells) + 5;
        if (!(chi < bound))
            fail_msg("T %g: chi-square %g over %u cells", c.temperature, chi, cells);
    }
}

static void sample_at_temperature_zero_draws_nothing(void **state)
{
    (void)state;
    struct sample_choice c = {0, 5, 0.5};
    struct sample_entry scratch[N];
    float logits[N];
    struct rng r;
    fill(logits, 3);
    logits[17] = 100;
    rng_init(&r, 1, 1);
    struct rng before = r;
    assert_int_equal(sample_pick(&c, logits, N, scratch, &r), 17);
    assert_memory_equal(&before, &r, sizeof r);
}

static void sample_repeats_with_the_seed_and_only_with_it(void **state)
{
    (void)state;
    float logits[N];
    uint32_t a[N];
    uint32_t b[N];
    fill(logits, 3);
    draw_all(&plain, logits, 300, 7, a);
    draw_all(&plain, logits, 300, 7, b);
    assert_memory_equal(a, b, sizeof a);
    draw_all(&plain, logits, 300, 8, b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void sample_is_unmoved_by_extreme_logits(void **state)
{
    (void)state;
    struct sample_entry scratch[N];
    float logits[N];
    struct rng r;
    rng_init(&r, 1, 1);
    struct sample_choice cold = {0.01, 0, 0.9};
    for (int i = 0; i < 50; i++) {
        for (uint32_t k = 0; k < N; k++)
            logits[k] = k == 9 ? 3e38F : -3e38F;
        assert_int_equal(sample_pick(&cold, logits, N, scratch, &r), 9);
        for (uint32_t k = 0; k < N; k++)
            logits[k] = k == 4 ? 0 : -INFINITY; /* forbidden tokens */
        assert_int_equal(sample_pick(&plain, logits, N, scratch, &r), 4);
    }
}

static void sample_says_when_the_logits_are_not_numbers(void **state)
{
    (void)state;
    struct sample_entry scratch[N];
    float logits[N];
    struct rng r;
    rng_init(&r, 1, 1);
    fill(logits, 3);
    logits[N - 1] = NAN;
    assert_int_equal(sample_greedy(logits, N), SAMPLE_NONE);
    assert_int_equal(sample_pick(&plain, logits, N, scratch, &r), SAMPLE_NONE);
    fill(logits, 3);
    logits[3] = INFINITY;
    assert_int_equal(sample_pick(&plain, logits, N, scratch, &r), SAMPLE_NONE);
    for (uint32_t i = 0; i < N; i++)
        logits[i] = -INFINITY;
    assert_int_equal(sample_pick(&plain, logits, N, scratch, &r), SAMPLE_NONE);
}

static void sample_check_knows_what_is_possible(void **state)
{
    (void)state;
    static const struct sample_choice bad[] = {
        {-1,   0, 1   },
        {1e-9, 0, 1   },
        {101,  0, 1   },
        {NAN,  0, 1   },
        {1,    0, 0   },
        {1,    0, 1.01},
        {1,    0, NAN },
    };
    struct err e = {0};
    assert_int_equal(sample_check(&plain, &e), OK);
    assert_int_equal(sample_check(&(struct sample_choice){0, 0, 1}, &e), OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(sample_check(&bad[i], &e), ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_keeps_exactly_the_smallest_prefix),
        cmocka_unit_test(sample_ties_go_to_the_lowest_id),
        cmocka_unit_test(sample_draws_from_the_softmax),
        cmocka_unit_test(sample_at_temperature_zero_draws_nothing),
        cmocka_unit_test(sample_repeats_with_the_seed_and_only_with_it),
        cmocka_unit_test(sample_is_unmoved_by_extreme_logits),
        cmocka_unit_test(sample_says_when_the_logits_are_not_numbers),
        cmocka_unit_test(sample_check_knows_what_is_possible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
