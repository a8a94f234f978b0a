/* What do bad contributors do to a run, and what do they earn? One run of a small model on real
 * text in one process: real training, packing, judging, evaluating, merging and paying; only the
 * network is missing. tests/bench/attacks runs it for every attack and draws the table of
 * docs/SCORING.md.
 *
 *     attack_run text=FILE [name=value ...]    every name is in DEFAULTS below
 *
 * Prints one JSON object. One thread; the same values print the same figures.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aggregator/judge.h"
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "engine/tokenizer.h"
#include "record/clip.h"
#include "record/merge.h"
#include "record/reward.h"
#include "record/useful.h"

#define MAX_PEERS  64
#define MAX_STALE  32
#define TEXT_CHUNK 2048u

enum attack {
    NONE,
    FLIP,  /* what was learnt, with the sign turned */
    SCALE, /* a hundred times as loud */
    ALIE,  /* mean - 1.5 standard deviations of the honest ones ("a little is enough") */
    IPM,   /* minus the mean of the honest ones ("inner product manipulation") */
    COPY,  /* an honest one's contribution, 2 % of it changed, sent later */
    STALE, /* trained from the weights of ten rounds ago */
    ZERO,  /* nothing at all */
    NOT_A_NUMBER,
    COLLUDE, /* trains nothing: half of what one friend sends, half of another's */
    SUBTLE,  /* honest work with 15 % of its signs turned, the same coordinates for all of them */
    REPLAY,  /* its own contribution of an earlier round, a few values changed */
    HALF,    /* half of the steps, claimed as all */
    ATTACKS
};

static const char *const attack_words[ATTACKS] = {"none",   "flip",   "scale", "alie", "ipm",
                                                  "copy",   "stale",  "zero",  "nan",  "collude",
                                                  "subtle", "replay", "half"};

enum {
    PEERS,
    BAD,
    ROUNDS,
    INNER,
    BATCH,
    SEED,
    SCORED,
    EVALS,
    SEQS,
    STALENESS,
    SPLIT,
    SENDERS,
    FLAKY,
    N_OPTIONS
};

/* clang-format off */
static const struct { const char *name; double value; const char *what; } DEFAULTS[N_OPTIONS] = {
    [PEERS] = {"peers", 20, "contributors"},
    [BAD] = {"bad", 6, "of them attack"},
    [ROUNDS] = {"rounds", 60, "rounds"},
    [INNER] = {"inner", 5, "inner steps of a round"},
    [BATCH] = {"batch", 4, "sequences of a step"},
    [SEED] = {"seed", 1, "seed of weights, data order and attackers"},
    [SCORED] = {"scored", 1, "1: scored and clipped; 0: the plain mean, paid by tokens"},
    [EVALS] = {"evals", 10, "contributions tried out in a round"},
    [SEQS] = {"seqs", 24, "sequences of each kind in a trial"},
    [STALENESS] = {"staleness", 10, "rounds that the stale are behind"},
    [SPLIT] = {"unequal", 0, "1: every fourth does a fifth of the steps; 2: ten do a tenth, one ten times"},
    [FLAKY] = {"flaky", 0, "1: honest ones pause, come late, start anew in the middle of a round"},
    [SENDERS] = {"m", 4, "m of sum / max(senders, m)"},
};
/* clang-format on */

struct peer {
    struct key_pub key;
    bool is_bad;
    struct trainer *trainer;
    struct buf payload, old; /* old: an earlier one, for REPLAY */
    bool is_accepted;
    uint64_t n_tokens, n_steps;
    uint64_t weight;
    double earned, tokens; /* in all */
    uint32_t n_slashed, n_rejected;
    double quality;      /* summed over rounds */
    uint64_t away_until; /* FLAKY: pauses */
    bool is_late;
};

struct world {
    double v[N_OPTIONS];
    enum attack attack;
    struct model_config model;
    struct train_params train;
    struct assign_space space;
    struct hash run;
    struct buf tokens, val;
    uint32_t n_val;
    const struct model_table *table;
    struct trainer *eval;
    struct score_book book;
    struct peer peer[MAX_PEERS];
    float *old_base[MAX_STALE]; /* weights at the start of earlier rounds */
    uint32_t *step;
    double *mean, *square; /* of the honest, for ALIE and IPM */
    float *dense;
    struct buf useful[2]; /* usefulness seen, of honest and bad: int64_t */
    struct buf own[2];
    struct useful_contribution in[MAX_PEERS];
    uint32_t who[MAX_PEERS]; /* in[i] is peer[who[i]] */
    uint32_t n_tried;
};

static void must(int rc, const struct err *e)
{
    if (rc == OK) return;
    fprintf(stderr, "attack_run: %s%s%s\n", e->what, e->hint[0] ? "; " : "", e->hint);
    _exit(1);
}

static void *room(size_t n, size_t size)
{
    struct err e = {.what = "out of memory"};
    void *p = alloc_zero(n, size);
    must(p ? OK : ERR_NOMEM, &e);
    return p;
}

static uint32_t opt(const struct world *w, int i)
{
    return (uint32_t)w->v[i];
}

/* ---- text ----------------------------------------------------------------------------------- */

static void load_text(struct world *w, const char *path)
{
    struct err e = {0};
    struct buf text = {0}, ids = {0};
    struct tokenizer *t = NULL;
    must(file_read(path, (size_t)1 << 26, &text, &e), &e);
    must(tokenizer_train(text.p, text.len, 512, NULL, NULL, &t, &e), &e);
    w->model.vocab_size = tokenizer_vocab_size(t);
    must(tokenizer_encode(t, text.p, text.len, &ids, &e), &e);
    uint64_t n = ids.len / 4, span = w->train.seq_len + 1, n_val = n / 10 / span;
    w->n_val = n_val < 256 ? (uint32_t)n_val : 256;
    for (uint32_t s = 0; s < w->n_val; s++) /* from the last tenth */
        buf_put(&w->val, ids.p + 4 * (n - n / 10 + s * n_val / w->n_val * span), 4 * span);
    buf_put(&w->tokens, ids.p, 4 * (n - n / 10));
    w->space.n_chunks = (uint32_t)((n - n / 10) / TEXT_CHUNK);
    if (!w->space.n_chunks || !w->n_val) {
        err_set(&e, ERR_ARG, 0, "'%s' is too short", path);
        must(e.code, &e);
    }
    tokenizer_destroy(t);
    buf_deinit(&text);
    buf_deinit(&ids);
}

static int read_tokens(void *ctx, struct assign_place at, uint32_t *dst, struct err *e)
{
    const struct world *w = ctx;
    uint64_t from = (uint64_t)at.chunk * TEXT_CHUNK + at.offset;
    (void)e;
    memcpy(dst, w->tokens.p + 4 * from, 4 * ((size_t)w->train.seq_len + 1));
    return OK;
}

/* ---- a world -------------------------------------------------------------------------------- */

static void describe(struct world *w)
{
    w->model = (struct model_config){.hidden_size = 40,
                                     .intermediate_size = 112,
                                     .num_hidden_layers = 2,
                                     .num_attention_heads = 4,
                                     .num_key_value_heads = 2,
                                     .max_position_embeddings = 32,
                                     .rms_norm_eps = 1e-5,
                                     .rope_theta = 10000,
                                     .initializer_range = 0.02,
                                     .tie_word_embeddings = true};
    w->train = (struct train_params){
        .seq_len = 32,
        .batch_seqs = opt(w, BATCH),
        .lr = 1.5e-3,
        .lr_min_frac = 0.1,
        .warmup_steps = (uint64_t)(opt(w, ROUNDS) < 4 ? opt(w, ROUNDS) : 4) * opt(w, INNER),
        .total_steps = (uint64_t)opt(w, ROUNDS) * opt(w, INNER),
        .beta1 = 0.9,
        .beta2 = 0.95,
        .eps = 1e-8,
        .weight_decay = 0.1,
        .clip_norm = 1.0,
        .ef_beta = 0.95,
        .outer_lr = 1,
        .delta = {1024, 128}
    };
    w->space = (struct assign_space){.chunk_tokens = TEXT_CHUNK, .seq_len = w->train.seq_len};
    w->run = hash_of(&w->v[SEED], sizeof w->v[SEED]);
}

static struct trainer *make_trainer(const struct world *w)
{
    struct err e = {0};
    struct trainer *t = NULL;
    must(trainer_create(&w->model, &w->train, &(struct trainer_options){.n_threads = 1}, &t, &e),
         &e);
    trainer_init_weights(t, (uint64_t)w->v[SEED]);
    return t;
}

static void build(struct world *w)
{
    struct rng r;
    rng_init(&r, (uint64_t)w->v[SEED], 77);
    w->eval = make_trainer(w);
    w->table = trainer_table(w->eval);
    uint64_t n = w->table->n_params;
    w->step = room((size_t)w->train.batch_seqs * (w->train.seq_len + 1), sizeof *w->step);
    w->mean = room(n, sizeof *w->mean);
    w->square = room(n, sizeof *w->square);
    w->dense = room(n, sizeof *w->dense);
    for (uint32_t i = 0; i < opt(w, STALENESS) + 1; i++)
        w->old_base[i] = room(n, sizeof(float));
    for (uint32_t i = 0; i < opt(w, PEERS); i++) {
        for (int b = 0; b < 4; b++)
            bytes_put_u64(w->peer[i].key.b + 8 * b, rng_u64(&r));
        w->peer[i].is_bad = i < opt(w, BAD);
        w->peer[i].trainer = make_trainer(w);
    }
}

/* ---- contributions -------------------------------------------------------------------------- */

/* The payload as a flat block; adds to it times a factor. */
static void add_dense(const struct world *w, const struct buf *payload, float factor, float *dense)
{
    struct err e = {0};
    struct delta_reader r;
    struct delta_chunk *c = room(1, sizeof *c);
    must(delta_reader_init(&r, w->table, &w->train.delta, DELTA_CONTRIBUTION, payload->p,
                           payload->len, &e),
         &e);
    while (delta_reader_next(&r, c, &e) == OK)
        for (uint32_t k = 0; k < c->n; k++)
            dense[c->start + c->pos[k]] += factor * c->value[k];
    free(c);
}

static void clear_dense(struct world *w)
{
    memset(w->dense, 0, (size_t)w->table->n_params * sizeof *w->dense);
}

static void repack(struct world *w, struct buf *payload)
{
    struct err e = {0};
    buf_clear(payload);
    must(delta_pack(w->table, &w->train.delta, DELTA_CONTRIBUTION, w->dense, NULL, payload, NULL,
                    &e),
         &e);
}

static void train(struct world *w, struct peer *p, uint64_t round, uint32_t n_steps)
{
    struct err e = {0};
    size_t span = (size_t)w->train.seq_len + 1;
    for (uint32_t s = 0; s < n_steps; s++) {
        struct trainer_step_result r = {0};
        for (uint32_t b = 0; b < w->train.batch_seqs; b++)
            must(read_tokens(w,
                             assign_sequence(&w->space, &w->run, round, &p->key,
                                             (uint64_t)s * w->train.batch_seqs + b),
                             w->step + b * span, &e),
                 &e);
        must(trainer_step(p->trainer, w->step, round * opt(w, INNER) + s, &r, &e), &e);
    }
    must(trainer_pack(p->trainer, &p->payload, NULL, &e), &e);
}

/* Turn `share` of the signs; which ones depends on the coordinate and salt only. */
static void turn_signs(struct world *w, double share, uint64_t salt)
{
    for (uint64_t i = 0; i < w->table->n_params; i++) {
        struct rng r;
        rng_init(&r, i, salt);
        if (rng_unit(&r) < share) w->dense[i] = -w->dense[i];
    }
}

static void statistics(struct world *w)
{
    uint64_t n = w->table->n_params;
    uint32_t n_honest = opt(w, PEERS) - opt(w, BAD);
    memset(w->mean, 0, n * sizeof *w->mean);
    memset(w->square, 0, n * sizeof *w->square);
    for (uint32_t i = opt(w, BAD); i < opt(w, PEERS); i++) {
        clear_dense(w);
        add_dense(w, &w->peer[i].payload, 1, w->dense);
        for (uint64_t k = 0; k < n; k++) {
            w->mean[k] += (double)w->dense[k] / n_honest;
            w->square[k] += (double)w->dense[k] * (double)w->dense[k] / n_honest;
        }
    }
}

/* Everybody of the conspiracy sends mean - z * deviation, with noise so that no two are alike. */
static void conspire(struct world *w, struct peer *p, double of_mean, double z, struct rng *r)
{
    for (uint64_t k = 0; k < w->table->n_params; k++) {
        double variance = w->square[k] - w->mean[k] * w->mean[k];
        double x = of_mean * w->mean[k] - z * sqrt(variance > 0 ? variance : 0);
        w->dense[k] = (float)(x * (1 + 0.2 * (double)rng_normal(r)));
    }
    repack(w, &p->payload);
}

static void break_number(const struct world *w, struct buf *payload)
{
    static const uint8_t nan[4] = {0, 0, 0xc0, 0x7f};
    for (size_t at = 0; at + 4 <= payload->len; at++) {
        struct err e = {0};
        uint8_t had[4];
        memcpy(had, payload->p + at, 4);
        memcpy(payload->p + at, nan, 4);
        if (judge_payload(w->table, &w->train.delta, payload->p, payload->len, &e) != OK) return;
        memcpy(payload->p + at, had, 4);
    }
}

static void attack(struct world *w, uint32_t i, uint64_t round, struct rng *r)
{
    struct peer *p = &w->peer[i];
    uint32_t n_honest = opt(w, PEERS) - opt(w, BAD);
    clear_dense(w);
    switch (w->attack) {
    case FLIP: add_dense(w, &p->payload, -1, w->dense); break;
    case SCALE: add_dense(w, &p->payload, 100, w->dense); break;
    case ALIE: conspire(w, p, 1, 1.5, r); return;
    case IPM: conspire(w, p, -1, 0, r); return;
    case COPY:
        add_dense(w, &w->peer[opt(w, BAD) + rng_below(r, n_honest)].payload, 1, w->dense);
        turn_signs(w, 0.02, rng_u64(r));
        break;
    case ZERO: break;
    case NOT_A_NUMBER: break_number(w, &p->payload); return;
    case SUBTLE:
        add_dense(w, &p->payload, 1, w->dense);
        turn_signs(w, 0.15, 5);
        break;
    case COLLUDE: {
        float *other = room(w->table->n_params, sizeof *other);
        uint32_t one = rng_below(r, n_honest);
        add_dense(w, &w->peer[opt(w, BAD) + one].payload, 1, w->dense);
        add_dense(w, &w->peer[opt(w, BAD) + (one + 1) % n_honest].payload, 1, other);
        for (uint64_t k = 0; k < w->table->n_params; k++)
            if (rng_below(r, 2)) w->dense[k] = other[k];
        free(other);
        break;
    }
    case REPLAY:
        if (round < 2) {
            buf_clear(&p->old);
            buf_put(&p->old, p->payload.p, p->payload.len);
            return;
        }
        add_dense(w, &p->old, 1, w->dense);
        turn_signs(w, 0.02, rng_u64(r));
        break;
    case NONE:
    case STALE:
    case HALF:
    case ATTACKS: return;
    }
    repack(w, &p->payload);
}

/* Steps of a round: what a slow machine, a tenth of one, or ten under one key can do. */
static uint32_t steps_of(const struct world *w, uint32_t i)
{
    uint32_t whole = opt(w, INNER), n = i - opt(w, BAD);
    if (w->peer[i].is_bad) return whole;
    if (opt(w, SPLIT) == 1 && i % 4 == 3) return (whole + 4) / 5;
    if (opt(w, SPLIT) == 2 && n < 10) return (whole + 9) / 10;
    return opt(w, SPLIT) == 2 && n == 10 ? 10 * whole : whole;
}

/* What happens to honest people: a pause of 1 to 40 rounds, a link that is too slow, a restart
 * that loses what was not saved. Returns how many steps are left of n.
 */
static uint32_t misfortune(const struct world *w, struct peer *p, uint64_t round, uint32_t n,
                           struct rng *r)
{
    if (!opt(w, FLAKY) || p->is_bad) return n;
    if (round >= p->away_until && rng_below(r, 20) == 0)
        p->away_until = round + 1 + rng_below(r, 40);
    if (round < p->away_until) return 0;
    p->is_late = rng_below(r, 12) == 0;
    return rng_below(r, 15) == 0 ? 1 + rng_below(r, n) : n;
}

static void contribute(struct world *w, uint64_t round, struct rng *r)
{
    struct err e = {0};
    size_t n_bytes = (size_t)w->table->n_params * sizeof(float);
    for (uint32_t i = 0; i < opt(w, PEERS); i++) {
        struct peer *p = &w->peer[i];
        uint32_t n_steps = steps_of(w, i);
        p->is_late = false;
        n_steps = misfortune(w, p, round, n_steps, r);
        uint32_t n_done = p->is_bad && w->attack == HALF ? (n_steps + 1) / 2 : n_steps;
        bool is_stale = p->is_bad && w->attack == STALE && round > 0;
        buf_clear(&p->payload);
        p->n_tokens = p->n_steps = 0;
        if (n_steps == 0) continue;
        if (is_stale) {
            uint64_t back = round < opt(w, STALENESS) ? round : opt(w, STALENESS);
            uint64_t at = (round - back) % (opt(w, STALENESS) + 1);
            must(trainer_load_weights(p->trainer, w->old_base[at], n_bytes, &e), &e);
        }
        train(w, p, round, n_done);
        p->n_steps = n_steps;
        p->n_tokens = (uint64_t)n_steps * w->train.batch_seqs * w->train.seq_len;
    }
    if (w->attack == ALIE || w->attack == IPM) statistics(w);
    for (uint32_t i = 0; i < opt(w, BAD); i++)
        attack(w, i, round, r);
    for (uint32_t i = 0; i < opt(w, PEERS); i++) {
        struct peer *p = &w->peer[i];
        struct err why = {0};
        p->is_accepted = false;
        if (p->payload.len == 0) continue;
        if (p->is_late)
            must(trainer_return_payload(p->trainer, p->payload.p, p->payload.len, &why), &why);
        if (p->is_late) continue;
        p->is_accepted =
            judge_payload(w->table, &w->train.delta, p->payload.p, p->payload.len, &why) == OK;
        p->n_rejected += !p->is_accepted;
    }
}

/* ---- merging and paying --------------------------------------------------------------------- */

/* sum / max(senders, m) with nothing bounded: what the defences are compared with. */
static void merge_plain(struct world *w, struct buf *update)
{
    struct err e = {0};
    float *n_senders = room(w->table->n_params, sizeof *n_senders);
    clear_dense(w);
    for (uint32_t i = 0; i < opt(w, PEERS); i++) {
        if (!w->peer[i].is_accepted) continue;
        float *one = room(w->table->n_params, sizeof *one);
        add_dense(w, &w->peer[i].payload, 1, one);
        for (uint64_t k = 0; k < w->table->n_params; k++) {
            n_senders[k] += one[k] != 0.0F;
            w->dense[k] += one[k];
        }
        free(one);
    }
    for (uint64_t k = 0; k < w->table->n_params; k++)
        w->dense[k] /= n_senders[k] > (float)w->v[SENDERS] ? n_senders[k] : (float)w->v[SENDERS];
    must(delta_pack(w->table, &w->train.delta, DELTA_UPDATE, w->dense, NULL, update, NULL, &e), &e);
    free(n_senders);
}

static void merge_scored(struct world *w, struct buf *update)
{
    struct err e = {0};
    struct merge_input in[MAX_PEERS];
    uint64_t bounded[MAX_PEERS];
    uint32_t n = 0;
    for (uint32_t i = 0; i < opt(w, PEERS); i++)
        bounded[i] = w->peer[i].weight;
    clip_weights(bounded, opt(w, PEERS));
    for (uint32_t i = 0; i < opt(w, PEERS); i++)
        if (bounded[i])
            in[n++] = (struct merge_input){.contributor = w->peer[i].key,
                                           .payload = w->peer[i].payload.p,
                                           .n_bytes = w->peer[i].payload.len,
                                           .n_tokens = bounded[i]};
    must(merge_run(w->table, &w->train.delta, w->v[SENDERS], in, n, update, &e), &e);
}

static void pay(struct world *w)
{
    struct reward_share s[MAX_PEERS];
    for (uint32_t i = 0; i < opt(w, PEERS); i++)
        s[i] = (struct reward_share){.contributor = w->peer[i].key, .n_tokens = w->peer[i].weight};
    reward_split(1000000000, s, opt(w, PEERS));
    for (uint32_t i = 0; i < opt(w, PEERS); i++) {
        w->peer[i].earned += (double)s[i].amount / 1e6;
        w->peer[i].tokens += (double)w->peer[i].n_tokens;
    }
}

static void weigh(struct world *w, uint64_t round)
{
    for (uint32_t i = 0; i < opt(w, PEERS); i++) {
        struct peer *p = &w->peer[i];
        struct score_standing s = score_book_get(&w->book, &p->key);
        uint32_t q = opt(w, SCORED) ? score_quality(&s, round) : SCORE_ONE;
        p->quality += (double)q / SCORE_ONE;
        p->weight = p->is_accepted ? score_weight(p->n_tokens, q) : 0;
    }
}

/* ---- scoring -------------------------------------------------------------------------------- */

static int give_payload(void *ctx, uint32_t i, struct buf *out, struct err *e)
{
    const struct world *w = ctx;
    const struct buf *b = &w->peer[w->who[i]].payload;
    buf_put(out, b->p, b->len);
    return buf_ok(out, e);
}

static bool goes_on(void *ctx)
{
    struct world *w = ctx;
    return w->n_tried++ < opt(w, EVALS);
}

static int by_key(const void *a, const void *b)
{
    const struct useful_contribution *x = a, *y = b;
    return memcmp(x->contributor.b, y->contributor.b, KEY_BYTES);
}

static uint32_t gather(struct world *w)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < opt(w, PEERS); i++) {
        const struct peer *p = &w->peer[i];
        if (!p->is_accepted) continue;
        w->in[n++] = (struct useful_contribution){.contributor = p->key,
                                                  .order = p->is_bad ? 1000 + i : i,
                                                  .n_tokens = p->n_tokens,
                                                  .n_seqs = p->n_steps * w->train.batch_seqs,
                                                  .payload = hash_of(p->payload.p, p->payload.len)};
    }
    qsort(w->in, n, sizeof *w->in, by_key);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < opt(w, PEERS); k++)
            if (key_equal(&w->in[i].contributor, &w->peer[k].key)) w->who[i] = k;
    return n;
}

static struct peer *peer_of(struct world *w, const struct key_pub *k)
{
    for (uint32_t i = 0;; i++)
        if (key_equal(k, &w->peer[i].key)) return &w->peer[i];
}

static void score(struct world *w, uint64_t round, const float *base)
{
    struct err e = {0};
    struct score_eval evals[MAX_PEERS];
    int64_t useful[MAX_PEERS];
    uint32_t n_evals = 0;
    w->n_tried = 0;
    struct useful_job job = {.trainer = w->eval,
                             .base = base,
                             .outer_lr = w->train.outer_lr,
                             .delta = w->train.delta,
                             .space = w->space,
                             .run = w->run,
                             .round = round,
                             .secret = hash_of(&round, sizeof round),
                             .n_seqs = opt(w, SEQS),
                             .book = &w->book,
                             .n = gather(w),
                             .in = w->in,
                             .payload = give_payload,
                             .tokens = read_tokens,
                             .goes_on = goes_on,
                             .ctx = w};
    must(useful_run(&job, evals, &n_evals, &e), &e);
    bool says = score_usefulness(evals, n_evals, useful);
    for (uint32_t i = 0; i < n_evals; i++) {
        struct peer *p = peer_of(w, &evals[i].contributor);
        int64_t own = evals[i].own - evals[i].drawn;
        p->n_slashed += evals[i].code != SCORE_CODE_NONE;
        if (says && evals[i].is_measured) buf_put(&w->useful[p->is_bad], &useful[i], 8);
        if (evals[i].is_measured) buf_put(&w->own[p->is_bad], &own, 8);
    }
    must(score_book_fold(&w->book, round + 1, evals, n_evals, &e), &e);
}

/* ---- a run ---------------------------------------------------------------------------------- */

static double evaluate(struct world *w, const float *params)
{
    struct err e = {0};
    struct trainer_eval_result r = {0};
    must(trainer_load_weights(w->eval, params, (size_t)w->table->n_params * sizeof *params, &e),
         &e);
    must(trainer_eval(w->eval, (uint32_t *)(void *)w->val.p, w->n_val, &r, &e), &e);
    return r.nats / (double)r.n_tokens;
}

static double play(struct world *w)
{
    struct err e = {0};
    struct rng r;
    size_t n_bytes = (size_t)w->table->n_params * sizeof(float);
    float *base = room(w->table->n_params, sizeof *base);
    memcpy(base, trainer_weights(w->eval), n_bytes);
    rng_init(&r, (uint64_t)w->v[SEED], 3);
    for (uint64_t round = 0; round < opt(w, ROUNDS); round++) {
        struct buf update = {0};
        memcpy(w->old_base[round % (opt(w, STALENESS) + 1)], base, n_bytes);
        contribute(w, round, &r);
        weigh(w, round);
        if (opt(w, SCORED))
            merge_scored(w, &update);
        else
            merge_plain(w, &update);
        pay(w);
        if (opt(w, SCORED)) score(w, round, base);
        must(merge_apply(w->table, &w->train.delta, w->train.outer_lr, update.p, update.len, base,
                         &e),
             &e);
        for (uint32_t i = 0; i < opt(w, PEERS); i++)
            must(trainer_load_weights(w->peer[i].trainer, base, n_bytes, &e), &e);
        buf_deinit(&update);
    }
    double nats = evaluate(w, base);
    free(base);
    return nats;
}

/* ---- report --------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void put_quantiles(json_t *o, const char *name, struct buf *b)
{
    json_t *list = json_array();
    size_t n = b->len / 8;
    int64_t *x = (int64_t *)(void *)b->p;
    if (n) qsort(x, n, sizeof *x, by_number);
    for (int q = 0; n && q <= 4; q++)
        json_array_append_new(list, json_real((double)x[(n - 1) * (size_t)q / 4] / 1e6));
    json_object_set_new(o, name, list);
    double n_above = 0;
    for (size_t i = 0; i < n; i++)
        n_above += x[i] > 0;
    char share[64];
    snprintf(share, sizeof share, "%s_above_zero", name);
    json_set_real(o, share, n ? n_above / (double)n : 0);
}

/* Reward for a token of those who do less, more, and as much as inner steps say: over the last's.
 * */
static void put_sizes(const struct world *w, json_t *o)
{
    static const char *const names[] = {"per_token_small", "per_token_giant"};
    double earned[3] = {0}, tokens[3] = {0};
    for (uint32_t i = opt(w, BAD); i < opt(w, PEERS); i++) {
        uint32_t n = steps_of(w, i), size = n < opt(w, INNER) ? 0 : n > opt(w, INNER) ? 1 : 2;
        earned[size] += w->peer[i].earned;
        tokens[size] += w->peer[i].tokens;
    }
    for (int k = 0; k < 2; k++)
        if (tokens[k] > 0 && earned[2] > 0)
            json_set_real(o, names[k], earned[k] / tokens[k] / (earned[2] / tokens[2]));
}

static void report(struct world *w, double nats)
{
    struct err e = {0};
    struct buf out = {0};
    double earned[2] = {0}, tokens[2] = {0}, n[2] = {0}, quality[2] = {0};
    uint64_t slashed[2] = {0}, rejected = 0;
    json_t *o = json_object();
    for (uint32_t i = 0; i < opt(w, PEERS); i++) {
        const struct peer *p = &w->peer[i];
        n[p->is_bad]++;
        earned[p->is_bad] += p->earned;
        tokens[p->is_bad] += p->tokens;
        quality[p->is_bad] += p->quality / w->v[ROUNDS];
        slashed[p->is_bad] += p->n_slashed > 0;
        rejected += p->n_rejected;
    }
    json_object_set_new(o, "attack", json_string(attack_words[w->attack]));
    for (int i = 0; i < N_OPTIONS; i++)
        json_set_real(o, DEFAULTS[i].name, w->v[i]);
    json_set_u64(o, "n_params", w->table->n_params);
    json_set_real(o, "val_nats", nats);
    double ratio = n[1] > 0 && earned[0] > 0 ? earned[1] / n[1] / (earned[0] / n[0]) : 0;
    json_set_real(o, "reward_ratio", ratio);
    json_set_real(o, "honest_quality", quality[0] / n[0]);
    json_set_real(o, "bad_quality", n[1] > 0 ? quality[1] / n[1] : 0);
    json_set_u64(o, "honest_slashed", slashed[0]);
    json_set_u64(o, "bad_slashed", slashed[1]);
    json_set_u64(o, "rejected", rejected);
    put_sizes(w, o);
    put_quantiles(o, "honest_useful", &w->useful[0]);
    put_quantiles(o, "bad_useful", &w->useful[1]);
    put_quantiles(o, "honest_own", &w->own[0]);
    put_quantiles(o, "bad_own", &w->own[1]);
    must(json_write(o, &out, &e), &e);
    puts(buf_str(&out));
    json_decref(o);
    buf_deinit(&out);
}

static int usage(void)
{
    fprintf(stderr, "usage: attack_run text=FILE [attack=WORD] [name=value ...]\nattacks:");
    for (int i = 0; i < ATTACKS; i++)
        fprintf(stderr, " %s", attack_words[i]);
    fprintf(stderr, "\n");
    for (int i = 0; i < N_OPTIONS; i++)
        fprintf(stderr, "  %-10s %-6g %s\n", DEFAULTS[i].name, DEFAULTS[i].value, DEFAULTS[i].what);
    return 2;
}

static bool take_option(struct world *w, const char *arg, const char **text)
{
    if (strncmp(arg, "text=", 5) == 0) {
        *text = arg + 5;
        return true;
    }
    for (int i = 0; i < ATTACKS; i++) {
        if (strncmp(arg, "attack=", 7) != 0 || strcmp(arg + 7, attack_words[i]) != 0) continue;
        w->attack = (enum attack)i;
        return true;
    }
    for (int i = 0; i < N_OPTIONS; i++) {
        size_t n = strlen(DEFAULTS[i].name);
        if (strncmp(arg, DEFAULTS[i].name, n) != 0 || arg[n] != '=') continue;
        char *end = NULL;
        w->v[i] = strtod(arg + n + 1, &end);
        return end != arg + n + 1 && *end == '\0' && w->v[i] >= 0;
    }
    return false;
}

static void tear_down(struct world *w)
{
    for (uint32_t i = 0; i < opt(w, PEERS); i++) {
        trainer_destroy(w->peer[i].trainer);
        buf_deinit(&w->peer[i].payload);
        buf_deinit(&w->peer[i].old);
    }
    for (int i = 0; i < 2; i++) {
        buf_deinit(&w->useful[i]);
        buf_deinit(&w->own[i]);
    }
    for (int i = 0; i < MAX_STALE; i++)
        free(w->old_base[i]);
    trainer_destroy(w->eval);
    score_book_deinit(&w->book);
    buf_deinit(&w->tokens);
    buf_deinit(&w->val);
    free(w->step);
    free(w->mean);
    free(w->square);
    free(w->dense);
    free(w);
}

int main(int argc, char **argv)
{
    struct world *w = room(1, sizeof *w);
    const char *text = NULL;
    for (int i = 0; i < N_OPTIONS; i++)
        w->v[i] = DEFAULTS[i].value;
    for (int i = 1; i < argc; i++)
        if (!take_option(w, argv[i], &text)) return usage();
    if (!text || opt(w, PEERS) > MAX_PEERS || opt(w, BAD) >= opt(w, PEERS) || !opt(w, INNER) ||
        !opt(w, ROUNDS) || !opt(w, BATCH) || opt(w, STALENESS) >= MAX_STALE)
        return usage();
    if (w->attack == NONE) w->v[BAD] = 0;
    describe(w);
    load_text(w, text);
    build(w);
    report(w, play(w));
    tear_down(w);
    return 0;
}
