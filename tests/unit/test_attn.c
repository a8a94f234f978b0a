#include <math.h>
#include <string.h>

#include "tests/layer_case.h"

enum { B = 2, T = 75, H = 4, K = 2, W = 6, D = H * W, S = (H + 2 * K) * W, R = B * T };

struct attn_case {
    struct pool *pool;
    struct layers_dims s;
    float *qkv, *out, *lse, *scratch, *c;
};

static struct attn_case make(uint32_t n_threads)
{
    struct attn_case k = {
        .pool = case_pool(n_threads),
        .s = {.B = B, .T = T, .R = R, .D = D, .H = H, .K = K, .W = W, .S = S}
    };
    k.qkv = case_block((uint64_t)R * S, 1, 0, 1);
    k.out = case_block((uint64_t)R * D, 2, 0, 0);
    k.lse = case_block((uint64_t)R * H, 3, 0, 0);
    k.scratch = case_block(attn_scratch(&k.s) * n_threads, 4, 0, 0);
    k.c = case_block((uint64_t)R * D, 5, 0, 1);
    return k;
}

static void unmake(struct attn_case *k)
{
    pool_destroy(k->pool);
    free(k->qkv);
    free(k->out);
    free(k->lse);
    free(k->scratch);
    free(k->c);
}

static double loss(void *ctx)
{
    struct attn_case *k = ctx;
    attn_forward(k->pool, &k->s, k->qkv, k->out, k->lse, k->scratch);
    return case_sum(k->c, k->out, (uint64_t)R * D);
}

/* The definition, in double: weights of query t over keys 0..t. */
static void plain_row(const float *qkv, uint32_t b, uint32_t t, uint32_t h, double out[W])
{
    const float *q = qkv + (size_t)(b * T + t) * S + h * W;
    double p[T];
    double sum = 0;
    for (uint32_t u = 0; u <= t; u++) {
        const float *k = qkv + (size_t)(b * T + u) * S + (H + h / (H / K)) * W;
        double dot = 0;
        for (int i = 0; i < W; i++)
            dot += (double)q[i] * (double)k[i];
        p[u] = exp(dot / sqrt(W));
        sum += p[u];
    }
    memset(out, 0, W * sizeof(double));
    for (uint32_t u = 0; u <= t; u++)
        for (int i = 0; i < W; i++)
            out[i] +=
                p[u] / sum *
                (double)qkv[(size_t)(b * T + u) * S + (H + K + h / (H / K)) * W + (uint32_t)i];
}

static void attn_forward_is_the_textbook_sum(void **state)
{
    (void)state;
    struct attn_case k = make(3);
    loss(&k);
    for (uint32_t r = 0; r < R; r++)
        for (uint32_t h = 0; h < H; h++) {
            double want[W];
            plain_row(k.qkv, r / T, r % T, h, want);
            for (uint32_t i = 0; i < W; i++)
                assert_true(fabs((double)k.out[r * D + h * W + i] - want[i]) < 2e-6);
        }
    unmake(&k);
}

static void attn_never_looks_at_the_future_or_at_other_sequences(void **state)
{
    (void)state;
    struct attn_case k = make(2);
    uint32_t t = 66;
    loss(&k);
    float before[D];
    memcpy(before, k.out + (size_t)t * D, sizeof before);
    for (size_t i = (size_t)(t + 1) * S; i < (size_t)R * S; i++)
        k.qkv[i] = 50;
    loss(&k);
    assert_memory_equal(before, k.out + (size_t)t * D, sizeof before);
    unmake(&k);
}

static void attn_backward_matches_differences(void **state)
{
    (void)state;
    struct attn_case k = make(2);
    float *d_qkv = case_block((uint64_t)R * S, 9, 0, 1);
    loss(&k);
    attn_backward(k.pool, &k.s, k.qkv, k.out, k.lse, k.c, d_qkv, k.scratch);
    case_gradient("qkv", loss, &k, k.qkv, d_qkv, (uint64_t)R * S);
    free(d_qkv);
    unmake(&k);
}

static void attn_gives_the_same_bits_on_one_and_three_threads(void **state)
{
    (void)state;
    struct attn_case one = make(1);
    struct attn_case three = make(3);
    float *d_one = case_block((uint64_t)R * S, 9, 0, 1);
    float *d_three = case_block((uint64_t)R * S, 8, 0, 1);
    loss(&one);
    loss(&three);
    attn_backward(one.pool, &one.s, one.qkv, one.out, one.lse, one.c, d_one, one.scratch);
    attn_backward(three.pool, &one.s, one.qkv, one.out, one.lse, one.c, d_three, three.scratch);
    assert_memory_equal(one.out, three.out, sizeof(float) * R * D);
    assert_memory_equal(d_one, d_three, sizeof(float) * R * S);
    free(d_one);
    free(d_three);
    unmake(&one);
    unmake(&three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attn_forward_is_the_textbook_sum),
        cmocka_unit_test(attn_never_looks_at_the_future_or_at_other_sequences),
        cmocka_unit_test(attn_backward_matches_differences),
        cmocka_unit_test(attn_gives_the_same_bits_on_one_and_three_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
