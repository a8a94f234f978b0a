#include "engine/gradcheck.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "engine/kernels.h"
#include "engine/model_pass.h"

struct gradcheck gradcheck_run(gradcheck_fn f, void *ctx, float *x, const float *grad, uint64_t n,
                               uint64_t max_checked, double step)
{
    struct gradcheck r = {0};
    double top = 0;
    for (uint64_t i = 0; i < n; i++)
        top = fmax(top, fabs((double)grad[i]));
    uint64_t stride = max_checked && n > max_checked ? n / max_checked : 1;
    for (uint64_t i = 0; i < n; i += stride) {
        const float kept = x[i];
        x[i] = (float)((double)kept + step);
        double up_at = (double)x[i];
        double up = f(ctx);
        x[i] = (float)((double)kept - step);
        double numeric = (up - f(ctx)) / (up_at - (double)x[i]);
        x[i] = kept;
        double off = fabs((double)grad[i] - numeric) / (top > 0 ? top : 1);
        r.n_checked++;
        if (off <= r.worst && r.n_checked > 1) continue;
        r.worst = off;
        r.i_worst = i;
        r.analytic = (double)grad[i];
        r.numeric = numeric;
    }
    return r;
}

/* ---- the self test ---- */

enum { SEQS = 2, LENGTH = 72 };

static const struct model_config tiny = {
    .vocab_size = 128,
    .hidden_size = 32,
    .intermediate_size = 80,
    .num_hidden_layers = 2,
    .num_attention_heads = 4,
    .num_key_value_heads = 2,
    .max_position_embeddings = LENGTH,
    .rms_norm_eps = 1e-5,
    .rope_theta = 10000,
    .initializer_range = 0.2,
    .tie_word_embeddings = true,
};

static const struct model_pass_shape tiny_shape = {
    .n_seqs = SEQS, .seq_len = LENGTH, .type = MICRO_F32};

struct self {
    struct model_table table;
    struct pool *pool;
    struct model_pass *pass;
    float *block, *params, *grads, *moved;
    uint32_t tokens[SEQS * (LENGTH + 1)];
};

static int self_init(struct self *s, uint32_t n_threads, struct err *e)
{
    int rc = pool_create(n_threads, &s->pool, e);
    if (!rc) rc = model_table_init(&s->table, &tiny, e);
    if (rc) return rc;
    uint64_t n = s->table.n_params;
    s->block = alloc_aligned(model_pass_floats(&tiny, &tiny_shape, n_threads), sizeof(float));
    s->params = alloc_aligned(n, sizeof(float));
    s->grads = alloc_aligned(n, sizeof(float));
    s->moved = alloc_aligned(n, sizeof(float));
    if (!s->block || !s->params || !s->grads || !s->moved)
        return err_set(e, ERR_NOMEM, 0, "out of memory for the engine's self test");
    model_init_weights(&s->table, &tiny, 1, s->params);
    struct rng r;
    rng_init(&r, 1, 0);
    for (size_t i = 0; i < sizeof s->tokens / sizeof *s->tokens; i++)
        s->tokens[i] = rng_below(&r, tiny.vocab_size);
    return model_pass_create(&tiny, &s->table, s->pool, &tiny_shape, s->block, &s->pass, e);
}

static void self_deinit(struct self *s)
{
    model_pass_destroy(s->pass);
    pool_destroy(s->pool);
    model_table_deinit(&s->table);
    free(s->block);
    free(s->params);
    free(s->grads);
    free(s->moved);
}

static double loss_along(struct self *s, double t)
{
    for (uint64_t i = 0; i < s->table.n_params; i++)
        s->moved[i] = (float)((double)s->params[i] + t * (double)s->grads[i]);
    return model_pass_loss(s->pass, s->moved, s->tokens, SEQS) / (SEQS * LENGTH);
}

/* One direction is enough to see a wrong machine: along its own gradient g the loss must change by
 * |g|^2 per unit, and every wrong value lowers or raises that.
 */
static double self_deviation(struct self *s)
{
    float scale = 1.0F / (SEQS * LENGTH);
    model_pass_grads(s->pass, s->params, s->tokens, SEQS, scale, true, s->grads);
    double square = 0;
    for (uint64_t i = 0; i < s->table.n_params; i++)
        square += (double)s->grads[i] * (double)s->grads[i];
    double h = 5e-3 / sqrt(square);
    return fabs((loss_along(s, h) - loss_along(s, -h)) / (2 * h) / square - 1);
}

int gradcheck_self(uint32_t n_threads, double *ret_worst, struct err *e)
{
    struct self s = {0};
    struct self one = {0};
    int rc = self_init(&s, n_threads, e);
    if (!rc) rc = self_init(&one, 1, e);
    double worst = rc ? 0 : self_deviation(&s);
    if (!rc) (void)self_deviation(&one);
    if (!rc &&
        (!(worst < 1e-2) || memcmp(s.grads, one.grads, s.table.n_params * sizeof(float)) != 0)) {
        rc = err_set(e, ERR_WRONG_STATE, 0, "this machine computes wrong gradients (%s)",
                     worst < 1e-2 ? "threads disagree" : "they do not follow the loss");
        err_hint(e, "check the memory and undo overclocking");
    }
    if (!rc && ret_worst) *ret_worst = worst;
    self_deinit(&s);
    self_deinit(&one);
    return rc;
}
