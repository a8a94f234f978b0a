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
#define WRITE_TRIES     3

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

/* ---- the course of the run ------------------------------------------------------------------ */

int publish_course(const struct publish *p, struct course *ret, struct err *e)
{
    return store_record_course_of(p->store, p->run, &p->key->pub, ret, e);
}

static int terms_of(const struct publish *p, uint64_t round, struct course_terms *ret,
                    struct err *e)
{
    struct course c;
    int rc = publish_course(p, &c, e);
    if (rc == OK) *ret = course_terms(&c, round);
    course_deinit(&c);
    return rc;
}

/* ---- merging -------------------------------------------------------------------------------- */

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
static int merge_files(const struct publish *p, const struct course_terms *t,
                       const struct round_input *in, uint32_t n, struct buf *update, struct err *e)
{
    struct spool_view *payloads = alloc_zero(n, sizeof *payloads);
    struct merge_input *inputs = alloc_zero(n, sizeof *inputs);
    int rc = payloads && inputs ? OK : err_set(e, ERR_NOMEM, 0, "no memory to merge");
    uint32_t n_weighed = n;
    if (rc == OK) rc = read_inputs(p, in, n, payloads, inputs, e);
    if (rc == OK && p->scores) rc = weigh_inputs(in, &n_weighed, inputs, e);
    if (rc == OK)
        rc = merge_run(p->table, &p->run->train.delta, t->merge_min_senders, inputs, n_weighed,
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
    struct course_terms t;
    int rc = terms_of(p, ret->round, &t, e);
    if (rc == OK) rc = merge_files(p, &t, in, n, &update, e);
    if (rc == OK) {
        memcpy(next, base, (size_t)p->table->n_params * sizeof *next);
        rc = merge_apply(p->table, &p->run->train.delta, t.outer_lr, update.p, update.len, next, e);
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

/* A wish that cannot be fulfilled must not hold up the round. */
static int wanted_rollback(const struct publish *p, const struct msg_update *u,
                           struct entry_rollback *ret, bool *ret_has, struct err *e)
{
    struct err why = {0};
    float *weights = NULL;
    *ret = (struct entry_rollback){.next_round = u->round + 1};
    int rc = store_record_rollback_asked(p->store, &ret->to_round, ret->reason, e);
    if (rc != OK) return rc == ERR_NOTFOUND ? OK : rc;
    if (ret->to_round <= u->round) weights = alloc_zero(p->table->n_params, sizeof *weights);
    if (weights) rc = publish_weights(p, ret->to_round, weights, &why);
    *ret_has = weights && rc == OK;
    if (*ret_has) ret->result = model_hash(p->table, weights);
    free(weights);
    if (*ret_has) return OK;
    log_err(LOG_WARN, &why, "the run does not go back: the model of that round cannot be made");
    return store_record_drop_rollback(p->store, e);
}

/* back: room for the rollback, if there is one. */
static int make_page(const struct publish *p, struct publish_source *from,
                     struct entry_rollback *back, struct publish_page *page, struct err *e)
{
    uint8_t seed[32];
    store_secret(p->store, seed);
    from->seed = seed;
    struct course course;
    bool has_back = false;
    int rc = publish_course(p, &course, e);
    if (rc == OK) from->terms = course_terms(&course, from->update->round);
    if (rc == OK) from->n_rounds = course_terms(&course, from->update->round + 1).n_rounds;
    course_deinit(&course);
    if (rc == OK) rc = store_record_tail(p->store, &from->tail, e);
    from->is_last = rc == OK && from->tail.is_ending;
    if (rc == OK && from->tail.is_rolling)
        rc = wanted_rollback(p, from->update, back, &has_back, e);
    if (has_back) from->rollback = back;
    if (rc == OK)
        rc = store_record_rows(p->store, from->tail.next_seq, SHEET_MAX_ROWS, &page->rows,
                               &page->n_rows, e);
    if (rc == OK) rc = publish_page_make(from, page, e);
    from->seed = NULL; /* it was ours */
    return rc;
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

/* Another command may put an entry on record in between (payouts, a change): then the page is made anew,
 * with the place that the round has now.
 */
static int write_round(const struct publish *p, const struct msg_update *u,
                       struct publish_source *from, struct publish_page *page, int64_t at_ms,
                       struct err *e)
{
    struct entry_rollback back;
    int rc = ERR_WRONG_STATE;
    for (int i = 0; rc == ERR_WRONG_STATE && i < WRITE_TRIES; i++) {
        publish_page_deinit(page);
        from->rollback = NULL;
        rc = make_page(p, from, &back, page, e);
        if (rc != OK) break;
        rc = put_files(p, page, e);
        if (rc == OK) rc = commit(p, u, page, &from->tail, at_ms, e);
    }
    from->rollback = NULL; /* it pointed to ours */
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
    if (rc == ERR_NOTFOUND) rc = write_round(p, u, &from, &page, at_ms, e);
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

/* The model at the start of a round, as it is on record. */
static int model_at(const struct publish *p, const struct course *c, uint64_t round,
                    struct hash *ret, struct err *e)
{
    struct msg_update u = {.result = p->run->initial_model};
    const struct entry_rollback *back = course_rollback(c, round);
    int rc = round && !back ? store_round_get(p->store, round - 1, &u, NULL, e) : OK;
    *ret = back ? back->result : u.result;
    if (rc != ERR_NOTFOUND) return rc;
    return err_set(e, ERR_NOTFOUND, 0, "round %" PRIu64 " is not on record", round - 1);
}

static int check_model(const struct publish *p, const struct course *c, uint64_t round,
                       const float *params, struct err *e)
{
    struct hash want, got = model_hash(p->table, params);
    int rc = model_at(p, c, round, &want, e);
    if (rc != OK || hash_equal(&got, &want)) return rc;
    return err_set(e, ERR_AUTH, 0,
                   "the weights at the start of round %" PRIu64 " are not those "
                   "on record",
                   round);
}

static int apply_round(const struct publish *p, const struct course *c, uint64_t round,
                       float *params, struct err *e)
{
    struct msg_update u;
    struct buf update = {0};
    struct hash got;
    double outer_lr = course_terms(c, round).outer_lr;
    int rc = store_round_get(p->store, round, &u, NULL, e);
    if (rc == OK) rc = spool_read(p->spool, SPOOL_UPDATE, &u.update, max_update(p), &update, e);
    if (rc == OK)
        rc = merge_apply(p->table, &p->run->train.delta, outer_lr, update.p, update.len, params, e);
    buf_deinit(&update);
    if (rc != OK) return rc;
    got = model_hash(p->table, params);
    if (hash_equal(&got, &u.result)) return OK;
    return err_set(e, ERR_AUTH, 0, "the model after round %" PRIu64 " is not the one on record",
                   round);
}

/* A damaged checkpoint must not be offered to late joiners. */
static void drop_damaged(const struct publish *p, const struct store_checkpoint *c)
{
    struct err e = {0};
    if (store_round_checkpoint_drop(p->store, c->round, &e) == OK)
        spool_drop(p->spool, SPOOL_CHECKPOINT, &c->file);
    else
        log_err(LOG_WARN, &e, "a damaged checkpoint stays on record");
}

/* Is there a whole checkpoint of this round? */
static bool has_weights(const struct publish *p, const struct course *course, uint64_t round,
                        const struct store_checkpoint *c, uint32_t n, float *params, struct err *e)
{
    for (uint32_t i = 0; i < n; i++) {
        if (c[i].round != round) continue;
        int rc = load_checkpoint(p, &c[i], params, e);
        if (rc == OK) rc = check_model(p, course, round, params, e);
        if (rc == OK) return true;
        log_err(LOG_WARN, e, "a checkpoint cannot be used, trying the one before");
        drop_damaged(p, &c[i]);
    }
    return false;
}

/* Back from `round` to weights that are there; steps: the rounds whose updates lead back, newest first. */
static int find_way(const struct publish *p, const struct course *course, uint64_t round,
                    float *params, struct buf *steps, struct err *e)
{
    struct store_checkpoint c[MAX_CHECKPOINTS];
    uint32_t n = 0;
    int rc = store_round_checkpoints(p->store, c, MAX_CHECKPOINTS, &n, e);
    while (rc == OK && !has_weights(p, course, round, c, n, params, e)) {
        const struct entry_rollback *back = course_rollback(course, round);
        if (back) {
            round = back->to_round;
        } else if (round) {
            round--;
            buf_put(steps, &round, sizeof round);
        } else {
            rc = publish_initial(p, params, e);
            return rc == OK ? check_model(p, course, 0, params, e) : rc;
        }
        rc = buf_ok(steps, e);
    }
    return rc;
}

static int weights_at(const struct publish *p, const struct course *course, uint64_t round,
                      float *params, struct err *e)
{
    struct buf steps = {0};
    int rc = find_way(p, course, round, params, &steps, e);
    const uint64_t *s = (const void *)steps.p;
    for (size_t i = steps.len / sizeof *s; rc == OK && i-- > 0;)
        rc = apply_round(p, course, s[i], params, e);
    buf_deinit(&steps);
    return rc;
}

int publish_weights(const struct publish *p, uint64_t round, float *params, struct err *e)
{
    struct course course;
    int rc = publish_course(p, &course, e);
    if (rc == OK) rc = weights_at(p, &course, round, params, e);
    course_deinit(&course);
    return rc;
}

int publish_rolled(const struct publish *p, uint64_t round, float *params, struct hash *ret_base,
                   struct err *e)
{
    struct course course;
    int rc = publish_course(p, &course, e);
    const struct entry_rollback *back = rc == OK ? course_rollback(&course, round) : NULL;
    if (rc == OK && !back) rc = ERR_NOTFOUND;
    if (rc == OK) *ret_base = back->result;
    if (rc == OK) rc = weights_at(p, &course, round, params, e);
    course_deinit(&course);
    if (rc == OK) rc = step(p, "old model", e);
    return rc == OK ? publish_checkpoint(p, round, params, e) : rc;
}

int publish_restore(const struct publish *p, float *params, struct msg_update *last, struct err *e)
{
    struct course course;
    int found = store_round_last(p->store, last, e);
    if (found != OK && found != ERR_NOTFOUND) return found;
    uint64_t end = found == OK ? last->round + 1 : 0;
    int rc = publish_course(p, &course, e);
    bool is_read = rc == OK;
    if (rc == OK) rc = weights_at(p, &course, end, params, e);
    if (rc == OK && course_rollback(&course, end)) {
        last->result = course_rollback(&course, end)->result;
        last->update = (struct hash){0};
        last->update_bytes = 0;
    }
    course_deinit(&course);
    if (rc == OK || !is_read) return rc == OK ? found : rc;
    if (found == ERR_NOTFOUND && p->run->is_from_checkpoint) return rc;
    err_set(e, ERR_AUTH, 0, "no checkpoint in '%s/checkpoints' is whole", p->spool->home);
    err_hint(e, "put back a copy of that folder; docs/OPERATING.md, 'When something breaks'");
    return ERR_AUTH;
}
