/* The whole model against an outside autograd: loss, every gradient, and weights after three steps
 * of AdamW, held against tests/ref (written by make_reference.py with torch in double precision).
 * Tolerance: fp32 sums of a few hundred terms differ from double by some 1e-6 of the largest
 * gradient of a tensor; 2e-5 of it leaves a margin of ten and still sees a wrong factor anywhere.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/file.h"
#include "engine/model_pass.h"
#include "engine/trainer.h"
#include "tests/check.h"

struct reference {
    const char *path;
    struct model_config model;
    uint32_t T, B;
    uint32_t seed;
    struct buf file;
    uint64_t n;
    double loss;
    float *weights;
    uint32_t *tokens;
};

static uint32_t mix(uint64_t i, uint64_t seed)
{
    uint64_t a = (i + seed * 7919) * 2654435761u % (1ull << 32);
    return (uint32_t)(a * 2246822519u % (1ull << 32));
}

static struct reference tied(void)
{
    return (struct reference){
        .path = "tests/ref/tied.bin",
        .T = 80,
        .B = 2,
        .seed = 1,
        .model = {.vocab_size = 48,
                  .hidden_size = 32,
                  .intermediate_size = 40,
                  .num_hidden_layers = 2,
                  .num_attention_heads = 4,
                  .num_key_value_heads = 2,
                  .max_position_embeddings = 80,
                  .rms_norm_eps = 1e-5,
                  .rope_theta = 10000,
                  .initializer_range = 0.02,
                  .tie_word_embeddings = true}
    };
}

static struct reference untied(void)
{
    return (struct reference){
        .path = "tests/ref/untied.bin",
        .T = 70,
        .B = 5,
        .seed = 77,
        .model = {.vocab_size = 29,
                  .hidden_size = 12,
                  .intermediate_size = 20,
                  .num_hidden_layers = 3,
                  .num_attention_heads = 3,
                  .num_key_value_heads = 1,
                  .max_position_embeddings = 70,
                  .rms_norm_eps = 1e-6,
                  .rope_theta = 500,
                  .initializer_range = 0.02}
    };
}

static void fill(struct reference *r, const struct model_table *t)
{
    r->weights = alloc_aligned(t->n_params, sizeof(float));
    for (uint32_t i = 0; i < t->n_tensors; i++)
        for (uint64_t k = t->tensors[i].offset; k < t->tensors[i].offset + t->tensors[i].n; k++) {
            float u = (float)((double)(mix(k, r->seed) >> 8) / (1 << 24) - 0.5);
            r->weights[k] = t->tensors[i].cols == 1 ? 1.0F + u * 0.5F : u;
        }
    uint32_t n = r->B * (r->T + 1);
    r->tokens = alloc_zero(n, sizeof *r->tokens);
    for (uint32_t i = 0; i < n; i++)
        r->tokens[i] = (mix(i, r->seed + 1000) >> 9) % r->model.vocab_size;
}

static void open_reference(struct reference *r, const struct model_table *t)
{
    struct err e = {0};
    assert_int_equal(file_read(r->path, 1 << 20, &r->file, &e), OK);
    assert_int_equal(r->file.len, 24 + 8 * t->n_params);
    assert_memory_equal(r->file.p, "PLREF1\0", 8);
    assert_int_equal(bytes_u64(r->file.p + 8), t->n_params);
    r->n = t->n_params;
    memcpy(&r->loss, r->file.p + 16, 8);
    fill(r, t);
}

static void close_reference(struct reference *r)
{
    buf_deinit(&r->file);
    free(r->weights);
    free(r->tokens);
}

static double expected(const struct reference *r, int which, uint64_t i)
{
    float v = 0;
    memcpy(&v, r->file.p + 24 + 4 * (r->n * (uint64_t)which + i), 4);
    return (double)v;
}

/* Every value of a tensor within tol of the tensor's largest expected magnitude. */
static void compare(const struct reference *r, const struct model_table *t, int which,
                    const float *got, double tol)
{
    for (uint32_t k = 0; k < t->n_tensors; k++) {
        const struct model_tensor *x = &t->tensors[k];
        double top = 0;
        for (uint64_t i = x->offset; i < x->offset + x->n; i++)
            top = fmax(top, fabs(expected(r, which, i)));
        assert_true(top > 0);
        for (uint64_t i = x->offset; i < x->offset + x->n; i++) {
            double off = fabs((double)got[i] - expected(r, which, i));
            if (!(off <= tol * top))
                fail_msg("%s[%llu]: got %.9g, reference %.9g", x->name,
                         (unsigned long long)(i - x->offset), (double)got[i],
                         expected(r, which, i));
        }
    }
}

static void check_gradients(struct reference r)
{
    struct err e = {0};
    struct model_table t = {0};
    struct pool *pool = NULL;
    struct model_pass *pass = NULL;
    assert_int_equal(model_table_init(&t, &r.model, &e), OK);
    assert_int_equal(pool_create(2, &pool, &e), OK);
    open_reference(&r, &t);
    struct model_pass_shape shape = {.n_seqs = r.B, .seq_len = r.T};
    float *block = alloc_aligned(model_pass_floats(&r.model, &shape, 2), sizeof(float));
    float *grads = alloc_aligned(t.n_params, sizeof(float));
    assert_int_equal(model_pass_create(&r.model, &t, pool, &shape, block, &pass, &e), OK);
    uint32_t rows = r.B * r.T;
    double nats = model_pass_grads(pass, r.weights, r.tokens, r.B, 1.0F / (float)rows, true, grads);
    assert_true(fabs(nats / rows - r.loss) <= 2e-6 * r.loss);
    double again = model_pass_loss(pass, r.weights, r.tokens, r.B);
    assert_memory_equal(&again, &nats, sizeof nats);
    compare(&r, &t, 0, grads, 2e-5);
    model_pass_destroy(pass);
    pool_destroy(pool);
    model_table_deinit(&t);
    close_reference(&r);
    free(block);
    free(grads);
}

static void loss_and_every_gradient_match_torch_when_tied(void **state)
{
    (void)state;
    check_gradients(tied());
}

static void loss_and_every_gradient_match_torch_when_untied(void **state)
{
    (void)state;
    check_gradients(untied());
}

/* A weight whose gradient is nearly zero moves by lr * sign: where g / sqrt(v) is ill-conditioned
 * fp32 and double may differ more, hence a looser bound than for gradients.
 */
static void check_three_steps(struct reference r)
{
    struct err e = {0};
    struct trainer *t = NULL;
    struct train_params p = {
        .seq_len = r.T,
        .batch_seqs = r.B,
        .lr = 1e-2,
        .lr_min_frac = 1,
        .total_steps = 100,
        .beta1 = 0.9,
        .beta2 = 0.95,
        .eps = 1e-8,
        .weight_decay = 0.1,
        .clip_norm = 0.5,
        .ef_beta = 0.95,
        .outer_lr = 1,
        .delta = {.chunk = 4096, .k = 64}
    };
    assert_int_equal(
        trainer_create(&r.model, &p, &(struct trainer_options){.n_threads = 2}, &t, &e), OK);
    open_reference(&r, trainer_table(t));
    assert_int_equal(trainer_load_weights(t, r.weights, r.n * 4, &e), OK);
    struct trainer_step_result step = {0};
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(trainer_step(t, r.tokens, i, &step, &e), OK);
    compare(&r, trainer_table(t), 1, trainer_local(t), 5e-4);
    trainer_destroy(t);
    close_reference(&r);
}

static void three_steps_of_adamw_match_torch_when_tied(void **state)
{
    (void)state;
    check_three_steps(tied());
}

static void three_steps_of_adamw_match_torch_when_untied(void **state)
{
    (void)state;
    check_three_steps(untied());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_and_every_gradient_match_torch_when_tied),
        cmocka_unit_test(loss_and_every_gradient_match_torch_when_untied),
        cmocka_unit_test(three_steps_of_adamw_match_torch_when_tied),
        cmocka_unit_test(three_steps_of_adamw_match_torch_when_untied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
