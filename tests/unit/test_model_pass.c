#include <math.h>
#include <string.h>

#include "engine/model_pass.h"
#include "tests/layer_case.h"

/* Correctness against torch is in test_reference.c; here: bits, micro-batches, memory. */
enum { T = 70, SEQS = 3 };

static const struct model_config config = {
    .vocab_size = 90,
    .hidden_size = 24,
    .intermediate_size = 36,
    .num_hidden_layers = 3,
    .num_attention_heads = 4,
    .num_key_value_heads = 2,
    .max_position_embeddings = T,
    .rms_norm_eps = 1e-5,
    .rope_theta = 10000,
    .initializer_range = 0.1,
    .tie_word_embeddings = true,
};

struct pass_case {
    struct pool *pool;
    struct model_table table;
    struct model_pass *pass;
    float *block, *params, *grads;
    uint32_t tokens[SEQS * (T + 1)];
};

static struct pass_case make_type(enum micro_type type, uint32_t n_threads, uint32_t B,
                                  bool eval_only)
{
    struct model_pass_shape shape = {
        .n_seqs = B, .seq_len = T, .type = type, .eval_only = eval_only};
    struct pass_case k = {.pool = case_pool(n_threads)};
    assert_int_equal(model_table_init(&k.table, &config, NULL), OK);
    size_t n = model_pass_floats(&config, &shape, n_threads);
    k.block = case_block(n, 99, 0, 1); /* litter: nothing may rely on zeros */
    k.params = case_block(k.table.n_params, 2, 0, 0);
    k.grads = case_block(k.table.n_params, 3, 0, 0);
    model_init_weights(&k.table, &config, 1, k.params);
    struct rng r;
    rng_init(&r, 4, 0);
    for (uint32_t i = 0; i < SEQS * (T + 1); i++)
        k.tokens[i] = rng_below(&r, config.vocab_size);
    assert_int_equal(model_pass_create(&config, &k.table, k.pool, &shape, k.block, &k.pass, NULL),
                     OK);
    return k;
}

static struct pass_case make(uint32_t n_threads, uint32_t B, bool eval_only)
{
    return make_type(MICRO_F32, n_threads, B, eval_only);
}

static void unmake(struct pass_case *k)
{
    model_pass_destroy(k->pass);
    pool_destroy(k->pool);
    model_table_deinit(&k->table);
    free(k->block);
    free(k->params);
    free(k->grads);
}

static void model_pass_gives_the_same_bits_on_one_and_three_threads(void **state)
{
    (void)state;
    struct pass_case one = make(1, SEQS, false);
    struct pass_case three = make(3, SEQS, false);
    double a = model_pass_grads(one.pass, one.params, one.tokens, SEQS, 0.01F, false, one.grads);
    double b = model_pass_grads(three.pass, one.params, one.tokens, SEQS, 0.01F, true, three.grads);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_equal(one.grads, three.grads, one.table.n_params * sizeof(float));
    unmake(&one);
    unmake(&three);
}

static void model_pass_evaluation_gives_the_training_loss(void **state)
{
    (void)state;
    struct pass_case train = make(2, SEQS, false);
    struct pass_case eval = make(2, SEQS, true);
    double a = model_pass_loss(train.pass, train.params, train.tokens, SEQS);
    double b = model_pass_loss(eval.pass, train.params, train.tokens, SEQS);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(fabs(a / (SEQS * T) - log(90)) < 0.5);
    unmake(&train);
    unmake(&eval);
}

static void model_pass_gradients_add_up_over_micro_batches(void **state)
{
    (void)state;
    struct pass_case all = make(2, SEQS, false);
    struct pass_case each = make(2, 1, false);
    double a = model_pass_grads(all.pass, all.params, all.tokens, SEQS, 1, false, all.grads);
    double b = 0;
    for (uint32_t i = 0; i < SEQS; i++)
        b += model_pass_grads(each.pass, all.params, all.tokens + (size_t)i * (T + 1), 1, 1, i == 0,
                              each.grads);
    assert_true(fabs(a / b - 1) < 1e-6);
    double off = 0;
    double top = 0;
    for (uint64_t i = 0; i < all.table.n_params; i++) {
        off = fmax(off, fabs((double)all.grads[i] - (double)each.grads[i]));
        top = fmax(top, fabs((double)all.grads[i]));
    }
    assert_true(off < 1e-5 * top);
    unmake(&all);
    unmake(&each);
}

/* Layers done again in the backward: the same bits for less memory. The first micro-batch writes
 * over whatever was there.
 */
static void model_pass_recomputes_the_same_bits(void **state)
{
    (void)state;
    for (enum micro_type type = MICRO_F32; type <= MICRO_BF16; type++) {
        struct pass_case k = make_type(type, 2, SEQS, false);
        struct model_pass_shape shape = {
            .n_seqs = SEQS, .seq_len = T, .type = type, .recompute = true};
        size_t n = model_pass_floats(&config, &shape, 2);
        float *block = case_block(n, 98, 0, 1);
        float *grads = case_block(k.table.n_params, 5, 0, 1);
        struct model_pass *again = NULL;
        assert_int_equal(model_pass_create(&config, &k.table, k.pool, &shape, block, &again, NULL),
                         OK);
        double a = model_pass_grads(k.pass, k.params, k.tokens, SEQS, 1, false, k.grads);
        double b = model_pass_grads(again, k.params, k.tokens, SEQS, 1, true, grads);
        assert_memory_equal(&a, &b, sizeof a);
        assert_memory_equal(k.grads, grads, k.table.n_params * sizeof(float));
        model_pass_destroy(again);
        free(block);
        free(grads);
        unmake(&k);
    }
}

/* The promise of docs/decisions/0007: no processor can be told from another by its results. */
static void model_pass_gives_the_same_bits_with_every_instruction_set(void **state)
{
    (void)state;
    for (enum micro_type type = MICRO_F32; type <= MICRO_BF16; type++) {
        struct pass_case want = make_type(type, 2, SEQS, false);
        double a = model_pass_grads(want.pass, want.params, want.tokens, SEQS, 1, true, want.grads);
        for (int set = MICRO_C; set < MICRO_SETS; set++) {
            struct pass_case k = make_type(type, 3, SEQS, false);
            micro_force((enum micro_set)set);
            double b = model_pass_grads(k.pass, k.params, k.tokens, SEQS, 1, true, k.grads);
            micro_force(MICRO_SETS);
            assert_memory_equal(&a, &b, sizeof a);
            assert_memory_equal(want.grads, k.grads, k.table.n_params * sizeof(float));
            unmake(&k);
        }
        unmake(&want);
    }
}

/* bfloat16 rounds each activation by up to 0.4 %: the loss barely moves, and the gradient of each
 * tensor points the same way.
 */
static void model_pass_in_bf16_follows_fp32(void **state)
{
    (void)state;
    struct pass_case f = make_type(MICRO_F32, 2, SEQS, false);
    struct pass_case h = make_type(MICRO_BF16, 2, SEQS, false);
    double a = model_pass_grads(f.pass, f.params, f.tokens, SEQS, 1, true, f.grads);
    double b = model_pass_grads(h.pass, f.params, f.tokens, SEQS, 1, true, h.grads);
    assert_true(fabs(a / b - 1) < 1e-3);
    for (uint32_t i = 0; i < f.table.n_tensors; i++) {
        const struct model_tensor *x = &f.table.tensors[i];
        double ab = case_sum(f.grads + x->offset, h.grads + x->offset, x->n);
        double aa = case_sum(f.grads + x->offset, f.grads + x->offset, x->n);
        double bb = case_sum(h.grads + x->offset, h.grads + x->offset, x->n);
        if (!(ab / sqrt(aa * bb) > 0.999)) fail_msg("%s: cosine %g", x->name, ab / sqrt(aa * bb));
    }
    struct pass_case eval = make_type(MICRO_BF16, 1, SEQS, true);
    double c = model_pass_loss(eval.pass, f.params, f.tokens, SEQS);
    assert_memory_equal(&b, &c, sizeof b);
    unmake(&f);
    unmake(&h);
    unmake(&eval);
}

static void model_pass_seqs_keeps_rows_bounded(void **state)
{
    (void)state;
    assert_int_equal(model_pass_seqs(MICRO_BF16, 256, 8), MODEL_PASS_ROWS / 256);
    assert_int_equal(model_pass_seqs(MICRO_F32, 256, 8), MODEL_PASS_ROWS / 512);
    assert_int_equal(model_pass_seqs(MICRO_BF16, 128, 3), 3);
    assert_int_equal(model_pass_seqs(MICRO_BF16, MODEL_PASS_ROWS * 2, 8), 1);
}

static void model_pass_floats_grows_with_what_is_kept(void **state)
{
    (void)state;
    struct model_pass_shape one = {.n_seqs = 1, .seq_len = T};
    struct model_pass_shape two = {.n_seqs = 2, .seq_len = T};
    struct model_pass_shape eval = {.n_seqs = 1, .seq_len = T, .eval_only = true};
    struct model_pass_shape half = {.n_seqs = 1, .seq_len = T, .type = MICRO_BF16};
    size_t usual = model_pass_floats(&config, &one, 1);
    assert_true(model_pass_floats(&config, &eval, 1) < usual);
    assert_true(model_pass_floats(&config, &half, 1) < usual);
    assert_true(model_pass_floats(&config, &two, 1) > usual);
    assert_true(usual % 16 == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_pass_gives_the_same_bits_on_one_and_three_threads),
        cmocka_unit_test(model_pass_evaluation_gives_the_training_loss),
        cmocka_unit_test(model_pass_gradients_add_up_over_micro_batches),
        cmocka_unit_test(model_pass_recomputes_the_same_bits),
        cmocka_unit_test(model_pass_gives_the_same_bits_with_every_instruction_set),
        cmocka_unit_test(model_pass_in_bf16_follows_fp32),
        cmocka_unit_test(model_pass_seqs_keeps_rows_bounded),
        cmocka_unit_test(model_pass_floats_grows_with_what_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
