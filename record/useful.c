#include "record/useful.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "record/overlap.h"

#define NANO 1e9

struct work {
    const struct useful_job *job;
    const struct model_table *table;
    struct hash seed;
    double *norms;                 /* [n][n_tensors] */
    double *total;                 /* [n]; find_loud makes it one for each token */
    double *median;                /* [n_tensors] */
    double *sort;                  /* [n] */
    struct overlap_sketch *sketch; /* [n] */
    struct score_eval *eval;       /* [n] */
    uint32_t *turn;                /* [n]: who comes when */
    float *trial;                  /* [n_params] */
    uint32_t *drawn, *own;         /* [n_seqs][seq_len + 1] */
    struct delta_chunk *chunk;
    struct buf payload;
    double drawn_before;
};

static void work_deinit(struct work *w)
{
    free(w->norms);
    free(w->total);
    free(w->median);
    free(w->sort);
    free(w->sketch);
    free(w->eval);
    free(w->turn);
    free(w->trial);
    free(w->drawn);
    free(w->own);
    free(w->chunk);
    buf_deinit(&w->payload);
}

static int work_init(struct work *w, struct err *e)
{
    const struct useful_job *j = w->job;
    size_t seq = size_mul((size_t)j->space.seq_len + 1, sizeof(uint32_t));
    w->norms = alloc_zero(size_mul(j->n, w->table->n_tensors), sizeof *w->norms);
    w->total = alloc_zero(j->n, sizeof *w->total);
    w->median = alloc_zero(w->table->n_tensors, sizeof *w->median);
    w->sort = alloc_zero(j->n, sizeof *w->sort);
    w->sketch = alloc_zero(j->n, sizeof *w->sketch);
    w->eval = alloc_zero(j->n, sizeof *w->eval);
    w->turn = alloc_zero(j->n, sizeof *w->turn);
    w->trial = alloc_zero((size_t)w->table->n_params, sizeof *w->trial);
    w->drawn = alloc_zero(j->n_seqs, seq);
    w->own = alloc_zero(j->n_seqs, seq);
    w->chunk = alloc_zero(1, sizeof *w->chunk);
    if (w->norms && w->total && w->median && w->sort && w->sketch && w->eval && w->turn &&
        w->trial && w->drawn && w->own && w->chunk)
        return OK;
    return err_set(e, ERR_NOMEM, 0, "no memory to evaluate contributions");
}

/* ---- the draw ------------------------------------------------------------------------------- */

static int by_hash(const void *a, const void *b)
{
    return memcmp(a, b, HASH_BYTES);
}

struct hash useful_seed(const struct hash *secret, const struct useful_contribution *in, uint32_t n)
{
    struct buf all = {0};
    struct hash h = {{0}};
    for (uint32_t i = 0; i < n; i++)
        buf_put(&all, in[i].payload.b, HASH_BYTES);
    if (all.len) qsort(all.p, n, HASH_BYTES, by_hash);
    /* Without memory the draw is another one: it is the host's, and checked by nobody's bits. */
    h = hash_of(all.p ? all.p : (const uint8_t *)"", all.len);
    h = hash_of_two(secret->b, HASH_BYTES, h.b, HASH_BYTES);
    buf_deinit(&all);
    return h;
}

static struct hash lot(const struct work *w, const struct key_pub *k)
{
    return hash_of_two(w->seed.b, HASH_BYTES, k->b, KEY_BYTES);
}

/* Strangers first, so that probation is short; then whoever the draw says. */
static bool comes_before(const struct work *w, uint32_t a, uint32_t b)
{
    const struct key_pub *x = &w->job->in[a].contributor, *y = &w->job->in[b].contributor;
    struct score_standing s = score_book_get(w->job->book, x), t = score_book_get(w->job->book, y);
    bool is_new_x = s.n_scored == 0, is_new_y = t.n_scored == 0;
    if (is_new_x != is_new_y) return is_new_x;
    struct hash l = lot(w, x), m = lot(w, y);
    return memcmp(l.b, m.b, HASH_BYTES) < 0;
}

static void draw_turns(struct work *w)
{
    for (uint32_t i = 0; i < w->job->n; i++) {
        uint32_t at = i;
        for (; at > 0 && comes_before(w, i, w->turn[at - 1]); at--)
            w->turn[at] = w->turn[at - 1];
        w->turn[at] = i;
    }
}

/* ---- everybody: norms and supports ---------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int read_payload(struct work *w, uint32_t i, struct err *e)
{
    buf_clear(&w->payload);
    return w->job->payload(w->job->ctx, i, &w->payload, e);
}

static int look_at_all(struct work *w, struct err *e)
{
    const struct useful_job *j = w->job;
    uint32_t n_tensors = w->table->n_tensors;
    for (uint32_t i = 0; i < j->n; i++) {
        double *norms = w->norms + (size_t)i * n_tensors;
        int rc = read_payload(w, i, e);
        if (rc == OK)
            rc = delta_check(w->table, &j->delta, DELTA_CONTRIBUTION, w->payload.p, w->payload.len,
                             norms, e);
        if (rc == OK)
            rc = overlap_take(w->table, &j->delta, &w->seed, w->payload.p, w->payload.len,
                              &w->sketch[i], e);
        if (rc != OK) return rc;
        for (uint32_t t = 0; t < n_tensors; t++)
            w->total[i] += norms[t] * norms[t];
        w->total[i] = sqrt(w->total[i]);
    }
    return OK;
}

static double median(struct work *w, const double *x, size_t stride)
{
    for (uint32_t i = 0; i < w->job->n; i++)
        w->sort[i] = x[i * stride];
    qsort(w->sort, w->job->n, sizeof *w->sort, by_size);
    return w->sort[(w->job->n - 1) / 2];
}

static void find_loud(struct work *w)
{
    for (uint32_t i = 0; i < w->job->n; i++) /* more steps go further: by tokens */
        w->total[i] /= w->job->in[i].n_tokens ? (double)w->job->in[i].n_tokens : 1;
    double middle = median(w, w->total, 1);
    for (uint32_t i = 0; i < w->job->n; i++)
        if (w->job->n >= SCORE_MIN_PEERS && w->total[i] > SCORE_LOUD * middle)
            w->eval[i].code = SCORE_CODE_LOUD;
    for (uint32_t t = 0; t < w->table->n_tensors; t++)
        w->median[t] = median(w, w->norms + t, w->table->n_tensors);
}

/* Of two that are alike the one that became durable first is the original. */
static void find_copies(struct work *w)
{
    const struct useful_contribution *in = w->job->in;
    for (uint32_t i = 0; i < w->job->n; i++)
        for (uint32_t k = 0; k < i; k++)
            if (overlap_millionths(&w->sketch[i], &w->sketch[k]) >= SCORE_COPY)
                w->eval[in[i].order > in[k].order ? i : k].code = SCORE_CODE_COPY;
}

/* ---- some: tried out ------------------------------------------------------------------------ */

static int loss(struct work *w, const uint32_t *tokens, double *ret, struct err *e)
{
    struct trainer_eval_result r = {0};
    int rc = trainer_eval(w->job->trainer, tokens, w->job->n_seqs, &r, e);
    if (rc == OK) *ret = r.nats / (double)r.n_tokens;
    return rc;
}

static int load(struct work *w, const float *params, struct err *e)
{
    return trainer_load_weights(w->job->trainer, params,
                                (size_t)w->table->n_params * sizeof *params, e);
}

/* Sequences of a key's assignment: drawn among the first n of it, or, n = 0, simply the first. */
static int read_tokens(struct work *w, const struct key_pub *k, uint64_t n, uint32_t *dst,
                       struct err *e)
{
    const struct useful_job *j = w->job;
    struct hash l = lot(w, k);
    struct rng r;
    int rc = OK;
    rng_init(&r, bytes_u64(l.b), 1);
    for (uint32_t s = 0; rc == OK && s < j->n_seqs; s++) {
        uint64_t i = n ? rng_below(&r, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX) : s;
        struct assign_place p = assign_sequence(&j->space, &j->run, j->round, k, i);
        rc = j->tokens(j->ctx, p, dst + (size_t)s * (j->space.seq_len + 1), e);
    }
    return rc;
}

/* The key of nobody, whose assignment is the text that was not known before. */
static struct key_pub nobody(const struct work *w)
{
    struct hash h = hash_of_two(w->seed.b, HASH_BYTES, "drawn", 5);
    struct key_pub k;
    _Static_assert(KEY_BYTES == HASH_BYTES, "a hash serves as a key");
    memcpy(k.b, h.b, KEY_BYTES);
    return k;
}

static int apply(struct work *w, uint32_t i, struct err *e)
{
    const struct useful_job *j = w->job;
    struct delta_reader r;
    const double *norms = w->norms + (size_t)i * w->table->n_tensors;
    int rc = read_payload(w, i, e);
    memcpy(w->trial, j->base, (size_t)w->table->n_params * sizeof *w->trial);
    if (rc == OK)
        rc = delta_reader_init(&r, w->table, &j->delta, DELTA_CONTRIBUTION, w->payload.p,
                               w->payload.len, e);
    while (rc == OK && (rc = delta_reader_next(&r, w->chunk, e)) == OK) {
        const struct delta_chunk *c = w->chunk;
        double norm = norms[c->i_tensor], m = w->median[c->i_tensor];
        double factor = USEFUL_STEP * j->outer_lr * (norm > m ? m / norm : 1.0);
        for (uint32_t k = 0; k < c->n; k++) {
            float *x = &w->trial[c->start + c->pos[k]];
            *x = (float)((double)*x - factor * (double)c->value[k]);
        }
    }
    return rc == ERR_AGAIN ? OK : rc;
}

/* Billionths of a nat; a trial that broke the model is as bad as can be said. */
static int64_t gain(double before, double after)
{
    double x = (before - after) * NANO;
    return !isfinite(x) || x < -1e15 ? -1000000000000000 : x > 1e15 ? 1000000000000000 : (int64_t)x;
}

static int try_out(struct work *w, uint32_t i, struct err *e)
{
    const struct useful_contribution *c = &w->job->in[i];
    double own_before = 0, own_after = 0, drawn_after = 0;
    int rc = read_tokens(w, &c->contributor, c->n_seqs ? c->n_seqs : 1, w->own, e);
    if (rc == OK) rc = load(w, w->job->base, e);
    if (rc == OK) rc = loss(w, w->own, &own_before, e);
    if (rc == OK) rc = apply(w, i, e);
    if (rc == OK) rc = load(w, w->trial, e);
    if (rc == OK) rc = loss(w, w->own, &own_after, e);
    if (rc == OK) rc = loss(w, w->drawn, &drawn_after, e);
    if (rc != OK) return rc;
    w->eval[i].is_measured = true;
    w->eval[i].own = gain(own_before, own_after);
    w->eval[i].drawn = gain(w->drawn_before, drawn_after);
    return OK;
}

static int try_some(struct work *w, struct err *e)
{
    const struct useful_job *j = w->job;
    struct key_pub none = nobody(w);
    int rc = read_tokens(w, &none, 0, w->drawn, e);
    if (rc == OK) rc = load(w, j->base, e);
    if (rc == OK) rc = loss(w, w->drawn, &w->drawn_before, e);
    for (uint32_t i = 0; rc == OK && i < j->n && (!j->goes_on || j->goes_on(j->ctx)); i++)
        rc = try_out(w, w->turn[i], e);
    return rc;
}

int useful_run(const struct useful_job *job, struct score_eval *ret, uint32_t *ret_n, struct err *e)
{
    struct work w = {.job = job, .table = trainer_table(job->trainer)};
    *ret_n = 0;
    if (job->n == 0) return OK;
    if (job->n > RATING_MAX || job->n_seqs == 0 || job->n_seqs > USEFUL_MAX_SEQS)
        return err_set(e, ERR_ARG, 0, "cannot evaluate %u contributions", job->n);
    w.seed = useful_seed(&job->secret, job->in, job->n);
    int rc = work_init(&w, e);
    for (uint32_t i = 0; rc == OK && i < job->n; i++)
        w.eval[i] = (struct score_eval){.contributor = job->in[i].contributor,
                                        .round = job->round,
                                        .n_tokens = job->in[i].n_tokens};
    if (rc == OK) rc = look_at_all(&w, e);
    if (rc == OK) {
        find_loud(&w);
        find_copies(&w);
        draw_turns(&w);
        rc = try_some(&w, e);
    }
    for (uint32_t i = 0; rc == OK && i < job->n; i++)
        if (w.eval[i].is_measured || w.eval[i].code != SCORE_CODE_NONE) ret[(*ret_n)++] = w.eval[i];
    work_deinit(&w);
    return rc == OK ? OK : err_wrap(e, "evaluating round %llu", (unsigned long long)job->round);
}
