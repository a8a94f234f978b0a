/* The host's work: each job is written (seen by readers, gone after a crash), then synced, then
 * told to the machine; the power may go in between. A job that fails may have reached the disk all
 * the same, as with a real fsync error.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/outer.h"
#include "record/merge.h"
#include "tests/sim/sim_oracle.h"
#include "tests/sim/sim_store.h"
#include "tests/sim/sim_world.h"

enum { STAGE_WRITE, STAGE_SYNC, STAGE_DONE, STAGE_LATE_SYNC };

void sim_host_work_free(struct sim_job *job)
{
    if (!job) return;
    buf_deinit(&job->chunk);
    free(job->chunks);
    free(job);
}

static void schedule(struct sim_world *w, struct sim_job *job, int64_t in_ms)
{
    sim_world_push(w, in_ms, SIM_EV_HOST_WORK, 0, w->host.life)->data = job;
}

void sim_host_work_begin(struct sim_world *w, const struct round_action *a,
                         const struct sim_request *rq, const struct msg_manifest *m)
{
    struct sim_job *job = alloc_zero(1, sizeof *job);
    check(job);
    job->what = a->kind;
    job->op = a->op;
    job->done = (struct round_event){
        .kind = ROUND_EV_DONE, .work = a->kind, .op = a->op, .outcome = ROUND_OK};
    if (a->kind == ROUND_DO_STORE_CHUNK) {
        buf_put(&job->chunk, rq->body.p, rq->body.len);
        job->digest = rq->digest;
    }
    if (a->kind == ROUND_DO_JUDGE) {
        job->n_chunks = m->n_chunks;
        job->chunks = alloc_zero(m->n_chunks, sizeof *job->chunks);
        check(job->chunks);
        memcpy(job->chunks, m->chunks, m->n_chunks * sizeof *job->chunks);
    }
    schedule(w, job, sim_world_between(w, 0, a->kind == ROUND_DO_MERGE ? 300 : 10));
}

/* --- what each kind writes ---------------------------------------------------------------------- */

static void put(struct sim_world *w, struct sim_job *job, bool is_db, const char *name,
                const void *p, size_t n)
{
    uint64_t *txn = is_db ? &job->txn : &job->txn_files;
    if (!*txn) *txn = sim_disk_begin(&w->host.disk);
    sim_disk_put(&w->host.disk, *txn, is_db, name, p, n);
}

static void store_slot(struct sim_world *w, struct sim_job *job)
{
    char name[SIM_DISK_NAME];
    sim_store_slot_name(name, job->op.round, &job->op.contributor);
    put(w, job, true, name, &job->op, sizeof job->op);
}

static void store_chunk(struct sim_world *w, struct sim_job *job)
{
    char name[SIM_DISK_NAME];
    struct hash h = hash_of(job->chunk.p, job->chunk.len);
    if (!hash_equal(&h, &job->digest)) {
        job->done.outcome = ROUND_MISMATCH;
        return;
    }
    sim_store_chunk_name(name, job->op.id, job->op.i_chunk);
    put(w, job, false, name, job->chunk.p, job->chunk.len);
}

static void judge(struct sim_world *w, struct sim_job *job)
{
    char name[SIM_DISK_NAME];
    const struct buf *b = NULL;
    struct err e = {0};
    for (uint32_t i = 0; i < job->n_chunks; i++) {
        sim_store_chunk_name(name, job->op.id, i);
        b = sim_disk_get(&w->host.disk, name);
        struct hash h = {0};
        if (b) h = hash_of(b->p, b->len);
        if (!b || !hash_equal(&h, &job->chunks[i])) {
            job->done.outcome = ROUND_MISMATCH;
            return;
        }
    }
    check(b); /* a manifest names at least one chunk */
    /* The last chunk holds the packed values; those before it are bulk. */
    if (delta_check(&w->table, &w->delta, DELTA_CONTRIBUTION, b->p, b->len, NULL, &e)) {
        job->done.outcome = ROUND_BAD;
        snprintf(job->done.reason, sizeof job->done.reason, "%.150s", e.what);
        return;
    }
    struct buf copy = {0};
    buf_put(&copy, b->p, b->len);
    sim_store_hash_name(name, "payload", &job->op.claim.payload);
    put(w, job, false, name, copy.p, copy.len);
    buf_deinit(&copy);
}

static void store_receipt(struct sim_world *w, struct sim_job *job)
{
    const struct round_op *op = &job->op;
    struct sim_receipt old;
    char name[SIM_DISK_NAME];
    if (sim_store_receipt(&w->host.disk, &op->contributor, op->round, &old)) {
        job->done.seq = old.seq;
        job->done.verdict = old.verdict;
        return;
    }
    struct msg_receipt m = {.run = w->run,
                            .contributor = op->contributor,
                            .seq = sim_store_last_seq(&w->host.disk) + 1,
                            .round = op->round,
                            .payload = op->claim.payload,
                            .n_bytes = op->claim.n_bytes,
                            .n_tokens = op->claim.n_tokens,
                            .verdict = op->verdict,
                            .created_at_ms = sim_world_wall(w)};
    memcpy(m.reason, op->reason, sizeof m.reason);
    struct sim_receipt row = {.contributor = op->contributor,
                              .round = op->round,
                              .seq = m.seq,
                              .verdict = op->verdict,
                              .claim = op->claim};
    struct buf text = {0};
    struct err e = {0};
    if (msg_receipt_sign(&m, &w->host.key, &text, &e)) {
        sim_world_fail(w, "a receipt cannot be written: %s", e.what);
        return;
    }
    check(text.len <= sizeof row.text);
    row.n_text = (uint32_t)text.len;
    memcpy(row.text, text.p, text.len);
    buf_deinit(&text);
    sim_store_receipt_name(name, &op->contributor, op->round);
    put(w, job, true, name, &row, sizeof row);
    job->done.seq = row.seq;
    job->done.verdict = row.verdict;
}

static void find_receipt(struct sim_world *w, struct sim_job *job)
{
    struct sim_receipt r;
    if (sim_store_receipt(&w->host.disk, &job->op.contributor, job->op.round, &r)) {
        job->done.seq = r.seq;
        job->done.verdict = r.verdict;
    } else {
        job->done.outcome = ROUND_NONE;
    }
}

static void merge(struct sim_world *w, struct sim_job *job)
{
    struct sim_host *h = &w->host;
    struct merge_input in[SIM_MAX_PEERS] = {0};
    char name[SIM_DISK_NAME];
    struct buf update = {0};
    struct err e = {0};
    uint32_t n = 0;
    const struct round_input *inputs = round_inputs(&h->round, &n);
    check(n <= SIM_MAX_PEERS);
    for (uint32_t i = 0; i < n; i++) {
        sim_store_hash_name(name, "payload", &inputs[i].claim.payload);
        const struct buf *b = sim_disk_get(&h->disk, name);
        if (!b) {
            sim_world_fail(w, "round %" PRIu64 ": the payload of an accepted contribution is lost",
                           h->round.round);
            return;
        }
        in[i] = (struct merge_input){.contributor = inputs[i].contributor,
                                     .payload = b->p,
                                     .n_bytes = b->len,
                                     .n_tokens = inputs[i].claim.n_tokens};
    }
    size_t size = w->table.n_params * sizeof(float);
    float *next = alloc_zero(1, size);
    check(next);
    memcpy(next, h->base, size);
    if (merge_run(&w->table, &w->delta, 1, in, n, &update, &e) ||
        merge_apply(&w->table, &w->delta, SIM_OUTER_LR, update.p, update.len, next, &e)) {
        sim_world_fail(w, "accepted contributions cannot be merged: %s", e.what);
    } else {
        job->done.update = hash_of(update.p, update.len);
        job->done.update_bytes = update.len;
        job->done.result = sim_world_hash(w, next);
        sim_store_hash_name(name, "update", &job->done.update);
        put(w, job, false, name, update.p, update.len);
    }
    free(next);
    buf_deinit(&update);
}

static void publish(struct sim_world *w, struct sim_job *job)
{
    struct sim_host *h = &w->host;
    struct msg_update m = *round_update(&h->round);
    char name[SIM_DISK_NAME];
    struct buf head = {0};
    struct err e = {0};
    uint32_t n = 0;
    const struct round_input *inputs = round_inputs(&h->round, &n);
    for (uint32_t i = 0; i < n; i++) {
        struct sim_line line = {m.round, inputs[i].receipt_seq, inputs[i].reward};
        sim_store_line_name(name, m.round, &inputs[i].contributor);
        put(w, job, true, name, &line, sizeof line);
    }
    if (w->opt.plant == SIM_PLANT_SPLIT_PUBLISH) {
        sim_disk_sync(&h->disk, job->txn);
        job->txn = 0; /* the rows below: another transaction */
    }
    if (msg_update_sign(&m, &h->key, &head, &e)) {
        sim_world_fail(w, "an update cannot be announced: %s", e.what);
        return;
    }
    sim_store_number_name(name, "head", m.round);
    put(w, job, true, name, head.p, head.len);
    sim_store_number_name(name, "round", m.round);
    put(w, job, true, name, &m, sizeof m);
    buf_deinit(&head);
}

/* The weights after the update just published, for everybody who comes later. */
static void next_base(struct sim_world *w, uint64_t round)
{
    struct sim_host *h = &w->host;
    struct msg_update m;
    char name[SIM_DISK_NAME];
    struct err e = {0};
    sim_store_number_name(name, "round", round);
    check(sim_store_row(&h->disk, name, &m, sizeof m));
    sim_store_hash_name(name, "update", &m.update);
    const struct buf *b = sim_disk_get(&h->disk, name);
    if (!b || merge_apply(&w->table, &w->delta, SIM_OUTER_LR, b->p, b->len, h->base, &e)) {
        sim_world_fail(w, "round %" PRIu64 " is published but its update is lost", round);
        return;
    }
    h->base_round = round + 1;
    bool is_last = round + 1 == w->plan.n_rounds;
    if ((round + 1) % w->plan.checkpoint_every && !is_last) return;
    uint64_t txn = sim_disk_begin(&h->disk);
    sim_store_number_name(name, "weights", round + 1);
    sim_disk_put(&h->disk, txn, false, name, h->base, w->table.n_params * sizeof(float));
    sim_disk_sync(&h->disk, txn);
}

/* --- the stages --------------------------------------------------------------------------------- */

static void write_job(struct sim_world *w, struct sim_job *job)
{
    switch (job->what) {
    case ROUND_DO_STORE_SLOT: store_slot(w, job); break;
    case ROUND_DO_STORE_CHUNK: store_chunk(w, job); break;
    case ROUND_DO_JUDGE: judge(w, job); break;
    case ROUND_DO_STORE_RECEIPT: store_receipt(w, job); break;
    case ROUND_DO_FIND_RECEIPT: find_receipt(w, job); break;
    case ROUND_DO_MERGE: merge(w, job); break;
    case ROUND_DO_PUBLISH: publish(w, job); break;
    case ROUND_DO_REPLY_SLOT:
    case ROUND_DO_FIND_PART: /* nothing asks here: chunks come whole or not at all */
    case ROUND_DO_REPLY_STORED:
    case ROUND_DO_REPLY_OFFSET:
    case ROUND_DO_REPLY_RECEIPT:
    case ROUND_DO_REPLY_ERROR:
    case ROUND_DO_ANNOUNCE: check(!"not work");
    }
}

static void sync_job(struct sim_world *w, struct sim_job *job)
{
    if (job->txn_files) sim_disk_sync(&w->host.disk, job->txn_files);
    if (job->txn) sim_disk_sync(&w->host.disk, job->txn);
    if (job->what == ROUND_DO_PUBLISH && job->txn) sim_oracle_published(w, job->op.round);
}

static void fail_job(struct sim_world *w, struct sim_job *job)
{
    job->done.outcome = sim_world_chance(w, 0.5) ? ROUND_FULL : ROUND_FAILED;
}

static void note_chunk(struct sim_world *w, const struct sim_job *job)
{
    if (job->what != ROUND_DO_STORE_CHUNK || job->done.outcome != ROUND_OK) return;
    char name[SIM_DISK_NAME];
    sim_store_chunk_name(name, job->op.id, job->op.i_chunk);
    sim_oracle_chunk(w, job->op.round, name);
}

/* Tell the machine. The round that was published is taken over before its answer goes out. */
static void tell(struct sim_world *w, const struct sim_job *job)
{
    bool is_new = job->what == ROUND_DO_PUBLISH && job->done.outcome == ROUND_OK &&
                  w->host.base_round == job->op.round;
    if (is_new) next_base(w, job->op.round);
    note_chunk(w, job);
    if (!w->has_failed) sim_host_step(w, &job->done, NULL, NULL);
}

static void stage_write(struct sim_world *w, struct sim_job *job)
{
    bool fails = sim_world_accident(w, w->plan.disk_frac);
    if (fails) fail_job(w, job);
    if (!fails || job->what == ROUND_DO_FIND_RECEIPT || sim_world_chance(w, 0.5)) {
        enum round_outcome outcome = job->done.outcome;
        write_job(w, job); /* it may reach the disk although it is said to have failed */
        if (fails) job->done.outcome = outcome;
        if (fails && job->txn) {
            sim_disk_haunt(&w->host.disk, job->txn);
            job->txn = 0;
        }
    }
    bool is_early =
        w->opt.plant == SIM_PLANT_ACK_BEFORE_SYNC && job->what == ROUND_DO_STORE_RECEIPT;
    job->stage = is_early ? STAGE_LATE_SYNC : STAGE_SYNC;
    if (is_early) {
        uint32_t life = w->host.life;
        struct round_event done = job->done;
        schedule(w, job, sim_world_between(w, 100, 2000));
        if (w->host.life == life) sim_host_step(w, &done, NULL, NULL);
        return;
    }
    bool is_slow = sim_world_accident(w, 0.05) ||
                   (w->opt.plant == SIM_PLANT_SPLIT_PUBLISH && job->what == ROUND_DO_PUBLISH);
    schedule(w, job, sim_world_between(w, 0, is_slow ? 5000 : 20));
}

void sim_host_work_go_on(struct sim_world *w, struct sim_event *ev)
{
    struct sim_job *job = ev->data;
    sim_world_fold(w, (uint64_t)job->what << 8 | job->stage);
    if (sim_world_accident(w, w->plan.crash_frac)) { /* between two stages */
        sim_host_crash(w);
        return;
    }
    ev->data = NULL; /* each stage decides what becomes of it */
    if (job->stage == STAGE_WRITE) {
        stage_write(w, job);
        return;
    }
    if (job->stage == STAGE_SYNC) {
        sync_job(w, job);
        job->stage = STAGE_DONE;
        schedule(w, job, sim_world_between(w, 0, 3));
        return;
    }
    if (job->stage == STAGE_LATE_SYNC)
        sync_job(w, job);
    else
        tell(w, job);
    sim_host_work_free(job);
}
