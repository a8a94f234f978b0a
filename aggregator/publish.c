#include "aggregator/publish.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/origin.h"
#include "aggregator/publish_page.h"
#include "base/alloc.h"
#include "base/log.h"
#include "record/checkpoint.h"
#include "record/clip.h"
#include "record/merge.h"

#define MAX_CHECKPOINTS 64

static size_t max_payload(const struct publish *p)
{
    return delta_max_bytes(p->table, &p->run->train.delta, DELTA_CONTRIBUTION);
}

static size_t max_update(const struct publish *p)
{
    return delta_max_bytes(p->table, &p->run->train.delta, DELTA_UPDATE);
}

static int step(const struct publish *p, const char *what, struct err *e)
{
    return p->step ? p->step(p->step_ctx, what, e) : OK;
}

static int read_inputs(const struct publish *p, const struct round_input *in, uint32_t n,
                       struct spool_view *payloads, struct merge_input *out, struct err *e)
{
    for (uint32_t i = 0; i < n; i++) {
        int rc = spool_view(p->spool, SPOOL_PAYLOAD, &in[i].claim.payload, max_payload(p),
                            &payloads[i], e);
        if (rc != OK) return rc;
        out[i] = (struct merge_input){.contributor = in[i].contributor,
                                      .payload = payloads[i].p,
                                      .n_bytes = payloads[i].n,
                                      .n_tokens = in[i].claim.n_tokens};
    }
    return OK;
}

/* The scored rule: weights instead of tokens, bounded; what weighs nothing is left out. */
static int weigh_inputs(const struct round_input *in, uint32_t *n, struct merge_input *out,
                        struct err *e)
{
    uint32_t n_kept = 0;
    uint64_t *w = alloc_zero(*n ? *n : 1, sizeof *w);
    if (!w) return err_set(e, ERR_NOMEM, 0, "no memory to merge");
    for (uint32_t i = 0; i < *n; i++)
        w[i] = in[i].weight;
    clip_weights(w, *n);
    for (uint32_t i = 0; i < *n; i++) {
        if (!w[i]) continue;
        out[n_kept] = out[i];
        out[n_kept++].n_tokens = w[i];
    }
    *n = n_kept;
    free(w);
    return OK;
}

/* All contributions are walked side by side, tensor by tensor: in memory are sums of one chunk, the norms,
 * and whatever of the files the kernel has room to keep.
 */
static int merge_files(const struct publish *p, const struct round_input *in, uint32_t n,
                       struct buf *update, struct err *e)
{
    struct spool_view *payloads = alloc_zero(n, sizeof *payloads);
    struct merge_input *inputs = alloc_zero(n, sizeof *inputs);
    int rc = payloads && inputs ? OK : err_set(e, ERR_NOMEM, 0, "no memory to merge");
    uint32_t n_weighed = n;
    if (rc == OK) rc = read_inputs(p, in, n, payloads, inputs, e);
    if (rc == OK && p->scores) rc = weigh_inputs(in, &n_weighed, inputs, e);
    if (rc == OK)
        rc = merge_run(p->table, &p->run->train.delta, p->run->merge_min_senders, inputs, n_weighed,
                       update, e);
    for (uint32_t i = 0; payloads && i < n; i++)
        spool_view_close(&payloads[i]);
    free(payloads);
    free(inputs);
    return rc;
}

int publish_merge(const struct publish *p, const struct round_input *in, uint32_t n,
                  const float *base, float *next, struct msg_update *ret, struct err *e)
{
    struct buf update = {0};
    struct msg_update m = {0};
    int rc = merge_files(p, in, n, &update, e);
    if (rc == OK) {
        memcpy(next, base, (size_t)p->table->n_params * sizeof *next);
        rc = merge_apply(p->table, &p->run->train.delta, p->run->train.outer_lr, update.p,
                         update.len, next, e);
    }
    if (rc == OK) rc = step(p, "update", e);
    if (rc == OK) rc = spool_put(p->spool, SPOOL_UPDATE, update.p, update.len, &m.update, e);
    if (rc == OK) {
        ret->result = model_hash(p->table, next);
        ret->update = m.update;
        ret->update_bytes = update.len;
    }
    buf_deinit(&update);
    return rc == OK ? OK : err_wrap(e, "merging");
}

/* ---- the record ----------------------------------------------------------------------------- */

int publish_open(struct publish *p, int64_t at_ms, struct err *e)
{
    struct store_tail tail;
    struct store_entry first = {0};
    uint8_t seed[32];
    int rc = publish_log_open(p->spool, &p->run->id, p->key, &p->log, e);
    if (rc != OK) return rc;
    publish_log_on_step(p->log, p->step, p->step_ctx);
    rc = store_record_tail(p->store, &tail, e);
    if (rc == OK && tail.n_entries == 0) {
        store_secret(p->store, seed);
        rc = publish_page_open(p->run, p->key, seed, at_ms, &first, e);
        if (rc == OK) rc = step(p, "open", e);
        if (rc == OK) rc = store_record_append(p->store, 0, &first, 1, e);
        buf_deinit(&first.text);
    }
    return rc == OK ? publish_log_write(p->log, p->store, e) : rc;
}

void publish_close(struct publish *p)
{
    publish_log_close(p->log);
    p->log = NULL;
}

static int put_blob(const struct publish *p, enum spool_kind kind, const struct buf *b,
                    const char *what, struct err *e)
{
    struct hash h;
    int rc = step(p, what, e);
    return rc == OK ? spool_put(p->spool, kind, b->p, b->len, &h, e) : rc;
}

static int put_files(const struct publish *p, const struct publish_page *page, struct err *e)
{
    int rc = OK;
    for (uint32_t i = 0; rc == OK && i < page->n_rows; i++)
        rc = put_blob(p, SPOOL_RECEIPT, &page->rows[i].text, "receipt", e);
    return rc == OK ? put_blob(p, SPOOL_SHEET, &page->sheet, "sheet", e) : rc;
}

static int make_page(const struct publish *p, struct publish_source *from,
                     struct publish_page *page, struct err *e)
{
    uint8_t seed[32];
    store_secret(p->store, seed);
    from->seed = seed;
    int rc = store_record_tail(p->store, &from->tail, e);
    from->is_last = rc == OK && from->tail.is_ending;
    if (rc == OK)
        rc = store_record_rows(p->store, from->tail.next_seq, SHEET_MAX_ROWS, &page->rows,
                               &page->n_rows, e);
    return rc == OK ? publish_page_make(from, page, e) : rc;
}

/* Has this round been published already, as it is? Then only files may be missing. */
static int find_published(const struct publish *p, const struct msg_update *u, struct err *e)
{
    struct msg_update had;
    int rc = store_round_get(p->store, u->round, &had, NULL, e);
    if (rc != OK) return rc;
    if (hash_equal(&had.update, &u->update) && hash_equal(&had.result, &u->result)) return OK;
    return err_set(e, ERR_WRONG_STATE, 0, "round %" PRIu64 " is published with another update",
                   u->round);
}

static int commit(const struct publish *p, const struct msg_update *u,
                  const struct publish_page *page, const struct store_tail *tail, int64_t at_ms,
                  struct err *e)
{
    struct buf head = {0};
    int rc = msg_update_sign(u, p->key, &head, e);
    struct store_publication pub = {.update = u,
                                    .head = buf_str(&head),
                                    .first_index = tail->n_entries,
                                    .entries = page->entries,
                                    .n_entries = page->n_entries,
                                    .sheet = page->sheet_hash,
                                    .paid = page->paid,
                                    .rows = page->rows,
                                    .n_rows = page->n_rows,
                                    .at_ms = at_ms};
    if (rc == OK) rc = step(p, "transaction", e);
    if (rc == OK) rc = store_record_publish(p->store, &pub, e);
    buf_deinit(&head);
    return rc;
}

int publish_commit(const struct publish *p, const struct msg_update *u,
                   const struct round_input *in, uint32_t n, int64_t at_ms, struct err *e)
{
    struct publish_page page = {0};
    struct publish_source from = {
        .run = p->run, .key = p->key, .update = u, .inputs = in, .n_inputs = n, .at_ms = at_ms};
    if (p->scores) {
        from.is_scored = true;
        from.scores = p->scores->shown;
        from.n_scores = p->scores->n_shown;
    }
    int rc = find_published(p, u, e);
    if (rc == ERR_NOTFOUND) {
        rc = make_page(p, &from, &page, e);
        if (rc == OK) rc = put_files(p, &page, e);
        if (rc == OK) rc = commit(p, u, &page, &from.tail, at_ms, e);
    }
    publish_page_deinit(&page);
    if (rc == OK) rc = publish_log_write(p->log, p->store, e);
    return rc == OK ? OK : err_wrap(e, "publishing round %" PRIu64, u->round);
}

int publish_end(const struct publish *p, const struct hash *result, int64_t at_ms, struct err *e)
{
    struct store_tail tail;
    struct store_row *rows = NULL;
    struct store_entry end = {0};
    uint32_t n = 0;
    int rc = store_record_tail(p->store, &tail, e);
    if (rc == OK) rc = store_record_rows(p->store, tail.next_seq, 1, &rows, &n, e);
    store_record_rows_free(rows, n);
    if (rc == OK && n && !tail.is_ended)
        return err_set(e, ERR_WRONG_STATE, 0, "receipts of the open round are not settled yet");
    if (rc == OK && !tail.is_ended) {
        rc = publish_page_end(p->run, p->key, &tail, result, at_ms, &end, e);
        if (rc == OK) rc = step(p, "end", e);
        if (rc == OK) rc = store_record_append(p->store, tail.n_entries, &end, 1, e);
        buf_deinit(&end.text);
    }
    if (rc == OK) rc = publish_log_write(p->log, p->store, e);
    return rc == OK ? OK : err_wrap(e, "ending the run");
}

/* ---- checkpoints and what is old ------------------------------------------------------------ */

static void drop_payload(const struct hash *h, void *ctx)
{
    const struct spool *const *sp = ctx;
    spool_drop(*sp, SPOOL_PAYLOAD, h);
}

/* An update of nobody has the same bytes as the next of its kind: it stays. */
static void drop_round(const struct publish *p, uint64_t r)
{
    struct msg_update u;
    const struct spool *sp = p->spool;
    struct err e = {0};
    if (store_round_get(p->store, r, &u, NULL, &e) == OK && u.n_merged)
        spool_drop(p->spool, SPOOL_UPDATE, &u.update);
    if (store_round_payloads(p->store, r, drop_payload, &sp, &e) != OK)
        log_err(LOG_WARN, &e, "cannot clean up old payloads");
}

/* What was promised to auditors stays; so does what leads from the oldest checkpoint to now. */
static int forget_rounds(const struct publish *p, uint64_t n_rounds, uint64_t oldest_checkpoint,
                         struct err *e)
{
    uint64_t from = 0;
    if (!p->run->retention || n_rounds <= p->run->retention) return OK;
    uint64_t to = n_rounds - p->run->retention;
    if (to > oldest_checkpoint) to = oldest_checkpoint;
    int rc = store_record_forgotten(p->store, &from, e);
    if (rc != OK || from >= to) return rc;
    for (uint64_t r = from; r < to; r++)
        drop_round(p, r);
    return store_record_forget(p->store, to, e);
}

/* The row goes before its file: a row without a file would be offered to late joiners. */
static int forget_old(const struct publish *p, struct err *e)
{
    struct store_checkpoint c[MAX_CHECKPOINTS];
    uint32_t n = 0;
    int rc = store_round_checkpoints(p->store, c, MAX_CHECKPOINTS, &n, e);
    if (rc != OK || n == 0) return rc;
    for (uint32_t i = PUBLISH_KEEP_CHECKPOINTS; i < n; i++) {
        rc = store_round_checkpoint_drop(p->store, c[i].round, e);
        if (rc != OK) return rc;
        spool_drop(p->spool, SPOOL_CHECKPOINT, &c[i].file);
    }
    uint32_t i_oldest = n < PUBLISH_KEEP_CHECKPOINTS ? n - 1 : PUBLISH_KEEP_CHECKPOINTS - 1;
    return forget_rounds(p, c[0].round, c[i_oldest].round, e);
}

int publish_checkpoint(const struct publish *p, uint64_t round, const float *params, struct err *e)
{
    struct buf file = {0};
    struct store_checkpoint c = {.round = round};
    int rc = checkpoint_write(round, p->table, params, &file, e);
    if (rc == OK) rc = spool_put(p->spool, SPOOL_CHECKPOINT, file.p, file.len, &c.file, e);
    c.n_bytes = file.len;
    buf_deinit(&file);
    if (rc == OK) rc = store_round_checkpoint_put(p->store, &c, e);
    if (rc == OK) rc = forget_old(p, e);
    return rc == OK ? OK : err_wrap(e, "writing the checkpoint of round %" PRIu64, round);
}

static int load_checkpoint(const struct publish *p, const struct store_checkpoint *c, float *params,
                           struct err *e)
{
    struct buf file = {0};
    struct checkpoint v;
    int rc = spool_read(p->spool, SPOOL_CHECKPOINT, &c->file, (size_t)c->n_bytes, &file, e);
    if (rc == OK) rc = checkpoint_parse(file.p, file.len, &v, e);
    if (rc == OK && (v.n_params != p->table->n_params || v.round != c->round))
        rc = err_set(e, ERR_PROTO, 0, "the checkpoint of round %" PRIu64 " is of another model",
                     c->round);
    if (rc == OK)
        memcpy(params, v.weights, v.n_bytes); /* little endian, as every CPU we build for */
    buf_deinit(&file);
    return rc;
}

/* The weights must be what the round before produced, or what the run started from. */
static int check_model(const struct publish *p, uint64_t round, const float *params, struct err *e)
{
    struct msg_update u = {.result = p->run->initial_model};
    struct hash got = model_hash(p->table, params);
    int rc = round ? store_round_get(p->store, round - 1, &u, NULL, e) : OK;
    if (rc == ERR_NOTFOUND)
        return err_set(e, ERR_NOTFOUND, 0, "round %" PRIu64 " is not on record", round - 1);
    if (rc != OK || hash_equal(&got, &u.result)) return rc;
    return err_set(e, ERR_AUTH, 0,
                   "the weights at the start of round %" PRIu64 " are not those "
                   "on record",
                   round);
}

static int replay(const struct publish *p, uint64_t round, uint64_t end, float *params,
                  struct err *e)
{
    int rc = check_model(p, round, params, e);
    for (; rc == OK && round < end; round++) {
        struct msg_update u;
        struct buf update = {0};
        rc = store_round_get(p->store, round, &u, NULL, e);
        if (rc == OK) rc = spool_read(p->spool, SPOOL_UPDATE, &u.update, max_update(p), &update, e);
        if (rc == OK)
            rc = merge_apply(p->table, &p->run->train.delta, p->run->train.outer_lr, update.p,
                             update.len, params, e);
        if (rc == OK) rc = check_model(p, round + 1, params, e);
        buf_deinit(&update);
    }
    return rc;
}

/* Checkpoints newer than the one that worked must not be offered to late joiners. */
static void drop_damaged(const struct publish *p, const struct store_checkpoint *c, uint32_t n)
{
    struct err e = {0};
    for (uint32_t i = 0; i < n; i++) {
        if (store_round_checkpoint_drop(p->store, c[i].round, &e) == OK)
            spool_drop(p->spool, SPOOL_CHECKPOINT, &c[i].file);
        else
            log_err(LOG_WARN, &e, "a damaged checkpoint stays on record");
    }
}

int publish_initial(const struct publish *p, float *params, struct err *e)
{
    struct hash got;
    if (!p->run->is_from_checkpoint) {
        model_init_weights(p->table, &p->run->model, p->run->init_seed, params);
        return OK;
    }
    int rc = origin_weights(p->spool->home, p->table, params, &got, e);
    if (rc == OK && hash_equal(&got, &p->run->initial_model)) return OK;
    if (rc != OK && rc != ERR_NOTFOUND) return rc;
    err_set(e, ERR_AUTH, 0, "'%s/model/weights' is %s", p->spool->home,
            rc == OK ? "not what this run began with" : "gone");
    err_hint(e, "put back the right file");
    return ERR_AUTH;
}

int publish_restore(const struct publish *p, float *params, struct msg_update *last, struct err *e)
{
    struct store_checkpoint c[MAX_CHECKPOINTS];
    uint32_t n = 0;
    int found = store_round_last(p->store, last, e);
    if (found != OK && found != ERR_NOTFOUND) return found;
    uint64_t end = found == OK ? last->round + 1 : 0;
    int rc = store_round_checkpoints(p->store, c, MAX_CHECKPOINTS, &n, e);
    if (rc != OK) return rc;
    for (uint32_t i = 0; i < n; i++) {
        if (c[i].round > end) continue;
        rc = load_checkpoint(p, &c[i], params, e);
        if (rc == OK) rc = replay(p, c[i].round, end, params, e);
        if (rc == OK) {
            drop_damaged(p, c, i);
            return found;
        }
        log_err(LOG_WARN, e, "a checkpoint cannot be used, trying the one before");
    }
    /* No checkpoint: round 0's weights can be had again, and maybe all updates are still there. */
    rc = publish_initial(p, params, e);
    if (rc == OK) rc = replay(p, 0, end, params, e);
    if (rc == OK) return found;
    if (found == ERR_NOTFOUND && p->run->is_from_checkpoint) return rc;
    err_set(e, ERR_AUTH, 0, "no checkpoint in '%s/checkpoints' is whole", p->spool->home);
    err_hint(e, "put back a copy of that folder; docs/OPERATING.md, 'When something breaks'");
    return ERR_AUTH;
}
