#include "aggregator/job.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/judge.h"
#include "aggregator/scoring.h"
#include "aggregator/store_record.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

struct job {
    uv_work_t work;
    struct host *h;
    enum round_action_kind kind;
    struct round_op op;
    struct buf bytes;
    struct request_body body; /* STORE_CHUNK */
    uint64_t took_ns;
    struct hash hash;    /* STORE_CHUNK: of the whole chunk */
    struct hash content; /* STORE_CHUNK: of the bytes that came */
    uint64_t n_stored;   /* STORE_CHUNK, FIND_PART */
    struct msg_manifest *manifest;
    struct round_input *inputs; /* MERGE, PUBLISH */
    uint32_t n_inputs;
    struct msg_update update; /* PUBLISH: in; MERGE: out */
    enum round_outcome outcome;
    char reason[MSG_REASON_CAP];
    uint32_t n_passed;
    uint64_t seq;
    enum msg_verdict verdict;
    bool is_over; /* PUBLISH: the record is closed */
    struct err err;
};

static enum round_outcome outcome_of(int rc, const struct err *e)
{
    return rc == OK ? ROUND_OK : judge_trouble(e);
}

/* ---- in the pool ---------------------------------------------------------------------------- */

/* Bytes that are kept until the rest of their chunk comes. Whoever was cut off (req 0) may bring some
 * that are there already: then whatever reaches further stays.
 */
static int keep_part(struct job *j, struct buf *part, const struct buf *b)
{
    struct spool *s = &j->h->spool;
    size_t had = part->len, end = (size_t)j->op.offset + b->len;
    j->n_stored = had > end ? had : end;
    if (had >= end) return OK;
    part->len = (size_t)j->op.offset;
    buf_put(part, b->p, b->len);
    int rc = buf_ok(part, &j->err);
    return rc == OK ? spool_part_put(s, j->op.id, j->op.i_chunk, part->p, part->len, &j->err) : rc;
}

/* All of it is here: part and the bytes that came. */
static enum round_outcome finish_chunk(struct job *j, const struct buf *part, const struct buf *b)
{
    struct spool *s = &j->h->spool;
    struct buf all = {0};
    const struct buf *whole = part->len ? &all : b;
    int rc = OK;
    if (part->len) {
        buf_put(&all, part->p, part->len);
        buf_put(&all, b->p, b->len);
        rc = buf_ok(&all, &j->err);
    }
    struct hash got = {0};
    if (rc == OK) got = hash_of(whole->p, whole->len);
    bool is_good = hash_equal(&got, &j->hash);
    if (rc == OK && is_good)
        rc = spool_chunk_put(s, j->op.id, j->op.i_chunk, whole->p, whole->len, &j->err);
    if (rc == OK) spool_part_drop(s, j->op.id, j->op.i_chunk); /* wrong, it is of no use either */
    buf_deinit(&all);
    return rc == OK && !is_good ? ROUND_MISMATCH : outcome_of(rc, &j->err);
}

static enum round_outcome store_chunk(struct job *j)
{
    const struct buf *b = &j->body.bytes;
    struct buf part = {0};
    enum round_outcome o = ROUND_OK;
    int rc = OK;
    if (j->op.is_part && j->op.req) { /* came as a whole, and says what it is */
        struct hash got = hash_of(b->p, b->len);
        if (!hash_equal(&got, &j->content)) return ROUND_MISMATCH;
    }
    if (j->op.offset > 0 || j->op.is_part)
        rc = spool_part_read(&j->h->spool, j->op.id, j->op.i_chunk, &part, &j->err);
    j->n_stored = part.len;
    bool is_gap = j->op.req ? part.len != j->op.offset : part.len < j->op.offset;
    if (rc != OK)
        o = outcome_of(rc, &j->err);
    else if (is_gap)
        o = ROUND_GAP;
    else if (j->op.is_part)
        o = outcome_of(keep_part(j, &part, b), &j->err);
    else
        o = finish_chunk(j, &part, b);
    buf_deinit(&part);
    return o;
}

static enum round_outcome find_part(struct job *j)
{
    struct buf part = {0};
    int rc = spool_part_read(&j->h->spool, j->op.id, j->op.i_chunk, &part, &j->err);
    j->n_stored = part.len;
    buf_deinit(&part);
    return outcome_of(rc, &j->err);
}

/* Who reads the record later wants to see what the contributor signed. OK when there is no text:
 * then it was kept when it came.
 */
static int keep_manifest(struct job *j)
{
    struct hash h;
    if (!j->bytes.len) return OK;
    return spool_put(&j->h->spool, SPOOL_MANIFEST, j->bytes.p, j->bytes.len, &h, &j->err);
}

static enum round_outcome judge(struct job *j)
{
    struct host *h = j->h;
    enum round_check failed = ROUND_CHECK_FORM;
    enum round_outcome o = judge_upload(&h->spool, h->store, &h->table, &h->run.train.delta,
                                        j->manifest, j->reason, &failed, &j->err);
    j->n_passed = failed;
    bool is_verdict = o == ROUND_OK || o == ROUND_BAD; /* a receipt will be asked for */
    return is_verdict && keep_manifest(j) != OK ? judge_trouble(&j->err) : o;
}

static enum round_outcome store_receipt(struct job *j)
{
    struct host *h = j->h;
    if (keep_manifest(j) != OK) return judge_trouble(&j->err);
    return outcome_of(store_receipt_put(h->store, &j->op, &h->run.id, &h->key, clock_wall_ms(),
                                        &j->seq, &j->verdict, &j->err),
                      &j->err);
}

static enum round_outcome find_receipt(struct job *j)
{
    int rc = store_receipt_get(j->h->store, &j->op.contributor, j->op.round, NULL, &j->seq,
                               &j->verdict, &j->err);
    if (rc != ERR_NOTFOUND) return outcome_of(rc, &j->err);
    bool is_late = j->op.verdict == MSG_LATE; /* a receipt will be asked for */
    return is_late && keep_manifest(j) != OK ? judge_trouble(&j->err) : ROUND_NONE;
}

static enum round_outcome merge(struct job *j)
{
    struct host *h = j->h;
    return outcome_of(
        publish_merge(&h->publish, j->inputs, j->n_inputs, h->base, h->next, &j->update, &j->err),
        &j->err);
}

static enum round_outcome publish(struct job *j)
{
    struct store_tail tail = {0};
    int rc = publish_commit(&j->h->publish, &j->update, j->inputs, j->n_inputs, clock_wall_ms(),
                            &j->err);
    if (rc == OK) rc = store_record_tail(j->h->store, &tail, &j->err);
    j->is_over = tail.is_ended;
    return outcome_of(rc, &j->err);
}

static enum round_outcome perform(struct job *j)
{
    struct host *h = j->h;
    switch (j->kind) {
    case ROUND_DO_STORE_SLOT: return outcome_of(store_slot_put(h->store, &j->op, &j->err), &j->err);
    case ROUND_DO_STORE_CHUNK: return store_chunk(j);
    case ROUND_DO_FIND_PART: return find_part(j);
    case ROUND_DO_JUDGE: return judge(j);
    case ROUND_DO_STORE_RECEIPT: return store_receipt(j);
    case ROUND_DO_FIND_RECEIPT: return find_receipt(j);
    case ROUND_DO_MERGE: return merge(j);
    case ROUND_DO_PUBLISH: return publish(j);
    case ROUND_DO_REPLY_SLOT:
    case ROUND_DO_REPLY_STORED:
    case ROUND_DO_REPLY_OFFSET:
    case ROUND_DO_REPLY_RECEIPT:
    case ROUND_DO_REPLY_ERROR:
    case ROUND_DO_ANNOUNCE: break; /* not work */
    }
    return ROUND_FAILED;
}

static void run(uv_work_t *w)
{
    struct job *j = w->data;
    uint64_t start_ns = uv_hrtime();
    if (j->outcome == ROUND_OK) j->outcome = perform(j);
    j->took_ns = uv_hrtime() - start_ns;
}

/* ---- on the loop ---------------------------------------------------------------------------- */

static void free_job(struct job *j)
{
    buf_deinit(&j->bytes);
    request_body_free(&j->body);
    free(j->manifest);
    free(j->inputs);
    free(j);
}

static const char *what(enum round_action_kind k)
{
    return k == ROUND_DO_MERGE     ? "the merge failed, trying again in 5 s"
           : k == ROUND_DO_PUBLISH ? "publishing failed, trying again in 5 s"
                                   : "a contribution could not be stored";
}

static void tell(const struct job *j)
{
    char key[KEY_HEX];
    const struct round_claim *c = &j->op.claim;
    if (j->outcome == ROUND_FULL || j->outcome == ROUND_FAILED)
        log_err(LOG_WARN, &j->err, what(j->kind));
    if (j->kind != ROUND_DO_STORE_RECEIPT || j->outcome != ROUND_OK) return;
    key_hex(&j->op.contributor, key);
    if (j->verdict == MSG_ACCEPTED)
        log_info("round %" PRIu64 ": accepted %.8s, %" PRIu64 " tokens, loss %.3f, %.1f kB",
                 j->op.round, key, c->n_tokens, c->loss, (double)c->n_bytes / 1e3);
    else
        log_info("round %" PRIu64 ": %s %.8s: %s", j->op.round,
                 j->verdict == MSG_LATE ? "late" : "rejected", key, j->op.reason);
}

/* The published weights become the base before anybody is told about the new round. */
static void swap_weights(struct job *j)
{
    struct host *h = j->h;
    char hex[HASH_HEX];
    float *old = h->base;
    h->base = h->next;
    h->next = old;
    log_info("round %" PRIu64 ": merged %" PRIu32 " contributions, %" PRIu64
             " tokens, training loss %.3f, model %.12s",
             j->update.round, j->update.n_merged, j->update.n_tokens, j->update.train_loss,
             hash_hex(&j->update.result, hex));
}

static void measure(const struct job *j)
{
    static const enum metrics_work works[] = {[ROUND_DO_STORE_CHUNK] = METRICS_CHUNK,
                                              [ROUND_DO_JUDGE] = METRICS_JUDGE,
                                              [ROUND_DO_MERGE] = METRICS_MERGE,
                                              [ROUND_DO_PUBLISH] = METRICS_PUBLISH};
    bool is_measured = j->kind == ROUND_DO_STORE_CHUNK || j->kind == ROUND_DO_JUDGE ||
                       j->kind == ROUND_DO_MERGE || j->kind == ROUND_DO_PUBLISH;
    bool is_fine = j->outcome != ROUND_FULL && j->outcome != ROUND_FAILED;
    if (is_measured)
        metrics_done(&j->h->metrics, works[j->kind], (double)j->took_ns / 1e9, is_fine);
}

static void done(uv_work_t *w, int status)
{
    struct job *j = w->data;
    struct host *h = j->h;
    h->n_jobs--;
    if (status != 0) j->outcome = ROUND_FAILED;
    bool is_published = j->kind == ROUND_DO_PUBLISH && j->outcome == ROUND_OK;
    tell(j);
    measure(j);
    if (is_published) {
        swap_weights(j);
        scores_published(&h->scores, j->op.round);
        if (!h->is_stopping) scoring_start(h, j->op.round, h->next, j->inputs, j->n_inputs);
    }
    struct round_event ev = {.kind = ROUND_EV_DONE,
                             .work = j->kind,
                             .op = j->op,
                             .outcome = j->outcome,
                             .seq = j->seq,
                             .verdict = j->verdict,
                             .result = j->update.result,
                             .update = j->update.update,
                             .update_bytes = j->update.update_bytes,
                             .n_stored = j->n_stored,
                             .is_over = j->is_over};
    memcpy(ev.reason, j->reason, sizeof ev.reason);
    ev.n_passed = j->n_passed;
    free_job(j);
    host_step(h, &ev);
    if (!is_published || h->is_stopping) return;
    if (h->valid) valid_submit(h->valid, h->round.round, h->base);
    job_tidy(h, h->round.state == ROUND_ENDED);
}

/* Copies for the pool; false when there is no memory for them. */
static bool take_input(struct job *j, const struct job_input *in)
{
    const struct round_input *inputs = round_inputs(&j->h->round, &j->n_inputs);
    if (j->kind == ROUND_DO_STORE_CHUNK) {
        request_take_body(in->from, &j->body);
        j->hash = in->hash;
        j->content = in->content;
        return true;
    }
    bool is_about_manifest = j->kind == ROUND_DO_JUDGE || j->kind == ROUND_DO_STORE_RECEIPT ||
                             j->kind == ROUND_DO_FIND_RECEIPT;
    if (is_about_manifest && in) buf_put(&j->bytes, in->bytes, in->n_bytes);
    if (buf_ok(&j->bytes, &j->err) != OK) return false;
    if (j->kind == ROUND_DO_JUDGE) {
        check(in != NULL); /* asked for only by a manifest */
        j->manifest = alloc_zero(1, sizeof *j->manifest);
        if (j->manifest) *j->manifest = *in->manifest;
        return j->manifest;
    }
    if (j->kind != ROUND_DO_MERGE && j->kind != ROUND_DO_PUBLISH) return true;
    j->update = *round_update(&j->h->round);
    j->inputs = alloc_zero(j->n_inputs, sizeof *j->inputs);
    if (!j->inputs) return false;
    if (j->n_inputs) memcpy(j->inputs, inputs, j->n_inputs * sizeof *inputs);
    struct host *h = j->h;
    return !h->scores.is_on || scores_weigh(&h->scores, j->op.round, h->round.cfg.reward_per_round,
                                            j->inputs, j->n_inputs, &j->err) == OK;
}

void job_start(struct host *h, const struct round_action *a, const struct job_input *in)
{
    if (h->is_stopping) return; /* unanswered and not acknowledged: asked again after the restart */
    struct job *j = alloc_zero(1, sizeof *j);
    check(j != NULL); /* a few kilobytes: without them nothing could be said any more */
    j->h = h;
    j->kind = a->kind;
    j->op = a->op;
    j->work.data = j;
    j->outcome = ROUND_OK;
    if (!take_input(j, in)) {
        err_set(&j->err, ERR_NOMEM, 0, "no memory");
        j->outcome = ROUND_FAILED;
    }
    h->n_jobs++;
    check(uv_queue_work(h->loop, &j->work, run, done) == 0);
}

/* ---- tidying -------------------------------------------------------------------------------- */

struct tidy {
    uv_work_t work;
    struct host *h;
    uint64_t round;
    float *params; /* NULL: no checkpoint now */
    struct err err;
    int rc;
};

static void drop_chunks(const char *id, uint64_t max_bytes, void *ctx)
{
    struct host *h = ctx;
    spool_chunks_drop(&h->spool, id,
                      (uint32_t)((max_bytes + MSG_CHUNK_BYTES - 1) / MSG_CHUNK_BYTES));
}

static void tidy_run(uv_work_t *w)
{
    struct tidy *t = w->data;
    t->rc = store_slots_forget(t->h->store, t->round, drop_chunks, t->h, &t->err);
    if (t->rc == OK && t->params)
        t->rc = publish_checkpoint(&t->h->publish, t->round, t->params, &t->err);
}

static void tidy_done(uv_work_t *w, int status)
{
    struct tidy *t = w->data;
    struct host *h = t->h;
    h->n_jobs--;
    h->is_checkpointing = false;
    if (t->rc == OK) t->rc = host_note_checkpoint(h, &t->err);
    if (t->rc != OK || status != 0) log_err(LOG_WARN, &t->err, "tidying up after a round");
    free(t->params);
    free(t);
}

void job_tidy(struct host *h, bool is_forced)
{
    if (h->is_checkpointing) return; /* the next round does it */
    uint64_t round = h->round.round;
    struct tidy *t = alloc_zero(1, sizeof *t);
    if (!t) return;
    bool is_due = is_forced || round >= h->checkpoint.round + h->setup.checkpoint_every;
    if (is_due) t->params = alloc_zero((size_t)h->table.n_params, sizeof(float));
    if (t->params) memcpy(t->params, h->base, (size_t)h->table.n_params * sizeof(float));
    t->h = h;
    t->round = round;
    t->work.data = t;
    h->n_jobs++;
    h->is_checkpointing = true;
    check(uv_queue_work(h->loop, &t->work, tidy_run, tidy_done) == 0);
}
