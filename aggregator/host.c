#include "aggregator/host.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/describe.h"
#include "aggregator/hoststatus.h"
#include "aggregator/job.h"
#include "aggregator/scoring.h"
#include "aggregator/store_record.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "engine/tokenizer.h"

#define LOOK_MS         5000 /* between looks for what the host's commands left in the books */
#define KEEP_FREE_BYTES (16u << 20) /* a reservation leaves so much of the disk for the books */

/* ---- requests that wait --------------------------------------------------------------------- */

/* Take w out of the list and free it. */
static void remove_wait(struct host *h, struct host_wait *w)
{
    for (struct host_wait **at = &h->waits; *at; at = &(*at)->next) {
        if (*at != w) continue;
        *at = w->next;
        free(w);
        return;
    }
}

static void gone(struct request *r, void *ctx)
{
    struct host_wait *w = ctx;
    (void)r;
    remove_wait(w->host, w);
}

static struct host_wait *add_wait(struct host *h, struct request *r)
{
    struct host_wait *w = alloc_zero(1, sizeof *w);
    check(w != NULL);
    *w = (struct host_wait){.host = h, .request = r, .next = h->waits};
    h->waits = w;
    request_on_gone(r, gone, w);
    return w;
}

uint64_t host_wait_reply(struct host *h, struct request *r)
{
    struct host_wait *w = add_wait(h, r);
    w->req = ++h->last_req;
    return w->req;
}

static struct request *take_wait(struct host *h, uint64_t req)
{
    for (struct host_wait *w = h->waits; w; w = w->next) {
        if (w->is_poll || w->req != req) continue;
        struct request *r = w->request;
        remove_wait(h, w);
        return r;
    }
    return NULL; /* the peer has gone */
}

void host_drop_waits(struct host *h)
{
    for (struct host_wait *w = h->waits, *next = NULL; w; w = next) {
        next = w->next;
        free(w);
    }
    h->waits = NULL;
}

/* ---- polls ---------------------------------------------------------------------------------- */

int host_round_json(struct host *h, const char *session, struct buf *out, struct err *e)
{
    int64_t now = clock_mono_ms();
    struct msg_round m = {.val_loss = NAN,
                          .val_bits_per_byte = NAN,
                          .swarm_tok_per_s = registry_speed(&h->registry, now),
                          .checkpoint_round = h->checkpoint.round,
                          .checkpoint = h->checkpoint.file,
                          .checkpoint_bytes = h->checkpoint.n_bytes,
                          .oldest_update_round = h->oldest_update};
    round_describe(&h->round, now, &m);
    uv_mutex_lock(&h->val_lock);
    if (h->has_val) {
        m.val_loss = h->val_last.nats / (double)h->val_last.n_tokens;
        m.val_bits_per_byte = h->val_last.nats / log(2) / (double)h->val_last.n_bytes;
        m.val_round = h->val_last.round;
    }
    uv_mutex_unlock(&h->val_lock);
    memcpy(m.session, session, strlen(session) + 1);
    return msg_round_encode(&m, out, e);
}

static void reply_round(struct host *h, struct request *r)
{
    struct buf json = {0};
    struct err e = {0};
    if (host_round_json(h, "", &json, &e) == OK)
        request_reply(r, 200, "application/json", json.p, json.len);
    else
        request_reply_error(r, 500, e.what, "try again");
    buf_deinit(&json);
}

void host_wait_round(struct host *h, struct request *r, uint64_t after)
{
    if (after != h->round.round) {
        reply_round(h, r);
        return;
    }
    struct host_wait *w = add_wait(h, r);
    w->is_poll = true;
    w->after = after;
    w->until_ms = clock_mono_ms() + HOST_POLL_MS;
    host_tick(h);
}

/* Answer the polls that know less than there is, or have waited long enough. */
static void answer_polls(struct host *h, int64_t now)
{
    for (struct host_wait **at = &h->waits; *at;) {
        struct host_wait *w = *at;
        if (!w->is_poll || (w->after == h->round.round && now < w->until_ms)) {
            at = &w->next;
            continue;
        }
        struct request *r = w->request;
        *at = w->next;
        free(w);
        reply_round(h, r);
    }
}

/* ---- time ----------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *t)
{
    host_tick(t->data);
}

static void arm(struct host *h)
{
    int64_t now = clock_mono_ms();
    int64_t next = round_next_ms(&h->round, now);
    for (const struct host_wait *w = h->waits; w; w = w->next)
        if (w->is_poll && w->until_ms < next) next = w->until_ms;
    if (h->looked_ms + LOOK_MS < next) next = h->looked_ms + LOOK_MS;
    if (h->is_stopping)
        uv_timer_stop(&h->timer);
    else
        uv_timer_start(&h->timer, on_timer, next > now ? (uint64_t)(next - now) : 1, 0);
}

/* Did another command write into the books? The end of the run is asked for there. After the end
 * nothing but this publishes what was added to the record; until then the next round does.
 */
static enum round_event_kind look(struct host *h, int64_t now)
{
    struct err e = {0};
    struct store_tail tail;
    if (h->is_stopping || now - h->looked_ms < LOOK_MS) return ROUND_EV_TICK;
    h->looked_ms = now;
    int rc = store_record_tail(h->store, &tail, &e);
    if (rc == OK && h->round.state == ROUND_ENDED && tail.n_entries != h->n_entries) {
        rc = publish_log_write(h->publish.log, h->store, &e);
        if (rc == OK) h->n_entries = tail.n_entries;
    }
    if (rc != OK) log_err(LOG_WARN, &e, "looking into the books");
    if (rc != OK || !tail.is_ending || h->round.is_ending) return ROUND_EV_TICK;
    log_info("the run ends with round %" PRIu64, h->round.round);
    return ROUND_EV_END;
}

void host_tick(struct host *h)
{
    struct round_event ev = {.kind = look(h, clock_mono_ms())};
    host_step(h, &ev);
}

/* ---- actions -------------------------------------------------------------------------------- */

static void reply_slot(struct request *r, const struct msg_slot *slot)
{
    struct buf json = {0};
    struct err e = {0};
    if (msg_slot_encode(slot, &json, &e) == OK)
        request_reply(r, 201, "application/json", json.p, json.len);
    else
        request_reply_error(r, 500, e.what, "try again");
    buf_deinit(&json);
}

static void reply_receipt(struct host *h, struct request *r, const struct round_op *op)
{
    struct buf jws = {0};
    struct err e = {0};
    int rc = store_receipt_get(h->store, &op->contributor, op->round, &jws, NULL, NULL, &e);
    if (rc == OK)
        request_reply(r, 200, "application/jose", jws.p, jws.len);
    else
        request_reply_error(r, 503, "the receipt is stored but cannot be read just now",
                            "send the manifest again");
    buf_deinit(&jws);
}

/* Contributors wait for room on our disk, so our own log must say it too; once a minute is enough. */
static void tell_full_disk(struct host *h)
{
    int64_t now = clock_mono_ms();
    if (h->full_said_ms && now - h->full_said_ms < 60000) return;
    h->full_said_ms = now;
    log_warn("the disk of '%s' is full, contributions have to wait; to fix: free some space, "
             "nothing is lost and work goes on by itself",
             h->home);
}

/* draft-ietf-httpbis-resumable-upload: 204 with the offset, or 409 when it was not the one told. */
static void reply_offset(struct request *r, const struct round_action *a)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, a->n_stored);
    if (!a->is_complete) request_add_header(r, "upload-offset", text);
    request_add_header(r, "upload-complete", a->is_complete ? "?1" : "?0");
    request_add_header(r, "cache-control", "no-store");
    if (a->status == 204)
        request_reply(r, 204, NULL, NULL, 0);
    else
        request_reply_problem(
            r, a->status,
            "https://iana.org/assignments/http-problem-types#mismatching-upload-offset",
            "the bytes do not begin where those that are stored end", "go on from upload-offset");
}

static void reply(struct host *h, const struct round_action *a)
{
    if (a->kind == ROUND_DO_REPLY_ERROR && a->status == 507) tell_full_disk(h);
    struct request *r = take_wait(h, a->req);
    if (!r) return;
    if (a->kind == ROUND_DO_REPLY_SLOT) {
        reply_slot(r, &a->slot);
    } else if (a->kind == ROUND_DO_REPLY_STORED) {
        request_add_header(r, "upload-complete", "?1");
        request_reply(r, 204, NULL, NULL, 0);
    } else if (a->kind == ROUND_DO_REPLY_OFFSET) {
        reply_offset(r, a);
    } else if (a->kind == ROUND_DO_REPLY_RECEIPT) {
        reply_receipt(h, r, &a->op);
    } else {
        if (a->status == 503 || a->status == 507) request_add_header(r, "retry-after", "30");
        request_reply_error(r, a->status, a->detail, a->hint);
    }
}

static bool is_reply(enum round_action_kind k)
{
    return k == ROUND_DO_REPLY_SLOT || k == ROUND_DO_REPLY_STORED || k == ROUND_DO_REPLY_OFFSET ||
           k == ROUND_DO_REPLY_RECEIPT || k == ROUND_DO_REPLY_ERROR;
}

static void announce(struct host *h)
{
    static const char *const news[] = {[ROUND_OPEN] = "open",
                                       [ROUND_MERGING] = "closed, merging",
                                       [ROUND_ENDED] = "the run is over"};
    enum round_state s = h->round.state;
    if (s == ROUND_OPEN || s == ROUND_MERGING || s == ROUND_ENDED)
        log_info("round %" PRIu64 ": %s", h->round.round, news[s]);
    answer_polls(h, clock_mono_ms());
}

static void perform(struct host *h, const struct round_actions *out, const struct job_input *in)
{
    for (uint32_t i = 0; i < out->n; i++) {
        const struct round_action *a = &out->a[i];
        if (is_reply(a->kind))
            reply(h, a);
        else if (a->kind == ROUND_DO_ANNOUNCE)
            announce(h);
        else
            job_start(h, a, in);
    }
}

void host_step_with(struct host *h, const struct round_event *ev, const struct job_input *in)
{
    struct round_actions out;
    int64_t now = clock_mono_ms();
    round_step(&h->round, ev, now, &out);
    perform(h, &out, in);
    answer_polls(h, now);
    arm(h);
}

void host_step(struct host *h, const struct round_event *ev)
{
    host_step_with(h, ev, NULL);
}

/* ---- start ---------------------------------------------------------------------------------- */

static int home_path(const struct host *h, const char *name, char dst[PATH_CAP], struct err *e)
{
    if (path_format(dst, "%s/%s", h->home, name) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
}

static int open_files(struct host *h, struct err *e)
{
    char path[PATH_CAP];
    int rc = setup_load(h->home, &h->setup, e);
    if (rc == OK) rc = describe_read(h->home, &h->run, &h->run_jws, e);
    if (rc == OK) rc = home_path(h, "keys/host.key", path, e);
    if (rc == OK) rc = key_load_or_create(path, &h->key, e);
    if (rc == OK && !key_equal(&h->key.pub, &h->run.host)) {
        rc = err_set(e, ERR_AUTH, 0, "'%s' is not the key that signed this run", path);
        err_hint(e, "put back the keys folder of this run");
    }
    if (rc == OK) rc = dataset_open(h->home, &h->data, e);
    if (rc == OK) rc = dataset_check(&h->data, &h->run, e);
    if (rc == OK) rc = model_table_init(&h->table, &h->run.model, e);
    if (rc == OK) rc = spool_open(&h->spool, h->home, e);
    if (rc == OK) rc = home_path(h, "aggregator.db", path, e);
    if (rc == OK) rc = store_open(path, &h->run.id, &h->store, e);
    return rc;
}

static void fill_config(const struct host *h, uint32_t wait_for, struct round_config *c)
{
    const struct rundesc *d = &h->run;
    *c = (struct round_config){.run = d->id,
                               .wait_for = wait_for ? wait_for : 1,
                               .min_contributions = d->min_contributions ? d->min_contributions : 1,
                               .n_rounds = d->n_rounds,
                               .round_ms = rundesc_round_ms(d),
                               .inner_ms = d->inner_ms,
                               .upload_ms = d->upload_ms,
                               .max_inner_steps = d->max_inner_steps,
                               .tokens_per_step = (uint64_t)d->train.batch_seqs * d->train.seq_len,
                               .max_bytes =
                                   delta_max_bytes(&h->table, &d->train.delta, DELTA_CONTRIBUTION),
                               .keep_free_bytes = KEEP_FREE_BYTES,
                               .reward_per_round = d->reward_per_round};
    store_secret(h->store, c->secret);
}

static int open_weights(struct host *h, struct msg_update *last, uint64_t *ret_round, struct err *e)
{
    h->publish = (struct publish){
        .run = &h->run, .table = &h->table, .spool = &h->spool, .store = h->store, .key = &h->key};
    h->values_per_contribution = hoststatus_values(&h->table, &h->run.train.delta);
    h->base = alloc_zero((size_t)h->table.n_params, sizeof(float));
    h->next = alloc_zero((size_t)h->table.n_params, sizeof(float));
    if (!h->base || !h->next)
        return err_set(e, ERR_NOMEM, 0, "no memory for a model of %" PRIu64 " parameters",
                       h->table.n_params);
    int rc = publish_open(&h->publish, clock_wall_ms(), e);
    if (rc == OK) rc = publish_restore(&h->publish, h->base, last, e);
    if (rc != OK && rc != ERR_NOTFOUND) return rc;
    *ret_round = rc == OK ? last->round + 1 : 0;
    if (rc == ERR_NOTFOUND) *last = (struct msg_update){.result = h->run.initial_model};
    rc = host_note_checkpoint(h, e);
    if (rc != OK || h->checkpoint.n_bytes) return rc;
    rc = publish_checkpoint(&h->publish, *ret_round, h->base, e);
    return rc == OK ? host_note_checkpoint(h, e) : rc;
}

int host_note_checkpoint(struct host *h, struct err *e)
{
    struct store_checkpoint c[PUBLISH_KEEP_CHECKPOINTS];
    uint32_t n = 0;
    int rc = store_round_checkpoints(h->store, c, PUBLISH_KEEP_CHECKPOINTS, &n, e);
    if (rc != OK || n == 0) return rc;
    h->checkpoint = c[0];
    h->oldest_update = c[n - 1].round;
    return OK;
}

struct slots {
    const struct round_stored *s;
    uint32_t n;
};

static bool is_needed(const char *id, void *ctx)
{
    const struct slots *x = ctx;
    for (uint32_t i = 0; i < x->n; i++)
        if (x->s[i].has_slot && strcmp(x->s[i].id, id) == 0) return true;
    return false;
}

static int restore_round(struct host *h, uint32_t wait_for, const struct msg_update *last,
                         uint64_t round, struct round_actions *out, struct err *e)
{
    struct round_config c;
    struct round_stored *stored = NULL;
    uint32_t n = 0;
    struct store_tail tail = {0};
    int rc = store_record_tail(h->store, &tail, e);
    fill_config(h, wait_for, &c);
    c.is_ended = tail.is_ended;
    if (rc == OK) rc = round_init(&h->round, &c, e);
    if (rc == OK) rc = store_restore(h->store, round, &stored, &n, e);
    if (rc != OK) return rc;
    for (uint32_t i = 0; i < n; i++)
        if (stored[i].has_slot)
            spool_chunks_have(&h->spool, stored[i].id, MSG_MAX_CHUNKS, stored[i].have);
    spool_chunks_sweep(&h->spool, is_needed, &(struct slots){stored, n});
    rc = round_restore(&h->round, round, &last->result, &last->update, last->update_bytes, stored,
                       n, clock_mono_ms(), out, e);
    free(stored);
    return rc;
}

static void note_val(const struct store_val *v, void *ctx)
{
    struct host *h = ctx;
    struct err e = {0};
    if (store_round_val_put(h->store, v, &e) != OK) log_err(LOG_WARN, &e, "validation");
    uv_mutex_lock(&h->val_lock);
    if (!h->has_val || v->round < h->val_first.round) h->val_first = *v;
    if (!h->has_val || v->round >= h->val_last.round) h->val_last = *v;
    h->has_val = true;
    uv_mutex_unlock(&h->val_lock);
    log_info("round %" PRIu64 ": validation loss %.4f nats/token, %.4f bits/byte", v->round,
             v->nats / (double)v->n_tokens, v->nats / log(2) / (double)v->n_bytes);
}

static int open_validation(struct host *h, struct err *e)
{
    uint32_t *tokens = NULL;
    struct tokenizer *tk = NULL;
    struct valid_sample sample = {0};
    int rc = store_round_val(h->store, false, &h->val_first, e);
    if (rc == OK) rc = store_round_val(h->store, true, &h->val_last, e);
    h->has_val = rc == OK;
    if (rc != OK && rc != ERR_NOTFOUND) return rc;
    rc = dataset_tokens(&h->data.val, &tokens, e);
    if (rc == OK) rc = tokenizer_from_json(h->data.tokenizer.p, h->data.tokenizer.len, &tk, e);
    if (rc == OK)
        rc = valid_sample_take(tokens, h->data.val.x.n_tokens, h->run.train.seq_len,
                               (uint32_t)h->setup.val_seqs, tk, &sample, e);
    if (rc == OK) rc = valid_create(&h->run, &sample, note_val, h, &h->valid, e);
    valid_sample_deinit(&sample);
    tokenizer_destroy(tk);
    free(tokens);
    return rc;
}

int host_open(struct host *h, uv_loop_t *loop, const char *home, uint32_t wait_for, struct err *e)
{
    struct msg_update last = {0};
    struct round_actions out;
    uint64_t round = 0;
    *h = (struct host){.loop = loop, .started_ms = clock_mono_ms()};
    uv_mutex_init(&h->val_lock);
    uv_timer_init(loop, &h->timer);
    h->timer.data = h;
    if (path_format(h->home, "%s", home))
        return err_set(e, ERR_LIMIT, 0, "the path of the home folder is too long");
    int rc = open_files(h, e);
    if (rc == OK) rc = open_weights(h, &last, &round, e);
    if (rc == OK) rc = scoring_restore(h, e);
    if (rc == OK && h->scores.is_on) h->publish.scores = &h->scores;
    if (rc == OK) rc = open_validation(h, e);
    if (rc == OK) rc = restore_round(h, wait_for, &last, round, &out, e);
    if (rc == OK) perform(h, &out, NULL);
    return rc;
}

/* In a buffer of its own: a merge found at the restart may be writing h->next by now. */
static void submit_first(struct host *h)
{
    float *params = alloc_zero((size_t)h->table.n_params, sizeof *params);
    if (!params) {
        log_warn("no memory to measure the weights of round 0; to fix: free some, serve again");
        return;
    }
    struct err e = {0};
    if (publish_initial(&h->publish, params, &e) == OK)
        valid_submit(h->valid, 0, params);
    else
        log_err(LOG_WARN, &e, "measuring the weights of round 0");
    free(params);
}

/* Round 0 is what everything is compared with: measured again if it is not on record. */
void host_start(struct host *h)
{
    if (!h->has_val || h->val_first.round != 0) submit_first(h);
    if (h->round.round && (!h->has_val || h->val_last.round != h->round.round))
        valid_submit(h->valid, h->round.round, h->base);
    host_tick(h);
}

void host_close(struct host *h)
{
    if (!h) return;
    host_drop_waits(h);
    valid_destroy(h->valid);
    round_deinit(&h->round);
    scores_deinit(&h->scores);
    publish_close(&h->publish);
    store_close(h->store);
    dataset_close(&h->data);
    model_table_deinit(&h->table);
    buf_deinit(&h->run_jws);
    buf_deinit(&h->peers);
    free(h->base);
    free(h->next);
    key_wipe(&h->key);
    uv_mutex_destroy(&h->val_lock);
}
