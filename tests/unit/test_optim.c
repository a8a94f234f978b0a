#include <math.h>
#include <string.h>

#include "engine/optim.h"
#include "tests/layer_case.h"

static const struct model_config config = {
    .vocab_size = 700,
    .hidden_size = 32,
    .intermediate_size = 48,
    .num_hidden_layers = 1,
    .num_attention_heads = 2,
    .num_key_value_heads = 1,
    .max_position_embeddings = 8,
    .rms_norm_eps = 1e-5,
    .rope_theta = 10000,
    .initializer_range = 0.1,
    .tie_word_embeddings = true,
};

static const struct optim_params params = {
    .lr = 0.1, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.5, .clip_norm = 1};

struct optim_case {
    struct pool *pool;
    struct model_table table;
    uint64_t n;
    float *w, *m, *v, *g;
    double *part;
};

static struct optim_case make(uint32_t n_threads)
{
    struct optim_case k = {.pool = case_pool(n_threads)};
    assert_int_equal(model_table_init(&k.table, &config, NULL), OK);
    k.n = k.table.n_params;
    assert_true(k.n > OPTIM_BLOCK); /* several blocks, one crossing tensors */
    k.w = case_block(k.n, 1, 0, 1);
    k.m = case_block(k.n, 2, 0, 0);
    k.v = case_block(k.n, 3, 0, 0);
    k.g = case_block(k.n, 4, 0, 1);
    k.part = alloc_zero(optim_blocks(k.n), sizeof(double));
    return k;
}

static void unmake(struct optim_case *k)
{
    pool_destroy(k->pool);
    model_table_deinit(&k->table);
    free(k->w);
    free(k->m);
    free(k->v);
    free(k->g);
    free(k->part);
}

static void optim_norm_is_the_l2_norm_on_any_number_of_threads(void **state)
{
    (void)state;
    struct optim_case one = make(1);
    struct optim_case three = make(3);
    double a = optim_norm(one.pool, one.g, one.n, one.part);
    double b = optim_norm(three.pool, three.g, three.n, three.part);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(fabs(a / sqrt(case_sum(one.g, one.g, one.n)) - 1) < 1e-12);
    unmake(&one);
    unmake(&three);
}

/* With zero moments and t = 1 Adam's step is lr * sign(g), whatever the clipping. */
static void optim_first_step_moves_by_lr_and_decays_only_matrices(void **state)
{
    (void)state;
    struct optim_case k = make(2);
    float *w0 = case_block(k.n, 1, 0, 1);
    double norm = optim_norm(k.pool, k.g, k.n, k.part);
    struct optim_state s = {.table = &k.table, .w = k.w, .m = k.m, .v = k.v, .g = k.g};
    optim_step(k.pool, &s, &params, 1, norm);
    for (uint32_t i = 0; i < k.table.n_tensors; i++) {
        const struct model_tensor *x = &k.table.tensors[i];
        double keep = x->cols == 1 ? 1 : 1 - 0.1 * 0.5;
        for (uint64_t at = x->offset; at < x->offset + x->n; at++) {
            if (fabsf(k.g[at]) < 1e-2F) continue;
            double want = (double)w0[at] * keep - (k.g[at] > 0 ? 0.1 : -0.1);
            assert_true(fabs((double)k.w[at] - want) < 1e-4);
        }
    }
    free(w0);
    unmake(&k);
}

static void optim_clips_to_the_global_norm(void **state)
{
    (void)state;
    struct optim_case k = make(2);
    double norm = optim_norm(k.pool, k.g, k.n, k.part);
    assert_true(norm > 1);
    struct optim_state s = {.table = &k.table, .w = k.w, .m = k.m, .v = k.v, .g = k.g};
    optim_step(k.pool, &s, &params, 1, norm);
    for (uint64_t i = 0; i < k.n; i += 97)
        assert_true(fabs((double)k.m[i] - 0.1 * (double)k.g[i] / norm) < 1e-7);
    unmake(&k);
}

/* Moments in fewer bytes: the step goes the same way, nearly as far, on any number of threads. */
static void optim_step_with_packed_moments_follows_the_exact_one(void **state)
{
    (void)state;
    static const enum packed_kind kinds[][2] = {
        {PACKED_BF16, PACKED_BF16},
        {PACKED_Q8,   PACKED_U8  },
    };
    for (int i = 0; i < 2; i++) {
        struct optim_case exact = make(1);
        struct optim_case k = make(1 + 2 * (uint32_t)i);
        void *m = alloc_zero(packed_bytes(kinds[i][0], k.n), 1);
        void *v = alloc_zero(packed_bytes(kinds[i][1], k.n), 1);
        struct optim_state a = {
            .table = &exact.table, .w = exact.w, .m = exact.m, .v = exact.v, .g = exact.g};
        struct optim_state b = {.table = &k.table, .w = k.w, .m = m, .v = v, .g = k.g};
        b.m_kind = kinds[i][0];
        b.v_kind = kinds[i][1];
        double norm = optim_norm(k.pool, k.g, k.n, k.part), off = 0, moved = 0;
        struct optim_params gentle = params;
        gentle.lr = 1e-3;
        for (uint64_t t = 1; t <= 5; t++) {
            optim_step(exact.pool, &a, &gentle, t, norm);
            optim_step(k.pool, &b, &gentle, t, norm);
        }
        float *start = case_block(k.n, 1, 0, 1);
        for (uint64_t j = 0; j < k.n; j++) {
            off += fabs((double)exact.w[j] - (double)k.w[j]);
            moved += fabs((double)exact.w[j] - (double)start[j]);
        }
        assert_true(off < 0.03 * moved);
        free(start);
        free(m);
        free(v);
        unmake(&exact);
        unmake(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optim_norm_is_the_l2_norm_on_any_number_of_threads),
        cmocka_unit_test(optim_first_step_moves_by_lr_and_decays_only_matrices),
        cmocka_unit_test(optim_clips_to_the_global_norm),
        cmocka_unit_test(optim_step_with_packed_moments_follows_the_exact_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
