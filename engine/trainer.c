#include "engine/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/budget.h"
#include "engine/kernels.h"
#include "engine/memfree.h"
#include "engine/micro.h"
#include "engine/model_pass.h"
#include "engine/optim.h"
#include "engine/outer.h"
#include "engine/pool.h"
#include "engine/sched.h"
#include "engine/trainer_state.h"

/* Weights handled between two looks at the gate where no pool works: 1 MiB, some milliseconds. */
#define BLOCK (UINT64_C(1) << 18)

struct trainer {
    struct model_config model;
    struct train_params params;
    struct model_table table;
    struct pool *pool;
    struct model_pass *pass;
    struct trainer_state state;     /* base, local, m, v, e; evaluation: base only */
    struct trainer_options options; /* precision decided */
    float *memory[BUDGET_KINDS];    /* owned blocks, one per kind of the budget */
    float *grads;
    double *norm_parts;
    char class_text[384];
};

/* Long walks over the weights stand still at the gate, block by block. */
static void wait_at_gate(void *ctx)
{
    pool_wait(ctx);
}

/* ---- creation ---- */

static int check_rates(const struct train_params *p, struct err *e)
{
    if (!(p->lr > 0 && p->lr <= 10))
        return err_set(e, ERR_ARG, 0, "lr must be above 0, at most 10");
    if (!(p->lr_min_frac >= 0 && p->lr_min_frac <= 1))
        return err_set(e, ERR_ARG, 0, "lr_min_frac must be 0 to 1");
    if (!(p->beta1 >= 0 && p->beta1 < 1) || !(p->beta2 >= 0 && p->beta2 < 1))
        return err_set(e, ERR_ARG, 0, "beta1 and beta2 must be at least 0 and below 1");
    if (!(p->eps > 0 && p->eps <= 1))
        return err_set(e, ERR_ARG, 0, "eps must be above 0, at most 1");
    if (!(p->weight_decay >= 0 && p->weight_decay <= 10))
        return err_set(e, ERR_ARG, 0, "weight_decay must be 0 to 10");
    if (!(p->clip_norm > 0 && isfinite(p->clip_norm)))
        return err_set(e, ERR_ARG, 0, "clip_norm must be above 0");
    if (!(p->ef_beta >= 0 && p->ef_beta <= 1))
        return err_set(e, ERR_ARG, 0, "ef_beta must be 0 to 1");
    if (!(p->outer_lr > 0 && p->outer_lr <= 10))
        return err_set(e, ERR_ARG, 0, "outer_lr must be above 0, at most 10");
    return OK;
}

enum trainer_precision trainer_precision_here(enum trainer_precision p)
{
    if (p != TRAINER_AUTO) return p;
    return micro_has_bf16() ? TRAINER_BF16 : TRAINER_FP32;
}

static int check_params(const struct model_config *m, const struct train_params *p, struct err *e)
{
    if (p->seq_len < 1 || p->seq_len > m->max_position_embeddings)
        return err_set(e, ERR_ARG, 0, "seq_len must be 1 to max_position_embeddings (%u), not %u",
                       m->max_position_embeddings, p->seq_len);
    if (p->batch_seqs < 1 || p->batch_seqs > 65536)
        return err_set(e, ERR_ARG, 0, "batch_seqs must be 1 to 65536, not %u", p->batch_seqs);
    if (p->warmup_steps > p->total_steps)
        return err_set(e, ERR_ARG, 0, "warmup_steps must not exceed total_steps");
    if (p->delta.chunk < 64 || p->delta.chunk > DELTA_MAX_CHUNK || p->delta.k < 1 ||
        p->delta.k > p->delta.chunk)
        return err_set(e, ERR_ARG, 0, "chunk must be 64 to %d and k 1 to chunk", DELTA_MAX_CHUNK);
    return check_rates(p, e);
}

static int too_large(const struct budget *b, struct err *e)
{
    char text[136];
    err_set(e, ERR_NOMEM, 0, "the system gave no memory for this model (%s)",
            budget_text(b, text, sizeof text));
    err_hint(e, "close other programs, or choose a smaller model or fewer sequences per step");
    return ERR_NOMEM;
}

/* Linux promises memory that it does not have; a model that does not fit into what is available now
 * is refused here and not by the out-of-memory killer. What is allocated is touched at once
 * (zeroed), for the same reason.
 */
static int fits(const struct budget *b, struct err *e)
{
    return budget_check(b, memfree_bytes(), e);
}

/* Which block of the state lies where. */
static void place_blocks(struct trainer *t)
{
    const struct trainer_options *o = &t->options;
    struct trainer_state *s = &t->state;
    float *weights = t->memory[BUDGET_WEIGHTS];
    if (!o->is_solo) s->block[TRAINER_STATE_BASE] = weights;
    if (o->eval_only) return;
    s->block[TRAINER_STATE_LOCAL] = o->is_solo ? weights : weights + s->n_params;
    s->kind[TRAINER_STATE_M] = o->moments;
    s->kind[TRAINER_STATE_V] = o->moments == PACKED_Q8 ? PACKED_U8 : o->moments;
    s->kind[TRAINER_STATE_E] = o->feedback;
    s->block[TRAINER_STATE_M] = t->memory[BUDGET_MOMENTS];
    s->block[TRAINER_STATE_V] =
        (char *)(void *)t->memory[BUDGET_MOMENTS] + packed_bytes(o->moments, s->n_params);
    s->block[TRAINER_STATE_E] = t->memory[BUDGET_FEEDBACK];
    t->grads = t->memory[BUDGET_GRADIENTS];
}

static int allocate(struct trainer *t, struct err *e)
{
    struct budget b;
    budget_plan(&t->model, &t->params, &t->options, &b);
    int rc = fits(&b, e);
    if (rc) return rc;
    for (int i = 0; i < BUDGET_KINDS; i++) {
        if (!b.bytes[i] || i == BUDGET_SCRATCH) continue;
        t->memory[i] = alloc_aligned((size_t)b.bytes[i], 1);
        if (!t->memory[i]) return too_large(&b, e);
    }
    uint64_t n = t->table.n_params;
    t->state.wait = wait_at_gate;
    t->state.wait_ctx = t->pool;
    t->state.n_params = n;
    t->state.shape = trainer_state_shape(&t->model);
    place_blocks(t);
    if (t->options.eval_only) return OK;
    t->norm_parts = alloc_zero(optim_blocks(n), sizeof *t->norm_parts);
    return t->norm_parts ? OK : err_set(e, ERR_NOMEM, 0, "out of memory for the gradient norm");
}

/* Everything that a step's bits depend on. Threads, instruction sets and recomputation are not in
 * it: they change nothing.
 */
static void name_class(struct trainer *t)
{
    static const char *const moments[PACKED_KINDS] = {"", " / moments bf16", " / moments 8 bit",
                                                      ""};
    const struct trainer_options *o = &t->options;
    snprintf(t->class_text, sizeof t->class_text, "potluck %s / kernels %d / %s%s%s",
             POTLUCK_VERSION, KERNELS_VERSION, o->precision == TRAINER_BF16 ? "bf16" : "fp32",
             moments[o->moments], o->feedback == PACKED_BF16 ? " / feedback bf16" : "");
}

static int check_options(const struct trainer_options *o, struct err *e)
{
    if (o->moments != PACKED_F32 && o->moments != PACKED_BF16 && o->moments != PACKED_Q8)
        return err_set(e, ERR_ARG, 0, "moments are kept as fp32, bf16 or 8 bits");
    if (o->feedback != PACKED_F32 && o->feedback != PACKED_BF16)
        return err_set(e, ERR_ARG, 0, "the error feedback is kept as fp32 or bf16");
    if (o->is_solo && o->eval_only)
        return err_set(e, ERR_ARG, 0, "a trainer for evaluation has nothing to leave out");
    return OK;
}

static int create_parts(struct trainer *t, struct err *e)
{
    int rc = pool_create(t->options.n_threads, &t->pool, e);
    if (!rc) rc = model_table_init(&t->table, &t->model, e);
    if (!rc) rc = allocate(t, e);
    if (rc) return rc;
    name_class(t);
    struct model_pass_shape shape = budget_shape(&t->params, &t->options);
    return model_pass_create(&t->model, &t->table, t->pool, &shape, t->memory[BUDGET_ACTIVATIONS],
                             &t->pass, e);
}

int trainer_create(const struct model_config *m, const struct train_params *p,
                   const struct trainer_options *o, struct trainer **ret, struct err *e)
{
    int rc = model_config_check(m, e);
    if (!rc) rc = check_params(m, p, e);
    if (!rc) rc = check_options(o, e);
    if (rc) return rc;
    struct trainer *t = alloc_zero(1, sizeof *t);
    if (!t) return err_set(e, ERR_NOMEM, 0, "out of memory for the trainer");
    t->model = *m;
    t->params = *p;
    t->options = *o;
    t->options.precision = trainer_precision_here(o->precision);
    rc = create_parts(t, e);
    if (rc) {
        trainer_destroy(t);
        return rc;
    }
    *ret = t;
    return OK;
}

void trainer_destroy(struct trainer *t)
{
    if (!t) return;
    if (t->pool) pool_gate(t->pool, POOL_CANCEL); /* nobody sleeps at the gate while we join */
    pool_destroy(t->pool);
    model_pass_destroy(t->pass);
    model_table_deinit(&t->table);
    for (int i = 0; i < BUDGET_KINDS; i++)
        free(t->memory[i]);
    free(t->norm_parts);
    free(t);
}

void trainer_limit(struct trainer *t, uint32_t n_threads, bool is_idle_priority)
{
    pool_limit(t->pool, n_threads);
    pool_idle_priority(t->pool, is_idle_priority);
}

void trainer_gate(struct trainer *t, enum trainer_gate gate)
{
    enum pool_gate g = gate == TRAINER_PAUSE    ? POOL_PAUSE
                       : gate == TRAINER_CANCEL ? POOL_CANCEL
                                                : POOL_RUN;
    pool_gate(t->pool, g);
}

const struct model_table *trainer_table(const struct trainer *t)
{
    return &t->table;
}

const char *trainer_class(const struct trainer *t)
{
    return t->class_text;
}

/* ---- weights ---- */

/* A trainer without exchange has its local weights alone. */
static float *base_of(const struct trainer *t)
{
    return t->state.block[t->options.is_solo ? TRAINER_STATE_LOCAL : TRAINER_STATE_BASE];
}

static void copy_weights(const struct trainer *t, float *dst, const void *src)
{
    const uint8_t *from = src; /* a checkpoint in a message need not be aligned */
    for (uint64_t at = 0; at < t->table.n_params; at += BLOCK) {
        uint64_t n = t->table.n_params - at < BLOCK ? t->table.n_params - at : BLOCK;
        pool_wait(t->pool);
        memcpy(dst + at, from + at * sizeof *dst, n * sizeof *dst);
    }
}

static float *local_of(const struct trainer *t)
{
    return t->state.block[TRAINER_STATE_LOCAL];
}

void trainer_reset_local(struct trainer *t)
{
    t->state.block[TRAINER_STATE_ANCHOR] = NULL;
    if (!t->options.eval_only && !t->options.is_solo) copy_weights(t, local_of(t), base_of(t));
}

void trainer_init_weights(struct trainer *t, uint64_t seed)
{
    model_init_weights(&t->table, &t->model, seed, base_of(t));
    trainer_reset_local(t);
}

int trainer_load_weights(struct trainer *t, const void *bytes, size_t n, struct err *e)
{
    if (n != t->table.n_params * sizeof(float)) {
        err_set(e, ERR_PROTO, 0, "the checkpoint has %zu bytes, this model needs %llu", n,
                (unsigned long long)(t->table.n_params * sizeof(float)));
        err_hint(e, "fetch the checkpoint again; it belongs to another model or is cut short");
        return ERR_PROTO;
    }
    const uint8_t *b = bytes;
    for (uint64_t i = 0; i < t->table.n_params; i++) {
        float v;
        if (i % BLOCK == 0) pool_wait(t->pool);
        memcpy(&v, b + 4 * i, 4);
        if (isfinite(v)) continue;
        err_set(e, ERR_PROTO, 0, "weight %llu of the checkpoint is not a finite number",
                (unsigned long long)i);
        err_hint(e, "fetch the checkpoint again; this copy is damaged");
        return ERR_PROTO;
    }
    trainer_ahead_fold(t);
    copy_weights(t, base_of(t), bytes);
    trainer_reset_local(t);
    return OK;
}

const float *trainer_weights(const struct trainer *t)
{
    return base_of(t);
}

const float *trainer_local(const struct trainer *t)
{
    return local_of(t);
}

struct hash trainer_base_hash(const struct trainer *t)
{
    uint64_t n = t->table.n_params;
    struct hasher *h = hasher_create();
    if (!h) return model_hash(&t->table, base_of(t)); /* the same, in one go */
    for (uint64_t at = 0; at < n; at += BLOCK) {
        pool_wait(t->pool);
        hasher_add(h, base_of(t) + at, (n - at < BLOCK ? n - at : BLOCK) * sizeof(float));
    }
    struct hash ret = hasher_end(h);
    hasher_destroy(h);
    return ret;
}

/* ---- steps ---- */

static int check_tokens(const struct trainer *t, const uint32_t *tokens, uint64_t n, struct err *e)
{
    for (uint64_t i = 0; i < n; i++) {
        if (tokens[i] < t->model.vocab_size) continue;
        err_set(e, ERR_PROTO, 0, "token %u is outside the vocabulary of %u", tokens[i],
                t->model.vocab_size);
        err_hint(e, "the token data belongs to another run, or is damaged: fetch it again");
        return ERR_PROTO;
    }
    return OK;
}

static int needs_exchange(const struct trainer *t, struct err *e)
{
    if (!t->options.eval_only && !t->options.is_solo) return OK;
    return err_set(e, ERR_WRONG_STATE, 0, "this trainer was not made for an exchange");
}

static int needs_training(const struct trainer *t, struct err *e)
{
    if (!t->options.eval_only) return OK;
    return err_set(e, ERR_WRONG_STATE, 0, "this trainer was made for evaluation only");
}

/* Loss and gradient of the whole batch, micro-batch by micro-batch in order. */
static double accumulate(struct trainer *t, const uint32_t *tokens)
{
    const struct train_params *p = &t->params;
    uint32_t seqs = budget_shape(p, &t->options).n_seqs;
    float scale = (float)(1.0 / ((double)p->batch_seqs * p->seq_len));
    double nats = 0;
    for (uint32_t at = 0; at < p->batch_seqs && !pool_cancelled(t->pool); at += seqs) {
        uint32_t n = p->batch_seqs - at < seqs ? p->batch_seqs - at : seqs;
        nats += model_pass_grads(t->pass, local_of(t), tokens + (uint64_t)at * (p->seq_len + 1), n,
                                 scale, at == 0, t->grads);
    }
    return nats;
}

static void update(struct trainer *t, double lr, double grad_norm)
{
    const struct train_params *p = &t->params;
    struct optim_params o = {.lr = lr,
                             .beta1 = p->beta1,
                             .beta2 = p->beta2,
                             .eps = p->eps,
                             .weight_decay = p->weight_decay,
                             .clip_norm = p->clip_norm};
    t->state.n_steps++;
    struct optim_state s = {.table = &t->table,
                            .w = local_of(t),
                            .m = t->state.block[TRAINER_STATE_M],
                            .v = t->state.block[TRAINER_STATE_V],
                            .m_kind = t->state.kind[TRAINER_STATE_M],
                            .v_kind = t->state.kind[TRAINER_STATE_V],
                            .g = t->grads};
    optim_step(t->pool, &s, &o, t->state.n_steps, grad_norm);
}

int trainer_step(struct trainer *t, const uint32_t *tokens, uint64_t i_step,
                 struct trainer_step_result *ret, struct err *e)
{
    const struct train_params *p = &t->params;
    uint64_t n = (uint64_t)p->batch_seqs * p->seq_len;
    int rc = needs_training(t, e);
    if (!rc) rc = check_tokens(t, tokens, n + p->batch_seqs, e);
    int64_t began = clock_mono_ns();
    int64_t paused = pool_paused_ns(t->pool);
    if (!rc) rc = pool_begin(t->pool);
    if (rc) return rc;
    struct sched sched = {.lr = p->lr,
                          .min_frac = p->lr_min_frac,
                          .warmup_steps = p->warmup_steps,
                          .total_steps = p->total_steps};
    double lr = sched_lr(&sched, i_step);
    double nats = accumulate(t, tokens);
    double norm = optim_norm(t->pool, t->grads, t->table.n_params, t->norm_parts);
    if (pool_cancelled(t->pool)) return ERR_CANCELLED;
    if (!isfinite(nats) || !isfinite(norm)) {
        err_set(e, ERR_LIMIT, 0, "training diverged: the gradient of step %llu is not finite",
                (unsigned long long)i_step);
        err_hint(e, "the step was not taken; start again from the last update or a lower lr");
        return ERR_LIMIT;
    }
    update(t, lr, norm);
    paused = pool_paused_ns(t->pool) - paused;
    *ret = (struct trainer_step_result){.loss = nats / (double)n,
                                        .grad_norm = norm,
                                        .lr = lr,
                                        .n_tokens = n,
                                        .busy_ns = clock_mono_ns() - began - paused};
    return OK;
}

int trainer_eval(struct trainer *t, const uint32_t *tokens, uint32_t n_seqs,
                 struct trainer_eval_result *ret, struct err *e)
{
    uint32_t T = t->params.seq_len;
    int rc = check_tokens(t, tokens, (uint64_t)n_seqs * (T + 1), e);
    if (!rc) rc = pool_begin(t->pool);
    if (rc) return rc;
    uint32_t seqs = budget_shape(&t->params, &t->options).n_seqs;
    double nats = 0;
    for (uint32_t at = 0; at < n_seqs && !pool_cancelled(t->pool);) {
        uint32_t n = n_seqs - at < seqs ? n_seqs - at : seqs;
        nats += model_pass_loss(t->pass, base_of(t), tokens + (uint64_t)at * (T + 1), n);
        at += n;
    }
    if (pool_cancelled(t->pool)) return ERR_CANCELLED;
    *ret = (struct trainer_eval_result){.nats = nats, .n_tokens = (uint64_t)n_seqs * T};
    return OK;
}

/* ---- rounds ---- */

/* delta_pack with a look at the gate before each chunk: a chunk is well under a millisecond. */
static int pack_grads(struct trainer *t, struct buf *out, struct delta_stats *stats, struct err *e)
{
    struct delta_writer w;
    int rc = delta_writer_init(&w, &t->table, &t->params.delta, DELTA_CONTRIBUTION, out, e);
    while (rc == OK && delta_writer_left(&w)) {
        float *values = t->grads + t->table.tensors[w.tensor].offset + w.done;
        pool_wait(t->pool);
        rc = delta_writer_chunk(&w, values, values, e);
    }
    return rc ? rc : delta_writer_end(&w, stats, e);
}

/* The error feedback into the gradient block, which is free between steps; and back. */
static void move_feedback(struct trainer *t, bool is_back)
{
    enum packed_kind kind = t->state.kind[TRAINER_STATE_E];
    void *block = t->state.block[TRAINER_STATE_E];
    uint64_t n = t->table.n_params;
    for (uint64_t at = 0; at < n; at += PACKED_GROUP) {
        uint32_t part = n - at < PACKED_GROUP ? (uint32_t)(n - at) : PACKED_GROUP;
        if (at % BLOCK == 0) pool_wait(t->pool);
        if (is_back)
            packed_put(kind, block, at, part, t->grads + at);
        else
            packed_get(kind, block, at, part, t->grads + at);
    }
}

/* The accumulation runs on a copy, so that a pack that fails leaves the error feedback as it was. */
int trainer_pack(struct trainer *t, struct buf *out, struct delta_stats *stats, struct err *e)
{
    int rc = needs_exchange(t, e);
    if (rc) return rc;
    uint64_t n = t->table.n_params;
    move_feedback(t, false);
    for (uint64_t at = 0; at < n; at += BLOCK) {
        uint64_t part = n - at < BLOCK ? n - at : BLOCK;
        pool_wait(t->pool);
        outer_accumulate((float)t->params.ef_beta, base_of(t) + at, local_of(t) + at, t->grads + at,
                         part);
    }
    rc = pack_grads(t, out, stats, e);
    if (!rc) move_feedback(t, true);
    return rc;
}

int trainer_return_payload(struct trainer *t, const void *bytes, size_t n, struct err *e)
{
    int rc = needs_exchange(t, e);
    if (rc) return rc;
    struct outer_wait wait = {wait_at_gate, t->pool};
    move_feedback(t, false);
    rc = outer_return_waiting(&t->table, &t->params.delta, bytes, n, &wait, t->grads, e);
    if (!rc) move_feedback(t, true);
    return rc;
}

int trainer_ahead_begin(struct trainer *t, struct err *e)
{
    float *anchor = t->memory[BUDGET_ANCHOR];
    if (!anchor) return err_set(e, ERR_WRONG_STATE, 0, "this trainer takes no steps ahead");
    if (trainer_is_ahead(t)) return OK;
    copy_weights(t, anchor, local_of(t));
    t->state.block[TRAINER_STATE_ANCHOR] = anchor;
    return OK;
}

bool trainer_is_ahead(const struct trainer *t)
{
    return t->state.block[TRAINER_STATE_ANCHOR] != NULL;
}

void trainer_ahead_fold(struct trainer *t)
{
    if (!trainer_is_ahead(t)) return;
    const float *anchor = t->state.block[TRAINER_STATE_ANCHOR];
    move_feedback(t, false);
    for (uint64_t i = 0; i < t->table.n_params; i++) {
        if (i % BLOCK == 0) pool_wait(t->pool);
        t->grads[i] += anchor[i] - local_of(t)[i];
    }
    move_feedback(t, true);
    trainer_reset_local(t);
}

void trainer_ahead_drop(struct trainer *t)
{
    if (!trainer_is_ahead(t)) return;
    copy_weights(t, local_of(t), t->state.block[TRAINER_STATE_ANCHOR]);
}

/* The update has moved the base: what was learned ahead of it goes on top. */
static void land(struct trainer *t)
{
    const float *anchor = t->state.block[TRAINER_STATE_ANCHOR];
    const float *base = base_of(t);
    float *local = local_of(t);
    for (uint64_t i = 0; i < t->table.n_params; i++) {
        if (i % BLOCK == 0) pool_wait(t->pool);
        local[i] = base[i] + (local[i] - anchor[i]);
    }
    t->state.block[TRAINER_STATE_ANCHOR] = NULL;
}

int trainer_apply_update(struct trainer *t, const void *bytes, size_t n, struct err *e)
{
    struct outer_wait wait = {wait_at_gate, t->pool};
    if (t->options.is_solo) return needs_exchange(t, e);
    int rc = outer_apply_waiting(&t->table, &t->params.delta, (float)t->params.outer_lr, bytes, n,
                                 &wait, base_of(t), e);
    if (rc) return rc;
    if (trainer_is_ahead(t))
        land(t);
    else
        trainer_reset_local(t);
    return OK;
}

/* ---- state on disk ---- */

int trainer_save(struct trainer *t, const char *path, const char *note, struct err *e)
{
    int rc = needs_training(t, e);
    return rc ? rc : trainer_state_save(&t->state, path, note, e);
}

int trainer_load(struct trainer *t, const char *path, char *note, size_t note_cap, struct err *e)
{
    int rc = needs_training(t, e);
    if (rc) return rc;
    void *was = t->state.block[TRAINER_STATE_ANCHOR];
    t->state.block[TRAINER_STATE_ANCHOR] = t->memory[BUDGET_ANCHOR];
    rc = trainer_state_load(&t->state, path, note, note_cap, e);
    if (rc) t->state.block[TRAINER_STATE_ANCHOR] = was;
    return rc;
}
