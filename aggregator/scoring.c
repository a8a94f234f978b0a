#include "aggregator/scoring.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/store_record.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "record/sheet.h"
#include "record/useful.h"

#define TOKENS_EACH 4096 /* of own and of drawn text, as far as sequences of at most 32 go */

/* One round being tried out. A copy of everything it needs. */
struct trial {
    uv_work_t work;
    struct host *h;
    struct rundesc *run;
    uint64_t round;
    float *base;
    uint32_t n;
    struct useful_contribution *in;
    struct score_book book;
    struct score_eval *evals;
    uint32_t n_evals, n_tried;
    uint32_t i_chunk; /* whose tokens are in chunk, when there are any */
    uint32_t *chunk;  /* [DATA_CHUNK_TOKENS] */
    bool has_chunk;
    int64_t budget_ns, began_ns;
    int rc;
    struct err err;
};

static void trial_free(struct trial *t)
{
    free(t->base);
    free(t->in);
    free(t->evals);
    free(t->chunk);
    score_book_deinit(&t->book);
    free(t);
}

/* ---- in the pool ---------------------------------------------------------------------------- */

static int payload(void *ctx, uint32_t i, struct buf *out, struct err *e)
{
    struct trial *t = ctx;
    size_t max = delta_max_bytes(&t->h->table, &t->run->train.delta, DELTA_CONTRIBUTION);
    return spool_read(&t->h->spool, SPOOL_PAYLOAD, &t->in[i].payload, max, out, e);
}

/* Chunks are numbered over all shards; only whole ones are trained on (client/chunks.h). */
static int load_chunk(struct trial *t, uint32_t number, struct err *e)
{
    const struct dataset *d = &t->h->data;
    struct buf bytes = {0};
    uint32_t i = number, s = 0;
    while (s < d->n_train && i >= d->train[s].x.n_tokens / d->train[s].x.chunk_tokens)
        i -= (uint32_t)(d->train[s].x.n_tokens / d->train[s].x.chunk_tokens), s++;
    if (s == d->n_train) return err_set(e, ERR_LIMIT, 0, "there is no chunk %" PRIu32, number);
    int rc = dataset_chunk(&d->train[s], i, &bytes, e);
    if (rc == OK) rc = data_chunk_decode(&d->train[s].x, i, bytes.p, bytes.len, t->chunk, e);
    buf_deinit(&bytes);
    t->has_chunk = rc == OK;
    t->i_chunk = number;
    return rc;
}

static int tokens(void *ctx, struct assign_place at, uint32_t *dst, struct err *e)
{
    struct trial *t = ctx;
    int rc = t->has_chunk && t->i_chunk == at.chunk ? OK : load_chunk(t, at.chunk, e);
    if (rc == OK)
        memcpy(dst, t->chunk + at.offset, ((size_t)t->run->train.seq_len + 1) * sizeof *dst);
    return rc;
}

static bool goes_on(void *ctx)
{
    struct trial *t = ctx;
    if (clock_thread_ns() - t->began_ns >= t->budget_ns) return false;
    t->n_tried++;
    return true;
}

static struct assign_space space_of(const struct trial *t)
{
    struct assign_space s = {.chunk_tokens = DATA_CHUNK_TOKENS, .seq_len = t->run->train.seq_len};
    const struct dataset *d = &t->h->data;
    for (uint32_t i = 0; i < d->n_train; i++)
        s.n_chunks += (uint32_t)(d->train[i].x.n_tokens / d->train[i].x.chunk_tokens);
    return s;
}

static void try_out(uv_work_t *w)
{
    struct trial *t = w->data;
    uint8_t seed[32];
    uint32_t n_seqs = TOKENS_EACH / t->run->train.seq_len;
    struct trainer *trainer = NULL;
    t->began_ns = clock_thread_ns();
    t->rc = trainer_create(&t->run->model, &t->run->train,
                           &(struct trainer_options){.n_threads = 1, .eval_only = true}, &trainer,
                           &t->err);
    if (t->rc != OK) return;
    store_secret(t->h->store, seed);
    struct useful_job job = {.trainer = trainer,
                             .base = t->base,
                             .outer_lr = t->run->train.outer_lr,
                             .delta = t->run->train.delta,
                             .space = space_of(t),
                             .run = t->run->id,
                             .round = t->round,
                             .secret = entry_secret(seed, &t->run->id, t->round),
                             .n_seqs = n_seqs < 2    ? 2
                                       : n_seqs > 32 ? 32
                                                     : n_seqs,
                             .book = &t->book,
                             .n = t->n,
                             .in = t->in,
                             .payload = payload,
                             .tokens = tokens,
                             .goes_on = goes_on,
                             .ctx = t};
    t->rc = useful_run(&job, t->evals, &t->n_evals, &t->err);
    trainer_destroy(trainer);
}

/* ---- on the loop ---------------------------------------------------------------------------- */

static void tried(uv_work_t *w, int status)
{
    struct trial *t = w->data;
    struct host *h = t->h;
    char key[KEY_HEX];
    h->n_jobs--;
    h->is_scoring = false;
    if (t->rc != OK || status != 0) {
        log_err(LOG_WARN, &t->err, "contributions could not be tried out");
    } else {
        scores_found(&h->scores, t->evals, t->n_evals);
        for (uint32_t i = 0; i < t->n_evals; i++)
            if (t->evals[i].code != SCORE_CODE_NONE)
                log_warn("round %" PRIu64 ": %.8s is slashed: %s", t->round,
                         key_hex(&t->evals[i].contributor, key), score_code_word(t->evals[i].code));
        log_info("round %" PRIu64 ": tried out %" PRIu32 " of %" PRIu32 " contributions", t->round,
                 t->n_tried < t->n ? t->n_tried : t->n, t->n);
    }
    trial_free(t);
}

static struct trial *make_trial(struct host *h, const float *base, const struct round_input *in,
                                uint32_t n)
{
    size_t n_params = (size_t)h->table.n_params;
    struct trial *t = alloc_zero(1, sizeof *t);
    if (!t) return NULL;
    t->base = alloc_zero(n_params, sizeof *t->base);
    t->in = alloc_zero(n, sizeof *t->in);
    t->evals = alloc_zero(n, sizeof *t->evals);
    t->chunk = alloc_zero(DATA_CHUNK_TOKENS, sizeof *t->chunk);
    buf_put(&t->book.rows, h->scores.book.rows.p, h->scores.book.rows.len);
    if (!t->base || !t->in || !t->evals || !t->chunk || t->book.rows.failed) {
        trial_free(t);
        return NULL;
    }
    memcpy(t->base, base, n_params * sizeof *base);
    for (uint32_t i = 0; i < n; i++)
        t->in[i] = (struct useful_contribution){.contributor = in[i].contributor,
                                                .order = in[i].receipt_seq,
                                                .n_tokens = in[i].claim.n_tokens,
                                                .n_seqs = (uint64_t)in[i].claim.n_steps *
                                                          h->run.train.batch_seqs,
                                                .payload = in[i].claim.payload};
    t->n = n;
    return t;
}

void scoring_start(struct host *h, uint64_t round, const float *base, const struct round_input *in,
                   uint32_t n)
{
    if (!h->scores.is_on || h->is_scoring || n == 0 || n > RATING_MAX) return;
    struct trial *t = make_trial(h, base, in, n);
    if (!t) {
        log_warn("no memory to try out the contributions of round %" PRIu64, round);
        return;
    }
    t->h = h;
    t->run = &h->run;
    t->round = round;
    t->budget_ns = (int64_t)h->setup.score_seconds * 1000000000;
    t->work.data = t;
    h->n_jobs++;
    h->is_scoring = true;
    check(uv_queue_work(h->loop, &t->work, try_out, tried) == 0);
}

/* ---- after a restart ------------------------------------------------------------------------ */

static int note_sheet(uint64_t index, const char *text, size_t n, void *ctx, struct err *e)
{
    struct entry m;
    (void)index;
    int rc = entry_verify(text, n, NULL, &m, e);
    if (rc != OK || m.kind != ENTRY_ROUND || m.round.rule_reward != ENTRY_RULE_SCORED) return rc;
    buf_put(ctx, &m.round.sheet, sizeof m.round.sheet);
    return buf_ok(ctx, e);
}

int scoring_restore(struct host *h, struct err *e)
{
    struct buf list = {0};
    if (!h->setup.score_seconds) return OK;
    int rc = scores_init(&h->scores, e);
    if (rc == OK) rc = store_record_each(h->store, 0, note_sheet, &list, e);
    for (size_t i = 0; rc == OK && i < list.len / sizeof(struct hash); i++) {
        struct hash hash;
        struct buf text = {0};
        struct sheet sheet = {0};
        memcpy(&hash, list.p + i * sizeof hash, sizeof hash);
        rc = spool_read(&h->spool, SPOOL_SHEET, &hash, SHEET_MAX_BYTES, &text, e);
        if (rc == OK) rc = sheet_decode(text.p, text.len, &sheet, e);
        if (rc == OK) rc = scores_restore(&h->scores, &sheet, e);
        sheet_deinit(&sheet);
        buf_deinit(&text);
    }
    buf_deinit(&list);
    return rc == OK ? OK : err_wrap(e, "reading the standings of the keys");
}
