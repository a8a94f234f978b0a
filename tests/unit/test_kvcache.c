#include <math.h>
#include <string.h>

#include "engine/kvcache.h"
#include "engine/micro.h"
#include "tests/layer_case.h"

enum { N = 75 }; /* more than four blocks of keys and several blocks of rows, neither full */

struct case_ {
    struct kvcache_shape s;
    uint32_t stride;
    float *cache, *qkv, *out, *again, *scratch;
};

static struct case_ make(uint32_t H, uint32_t K, uint32_t W, uint32_t n_threads)
{
    struct case_ k = {
        .s = {.H = H, .K = K, .W = W, .n_ctx = N}
    };
    k.stride = (H + 2 * K) * W;
    k.cache = case_block(kvcache_floats(&k.s), 9, 0, 1); /* litter */
    k.qkv = case_block((uint64_t)N * k.stride, 1, 0, 1);
    k.out = case_block((uint64_t)N * H * W, 2, 0, 1);
    k.again = case_block((uint64_t)N * H * W, 3, 0, 1);
    k.scratch = case_block(kvcache_scratch(&k.s, n_threads), 4, 0, 1);
    return k;
}

static void unmake(struct case_ *k)
{
    free(k->cache);
    free(k->qkv);
    free(k->out);
    free(k->again);
    free(k->scratch);
}

/* Attention as in the books, in double precision. */
static double plain(const struct case_ *k, uint32_t row, uint32_t h, uint32_t w)
{
    const struct kvcache_shape *s = &k->s;
    const float *q = k->qkv + (size_t)row * k->stride + (size_t)h * s->W;
    uint32_t kv = h / (s->H / s->K);
    double sum = 0;
    double out = 0;
    for (uint32_t t = 0; t <= row; t++) {
        const float *key = k->qkv + (size_t)t * k->stride + (size_t)(s->H + kv) * s->W;
        const float *value = key + (size_t)s->K * s->W;
        double p = exp(case_sum(q, key, s->W) / sqrt(s->W));
        sum += p;
        out += p * (double)value[w];
    }
    return out / sum;
}

static void kvcache_attends_like_plain_attention(void **state)
{
    (void)state;
    static const uint32_t widths[] = {2, 6, 16, 32, 48, 64, 80, 128};
    struct pool *p = case_pool(2);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        struct case_ k = make(4, i % 2 ? 2 : 4, widths[i], 2);
        kvcache_put(&k.s, k.cache, 0, k.qkv, N);
        assert_int_equal(pool_begin(p), OK);
        kvcache_attend(p, &k.s, k.cache, 0, k.qkv, N, k.out, k.scratch);
        for (uint32_t row = 0; row < N; row += 7)
            for (uint32_t h = 0; h < 4; h++)
                for (uint32_t w = 0; w < k.s.W; w++) {
                    double want = plain(&k, row, h, w);
                    double got = (double)k.out[((size_t)row * 4 + h) * k.s.W + w];
                    assert_true(fabs(want - got) < 2e-5);
                }
        unmake(&k);
    }
    pool_destroy(p);
}

static void kvcache_gives_the_same_bits_row_by_row_and_on_three_threads(void **state)
{
    (void)state;
    struct case_ k = make(6, 3, 32, 3);
    struct pool *one = case_pool(1);
    struct pool *three = case_pool(3);
    assert_int_equal(pool_begin(one), OK);
    assert_int_equal(pool_begin(three), OK);
    kvcache_put(&k.s, k.cache, 0, k.qkv, N);
    kvcache_attend(three, &k.s, k.cache, 0, k.qkv, N, k.out, k.scratch);
    memset(k.cache, 0, kvcache_floats(&k.s) * sizeof(float));
    for (uint32_t t = 0; t < N; t++) {
        const float *row = k.qkv + (size_t)t * k.stride;
        kvcache_put(&k.s, k.cache, t, row, 1);
        kvcache_attend(one, &k.s, k.cache, t, row, 1, k.again + (size_t)t * 6 * 32, k.scratch);
    }
    assert_memory_equal(k.out, k.again, (size_t)N * 6 * 32 * sizeof(float));
    pool_destroy(one);
    pool_destroy(three);
    unmake(&k);
}

static void kvcache_gives_the_same_bits_in_every_instruction_set(void **state)
{
    (void)state;
    static const uint32_t widths[] = {6, 16, 48, 80}; /* every step of the mix, and its rest */
    struct pool *p = case_pool(1);
    assert_int_equal(pool_begin(p), OK);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        struct case_ k = make(2, 1, widths[i], 1);
        kvcache_put(&k.s, k.cache, 0, k.qkv, N);
        for (int set = MICRO_C; set < MICRO_SETS; set++) {
            float *out = set == MICRO_C ? k.out : k.again;
            micro_force((enum micro_set)set);
            kvcache_attend(p, &k.s, k.cache, 0, k.qkv, N, out, k.scratch);
            micro_force(MICRO_SETS);
            assert_memory_equal(k.out, out, (size_t)N * 2 * widths[i] * sizeof(float));
        }
        unmake(&k);
    }
    pool_destroy(p);
}

static void kvcache_floats_does_not_overflow(void **state)
{
    (void)state;
    struct kvcache_shape s = {
        .H = UINT32_MAX, .K = UINT32_MAX, .W = UINT32_MAX, .n_ctx = UINT32_MAX};
    assert_true(kvcache_floats(&s) == SIZE_MAX);
    s = (struct kvcache_shape){.H = 4, .K = 2, .W = 8, .n_ctx = 17};
    assert_int_equal(kvcache_floats(&s), 2 * 2 * 32 * 8);
    assert_int_equal(kvcache_scratch(&s, 3), 96);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kvcache_attends_like_plain_attention),
        cmocka_unit_test(kvcache_gives_the_same_bits_row_by_row_and_on_three_threads),
        cmocka_unit_test(kvcache_gives_the_same_bits_in_every_instruction_set),
        cmocka_unit_test(kvcache_floats_does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
