#include "engine/infer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/gemm.h"
#include "engine/kernels.h"
#include "engine/kvcache.h"
#include "engine/layers.h"
#include "engine/matvec.h"

/* Rows together: a product of 256 rows runs at nearly full speed. Logits of as many rows as fit in
 * 16 MiB exist at a time, 256 at most.
 */
enum { ROWS = 256, LOGITS_FLOATS = 1 << 22, PER_LAYER = 9 };

/* Offsets of a layer's tensors, grouped as in model_pass.c. */
struct weights {
    uint64_t norm1, qkv, o, norm2, gu, down;
};

struct infer {
    struct layers_dims s; /* R: rows of the present call's part */
    struct kvcache_shape kv;
    uint32_t n_rows, n_scored;
    struct pool *pool;
    uint32_t n_layers;
    float eps;
    uint64_t embed, norm, head;
    uint32_t length;
    struct weights *w;   /* [n_layers] */
    float **cache;       /* [n_layers] */
    float *block;        /* all that follows */
    float *x;            /* [n_rows, D] residual stream */
    float *h;            /* [n_rows, D] a norm's output */
    float *qkv;          /* [n_rows, S] */
    float *att;          /* [n_rows, D] */
    float *gu;           /* [n_rows, 2F] */
    float *act;          /* [n_rows, F] */
    float *logits;       /* [n_scored, V] */
    float *rope;         /* [n_ctx, W] */
    float *scratch;      /* scores of each worker */
    const float *params; /* during a call */
};

static struct layers_dims dims_of(const struct model_config *c, uint32_t n_ctx)
{
    struct layers_dims s = {.B = 1,
                            .T = n_ctx,
                            .D = c->hidden_size,
                            .F = c->intermediate_size,
                            .V = c->vocab_size,
                            .H = c->num_attention_heads,
                            .K = c->num_key_value_heads};
    s.W = s.D / s.H;
    s.S = (s.H + 2 * s.K) * s.W;
    return s;
}

static uint32_t at_most(uint32_t a, uint32_t cap)
{
    return a < cap ? a : cap;
}

struct infer_shape infer_shape_for(const struct model_config *c, uint32_t n_ctx, uint32_t n_threads)
{
    struct infer_shape s = {.n_ctx = c->max_position_embeddings, .n_threads = n_threads};
    if (n_ctx) s.n_ctx = at_most(n_ctx, s.n_ctx);
    s.n_rows = at_most(ROWS, s.n_ctx);
    return s;
}

/* ---- memory ---- */

/* A cursor over the block, as in model_pass.c: with a NULL block it only measures. */
struct carve {
    float *block;
    size_t at;
};

static float *take(struct carve *c, size_t a, size_t b)
{
    float *p = c->block ? c->block + c->at : NULL;
    c->at = size_add(c->at, size_add(size_mul(a, b), 15) / 16 * 16);
    return p;
}

static void carve_all(struct carve *c, struct infer *x, uint32_t n_threads)
{
    const struct layers_dims *s = &x->s;
    for (uint32_t i = 0; i < x->n_layers; i++) {
        float *cache = take(c, kvcache_floats(&x->kv), 1);
        if (x->cache) x->cache[i] = cache;
    }
    x->x = take(c, x->n_rows, s->D);
    x->h = take(c, x->n_rows, s->D);
    x->qkv = take(c, x->n_rows, s->S);
    x->att = take(c, x->n_rows, s->D);
    x->gu = take(c, x->n_rows, size_mul(2, s->F));
    x->act = take(c, x->n_rows, s->F);
    x->logits = take(c, x->n_scored, s->V);
    x->rope = take(c, rope_table_floats(s->T, s->W), 1);
    x->scratch = take(c, kvcache_scratch(&x->kv, n_threads), 1);
}

static void shape_it(struct infer *x, const struct model_config *c, const struct infer_shape *s)
{
    x->s = dims_of(c, s->n_ctx);
    x->kv = (struct kvcache_shape){.H = x->s.H, .K = x->s.K, .W = x->s.W, .n_ctx = s->n_ctx};
    x->n_rows = s->n_rows;
    x->n_scored = at_most(s->n_rows, LOGITS_FLOATS / c->vocab_size);
    if (!x->n_scored) x->n_scored = 1;
    x->n_layers = c->num_hidden_layers;
    x->eps = (float)c->rms_norm_eps;
}

size_t infer_bytes(const struct model_config *c, const struct infer_shape *s)
{
    struct infer x = {0};
    struct carve count = {0};
    shape_it(&x, c, s);
    carve_all(&count, &x, s->n_threads);
    return size_mul(count.at, sizeof(float));
}

static void find_weights(struct infer *x, const struct model_config *c, const struct model_table *t)
{
    x->embed = t->tensors[0].offset;
    for (uint32_t i = 0; i < x->n_layers; i++) {
        const struct model_tensor *l = &t->tensors[1 + PER_LAYER * (size_t)i];
        x->w[i] = (struct weights){.norm1 = l[0].offset,
                                   .qkv = l[1].offset,
                                   .o = l[4].offset,
                                   .norm2 = l[5].offset,
                                   .gu = l[6].offset,
                                   .down = l[8].offset};
    }
    const struct model_tensor *end = &t->tensors[1 + PER_LAYER * (size_t)x->n_layers];
    x->norm = end[0].offset;
    x->head = c->tie_word_embeddings ? x->embed : end[1].offset;
}

static int check_shape(const struct model_config *c, const struct infer_shape *s, struct err *e)
{
    if (s->n_ctx < 1 || s->n_ctx > c->max_position_embeddings)
        return err_set(e, ERR_ARG, 0, "a context of %u tokens: this model knows 1 to %u positions",
                       s->n_ctx, c->max_position_embeddings);
    if (s->n_rows < 1 || s->n_rows > s->n_ctx)
        return err_set(e, ERR_ARG, 0, "rows at a time must be 1 to the context's %u, not %u",
                       s->n_ctx, s->n_rows);
    return OK;
}

int infer_create(const struct model_config *c, const struct model_table *t, struct pool *pool,
                 const struct infer_shape *shape, struct infer **ret, struct err *e)
{
    int rc = check_shape(c, shape, e);
    if (rc) return rc;
    size_t bytes = infer_bytes(c, shape);
    struct infer *x = alloc_zero(1, sizeof *x);
    if (x) {
        x->w = alloc_zero(c->num_hidden_layers, sizeof *x->w);
        x->cache = alloc_zero(c->num_hidden_layers, sizeof *x->cache);
        x->block = alloc_aligned(bytes, 1);
    }
    if (!x || !x->w || !x->cache || !x->block) {
        infer_destroy(x);
        err_set(e, ERR_NOMEM, 0, "a context of %u tokens needs %zu bytes of memory", shape->n_ctx,
                bytes);
        err_hint(e, "close other programs, or use a shorter context");
        return ERR_NOMEM;
    }
    x->pool = pool;
    shape_it(x, c, shape);
    struct carve carve = {.block = x->block};
    carve_all(&carve, x, shape->n_threads);
    find_weights(x, c, t);
    rope_init(x->rope, x->s.T, x->s.W, c->rope_theta);
    *ret = x;
    return OK;
}

void infer_destroy(struct infer *x)
{
    if (!x) return;
    free(x->w);
    free(x->cache);
    free(x->block);
    free(x);
}

uint32_t infer_length(const struct infer *x)
{
    return x->length;
}

uint32_t infer_room(const struct infer *x)
{
    return x->s.T - x->length;
}

void infer_rewind(struct infer *x, uint32_t n)
{
    check(n <= x->length);
    x->length = n;
}

/* ---- forward ---- */

/* y [R, out] = x [R, in] w [out, in]^T (+ y when add) */
static void linear(const struct infer *x, const float *in, uint32_t n_in, uint64_t w,
                   uint32_t n_out, float *y, bool add)
{
    if (x->s.R == 1) {
        matvec_run(x->pool, y, x->params + w, in, n_out, n_in, add);
        return;
    }
    struct gemm_job g = {.kind = GEMM_NT,
                         .add = add,
                         .m = x->s.R,
                         .n = n_out,
                         .k = n_in,
                         .a = in,
                         .lda = n_in,
                         .b = x->params + w,
                         .ldb = n_in,
                         .c = y,
                         .ldc = n_out};
    gemm_run(x->pool, &g, 1);
}

/* What a row-wise loop works on. */
struct rows {
    struct infer *x;
    uint64_t w; /* a norm's weight */
};

static uint32_t end_of(const struct rows *r, uint32_t piece)
{
    return at_most((piece + 1) * LAYERS_ROWS, r->x->s.R);
}

static void each_row(struct infer *x, pool_fn fn, uint64_t w)
{
    struct rows r = {x, w};
    pool_run(x->pool, (x->s.R + LAYERS_ROWS - 1) / LAYERS_ROWS, fn, &r);
}

static void norm_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct rows *r = ctx;
    uint32_t D = r->x->s.D;
    for (uint32_t i = piece * LAYERS_ROWS; i < end_of(r, piece); i++) {
        const float *x = r->x->x + (size_t)i * D;
        const float *w = r->x->params + r->w;
        float *h = r->x->h + (size_t)i * D;
        float rstd = 1.0F / sqrtf(kernels_sumsq(x, D) / (float)D + r->x->eps);
        for (uint32_t k = 0; k < D; k++)
            h[k] = x[k] * rstd * w[k];
    }
}

/* x[i], x[i + half] turned by the angle whose cosine and sine are c[i], s[i]. */
static void turn(float *x, const float *c, const float *s, uint32_t half)
{
    for (uint32_t i = 0; i < half; i++) {
        float a = x[i];
        float b = x[i + half];
        x[i] = a * c[i] - b * s[i];
        x[i + half] = b * c[i] + a * s[i];
    }
}

static void rope_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct rows *r = ctx;
    const struct layers_dims *s = &r->x->s;
    uint32_t half = s->W / 2;
    for (uint32_t i = piece * LAYERS_ROWS; i < end_of(r, piece); i++) {
        const float *c = r->x->rope + (size_t)(r->x->length + i) * half;
        for (uint32_t h = 0; h < s->H + s->K; h++)
            turn(r->x->qkv + (size_t)i * s->S + (size_t)h * s->W, c, c + (size_t)s->T * half, half);
    }
}

static void swiglu_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct rows *r = ctx;
    uint32_t F = r->x->s.F;
    for (uint32_t i = piece * LAYERS_ROWS; i < end_of(r, piece); i++) {
        const float *gate = r->x->gu + (size_t)i * 2 * F;
        float *act = r->x->act + (size_t)i * F;
        for (uint32_t k = 0; k < F; k++)
            act[k] = -gate[k];
        kernels_exp_shift(act, 0, F);
        for (uint32_t k = 0; k < F; k++)
            act[k] = gate[k] / (1.0F + act[k]) * gate[F + k];
    }
}

static void layer(struct infer *x, uint32_t i)
{
    const struct layers_dims *s = &x->s;
    const struct weights *w = &x->w[i];
    each_row(x, norm_rows, w->norm1);
    linear(x, x->h, s->D, w->qkv, s->S, x->qkv, false);
    each_row(x, rope_rows, 0);
    kvcache_put(&x->kv, x->cache[i], x->length, x->qkv, s->R);
    kvcache_attend(x->pool, &x->kv, x->cache[i], x->length, x->qkv, s->R, x->att, x->scratch);
    linear(x, x->att, s->D, w->o, s->D, x->x, true);
    each_row(x, norm_rows, w->norm2);
    linear(x, x->h, s->D, w->gu, 2 * s->F, x->gu, false);
    each_row(x, swiglu_rows, 0);
    linear(x, x->act, s->F, w->down, s->D, x->x, true);
}

/* At most n_rows tokens, up to and with the last norm. */
static int trunk(struct infer *x, const uint32_t *tokens, uint32_t n)
{
    x->s.R = n;
    for (uint32_t i = 0; i < n; i++)
        memcpy(x->x + (size_t)i * x->s.D, x->params + x->embed + (size_t)tokens[i] * x->s.D,
               x->s.D * sizeof(float));
    for (uint32_t i = 0; i < x->n_layers && !pool_cancelled(x->pool); i++)
        layer(x, i);
    each_row(x, norm_rows, x->norm);
    return pool_cancelled(x->pool) ? ERR_CANCELLED : OK;
}

static int check_tokens(const struct infer *x, const uint32_t *tokens, uint32_t n, struct err *e)
{
    for (uint32_t i = 0; i < n; i++)
        if (tokens[i] >= x->s.V)
            return err_set(e, ERR_PROTO, 0, "token %u is outside the vocabulary of %u", tokens[i],
                           x->s.V);
    return OK;
}

static int begin(struct infer *x, const float *params, const uint32_t *tokens, uint32_t n,
                 struct err *e)
{
    int rc = check_tokens(x, tokens, n, e);
    if (!rc && n > infer_room(x)) {
        err_set(e, ERR_LIMIT, 0, "%u tokens after %u: the context holds %u", n, x->length, x->s.T);
        err_hint(e, "use a shorter text; the model was not trained on longer ones");
        rc = ERR_LIMIT;
    }
    x->params = params;
    return rc ? rc : pool_begin(x->pool);
}

/* Logits of rows [at, at + n) of the last norm's output. */
static void head(struct infer *x, uint32_t at, uint32_t n)
{
    x->s.R = n;
    linear(x, x->h + (size_t)at * x->s.D, x->s.D, x->head, x->s.V, x->logits, false);
}

int infer_feed(struct infer *x, const float *params, const uint32_t *tokens, uint32_t n,
               float **ret_logits, struct err *e)
{
    check(n > 0);
    uint32_t before = x->length;
    int rc = begin(x, params, tokens, n, e);
    uint32_t part = 0;
    for (uint32_t at = 0; at < n && !rc; at += part) {
        part = at_most(n - at, x->n_rows);
        rc = trunk(x, tokens + at, part);
        x->length += part;
    }
    if (!rc) head(x, part - 1, 1);
    if (!rc && pool_cancelled(x->pool)) rc = ERR_CANCELLED;
    if (rc)
        x->length = before;
    else
        *ret_logits = x->logits;
    return rc;
}

/* ---- scores ---- */

struct soft {
    struct infer *x;
    const uint32_t *targets;
    double *nats;
};

/* One row: the log of its sum of exponentials, less the target. */
static void soft_row(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct soft *j = ctx;
    uint32_t V = j->x->s.V;
    float *row = j->x->logits + (size_t)piece * V;
    float top = kernels_max(row, V);
    float target = row[j->targets[piece]];
    double sum[4] = {0};
    kernels_exp_shift(row, top, V);
    for (uint32_t i = 0; i < V; i++)
        sum[i % 4] += (double)row[i];
    j->nats[piece] =
        kernels_log64((sum[0] + sum[2]) + (sum[1] + sum[3])) + (double)top - (double)target;
}

static int score_rows(struct infer *x, const uint32_t *targets, uint32_t n, double *nats)
{
    for (uint32_t at = 0; at < n && !pool_cancelled(x->pool); at += x->n_scored) {
        uint32_t rows = at_most(n - at, x->n_scored);
        head(x, at, rows);
        struct soft j = {x, targets + at, nats + at};
        pool_run(x->pool, rows, soft_row, &j);
    }
    return pool_cancelled(x->pool) ? ERR_CANCELLED : OK;
}

int infer_score(struct infer *x, const float *params, const uint32_t *tokens,
                const uint32_t *targets, uint32_t n, double *nats, struct err *e)
{
    uint32_t before = x->length;
    int rc = begin(x, params, tokens, n, e);
    if (!rc) rc = check_tokens(x, targets, n, e);
    for (uint32_t at = 0; at < n && !rc;) {
        uint32_t part = at_most(n - at, x->n_rows);
        rc = trunk(x, tokens + at, part);
        x->length += part;
        if (!rc) rc = score_rows(x, targets + at, part, nats + at);
        at += part;
    }
    if (rc) x->length = before;
    return rc;
}
