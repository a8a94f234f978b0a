#include <assert.h>
#include <math.h>
#include <string.h>

#include "engine/kernels.h"
#include "engine/kernels_act.h"
#include "engine/layers.h"
#include "engine/micro.h"

/* A piece of work is one key/value head of one sequence, with all query heads of its group. Its
 * queries go in blocks of Q. Everything about a block is kept with keys as rows and queries as
 * columns: scores are K Q^T, so that a key's row of K is read where it lies, maxima and sums over
 * keys run in vectors over queries, and the transposed weights are just what the products for
 * dK and dV want.
 *
 *     forward   s = K Q^T;  e = exp((s - top) scale);  O = e^T V / sum e
 *     backward  s = K Q^T;  p = exp(s scale - lse);  dp = V dO^T;  ds = p (dp - delta) scale
 *               dV += p dO;  dK += ds Q;  dQ = ds^T K
 */
enum { Q = LAYERS_Q_ROWS };

struct job {
    struct pool *pool;
    const struct layers_dims *s;
    const struct micro *micro;
    const void *qkv;
    const void *out_in;
    const float *lse_in;
    const void *d_out;
    void *out;
    float *lse;
    void *d_qkv;
    float *scratch;
    float scale;
};

/* A worker's memory. Units are those of micro.h: a float, or a pair of bfloat16 along keys or W. */
struct room {
    float *s;          /* [T, Q] scores, then weights */
    float *dp;         /* [T, Q] */
    void *p, *ds;      /* [T, Q] activations */
    uint32_t *units;   /* [T units, Q] weights or ds as left operand of a sum over keys */
    uint32_t *keys;    /* panels of V or K, [T units, W] */
    uint32_t *q_cols;  /* panels of Q^T, [W units, Q] */
    uint32_t *do_cols; /* panels of dO^T */
    uint32_t *q_rows;  /* panels of Q, [Q units, W] */
    uint32_t *do_rows; /* panels of dO */
    float *o;          /* [Q, W] */
    float *d_k, *d_v;  /* [T, W] */
    float *top, *sum;  /* [Q]; backward: lse and delta */
};

static uint32_t round_up(uint32_t n, uint32_t to)
{
    return (n + to - 1) / to * to;
}

static float *take(float *block, size_t *at, size_t n)
{
    float *p = block ? block + *at : NULL;
    *at += (n + 15) / 16 * 16;
    return p;
}

static size_t carve(const struct layers_dims *s, float *block, struct room *m)
{
    size_t at = 0;
    size_t T = round_up(s->T, 2); /* keys go in pairs */
    size_t wide = round_up(s->W, MICRO_LANES);
    m->s = take(block, &at, T * Q);
    m->dp = take(block, &at, T * Q);
    m->p = take(block, &at, T * Q);
    m->ds = take(block, &at, T * Q);
    m->units = (uint32_t *)(void *)take(block, &at, T * Q);
    m->keys = (uint32_t *)(void *)take(block, &at, T * wide);
    m->q_cols = (uint32_t *)(void *)take(block, &at, (size_t)s->W * Q);
    m->do_cols = (uint32_t *)(void *)take(block, &at, (size_t)s->W * Q);
    m->q_rows = (uint32_t *)(void *)take(block, &at, Q * wide);
    m->do_rows = (uint32_t *)(void *)take(block, &at, Q * wide);
    m->o = take(block, &at, (size_t)Q * s->W);
    m->d_k = take(block, &at, T * s->W);
    m->d_v = take(block, &at, T * s->W);
    m->top = take(block, &at, Q);
    m->sum = take(block, &at, Q);
    return at;
}

size_t attn_scratch(const struct layers_dims *s)
{
    struct room m;
    return carve(s, NULL, &m);
}

/* One block of query rows of one head. */
struct block {
    const struct job *j;
    struct room m;
    uint32_t seq;  /* first row of the sequence, in [0, R) */
    uint32_t t;    /* first query, in [0, T) */
    uint32_t n;    /* queries */
    uint32_t keys; /* keys that the last query may see */
    uint32_t h;    /* query head */
    uint32_t kv;   /* key/value head */
};

/* Row t of this sequence in a block of packed qkv rows, at head number i of H + 2 K. */
static size_t head_at(const struct block *b, uint32_t t, uint32_t i)
{
    return (size_t)(b->seq + t) * b->j->s->S + (size_t)i * b->j->s->W;
}

static size_t out_at(const struct block *b, uint32_t t)
{
    const struct layers_dims *s = b->j->s;
    return (size_t)(b->seq + t) * s->H * s->W + (size_t)b->h * s->W;
}

static uint32_t units_of(const struct block *b, uint32_t n)
{
    return micro_units(b->j->s->type, n);
}

/* ---- products of a block ---- */

/* Pack n rows of W values, `ld` apart, as panels: their transpose (rows become columns), or as
 * they are. Panels of 32 divide Q and the usual W; a rest of 16 would not keep the processor busy.
 */
enum { Q_PANEL = 32, W_PANEL = 32 };

static void pack_cols(const struct block *b, const void *rows, size_t ld, uint32_t n, uint32_t *dst)
{
    uint32_t W = b->j->s->W;
    struct micro_source src = {.data = rows, .ld = ld, .is_bf16 = b->j->s->type == MICRO_BF16};
    struct micro_panels to = {.dst = dst, .w = Q_PANEL, .stride = (size_t)units_of(b, W) * Q_PANEL};
    b->j->micro->pack(&src, 0, W, 0, n, &to);
}

static void pack_rows(const struct block *b, const void *rows, size_t ld, uint32_t n, uint32_t *dst)
{
    struct micro_source src = {
        .data = rows, .ld = ld, .is_bf16 = b->j->s->type == MICRO_BF16, .is_k_rows = true};
    for (uint32_t c = 0; c < b->j->s->W; c += W_PANEL) {
        uint32_t w = b->j->s->W - c < W_PANEL ? b->j->s->W - c : W_PANEL;
        struct micro_panels to = {.dst = dst + (size_t)c * units_of(b, n), .w = micro_width(w)};
        b->j->micro->pack(&src, 0, n, c, w, &to);
    }
}

/* out [keys, Q] = rows of K or V times packed columns, whole panels: what is past the block is 0. */
static void by_keys(const struct block *b, const void *rows, const uint32_t *cols, float *out)
{
    const struct layers_dims *s = b->j->s;
    struct micro_strip x = {.a = rows,
                            .a_row = s->type == MICRO_BF16 ? s->S / 2 : s->S,
                            .a_block = MICRO_LANES * (s->type == MICRO_BF16 ? s->S / 2 : s->S),
                            .a_step = 1,
                            .out_ld = Q,
                            .m = b->keys,
                            .n = Q_PANEL,
                            .k = units_of(b, s->W)};
    for (uint32_t c = 0; c < b->n; c += Q_PANEL) {
        x.b = cols + (size_t)c * x.k;
        x.out = out + c;
        b->j->micro->strip(&x);
    }
}

/* out [m, W] (+)= left operand times packed rows, over k units. */
static void by_width(const struct block *b, const struct micro_strip *left, const uint32_t *rows,
                     uint32_t packed, float *out, bool add)
{
    const struct layers_dims *s = b->j->s;
    struct micro_strip x = *left;
    x.a_block = MICRO_LANES * x.a_row;
    x.out_ld = x.in_ld = s->W;
    for (uint32_t c = 0; c < s->W; c += W_PANEL) {
        x.b = rows + (size_t)c * packed;
        x.out = out + c;
        x.in = add ? x.out : NULL;
        x.n = s->W - c < W_PANEL ? s->W - c : W_PANEL;
        b->j->micro->strip(&x);
    }
}

/* [Q, W] = units^T [keys, Q] times packed keys. */
static void over_keys(const struct block *b)
{
    struct micro_strip left = {
        .a = b->m.units, .a_row = 1, .a_step = Q, .m = b->n, .k = units_of(b, b->keys)};
    by_width(b, &left, b->m.keys, units_of(b, b->j->s->T), b->m.o, false);
}

/* d [keys, W] += weights [keys, Q] times packed rows of the block. */
static void over_queries(const struct block *b, const void *weights, const uint32_t *rows, float *d)
{
    struct micro_strip left = {.a = weights,
                               .a_row = b->j->s->type == MICRO_BF16 ? Q / 2 : Q,
                               .a_step = 1,
                               .m = b->keys,
                               .k = units_of(b, b->n)};
    by_width(b, &left, rows, units_of(b, b->n), d, true);
}

/* The scores; what a query may not see is minus infinity, and so are queries past the block. */
static void scores(const struct block *b)
{
    const struct layers_dims *s = b->j->s;
    by_keys(b, kernels_act_in(b->j->qkv, s->type, head_at(b, 0, s->H + b->kv)), b->m.q_cols,
            b->m.s);
    for (uint32_t u = 0; u < b->keys; u++) {
        float *row = b->m.s + (size_t)u * Q;
        for (uint32_t i = 0; b->t + i < u; i++)
            row[i] = -INFINITY;
        for (uint32_t i = b->n; i < Q; i++)
            row[i] = -INFINITY;
    }
    if (b->keys % 2) /* keys go in pairs from here: one more that nobody sees */
        for (uint32_t i = 0; i < Q; i++)
            b->m.s[(size_t)b->keys * Q + i] = -INFINITY;
}

/* ---- forward ---- */

static void soft_columns(const struct block *b)
{
    const struct room *m = &b->m;
    for (uint32_t i = 0; i < Q; i++) {
        m->top[i] = -3e38F;
        m->sum[i] = 0;
    }
    for (uint32_t u = 0; u < b->keys; u++)
        kernels_max_rows(m->top, m->s + (size_t)u * Q, Q);
    for (uint32_t u = 0; u < b->keys; u += 2) {
        float *row = m->s + (size_t)u * Q;
        kernels_act_attn_exp(b->j->s->type, m->units + (size_t)u / 2 * Q, row, row + Q, m->top,
                             m->sum, b->j->scale, Q);
    }
}

static void forward_block(const struct block *b)
{
    const struct job *j = b->j;
    const struct layers_dims *s = j->s;
    const struct room *m = &b->m;
    pack_cols(b, kernels_act_in(j->qkv, s->type, head_at(b, b->t, b->h)), s->S, b->n, m->q_cols);
    scores(b);
    soft_columns(b);
    over_keys(b);
    for (uint32_t i = 0; i < b->n; i++) {
        kernels_act_scaled(s->type, kernels_act_at(j->out, s->type, out_at(b, b->t + i)),
                           m->o + (size_t)i * s->W, 1.0F / m->sum[i], s->W);
        double lse = kernels_log64((double)m->sum[i]) + (double)m->top[i] * (double)j->scale;
        j->lse[(size_t)(b->seq + b->t + i) * s->H + b->h] = (float)lse;
    }
}

/* ---- backward ---- */

/* lse and delta = dO . O of each query; a query past the block gets weights of zero. */
static void query_facts(const struct block *b)
{
    const struct job *j = b->j;
    const struct layers_dims *s = j->s;
    for (uint32_t i = 0; i < Q; i++) {
        size_t at = i < b->n ? out_at(b, b->t + i) : 0;
        b->m.top[i] = i < b->n ? j->lse_in[(size_t)(b->seq + b->t + i) * s->H + b->h] : 0;
        b->m.sum[i] = i < b->n ? kernels_act_dot(s->type, kernels_act_in(j->d_out, s->type, at),
                                                 kernels_act_in(j->out_in, s->type, at), s->W)
                               : 0;
    }
}

static void through_softmax(const struct block *b)
{
    const struct room *m = &b->m;
    enum micro_type type = b->j->s->type;
    for (uint32_t u = 0; u < round_up(b->keys, 2); u++)
        for (uint32_t i = u < b->keys ? b->n : 0; i < Q; i++)
            m->dp[(size_t)u * Q + i] = 0;
    for (uint32_t u = 0; u < b->keys; u += 2) {
        size_t at = (size_t)u * Q;
        struct kernels_act_back k = {.lse = m->top, .delta = m->sum, .scale = b->j->scale};
        for (uint32_t odd = 0; odd < 2; odd++) {
            k.x[odd] = m->s + at + odd * Q;
            k.dp[odd] = m->dp + at + odd * Q;
            k.p[odd] = kernels_act_at(m->p, type, at + odd * Q);
            k.ds[odd] = kernels_act_at(m->ds, type, at + odd * Q);
        }
        k.units = m->units + at / 2;
        kernels_act_attn_back(type, &k, Q);
    }
}

static void backward_block(struct block *b)
{
    const struct job *j = b->j;
    const struct layers_dims *s = j->s;
    struct room *m = &b->m;
    const void *q = kernels_act_in(j->qkv, s->type, head_at(b, b->t, b->h));
    const void *d_o = kernels_act_in(j->d_out, s->type, out_at(b, b->t));
    const void *v = kernels_act_in(j->qkv, s->type, head_at(b, 0, s->H + s->K + b->kv));
    size_t wide = (size_t)s->H * s->W;
    pack_cols(b, q, s->S, b->n, m->q_cols);
    pack_cols(b, d_o, wide, b->n, m->do_cols);
    pack_rows(b, q, s->S, b->n, m->q_rows);
    pack_rows(b, d_o, wide, b->n, m->do_rows);
    scores(b);
    by_keys(b, v, m->do_cols, m->dp);
    query_facts(b);
    through_softmax(b);
    over_queries(b, m->p, m->do_rows, m->d_v);
    over_queries(b, m->ds, m->q_rows, m->d_k);
    if (s->type == MICRO_F32) m->units = (uint32_t *)(void *)m->dp;
    over_keys(b);
    for (uint32_t i = 0; i < b->n; i++)
        kernels_act_put(s->type, kernels_act_at(j->d_qkv, s->type, head_at(b, b->t + i, b->h)),
                        m->o + (size_t)i * s->W, s->W);
}

static void store_heads(const struct block *b)
{
    const struct layers_dims *s = b->j->s;
    for (uint32_t t = 0; t < s->T; t++) {
        void *k = kernels_act_at(b->j->d_qkv, s->type, head_at(b, t, s->H + b->kv));
        void *v = kernels_act_at(b->j->d_qkv, s->type, head_at(b, t, s->H + s->K + b->kv));
        kernels_act_put(s->type, k, b->m.d_k + (size_t)t * s->W, s->W);
        kernels_act_put(s->type, v, b->m.d_v + (size_t)t * s->W, s->W);
    }
}

/* One key/value head: it alone adds to its dK and dV, over the group's query heads and their
 * blocks in order.
 */
static void run_group(void *ctx, uint32_t piece, uint32_t i_worker)
{
    const struct job *j = ctx;
    const struct layers_dims *s = j->s;
    struct block b = {.j = j, .seq = piece / s->K * s->T, .kv = piece % s->K};
    assert(j->scratch);
    carve(s, j->scratch + attn_scratch(s) * i_worker, &b.m);
    bool is_back = j->d_qkv != NULL;
    uint32_t group = s->H / s->K;
    uint32_t per_head = (s->T + Q - 1) / Q;
    uint32_t head = is_back ? s->H + b.kv : s->H + s->K + b.kv;
    pack_rows(&b, kernels_act_in(j->qkv, s->type, head_at(&b, 0, head)), s->S, s->T, b.m.keys);
    if (is_back) {
        memset(b.m.d_k, 0, (size_t)s->T * s->W * sizeof(float));
        memset(b.m.d_v, 0, (size_t)s->T * s->W * sizeof(float));
    }
    for (uint32_t i = 0; i < group * per_head; i++) {
        if (i && !pool_go(j->pool)) return;
        struct block x = b;
        x.h = b.kv * group + i / per_head;
        x.t = i % per_head * Q;
        x.n = s->T - x.t < Q ? s->T - x.t : Q;
        x.keys = x.t + x.n;
        if (!is_back && s->type == MICRO_F32) x.m.units = (uint32_t *)(void *)x.m.s;
        if (is_back)
            backward_block(&x);
        else
            forward_block(&x);
    }
    if (is_back) store_heads(&b);
}

static struct job job_of(struct pool *p, const struct layers_dims *s, const void *qkv,
                         float *scratch)
{
    return (struct job){.pool = p,
                        .s = s,
                        .micro = micro_best(s->type),
                        .qkv = qkv,
                        .scratch = scratch,
                        .scale = 1.0F / sqrtf((float)s->W)};
}

void attn_forward(struct pool *p, const struct layers_dims *s, const void *qkv, void *out,
                  float *lse, float *scratch)
{
    struct job j = job_of(p, s, qkv, scratch);
    j.out = out;
    j.lse = lse;
    pool_run(p, s->B * s->K, run_group, &j);
}

void attn_backward(struct pool *p, const struct layers_dims *s, const void *qkv, const void *out,
                   const float *lse, const void *d_out, void *d_qkv, float *scratch)
{
    struct job j = job_of(p, s, qkv, scratch);
    j.out_in = out;
    j.lse_in = lse;
    j.d_out = d_out;
    j.d_qkv = d_qkv;
    pool_run(p, s->B * s->K, run_group, &j);
}
