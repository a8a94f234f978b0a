#include "client/wire.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/utf8.h"
#include "client/receipts.h"
#include "client/sent.h"
#include "client/wire_in.h"
#include "client/work_state.h"
#include "engine/delta.h"
#include "engine/model.h"
#include "net/limits.h"
#include "net/link.h"
#include "record/checkpoint.h"

#define MAX_SMALL  (1u << 20)
#define BYE_MS     1000
#define POLL_STALL 40000 /* a poll may be held back for 20 s */
#define N_TEXTS    6     /* fetched side by side; the other streams stay free */
#define TYPE_JOSE  "application/jose"
#define TYPE_BYTES "application/octet-stream"

static void on_done(const struct link_reply *reply, void *ctx);

/* --- link and calls ----------------------------------------------------------------------------- */

void wire_part_closed(void *ctx)
{
    struct wire *w = ctx;
    if (--w->n_open > 0 || !w->is_closing) return;
    void (*fn)(void *) = w->closed_fn;
    void *fn_ctx = w->closed_ctx;
    buf_deinit(&w->up.bytes);
    buf_deinit(&w->fetched);
    treehead_check_clear(&w->check);
    treehead_deinit(&w->treehead);
    changes_deinit(&w->changes);
    free(w);
    if (fn) fn(fn_ctx);
}

static void drop_link(struct wire *w)
{
    if (!w->link) return;
    uint64_t in = 0, out = 0;
    wire_up_stop(w);
    link_traffic(w->link, &in, &out);
    w->in_before += in;
    w->out_before += out;
    struct link *l = w->link;
    w->link = NULL;
    link_close(l, wire_part_closed, w);
}

static int use_address(struct wire *w, uint32_t i, struct err *e)
{
    if (w->link && w->i_address == i) return OK;
    drop_link(w);
    const struct rundesc_aggregator *a = &w->config.run->aggregators[i];
    struct link_config c = {.host = a->host,
                            .port = a->port,
                            .tls_pin = &a->tls_pin,
                            .up = &w->up_cap,
                            .down = &w->down_cap};
    int rc = link_create(w->config.loop, &c, &w->link, e);
    if (rc != OK) return rc;
    w->n_open++;
    w->i_link++;
    w->i_address = i;
    return OK;
}

struct call *wire_call_add(struct wire *w, enum purpose purpose)
{
    struct call *k = alloc_zero(1, sizeof *k);
    check(k != NULL); /* a few hundred bytes: without them nothing can be asked any more */
    k->wire = w;
    k->purpose = purpose;
    k->next = w->calls;
    w->calls = k;
    return k;
}

void wire_call_end(struct call *k)
{
    struct call **p = &k->wire->calls;
    while (*p != k)
        p = &(*p)->next;
    *p = k->next;
    free(k);
}

void wire_call_start(struct wire *w, struct call *k, struct link_request *r)
{
    r->done = on_done;
    r->ctx = k;
    k->i_link = w->i_link;
    k->id = link_send(w->link, r);
}

const char *wire_number(char dst[WIRE_NUMBER_CAP], uint64_t v)
{
    snprintf(dst, WIRE_NUMBER_CAP, "%llu", (unsigned long long)v);
    return dst;
}

void wire_call_get(struct wire *w, struct call *k, const char *path, size_t max)
{
    struct link_request r = {.method = "GET", .path = path, .max_reply_bytes = max};
    wire_call_start(w, k, &r);
}

/* --- failures ----------------------------------------------------------------------------------- */

/* One printable sentence out of a problem document (RFC 9457), or the status alone. */
static void problem_text(const struct link_reply *reply, char *dst, size_t cap)
{
    json_t *o = NULL;
    snprintf(dst, cap, "the aggregator answered with status %d", reply->status);
    if (reply->n_body == 0 || json_parse(reply->body, reply->n_body, &o, NULL) != OK) return;
    const char *detail = json_string_value(json_object_get(o, "detail"));
    const char *hint = json_string_value(json_object_get(o, "hint"));
    char text[2 * MSG_REASON_CAP];
    if (detail) {
        bool has_hint = hint && *hint;
        snprintf(text, sizeof text, "%s%s%s%s", detail, has_hint ? " (" : "", has_hint ? hint : "",
                 has_hint ? ")" : "");
        utf8_printable(text, dst, cap);
    }
    json_decref(o);
}

void wire_call_failed(struct call *k, int code, int status, uint32_t retry_after_s, const char *why)
{
    struct session_event ev = {.kind = SESSION_EV_FAILED, .tag = k->tag};
    ev.failed.code = code;
    ev.failed.status = status;
    ev.failed.retry_after_ms = (int64_t)retry_after_s * 1000;
    ev.failed.why = why;
    k->wire->config.on_event(&ev, k->wire->config.ctx);
}

void wire_call_err(struct call *k, const struct err *e)
{
    char line[MSG_REASON_CAP] = "the connection was given up";
    if (e->what[0]) err_line(e, line, sizeof line);
    wire_call_failed(k, e->code, 0, 0, line);
}

/* --- answers to the session ---------------------------------------------------------------------- */

static int answer_slot(struct call *k, const struct link_reply *reply, struct err *e)
{
    struct msg_slot slot;
    int rc = msg_slot_decode(reply->body, reply->n_body, &slot, e);
    if (rc == OK && slot.chunk_bytes != MSG_CHUNK_BYTES)
        rc = err_set(e, ERR_PROTO, 0,
                     "the aggregator wants pieces of %u bytes; this program sends %u",
                     slot.chunk_bytes, MSG_CHUNK_BYTES);
    if (rc != OK) return rc;
    wire_up_reserved(k->wire);
    struct session_event ev = {.kind = SESSION_EV_SLOT, .tag = k->tag, .slot = &slot};
    k->wire->config.on_event(&ev, k->wire->config.ctx);
    return OK;
}

static int answer_receipt(struct call *k, const struct link_reply *reply, struct err *e)
{
    struct wire *w = k->wire;
    struct msg_receipt r;
    int rc = receipts_check(reply->body, reply->n_body, w->config.run, &w->config.key->pub, &r, e);
    if (rc == OK) rc = receipts_append(w->receipts_path, reply->body, reply->n_body, e);
    if (rc != OK) return rc;
    struct session_event ev = {.kind = SESSION_EV_RECEIPT, .tag = k->tag, .receipt = &r};
    w->config.on_event(&ev, w->config.ctx);
    return OK;
}

static int on_piece(const uint8_t *p, size_t n, void *ctx)
{
    struct call *k = ctx;
    struct wire *w = k->wire;
    if (k->is_dropped || w->fetched.len + n > w->fetch_expected) return -1;
    buf_put(&w->fetched, p, n);
    return w->fetched.failed ? -1 : 0;
}

/* Who runs the aggregator says how long the bytes are; the run description bounds what can be true. */
static int check_length(const struct wire *w, bool is_update, uint64_t n_bytes, struct err *e)
{
    const struct rundesc *run = w->config.run;
    struct model_table t;
    int rc = model_table_init(&t, &run->model, e);
    if (rc != OK) return rc;
    uint64_t most = is_update ? delta_max_bytes(&t, &run->train.delta, DELTA_UPDATE)
                              : CHECKPOINT_HEADER_BYTES + t.n_params * sizeof(float);
    model_table_deinit(&t);
    if (n_bytes <= most && n_bytes <= LIMIT_RESPONSE_BYTES) return OK;
    err_set(e, ERR_LIMIT, 0, "the %s is said to have %llu bytes; for this model %llu are possible",
            is_update ? "update" : "checkpoint", (unsigned long long)n_bytes,
            (unsigned long long)most);
    err_hint(e, "tell the run's host");
    return ERR_LIMIT;
}

static void on_body_moved(void *ctx)
{
    struct call *k = ctx;
    struct session_event ev = {.kind = SESSION_EV_PROGRESS, .tag = k->tag};
    if (!k->is_dropped) k->wire->config.on_event(&ev, k->wire->config.ctx);
}

/* Whoever was away for long wants to know what coming back costs. */
static void tell_fetch(const struct wire *w, bool is_update)
{
    double left_mb = (double)(w->fetch_expected - w->fetched.len) / 1e6;
    char eta[48] = "";
    if (left_mb < 1) return;
    if (w->fetch_rate > 0)
        snprintf(eta, sizeof eta, ", about %.0f s", left_mb * 1e6 / w->fetch_rate + 0.5);
    log_info("fetching %s, %.1f MB%s%s", is_update ? "an update" : "the weights", left_mb,
             w->fetched.len ? " that are missing" : "", eta);
}

static void fetch_body(struct wire *w, struct call *k, uint64_t n_bytes)
{
    char path[64];
    bool is_update = k->action.what == SESSION_DO_FETCH_UPDATE;
    char round[WIRE_NUMBER_CAP];
    SENT_PATH(is_update ? SENT_UPDATE : SENT_CHECKPOINT, path, sizeof path,
              wire_number(round, k->action.round));
    const struct hash *want = is_update ? &k->head.update : &k->action.hash;
    char range[64];
    /* What came of it before the line broke, or the aggregator went, is not fetched again. */
    bool goes_on = w->fetched.len > 0 && !w->fetched.failed && w->fetched.len < n_bytes &&
                   w->fetch_expected == n_bytes && hash_equal(want, &w->fetch_hash);
    if (!goes_on) buf_clear(&w->fetched);
    w->fetch_hash = *want;
    w->fetch_expected = n_bytes;
    w->is_fetching = true;
    w->fetch_from = w->fetched.len;
    w->fetch_ns = uv_hrtime();
    k->purpose = FOR_BODY;
    tell_fetch(w, is_update);
    snprintf(range, sizeof range, "bytes=%zu-", w->fetched.len);
    struct link_request r = {.method = "GET",
                             .path = path,
                             .range = goes_on ? range : NULL,
                             .on_data = on_piece,
                             .on_moved = on_body_moved,
                             .max_reply_bytes = (size_t)n_bytes + 1};
    wire_call_start(w, k, &r);
}

/* The head of an update came: check it, then fetch the bytes with the same call. */
static int answer_head(struct call *k, const struct link_reply *reply, struct err *e)
{
    struct wire *w = k->wire;
    const struct rundesc *run = w->config.run;
    struct msg_update head;
    int rc = ERR_AUTH;
    for (uint32_t i = 0; i < run->n_aggregators && rc != OK; i++)
        rc = msg_update_verify(reply->body, reply->n_body, &run->aggregators[i].key, &head, e);
    if (rc != OK) return rc;
    if (!hash_equal(&head.run, &run->id) || head.round != k->action.round)
        return err_set(e, ERR_AUTH, 0, "the update's head is for another run or round");
    rc = check_length(w, true, head.update_bytes, e);
    if (rc != OK) return rc;
    k->head = head;
    fetch_body(w, k, head.update_bytes);
    return ERR_AGAIN; /* the call goes on */
}

static int answer_body(struct call *k, struct err *e)
{
    struct wire *w = k->wire;
    w->is_fetching = false;
    bool is_update = k->action.what == SESSION_DO_FETCH_UPDATE;
    struct hash h = hash_of(w->fetched.p, w->fetched.len);
    double took_s = (double)(uv_hrtime() - w->fetch_ns) / 1e9;
    if (took_s > 0) w->fetch_rate = (double)(w->fetched.len - w->fetch_from) / took_s;
    w->fetch_expected = 0; /* whatever it is, it is not gone on with */
    if (!hash_equal(&h, is_update ? &k->head.update : &k->action.hash))
        return err_set(e, ERR_AUTH, 0, "what was fetched does not have the announced hash");
    struct session_event ev = {.tag = k->tag};
    ev.kind = is_update ? SESSION_EV_UPDATE : SESSION_EV_CHECKPOINT;
    ev.update = &k->head;
    w->config.on_event(&ev, w->config.ctx);
    return OK;
}

static int answer_session(struct call *k, const struct link_reply *reply, struct err *e)
{
    if (k->purpose == FOR_BODY) return answer_body(k, e);
    if (k->purpose == FOR_CHANGES) return wire_round_changes(k, reply, e);
    struct session_event ev = {.kind = SESSION_EV_CHUNK, .tag = k->tag};
    switch ((int)k->action.what) {
    case SESSION_DO_JOIN:
    case SESSION_DO_POLL: return wire_round_answer(k, reply, e);
    case SESSION_DO_RESERVE: return answer_slot(k, reply, e);
    case SESSION_DO_MANIFEST: return answer_receipt(k, reply, e);
    case SESSION_DO_FETCH_UPDATE: return answer_head(k, reply, e);
    case SESSION_DO_CHECK_RECORD: return wire_log_answer(k, reply, e);
    default: k->wire->config.on_event(&ev, k->wire->config.ctx); return OK;
    }
}

/* --- text and looking around --------------------------------------------------------------------- */

static void ask_text(struct wire *w)
{
    if (!w->link || uv_is_active((uv_handle_t *)&w->retry)) return;
    int n_asked = 0;
    for (int i = 0; i < WORK_MAX_WANTS; i++)
        n_asked += w->wants[i].is_used && w->wants[i].is_asked;
    for (int i = 0; i < WORK_MAX_WANTS && n_asked < N_TEXTS; i++) {
        struct text_want *t = &w->wants[i];
        if (!t->is_used || t->is_asked) continue;
        n_asked++;
        char path[80], a[WIRE_NUMBER_CAP], b[WIRE_NUMBER_CAP];
        if (t->want.is_tokenizer)
            sent_path(SENT_TOKENIZER, NULL, 0, path, sizeof path);
        else if (t->want.is_index)
            SENT_PATH(SENT_INDEX, path, sizeof path, wire_number(a, t->want.shard));
        else
            SENT_PATH(SENT_TEXT, path, sizeof path, wire_number(a, t->want.shard),
                      wire_number(b, t->want.chunk));
        t->is_asked = true;
        struct call *k = wire_call_add(w, FOR_TEXT);
        k->want = t->want;
        wire_call_get(w, k, path, t->want.n_bytes + 4096);
    }
}

static void on_retry(uv_timer_t *t)
{
    ask_text(t->data);
}

static struct text_want *find_want(struct wire *w, const struct chunks_want *want)
{
    for (int i = 0; i < WORK_MAX_WANTS; i++) {
        struct text_want *t = &w->wants[i];
        if (t->is_used && t->want.is_index == want->is_index && t->want.shard == want->shard &&
            t->want.chunk == want->chunk)
            return t;
    }
    return NULL;
}

static void end_text(struct call *k, const struct link_reply *reply)
{
    struct wire *w = k->wire;
    struct text_want *t = find_want(w, &k->want);
    if (!t || w->is_closing) return;
    if (reply->code == OK && reply->status == 200) {
        struct buf b = {0};
        buf_put(&b, reply->body, reply->n_body);
        t->is_used = false;
        backoff_progress(&w->text_backoff);
        if (!b.failed) w->config.on_text(&k->want, &b, w->config.ctx);
        buf_deinit(&b);
        ask_text(w);
        return;
    }
    t->is_asked = false;
    if (uv_is_active((uv_handle_t *)&w->retry)) return;
    char why[MSG_REASON_CAP];
    if (reply->code == OK)
        problem_text(reply, why, sizeof why);
    else
        err_line(&reply->err, why, sizeof why);
    uint32_t ms = backoff_next_ms(&w->text_backoff, 0);
    log_info("text cannot be fetched (%s); next try in %.1f s", why, (double)ms / 1e3);
    uv_timer_start(&w->retry, on_retry, ms, 0);
}

static void end_look(struct call *k, const struct link_reply *reply)
{
    struct wire *w = k->wire;
    bool is_peers = k->purpose == FOR_PEERS;
    *(is_peers ? &w->is_looking_peers : &w->is_looking_credits) = false;
    if (reply->code != OK || reply->status != 200 || w->is_closing) return;
    if (is_peers) {
        struct msg_peers *m = alloc_zero(1, sizeof *m);
        if (m && msg_peers_decode(reply->body, reply->n_body, m, NULL) == OK)
            w->config.on_peers(m, w->config.ctx);
        free(m);
        return;
    }
    struct msg_credits *m = alloc_zero(1, sizeof *m);
    if (m && msg_credits_decode(reply->body, reply->n_body, m, NULL) == OK)
        w->config.on_credits(m, w->config.ctx);
    free(m);
}

/* --- the last request ---------------------------------------------------------------------------- */

static void end_goodbye(struct call *k)
{
    struct wire *w = k->wire;
    void (*fn)(void *) = w->is_closing ? NULL : w->parted_fn;
    void *ctx = w->parted_ctx;
    w->parted_fn = NULL;
    wire_call_end(k);
    if (fn) fn(ctx); /* may close the wire */
}

bool wire_goodbye(struct wire *w, const char *token, void (*fn)(void *ctx), void *ctx)
{
    if (!w->link) return false;
    char path[96];
    SENT_PATH(SENT_GOODBYE, path, sizeof path, token);
    struct link_request r = {
        .method = "GET", .path = path, .stall_ms = BYE_MS, .max_reply_bytes = MAX_SMALL};
    w->parted_fn = fn;
    w->parted_ctx = ctx;
    wire_call_start(w, wire_call_add(w, FOR_GOODBYE), &r);
    return true;
}

/* --- every answer comes through here -------------------------------------------------------------- */

static bool is_good(const struct link_reply *reply)
{
    return reply->status >= 200 && reply->status < 300;
}

/* The answer was no 2xx: the session hears its status and the words of it. */
void wire_call_refused(struct call *k, const struct link_reply *reply)
{
    char why[MSG_REASON_CAP];
    problem_text(reply, why, sizeof why);
    wire_call_failed(k, OK, reply->status, reply->retry_after_s, why);
}

static void end_session_call(struct call *k, const struct link_reply *reply)
{
    struct wire *w = k->wire;
    struct err e = {0};
    if (k->purpose == FOR_BODY) w->is_fetching = false;
    /* Cut off is gone on with. What was refused, or became too long, begins anew. */
    if (k->purpose == FOR_BODY && (reply->code == OK ? !is_good(reply) : reply->code != ERR_IO))
        w->fetch_expected = 0;
    if (reply->code != OK) {
        wire_call_err(k, &reply->err);
    } else if (!is_good(reply) && !wire_log_wants(k, reply)) {
        wire_call_refused(k, reply);
    } else {
        int rc = answer_session(k, reply, &e);
        if (rc == ERR_AGAIN) return; /* goes on as another request */
        if (rc != OK) wire_call_err(k, &e);
    }
    wire_call_end(k);
}

static void on_done(const struct link_reply *reply, void *ctx)
{
    struct call *k = ctx;
    if (k->purpose == FOR_SESSION || k->purpose == FOR_BODY || k->purpose == FOR_CHANGES) {
        if (!k->is_dropped && !k->wire->is_closing) {
            end_session_call(k, reply);
            return;
        }
        if (k->purpose == FOR_BODY) k->wire->is_fetching = false;
    } else if (k->purpose == FOR_TEXT) {
        end_text(k, reply);
    } else if (k->purpose == FOR_CHUNK) {
        wire_up_done(k, reply);
        return;
    } else if (k->purpose == FOR_GOODBYE) {
        end_goodbye(k);
        return;
    } else {
        end_look(k, reply);
    }
    wire_call_end(k);
}

/* --- requests of the session ---------------------------------------------------------------------- */

static int build_join(struct wire *w, struct buf *body, struct err *e)
{
    struct msg_join m = {.run = w->config.run->id, .contributor = w->config.key->pub};
    snprintf(m.name, sizeof m.name, "%s", w->config.name);
    snprintf(m.client, sizeof m.client, "potluck/%s", POTLUCK_VERSION);
    memcpy(m.invite, w->pass.invite, sizeof m.invite);
    m.proof = w->pass.proof;
    m.created_at_ms = clock_wall_ms();
    return msg_join_sign(&m, w->config.key, body, e);
}

static int build_reserve(struct wire *w, const struct session_action *a, struct buf *body,
                         struct err *e)
{
    struct msg_reserve m = {.run = w->config.run->id,
                            .contributor = w->config.key->pub,
                            .round = a->round,
                            .base = a->hash,
                            .max_bytes = a->n_bytes,
                            .created_at_ms = a->created_at_ms};
    return msg_reserve_sign(&m, w->config.key, body, e);
}

static int build_manifest(struct wire *w, const struct session_action *a, const struct session *s,
                          const char *engine, struct buf *body, struct err *e)
{
    int rc = wire_up_load(w, s, e);
    if (rc != OK) return rc;
    struct msg_manifest *m = alloc_zero(1, sizeof *m);
    if (!m) return err_set(e, ERR_NOMEM, 0, "no memory for the manifest");
    m->run = w->config.run->id;
    m->contributor = w->config.key->pub;
    memcpy(m->id, a->id, sizeof m->id);
    m->round = a->round;
    m->base = a->hash;
    m->payload = s->payload.hash;
    m->n_bytes = s->payload.n_bytes;
    m->n_chunks = s->payload.n_chunks;
    for (uint32_t i = 0; i < m->n_chunks; i++) {
        const uint8_t *p;
        size_t n = wire_up_piece(w, i, &p);
        m->chunks[i] = hash_of(p, n);
    }
    m->n_tokens = s->phase.n_tokens;
    m->n_steps = s->phase.n_steps;
    m->loss = s->phase.loss;
    m->tok_per_s = s->phase.tok_per_s;
    snprintf(m->engine, sizeof m->engine, "%s", engine);
    m->created_at_ms = a->created_at_ms;
    rc = msg_manifest_sign(m, w->config.key, body, e);
    free(m);
    return rc;
}

static int build(struct wire *w, const struct session_action *a, const struct session *s,
                 const char *engine, double tok_per_s, char *path, size_t cap,
                 struct link_request *r, struct buf *body, struct err *e)
{
    r->method = "POST";
    r->type = TYPE_JOSE;
    r->max_reply_bytes = MAX_SMALL;
    char one[WIRE_NUMBER_CAP], speed[32];
    switch ((int)a->what) {
    case SESSION_DO_JOIN: sent_path(SENT_JOIN, NULL, 0, path, cap); return build_join(w, body, e);
    case SESSION_DO_RESERVE:
        sent_path(SENT_RESERVE, NULL, 0, path, cap);
        return build_reserve(w, a, body, e);
    case SESSION_DO_MANIFEST:
        SENT_PATH(SENT_MANIFEST, path, cap, a->id);
        return build_manifest(w, a, s, engine, body, e);
    case SESSION_DO_POLL:
        snprintf(speed, sizeof speed, "%.1f", isfinite(tok_per_s) ? tok_per_s : 0.0);
        SENT_PATH(SENT_POLL, path, cap, wire_number(one, a->round), s->token, session_wire_state(s),
                  speed);
        r->stall_ms = POLL_STALL;
        break;
    case SESSION_DO_CHECK_RECORD:
        wire_log_begin(w);
        sent_path(SENT_TREE_HEAD, NULL, 0, path, cap);
        break;
    default: SENT_PATH(SENT_UPDATE_HEAD, path, cap, wire_number(one, a->round)); break;
    }
    r->method = "GET";
    r->type = NULL;
    return OK;
}

void wire_request(struct wire *w, const struct session_action *a, const struct session *s,
                  const char *engine, double tok_per_s)
{
    struct err e = {0};
    struct call *k = wire_call_add(w, FOR_SESSION);
    k->tag = a->tag;
    k->action = *a;
    int rc = use_address(w, a->i_address, &e);
    if (rc == OK && a->what == SESSION_DO_FETCH_CHECKPOINT)
        rc = check_length(w, false, a->n_bytes, &e);
    if (rc == OK && a->what == SESSION_DO_FETCH_CHECKPOINT) {
        fetch_body(w, k, a->n_bytes);
        return;
    }
    if (rc == OK && a->what == SESSION_DO_PUT_CHUNK) {
        rc = wire_up_begin(w, k, s, &e);
        if (rc != OK) wire_call_later(w, k, &e);
        return;
    }
    char path[256];
    struct link_request r = {.path = path};
    struct buf body = {0};
    if (rc == OK) rc = build(w, a, s, engine, tok_per_s, path, sizeof path, &r, &body, &e);
    if (rc == OK && body.len) {
        r.body = body.p;
        r.n_body = body.len;
    }
    if (rc == OK)
        wire_call_start(w, k, &r);
    else
        wire_call_later(w, k, &e);
    buf_deinit(&body);
    ask_text(w);
}

void wire_drop(struct wire *w, uint32_t tag)
{
    for (struct call *k = w->calls; k; k = k->next) {
        if (k->tag != tag || k->is_dropped) continue;
        k->is_dropped = true;
        if (k->id && w->link && k->i_link == w->i_link) link_cancel(w->link, k->id);
        if (k->is_waiting) {
            wire_up_stop(w);
            wire_call_end(k);
        }
        return;
    }
}

void wire_set_caps(struct wire *w, double up_mbit, double down_mbit)
{
    int64_t now_ns = (int64_t)uv_hrtime();
    cap_set(&w->up_cap, up_mbit * 1e6 / 8, now_ns);
    cap_set(&w->down_cap, down_mbit * 1e6 / 8, now_ns);
}

void wire_set_pass(struct wire *w, const struct pass *p)
{
    w->pass = *p;
}

void wire_take_fetched(struct wire *w, struct buf *ret)
{
    *ret = w->fetched;
    w->fetched = (struct buf){0};
}

void wire_want(struct wire *w, const struct chunks_want *want)
{
    if (find_want(w, want)) return;
    for (int i = 0; i < WORK_MAX_WANTS; i++) {
        if (w->wants[i].is_used) continue;
        w->wants[i] = (struct text_want){.is_used = true, .want = *want};
        break;
    }
    ask_text(w);
}

void wire_look_around(struct wire *w)
{
    if (!w->link) return;
    char path[128], hex[KEY_HEX];
    if (!w->is_looking_peers) {
        w->is_looking_peers = true;
        sent_path(SENT_PEERS, NULL, 0, path, sizeof path);
        wire_call_get(w, wire_call_add(w, FOR_PEERS), path, MAX_SMALL);
    }
    if (!w->is_looking_credits) {
        w->is_looking_credits = true;
        SENT_PATH(SENT_CREDITS, path, sizeof path, key_hex(&w->config.key->pub, hex));
        wire_call_get(w, wire_call_add(w, FOR_CREDITS), path, MAX_SMALL);
    }
}

/* --- life and looks -------------------------------------------------------------------------------- */

int wire_create(const struct wire_config *c, struct wire **ret, struct err *e)
{
    struct wire *w = alloc_zero(1, sizeof *w);
    if (!w) return err_set(e, ERR_NOMEM, 0, "no memory for the connection");
    w->config = *c;
    if (path_format(w->run_dir, "%s", c->run_dir) ||
        path_format(w->receipts_path, "%s", c->receipts_path)) {
        free(w);
        return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    }
    int rc = changes_open(&w->changes, c->run_dir, c->run, e);
    if (rc != OK) {
        free(w);
        return rc;
    }
    rc = treehead_open(&w->treehead, c->run_dir, c->evidence_dir, c->run, e);
    if (rc == ERR_AUTH || rc == ERR_PROTO || rc == ERR_LIMIT) {
        log_err(LOG_ERROR, e, "the host's record is remembered anew");
    } else if (rc != OK) {
        treehead_deinit(&w->treehead);
        changes_deinit(&w->changes);
        free(w);
        return rc;
    }
    uint64_t seed;
    memcpy(&seed, c->key->pub.b, sizeof seed);
    backoff_init(&w->text_backoff, 1000, 30000, seed);
    uv_timer_init(c->loop, &w->retry);
    w->retry.data = w;
    w->n_open = 1;
    *ret = w;
    return OK;
}

static void retry_closed(uv_handle_t *h)
{
    wire_part_closed(h->data);
}

void wire_close(struct wire *w, void (*closed_fn)(void *ctx), void *ctx)
{
    if (!w) return;
    w->is_closing = true;
    w->closed_fn = closed_fn;
    w->closed_ctx = ctx;
    drop_link(w);
    for (struct call *k = w->calls, *next = NULL; k; k = next) {
        next = k->next;
        if (k->is_waiting) wire_call_end(k);
    }
    uv_close((uv_handle_t *)&w->retry, retry_closed);
}

const struct course *wire_course(const struct wire *w)
{
    return &w->changes.course;
}

double wire_rtt_ms(const struct wire *w)
{
    return w->link ? link_rtt_ms(w->link) : -1;
}

double wire_fetch_frac(const struct wire *w)
{
    if (!w->is_fetching || w->fetch_expected == 0) return (double)NAN;
    return (double)w->fetched.len / (double)w->fetch_expected;
}

void wire_traffic(const struct wire *w, uint64_t *ret_in, uint64_t *ret_out)
{
    uint64_t in = 0, out = 0;
    if (w->link) link_traffic(w->link, &in, &out);
    *ret_in = w->in_before + in;
    *ret_out = w->out_before + out;
}

const struct rundesc_aggregator *wire_aggregator(const struct wire *w)
{
    return &w->config.run->aggregators[w->i_address];
}
