#include <math.h>
#include <string.h>

#include "engine/gemm.h"
#include "engine/kernels.h"
#include "engine/layers.h"

enum { Q = LAYERS_Q_ROWS };

struct job {
    struct pool *pool;
    const struct layers_dims *s;
    const float *qkv;
    const float *out_in;
    const float *lse_in;
    const float *d_out;
    float *out;
    float *lse;
    float *d_qkv;
    float *scratch;
    float scale;
};

/* Where one block of query rows of one head lives. */
struct block {
    uint32_t row;  /* first query row, in [0, R) */
    uint32_t key0; /* first key row of the sequence, in [0, R) */
    uint32_t n;    /* query rows */
    uint32_t keys; /* keys that the last query row may see */
    uint32_t h;    /* query head */
    const float *q, *k, *v;
};

static uint32_t q_blocks(const struct layers_dims *s)
{
    return (s->T + Q - 1) / Q;
}

size_t attn_scratch(const struct layers_dims *s)
{
    return (size_t)2 * Q * s->T;
}

static struct block block_at(const struct job *j, uint32_t b, uint32_t h, uint32_t i_block)
{
    const struct layers_dims *s = j->s;
    uint32_t t = i_block * Q;
    struct block k = {.key0 = b * s->T, .row = b * s->T + t, .h = h};
    k.n = s->T - t < Q ? s->T - t : Q;
    k.keys = t + k.n;
    uint32_t kv = h / (s->H / s->K);
    const float *seq = j->qkv + (size_t)k.key0 * s->S;
    k.q = j->qkv + (size_t)k.row * s->S + (size_t)h * s->W;
    k.k = seq + (size_t)(s->H + kv) * s->W;
    k.v = seq + (size_t)(s->H + s->K + kv) * s->W;
    return k;
}

/* p [n, keys] = scale * q k^T */
static void scores(const struct job *j, const struct block *k, float *p)
{
    const struct layers_dims *s = j->s;
    struct gemm_job g = {.kind = GEMM_NT,
                         .m = k->n,
                         .n = k->keys,
                         .k = s->W,
                         .a = k->q,
                         .lda = s->S,
                         .b = k->k,
                         .ldb = s->S,
                         .c = p,
                         .ldc = k->keys};
    gemm_small(&g, j->scale);
}

static void forward_block(void *ctx, uint32_t piece, uint32_t i_worker)
{
    const struct job *j = ctx;
    const struct layers_dims *s = j->s;
    uint32_t per_head = q_blocks(s);
    struct block k =
        block_at(j, piece / per_head / s->H, piece / per_head % s->H, piece % per_head);
    float *p = j->scratch + attn_scratch(s) * i_worker;
    scores(j, &k, p);
    for (uint32_t i = 0; i < k.n; i++) {
        float *row = p + (size_t)i * k.keys;
        uint32_t seen = k.keys - k.n + i + 1;
        float top = kernels_max(row, seen);
        float sum = kernels_exp_sum(row, top, seen);
        kernels_scale(row, 1.0F / sum, seen);
        memset(row + seen, 0, (k.keys - seen) * sizeof(float));
        j->lse[(size_t)(k.row + i) * s->H + k.h] =
            (float)(kernels_log64((double)sum) + (double)top);
    }
    struct gemm_job g = {.kind = GEMM_NN,
                         .m = k.n,
                         .n = s->W,
                         .k = k.keys,
                         .a = p,
                         .lda = k.keys,
                         .b = k.v,
                         .ldb = s->S,
                         .c = j->out + (size_t)k.row * s->H * s->W + (size_t)k.h * s->W,
                         .ldc = s->H * s->W};
    gemm_small(&g, 1.0F);
}

void attn_forward(struct pool *p, const struct layers_dims *s, const float *qkv, float *out,
                  float *lse, float *scratch)
{
    struct job j = {.pool = p,
                    .s = s,
                    .qkv = qkv,
                    .out = out,
                    .lse = lse,
                    .scratch = scratch,
                    .scale = 1.0F / sqrtf((float)s->W)};
    pool_run(p, s->B * s->H * q_blocks(s), forward_block, &j);
}

/* One block: with P the softmax, dP = dO V^T and delta the row sums of dO * O,
 * dS = P (dP - delta) scale; dQ = dS K, dK += dS^T Q, dV += P^T dO.
 */
static void backward_block(const struct job *j, const struct block *k, uint32_t i_worker)
{
    const struct layers_dims *s = j->s;
    uint32_t wide = s->H * s->W;
    uint32_t kv = k->h / (s->H / s->K);
    float *p = j->scratch + attn_scratch(s) * i_worker;
    float *dp = p + (size_t)Q * s->T;
    const float *d_o = j->d_out + (size_t)k->row * wide + (size_t)k->h * s->W;
    const float *o = j->out_in + (size_t)k->row * wide + (size_t)k->h * s->W;
    float *d_seq = j->d_qkv + (size_t)k->key0 * s->S;
    scores(j, k, p);
    struct gemm_job g = {.kind = GEMM_NT,
                         .m = k->n,
                         .n = k->keys,
                         .k = s->W,
                         .a = d_o,
                         .lda = wide,
                         .b = k->v,
                         .ldb = s->S,
                         .c = dp,
                         .ldc = k->keys};
    gemm_small(&g, 1.0F);
    for (uint32_t i = 0; i < k->n; i++) {
        float *row = p + (size_t)i * k->keys;
        float *d_row = dp + (size_t)i * k->keys;
        uint32_t seen = k->keys - k->n + i + 1;
        float delta = kernels_dot(d_o + (size_t)i * wide, o + (size_t)i * wide, s->W);
        kernels_exp_shift(row, j->lse_in[(size_t)(k->row + i) * s->H + k->h], seen);
        kernels_softmax_back(d_row, row, delta, j->scale, seen);
        memset(row + seen, 0, (k->keys - seen) * sizeof(float));
        memset(d_row + seen, 0, (k->keys - seen) * sizeof(float));
    }
    struct gemm_job dq = {.kind = GEMM_NN,
                          .m = k->n,
                          .n = s->W,
                          .k = k->keys,
                          .a = dp,
                          .lda = k->keys,
                          .b = k->k,
                          .ldb = s->S,
                          .c = j->d_qkv + (size_t)k->row * s->S + (size_t)k->h * s->W,
                          .ldc = s->S};
    gemm_small(&dq, 1.0F);
    struct gemm_job dk = {.kind = GEMM_TN,
                          .add = true,
                          .m = k->keys,
                          .n = s->W,
                          .k = k->n,
                          .a = dp,
                          .lda = k->keys,
                          .b = k->q,
                          .ldb = s->S,
                          .c = d_seq + (size_t)(s->H + kv) * s->W,
                          .ldc = s->S};
    gemm_small(&dk, 1.0F);
    struct gemm_job dv = {.kind = GEMM_TN,
                          .add = true,
                          .m = k->keys,
                          .n = s->W,
                          .k = k->n,
                          .a = p,
                          .lda = k->keys,
                          .b = d_o,
                          .ldb = wide,
                          .c = d_seq + (size_t)(s->H + s->K + kv) * s->W,
                          .ldc = s->S};
    gemm_small(&dv, 1.0F);
}

/* A piece is one key/value head of one sequence: it alone adds to that head's dK and dV, over the
 * group's query heads and their blocks in order.
 */
static void backward_group(void *ctx, uint32_t piece, uint32_t i_worker)
{
    const struct job *j = ctx;
    const struct layers_dims *s = j->s;
    uint32_t b = piece / s->K;
    uint32_t kv = piece % s->K;
    uint32_t group = s->H / s->K;
    for (uint32_t t = 0; t < s->T; t++) {
        float *row = j->d_qkv + (size_t)(b * s->T + t) * s->S;
        memset(row + (size_t)(s->H + kv) * s->W, 0, s->W * sizeof(float));
        memset(row + (size_t)(s->H + s->K + kv) * s->W, 0, s->W * sizeof(float));
    }
    for (uint32_t i = 0; i < group * q_blocks(s); i++) {
        if (i && !pool_go(j->pool)) return;
        struct block k = block_at(j, b, kv * group + i / q_blocks(s), i % q_blocks(s));
        backward_block(j, &k, i_worker);
    }
}

void attn_backward(struct pool *p, const struct layers_dims *s, const float *qkv, const float *out,
                   const float *lse, const float *d_out, float *d_qkv, float *scratch)
{
    struct job j = {.pool = p,
                    .s = s,
                    .qkv = qkv,
                    .out_in = out,
                    .lse_in = lse,
                    .d_out = d_out,
                    .d_qkv = d_qkv,
                    .scratch = scratch,
                    .scale = 1.0F / sqrtf((float)s->W)};
    pool_run(p, s->B * s->K, backward_group, &j);
}
