#include "engine/model_pass.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/gemm.h"

/* Offsets of a layer's tensors in the parameter block. q, k, v lie side by side in the table, and
 * so do gate and up: each group is one matrix to the products.
 */
struct weights {
    uint64_t norm1, qkv, o, norm2, gu, down;
};

/* What one layer keeps for its backward; activations but for the float statistics. */
struct kept {
    void *unit1; /* [R, D] normed residual stream on entry, before the norm's weight */
    float *rstd1;
    void *qkv;   /* [R, S], rotated */
    float *lse;  /* [R, H] */
    void *att;   /* [R, D] */
    void *unit2; /* [R, D] the same before the MLP */
    float *rstd2;
    void *gu; /* [R, 2F] */
};

struct model_pass {
    struct layers_dims dims; /* of the largest micro-batch */
    struct layers_dims s;    /* of the present one */
    struct pool *pool;
    uint32_t n_layers;
    float eps;
    uint64_t embed, norm, head;
    struct weights *w;
    bool recompute;
    bool is_first;     /* of the micro-batches: weight gradients are written, not added */
    struct kept *kept; /* [n_layers]; eval_only and recompute: all the same memory */
    float **entry;     /* [n_layers] recompute: the residual stream on entry, [R, D] each */
    float *x;          /* [R, D] the residual stream */
    float *rstd;       /* [R] of the last norm */
    void *unit;        /* [R, D] of the last norm */
    void *h;           /* [R, D] a norm's output */
    void *act;         /* [R, F] */
    void *loss;
    float *rope, *attn, *part;
    float *d_x;    /* [R, D] */
    void *d_x_act; /* the same as activations; MICRO_F32: d_x itself */
    void *d_h, *d_qkv, *d_gu, *d_act;
    void *room_d, *room_f;      /* gemm_room of products D and F columns wide */
    uint32_t *inputs, *targets; /* [R] */
};

/* A cursor over the block; with a NULL block it only measures. Every part starts on its own cache
 * line.
 */
struct carve {
    float *block;
    size_t at;
};

static float *take(struct carve *c, size_t a, size_t b)
{
    size_t n = size_mul(a, b);
    float *p = c->block ? c->block + c->at : NULL;
    c->at = size_add(c->at, size_add(n, 15) / 16 * 16);
    return p;
}

/* a x b activations. */
static void *take_act(struct carve *c, const struct layers_dims *s, size_t a, size_t b)
{
    size_t n = size_mul(a, b);
    return take(c, s->type == MICRO_BF16 ? size_add(n, 1) / 2 : n, 1);
}

static struct layers_dims dims_of(const struct model_config *c, const struct model_pass_shape *p)
{
    struct layers_dims s = {.B = p->n_seqs,
                            .T = p->seq_len,
                            .R = p->n_seqs * p->seq_len,
                            .D = c->hidden_size,
                            .F = c->intermediate_size,
                            .V = c->vocab_size,
                            .H = c->num_attention_heads,
                            .K = c->num_key_value_heads,
                            .type = p->type};
    s.W = s.D / s.H;
    s.S = (s.H + 2 * s.K) * s.W;
    return s;
}

uint32_t model_pass_seqs(enum micro_type type, uint32_t seq_len, uint32_t batch_seqs)
{
    uint32_t n = (type == MICRO_BF16 ? MODEL_PASS_ROWS : MODEL_PASS_ROWS / 2) / seq_len;
    n = n < 1 ? 1 : n;
    return n < batch_seqs ? n : batch_seqs;
}

static void carve_kept(struct carve *c, const struct layers_dims *s, struct kept *k)
{
    k->unit1 = take_act(c, s, s->R, s->D);
    k->rstd1 = take(c, s->R, 1);
    k->qkv = take_act(c, s, s->R, s->S);
    k->lse = take(c, s->R, s->H);
    k->att = take_act(c, s, s->R, s->D);
    k->unit2 = take_act(c, s, s->R, s->D);
    k->rstd2 = take(c, s->R, 1);
    k->gu = take_act(c, s, s->R, size_mul(2, s->F));
}

/* m->kept may be NULL when only measuring. In evaluation each layer writes over the one before. */
static void carve_all(struct carve *c, struct model_pass *m, uint32_t n_threads, bool eval_only)
{
    const struct layers_dims *s = &m->dims;
    struct kept first = {0};
    bool is_shared = eval_only || m->recompute;
    for (uint32_t i = 0; m->recompute && i < m->n_layers; i++) {
        float *x = take(c, s->R, s->D);
        if (m->entry) m->entry[i] = x;
    }
    for (uint32_t i = 0; i < (is_shared ? 1 : m->n_layers); i++) {
        struct kept k;
        carve_kept(c, s, &k);
        if (i == 0) first = k;
        if (m->kept) m->kept[i] = k;
    }
    for (uint32_t i = 1; is_shared && m->kept && i < m->n_layers; i++)
        m->kept[i] = first;
    m->x = take(c, s->R, s->D);
    m->rstd = take(c, s->R, 1);
    m->unit = take_act(c, s, s->R, s->D);
    m->h = take_act(c, s, s->R, s->D);
    m->act = take_act(c, s, s->R, s->F);
    m->loss = take(c, size_add(loss_scratch(s, eval_only), 3) / 4, 1);
    m->rope = take(c, rope_table_floats(s->T, s->W), 1);
    m->attn = take(c, attn_scratch(s), n_threads);
    m->inputs = (uint32_t *)(void *)take(c, s->R, 1);
    m->targets = (uint32_t *)(void *)take(c, s->R, 1);
    if (eval_only) return;
    m->part = take(c, norm_scratch(s), 1);
    m->d_x = take(c, s->R, s->D);
    m->d_x_act = s->type == MICRO_BF16 ? take_act(c, s, s->R, s->D) : m->d_x;
    m->d_h = take_act(c, s, s->R, s->D);
    m->d_qkv = take_act(c, s, s->R, s->S);
    m->d_gu = take_act(c, s, s->R, size_mul(2, s->F));
    m->d_act = take_act(c, s, s->R, s->F);
    m->room_d = take(c, gemm_room(s->type, s->D, s->R) / 4, 1);
    m->room_f = take(c, gemm_room(s->type, s->F, s->R) / 4, 1);
}

size_t model_pass_floats(const struct model_config *c, const struct model_pass_shape *shape,
                         uint32_t n_threads)
{
    struct model_pass m = {.dims = dims_of(c, shape),
                           .n_layers = c->num_hidden_layers,
                           .recompute = shape->recompute && !shape->eval_only};
    struct carve count = {0};
    carve_all(&count, &m, n_threads, shape->eval_only);
    return count.at;
}

static void find_weights(struct model_pass *m, const struct model_config *c,
                         const struct model_table *t)
{
    m->embed = t->tensors[0].offset;
    for (uint32_t i = 0; i < m->n_layers; i++) {
        const struct model_tensor *x = &t->tensors[1 + 9 * (size_t)i];
        m->w[i] = (struct weights){.norm1 = x[0].offset,
                                   .qkv = x[1].offset,
                                   .o = x[4].offset,
                                   .norm2 = x[5].offset,
                                   .gu = x[6].offset,
                                   .down = x[8].offset};
    }
    const struct model_tensor *end = &t->tensors[1 + 9 * (size_t)m->n_layers];
    m->norm = end[0].offset;
    m->head = c->tie_word_embeddings ? m->embed : end[1].offset;
}

int model_pass_create(const struct model_config *c, const struct model_table *t, struct pool *pool,
                      const struct model_pass_shape *shape, float *block, struct model_pass **ret,
                      struct err *e)
{
    struct model_pass *m = alloc_zero(1, sizeof *m);
    if (m) {
        m->w = alloc_zero(c->num_hidden_layers, sizeof *m->w);
        m->kept = alloc_zero(c->num_hidden_layers, sizeof *m->kept);
        m->entry = alloc_zero(c->num_hidden_layers, sizeof *m->entry);
    }
    if (!m || !m->w || !m->kept || !m->entry) {
        model_pass_destroy(m);
        return err_set(e, ERR_NOMEM, 0, "out of memory for the model's layers");
    }
    m->dims = dims_of(c, shape);
    m->pool = pool;
    m->n_layers = c->num_hidden_layers;
    m->eps = (float)c->rms_norm_eps;
    m->recompute = shape->recompute && !shape->eval_only;
    struct carve carve = {.block = block};
    carve_all(&carve, m, pool_threads(pool), shape->eval_only);
    find_weights(m, c, t);
    rope_init(m->rope, shape->seq_len, m->dims.W, c->rope_theta);
    *ret = m;
    return OK;
}

void model_pass_destroy(struct model_pass *m)
{
    if (!m) return;
    free(m->w);
    free(m->kept);
    free(m->entry);
    free(m);
}

/* y [R, out] = x [R, in] w [out, in]^T, as activations; or added to the floats of y. */
static void linear(struct model_pass *m, const void *x, uint32_t in, const float *w, uint32_t out,
                   void *y, bool add)
{
    struct gemm_job g = {.kind = GEMM_NT,
                         .type = m->s.type,
                         .add = add,
                         .is_c_bf16 = m->s.type == MICRO_BF16 && !add,
                         .m = m->s.R,
                         .n = out,
                         .k = in,
                         .a = x,
                         .lda = in,
                         .b = w,
                         .ldb = in,
                         .c = y,
                         .ldc = out};
    gemm_run(m->pool, &g, 1);
}

/* d_x [R, in] = d_y w, as activations. */
static struct gemm_job data_job(const struct model_pass *m, const void *d_y, uint32_t out,
                                const float *w, uint32_t in, void *d_x)
{
    return (struct gemm_job){.kind = GEMM_NN,
                             .type = m->s.type,
                             .is_c_bf16 = m->s.type == MICRO_BF16,
                             .m = m->s.R,
                             .n = in,
                             .k = out,
                             .a = d_y,
                             .lda = out,
                             .b = w,
                             .ldb = in,
                             .c = d_x,
                             .ldc = in};
}

/* d_w [out, in] += d_y^T x; or = for the first micro-batch. */
static struct gemm_job weight_job(const struct model_pass *m, const void *d_y, uint32_t out,
                                  const void *x, uint32_t in, float *d_w, void *room)
{
    return (struct gemm_job){.kind = GEMM_TN,
                             .type = m->s.type,
                             .add = !m->is_first,
                             .is_b_bf16 = m->s.type == MICRO_BF16,
                             .m = out,
                             .n = in,
                             .k = m->s.R,
                             .a = d_y,
                             .lda = out,
                             .b = x,
                             .ldb = in,
                             .c = d_w,
                             .ldc = in,
                             .room = room};
}

/* Both in one parallel-for; in is D. */
static void linear_back(struct model_pass *m, const void *x, uint32_t in, const float *w,
                        uint32_t out, const void *d_y, void *d_x, float *d_w)
{
    struct gemm_job g[2] = {data_job(m, d_y, out, w, in, d_x),
                            weight_job(m, d_y, out, x, in, d_w, m->room_d)};
    gemm_run(m->pool, g, 2);
}

static void split_tokens(struct model_pass *m, const uint32_t *tokens, uint32_t n_seqs)
{
    uint32_t T = m->dims.T;
    for (uint32_t b = 0; b < n_seqs; b++) {
        memcpy(m->inputs + (size_t)b * T, tokens + (size_t)b * (T + 1), T * sizeof *tokens);
        memcpy(m->targets + (size_t)b * T, tokens + (size_t)b * (T + 1) + 1, T * sizeof *tokens);
    }
    m->s = m->dims;
    m->s.B = n_seqs;
    m->s.R = n_seqs * T;
}

/* A layer up to gate and up: all that its backward needs. */
static void layer_inside(struct model_pass *m, const float *params, uint32_t i)
{
    const struct layers_dims *s = &m->s;
    const struct weights *w = &m->w[i];
    const struct kept *k = &m->kept[i];
    norm_forward(m->pool, s, m->eps, m->x, params + w->norm1, k->unit1, m->h, k->rstd1);
    linear(m, m->h, s->D, params + w->qkv, s->S, k->qkv, false);
    rope_forward(m->pool, s, m->rope, k->qkv);
    attn_forward(m->pool, s, k->qkv, k->att, k->lse, m->attn);
    linear(m, k->att, s->D, params + w->o, s->D, m->x, true);
    norm_forward(m->pool, s, m->eps, m->x, params + w->norm2, k->unit2, m->h, k->rstd2);
    linear(m, m->h, s->D, params + w->gu, 2 * s->F, k->gu, false);
}

static void layer_forward(struct model_pass *m, const float *params, uint32_t i)
{
    const struct layers_dims *s = &m->s;
    size_t bytes = (size_t)s->R * s->D * sizeof(float);
    if (m->recompute) memcpy(m->entry[i], m->x, bytes);
    layer_inside(m, params, i);
    mlp_forward(m->pool, s, m->kept[i].gu, m->act);
    linear(m, m->act, s->F, params + m->w[i].down, s->D, m->x, true);
}

static void norm_back(struct model_pass *m, const void *unit, const float *w, const float *rstd,
                      float *d_w)
{
    void *copy = m->s.type == MICRO_BF16 ? m->d_x_act : NULL;
    norm_backward(m->pool, &m->s, unit, w, rstd, m->d_h, m->d_x, copy, d_w, m->part);
}

/* d_x is the gradient of the layer's output on entry and of its input on return. */
static void layer_backward(struct model_pass *m, const float *params, uint32_t i, float *grads)
{
    const struct layers_dims *s = &m->s;
    const struct weights *w = &m->w[i];
    const struct kept *k = &m->kept[i];
    if (m->recompute) {
        memcpy(m->x, m->entry[i], (size_t)s->R * s->D * sizeof(float));
        layer_inside(m, params, i);
    }
    struct gemm_job g = data_job(m, m->d_x_act, s->D, params + w->down, s->F, m->d_act);
    gemm_run(m->pool, &g, 1);
    mlp_backward(m->pool, s, k->gu, m->d_act, m->act, m->d_gu);
    norm_again(m->pool, s, k->unit2, params + w->norm2, m->h);
    struct gemm_job mlp[3] = {
        weight_job(m, m->d_x_act, s->D, m->act, s->F, grads + w->down, m->room_f),
        data_job(m, m->d_gu, 2 * s->F, params + w->gu, s->D, m->d_h),
        weight_job(m, m->d_gu, 2 * s->F, m->h, s->D, grads + w->gu, m->room_d),
    };
    gemm_run(m->pool, mlp, 3);
    norm_back(m, k->unit2, params + w->norm2, k->rstd2, grads + w->norm2);
    linear_back(m, k->att, s->D, params + w->o, s->D, m->d_x_act, m->d_h, grads + w->o);
    attn_backward(m->pool, s, k->qkv, k->att, k->lse, m->d_h, m->d_qkv, m->attn);
    rope_backward(m->pool, s, m->rope, m->d_qkv);
    norm_again(m->pool, s, k->unit1, params + w->norm1, m->h);
    linear_back(m, m->h, s->D, params + w->qkv, s->S, m->d_qkv, m->d_h, grads + w->qkv);
    norm_back(m, k->unit1, params + w->norm1, k->rstd1, grads + w->norm1);
}

/* Everything up to the last norm. */
static void trunk(struct model_pass *m, const float *params, const uint32_t *tokens,
                  uint32_t n_seqs)
{
    split_tokens(m, tokens, n_seqs);
    embed_forward(m->pool, &m->s, m->inputs, params + m->embed, m->x);
    for (uint32_t i = 0; i < m->n_layers && !pool_cancelled(m->pool); i++)
        layer_forward(m, params, i);
    norm_forward(m->pool, &m->s, m->eps, m->x, params + m->norm, m->unit, m->h, m->rstd);
}

double model_pass_loss(struct model_pass *m, const float *params, const uint32_t *tokens,
                       uint32_t n_seqs)
{
    trunk(m, params, tokens, n_seqs);
    if (pool_cancelled(m->pool)) return 0;
    return loss_run(m->pool, &m->s, m->h, params + m->head, m->targets, 0, false, NULL, NULL,
                    m->loss);
}

/* What products do not write: norms, and rows of an untied embedding. */
static void clear_rest(const struct model_pass *m, float *grads)
{
    size_t norm = m->s.D * sizeof(float);
    for (uint32_t i = 0; i < m->n_layers; i++) {
        memset(grads + m->w[i].norm1, 0, norm);
        memset(grads + m->w[i].norm2, 0, norm);
    }
    memset(grads + m->norm, 0, norm);
    if (m->head != m->embed) memset(grads + m->embed, 0, m->s.V * norm);
}

double model_pass_grads(struct model_pass *m, const float *params, const uint32_t *tokens,
                        uint32_t n_seqs, float scale, bool is_first, float *grads)
{
    m->is_first = is_first;
    trunk(m, params, tokens, n_seqs);
    if (pool_cancelled(m->pool)) return 0;
    if (is_first) clear_rest(m, grads);
    double nats = loss_run(m->pool, &m->s, m->h, params + m->head, m->targets, scale, is_first,
                           m->d_h, grads + m->head, m->loss);
    if (pool_cancelled(m->pool)) return 0;
    memset(m->d_x, 0, (size_t)m->s.R * m->s.D * sizeof(float));
    norm_back(m, m->unit, params + m->norm, m->rstd, grads + m->norm);
    for (uint32_t i = m->n_layers; i-- > 0 && !pool_cancelled(m->pool);)
        layer_backward(m, params, i, grads);
    embed_backward(m->pool, &m->s, m->inputs, m->d_x, grads + m->embed);
    return nats;
}
