#include "net/link.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "net/limits.h"
#include "net/link_in.h"
#include "net/signature.h"

#define TICK_MS      1000
#define RATE_TICK_MS 50

#define RETRY_AFTER_MAX_S 3600
#define INTEROP           "8" /* of draft-ietf-httpbis-resumable-upload */

static void on_idle(uv_idle_t *idle);
static void on_tick(uv_timer_t *timer);

static int64_t now_of(const struct link *l)
{
    return (int64_t)uv_now(l->loop);
}

void link_wake(struct link *l)
{
    if (!l->is_closing) uv_idle_start(&l->idle, on_idle);
}

/* ---- requests ---- */

/* A connection that takes no new requests is finished when its last request has ended. */
static void leave_conn(struct link *l, struct conn *c)
{
    if (!c || c == l->conn || conn_is_leaving(c)) return;
    for (const struct call *q = l->calls; q; q = q->next)
        if (q->state == CALL_OPEN && q->conn == c) return;
    conn_finish(c);
}

static void resume_line(struct link *l);

static void end_call(struct call *q, int code)
{
    if (q->state == CALL_ENDED) return;
    struct conn *c = q->conn;
    if (q->stream) {
        h2_set_user(q->stream, NULL);
        if (!q->is_complete) h2_reset(q->stream, H2_CANCEL);
        if (c) conn_kick(c);
    }
    q->state = CALL_ENDED;
    q->stream = NULL;
    q->conn = NULL;
    q->code = code;
    if (q->is_in_line) resume_line(q->l);
    leave_conn(q->l, c);
    link_wake(q->l);
}

static void call_free(struct call *q)
{
    buf_deinit(&q->text);
    buf_deinit(&q->body);
    buf_deinit(&q->in);
    if (q->is_spare)
        q->state = CALL_FREE;
    else
        free(q);
}

static struct call *first_ended(struct link *l)
{
    struct call **at = &l->calls;
    while (*at && (*at)->state != CALL_ENDED)
        at = &(*at)->next;
    struct call *q = *at;
    if (q) *at = q->next;
    return q;
}

static void deliver(struct link *l)
{
    for (struct call *q; (q = first_ended(l));) {
        struct link_reply reply = {.code = q->code,
                                   .err = q->err,
                                   .status = q->code ? 0 : q->status,
                                   .type = q->type,
                                   .digest = q->digest,
                                   .retry_after_s = q->retry_after_s,
                                   .upload_offset = q->upload_offset,
                                   .is_upload_complete = q->is_upload_complete,
                                   .body = q->in.p,
                                   .n_body = q->in.len};
        q->done(&reply, q->ctx);
        call_free(q);
    }
}

/* Without memory for the request itself there must still be something that carries the bad news. */
static struct call *call_new(struct link *l)
{
    struct call *q = alloc_zero(1, sizeof *q);
    if (q) return q;
    for (int i = 0; i < LINK_SPARE_CALLS; i++) {
        if (l->spare[i].state != CALL_FREE) continue;
        l->spare[i] = (struct call){.is_spare = true};
        return &l->spare[i];
    }
    check(!"out of memory for even the word that memory is out");
    return NULL;
}

static void put_text(struct call *q, const char *s)
{
    if (s) buf_put_str(&q->text, s);
    buf_put_u8(&q->text, 0);
}

/* RFC 9530, from 64 hex digits or NULL. */
static void put_digest(struct call *q, const char *hex)
{
    struct hash h;
    char field[DIGEST_CAP];
    bool has_digest = hex && hash_from_hex(hex, &h) == 0;
    put_text(q, has_digest ? digest_text(&h, field) : NULL);
}

uint64_t link_send(struct link *l, const struct link_request *r)
{
    struct call *q = call_new(l);
    q->l = l;
    q->state = CALL_QUEUED;
    q->id = ++l->last_id;
    q->stall_ms = r->stall_ms ? r->stall_ms : LIMIT_STALL_MS;
    q->max_reply_bytes = r->max_reply_bytes ? r->max_reply_bytes
                         : r->on_data       ? UINT64_MAX
                                            : LIMIT_BODY_BYTES;
    q->moved_ms = q->told_ms = now_of(l);
    q->upload_offset = -1;
    q->is_upload = r->is_upload;
    q->is_in_line = r->is_in_line;
    q->upload_at = r->upload_at;
    q->on_data = r->on_data;
    q->on_moved = r->on_moved;
    q->done = r->done;
    q->ctx = r->ctx;
    put_text(q, r->method);
    put_text(q, r->path);
    put_text(q, r->type);
    put_text(q, r->range);
    put_digest(q, r->digest);
    put_digest(q, r->repr);
    q->signer = r->signer;
    q->signed_at_s = r->signed_at_s;
    if (!r->is_lasting) buf_put(&q->body, r->body, r->n_body);
    q->body_p = r->is_lasting ? r->body : q->body.p;
    q->n_body = r->n_body;
    struct call **at = &l->calls;
    while (*at)
        at = &(*at)->next;
    *at = q;
    if (q->is_spare || q->text.failed || q->body.failed)
        end_call(q, err_set(&q->err, ERR_NOMEM, 0, "out of memory for a request"));
    else if (l->is_closing)
        end_call(q, ERR_CANCELLED);
    link_wake(l);
    return q->id;
}

void link_cancel(struct link *l, uint64_t id)
{
    for (struct call *q = l->calls; q; q = q->next)
        if (q->id == id) end_call(q, ERR_CANCELLED);
}

static const char *next_text(const char **p)
{
    const char *s = *p;
    *p += strlen(s) + 1;
    return s;
}

static void submit(struct link *l, struct call *q)
{
    const char *p = (const char *)q->text.p;
    struct h2_head head = {.scheme = l->tls ? "https" : "http",
                           .authority = l->tls ? l->where : "localhost",
                           .has_body = q->n_body > 0};
    head.method = next_text(&p);
    head.path = next_text(&p);
    const char *type = next_text(&p);
    const char *range = next_text(&p);
    const char *digest = next_text(&p);
    const char *repr = next_text(&p);
    char length[24], offset[24];
    snprintf(length, sizeof length, "%zu", q->n_body);
    snprintf(offset, sizeof offset, "%llu", (unsigned long long)q->upload_at);
    struct h2_field f[11];
    char input[SIGNATURE_INPUT_CAP], signature[SIGNATURE_VALUE_CAP];
    struct signature_target target = {head.method, head.authority, head.path, digest};
    int rc = q->signer
                 ? signature_make(&target, q->signer, q->signed_at_s, input, signature, &q->err)
                 : OK;
    if (rc) {
        end_call(q, rc);
        return;
    }
    size_t n = 0;
    f[n++] = (struct h2_field){"user-agent", "potluck/" POTLUCK_VERSION};
    if (*type) f[n++] = (struct h2_field){"content-type", type};
    if (*range) f[n++] = (struct h2_field){"range", range};
    if (*digest) f[n++] = (struct h2_field){"content-digest", digest};
    if (*repr) f[n++] = (struct h2_field){"repr-digest", repr};
    if (q->is_upload) f[n++] = (struct h2_field){"upload-draft-interop-version", INTEROP};
    if (q->is_upload && head.has_body) f[n++] = (struct h2_field){"upload-complete", "?1"};
    if (q->is_upload && q->upload_at) f[n++] = (struct h2_field){"upload-offset", offset};
    if (q->signer) f[n++] = (struct h2_field){"signature-input", input};
    if (q->signer) f[n++] = (struct h2_field){"signature", signature};
    bool is_asking = strcmp(head.method, "GET") == 0 || strcmp(head.method, "HEAD") == 0;
    if (head.has_body || !is_asking) f[n++] = (struct h2_field){"content-length", length};
    head.fields = f;
    head.n_fields = n;
    rc = h2_request(conn_h2(l->conn), &head, q, &q->stream, &q->err);
    if (rc) {
        end_call(q, rc);
        return;
    }
    q->state = CALL_OPEN;
    q->conn = l->conn;
    q->moved_ms = now_of(l);
    conn_kick(l->conn);
}

/* ---- what HTTP/2 says ---- */

static void on_head(struct h2_stream *s, void *ctx)
{
    struct call *q = h2_user(s);
    (void)ctx;
    if (!q) return;
    const char *type = h2_header(s, "content-type");
    const char *digest = h2_header(s, "repr-digest");
    struct hash h;
    q->status = h2_status(s);
    q->moved_ms = now_of(q->l);
    if (type) snprintf(q->type, sizeof q->type, "%s", type);
    if (digest && digest_parse(digest, &h) == 0) hash_hex(&h, q->digest);
    const char *offset = h2_header(s, "upload-offset");
    const char *complete = h2_header(s, "upload-complete");
    if (offset && strlen(offset) < 16 && strspn(offset, "0123456789") == strlen(offset) && *offset)
        q->upload_offset = strtoll(offset, NULL, 10);
    q->is_upload_complete = complete && strcmp(complete, "?1") == 0;
    const char *later = h2_header(s, "retry-after");
    if (later && strspn(later, "0123456789") == strlen(later)) {
        unsigned long long wait_s = strtoull(later, NULL, 10);
        q->retry_after_s = wait_s < RETRY_AFTER_MAX_S ? (uint32_t)wait_s : RETRY_AFTER_MAX_S;
    }
}

static void rest(struct link *l);
static int64_t now_ns(void);

static void on_data(struct h2_stream *s, const uint8_t *p, size_t n, void *ctx)
{
    struct call *q = h2_user(s);
    (void)ctx;
    if (!q) return;
    q->moved_ms = now_of(q->l);
    if (q->l->down) cap_spend(q->l->down, n, now_ns());
    rest(q->l);
    q->n_in += n;
    if (q->n_in > q->max_reply_bytes) {
        end_call(q, err_set(&q->err, ERR_LIMIT, 0, "the answer is larger than %llu bytes",
                            (unsigned long long)q->max_reply_bytes));
        return;
    }
    bool is_error = q->status < 200 || q->status > 299;
    if (q->on_data && !is_error) {
        if (q->on_data(p, n, q->ctx)) end_call(q, ERR_CANCELLED);
        return;
    }
    if (q->on_data && q->n_in > LIMIT_BODY_BYTES) return; /* nobody reads so long an error */
    buf_put(&q->in, p, n);
    if (q->in.failed) end_call(q, err_set(&q->err, ERR_NOMEM, 0, "out of memory for an answer"));
}

static void on_end(struct h2_stream *s, void *ctx)
{
    struct call *q = h2_user(s);
    (void)ctx;
    if (!q) return;
    /* A server may answer before it has read everything; what is left need not be sent. */
    q->is_complete = q->body_at == q->n_body;
    end_call(q, OK);
}

static int64_t now_ns(void)
{
    return (int64_t)uv_hrtime();
}

static void on_rate_tick(uv_timer_t *timer);

/* Read on, or not yet. What is not read fills the kernel's buffers, and then its sender waits. */
static void rest(struct link *l)
{
    bool is_due = l->down && cap_wait_ms(l->down, now_ns()) > 0;
    if (is_due && !l->is_closing) uv_timer_start(&l->rate_tick, on_rate_tick, RATE_TICK_MS, 0);
    if (is_due == l->is_resting) return;
    l->is_resting = is_due;
    if (l->conn && l->state == LINK_UP) conn_rest(l->conn, is_due);
}

static void on_rate_tick(uv_timer_t *timer)
{
    struct link *l = timer->data;
    rest(l);
    for (struct call *q = l->calls; q; q = q->next) {
        if (q->state != CALL_OPEN || q->body_at == q->n_body) continue;
        h2_resume(q->stream);
        conn_kick(q->conn);
    }
}

/* Bodies in line go one after the other: what was cut off is then the end of one, not a bit of each. */
static bool must_queue(const struct link *l, const struct call *q)
{
    if (!q->is_in_line) return false;
    for (const struct call *o = l->calls; o && o != q; o = o->next)
        if (o->is_in_line && o->state == CALL_OPEN && o->conn == q->conn && o->body_at < o->n_body)
            return true;
    return false;
}

static void resume_line(struct link *l)
{
    for (struct call *q = l->calls; q; q = q->next)
        if (q->is_in_line && q->state == CALL_OPEN && q->body_at == 0 && q->n_body)
            h2_resume(q->stream);
}

static long on_read(struct h2_stream *s, uint8_t *dst, size_t cap, bool *ret_end, void *ctx)
{
    struct link *l = ctx;
    struct call *q = h2_user(s);
    if (!q) return H2_BROKEN;
    size_t left = q->n_body - q->body_at;
    if (left && must_queue(l, q)) return H2_WAIT;
    bool is_far = q->is_in_line && conn_on_its_way(q->conn) > LIMIT_ON_ITS_WAY;
    size_t want = left < cap ? left : cap;
    size_t n = is_far ? 0 : l->up ? cap_take(l->up, want, now_ns()) : want;
    if (!n && left) {
        if (!l->is_closing) uv_timer_start(&l->rate_tick, on_rate_tick, RATE_TICK_MS, 0);
        return H2_WAIT;
    }
    memcpy(dst, q->body_p + q->body_at, n);
    q->body_at += n;
    q->moved_ms = now_of(l);
    *ret_end = q->body_at == q->n_body;
    if (*ret_end && q->is_in_line) resume_line(l);
    return (long)n;
}

static void on_stream_closed(struct h2_stream *s, uint32_t why, void *ctx)
{
    struct link *l = ctx;
    struct call *q = h2_user(s);
    if (!q) return;
    q->stream = NULL;
    if (why == H2_REFUSED && !q->was_refused && !l->is_closing) {
        /* Refused means untouched (RFC 9113 section 8.7): it may be sent once more. */
        struct conn *c = q->conn;
        q->was_refused = true;
        q->state = CALL_QUEUED;
        q->conn = NULL;
        q->body_at = 0;
        leave_conn(l, c);
        link_wake(l);
    } else {
        err_set(&q->err, ERR_IO, 0, "%s broke off the request (HTTP/2 error %u)", l->where, why);
        end_call(q, ERR_IO);
    }
}

static void on_pong(double rtt_ms, void *ctx)
{
    struct link *l = ctx;
    l->rtt_ms = rtt_ms;
    if (!(l->rtt_min_ms > 0) || rtt_ms < l->rtt_min_ms) l->rtt_min_ms = rtt_ms;
}

/* The server takes nothing new here. What is open goes on; what comes gets a new connection. */
static void on_goaway(struct h2 *h, void *ctx)
{
    struct link *l = ctx;
    struct conn *c = l->conn;
    if (l->state != LINK_UP || conn_h2(c) != h) return; /* an older connection */
    if (l->is_resting) conn_rest(c, false);             /* rest() looks at the newest one only */
    l->conn = NULL;
    l->state = LINK_DOWN;
    leave_conn(l, c);
    link_wake(l);
}

static const struct h2_calls h2_calls = {.head = on_head,
                                         .data = on_data,
                                         .end = on_end,
                                         .read = on_read,
                                         .closed = on_stream_closed,
                                         .pong = on_pong,
                                         .goaway = on_goaway};

/* ---- connecting ---- */

void link_set_state(struct link *l, enum link_state state)
{
    l->state = state;
    l->since_ms = now_of(l);
}

/* No connection could be made: everybody who waits for one hears why. */
void link_fail_queued(struct link *l, const struct err *e)
{
    l->conn = NULL;
    link_set_state(l, LINK_DOWN);
    for (struct call *q = l->calls; q; q = q->next) {
        if (q->state != CALL_QUEUED) continue;
        q->err = *e;
        end_call(q, e->code);
    }
}

void link_cannot_reach(struct link *l, const char *why)
{
    struct err e;
    err_set(&e, ERR_IO, 0, "cannot reach %.100s: %s", l->where, why);
    err_hint(&e, l->unix_path ? "is the agent running?"
                              : "check the network, and whether the aggregator is running");
    link_fail_queued(l, &e);
}

/* The connection c is gone because of e. */
void link_lost(struct link *l, struct conn *c, const struct err *e)
{
    struct err told = *e;
    bool was_shaking = c == l->conn && l->state == LINK_SHAKING;
    if (was_shaking && e->code != ERR_AUTH) {
        link_cannot_reach(l, e->what);
        return;
    }
    if (was_shaking) {
        link_fail_queued(l, e);
        return;
    }
    if (c == l->conn) {
        l->conn = NULL;
        link_set_state(l, LINK_DOWN);
    }
    err_set(&told, e->code ? e->code : ERR_IO, 0, "lost %.80s: %.90s", l->where, e->what);
    for (struct call *q = l->calls; q; q = q->next) {
        if (q->state != CALL_OPEN || q->conn != c) continue;
        q->err = told;
        end_call(q, told.code);
    }
    link_wake(l);
}

static void on_broken(struct conn *c, const struct err *e, void *ctx)
{
    link_lost(ctx, c, e);
}

static void on_ready(struct conn *c, void *ctx)
{
    struct link *l = ctx;
    link_set_state(l, LINK_UP);
    l->is_resting = false;
    l->rtt_min_ms = 0;
    l->window = LIMIT_STREAM_WINDOW;
    l->window_in = l->n_in;
    l->window_ns = (int64_t)uv_hrtime();
    l->ping_ms = now_of(l);
    h2_ping(conn_h2(c), (int64_t)uv_hrtime());
    link_wake(l);
}

void link_maybe_gone(struct link *l)
{
    if (!l->is_closing || l->n_conns || l->n_handles || !link_dial_is_over(l)) return;
    deliver(l);
    if (l->closed_fn) l->closed_fn(l->closed_ctx);
    link_dial_free(l);
    tls_context_destroy(l->tls);
    free(l->scratch);
    free(l->host);
    free(l->unix_path);
    free(l);
}

static void on_conn_closed(struct conn *c, void *ctx)
{
    struct link *l = ctx;
    (void)c;
    l->n_conns--;
    link_maybe_gone(l);
}

static const struct conn_calls conn_calls = {
    .ready = on_ready, .broken = on_broken, .closed = on_conn_closed};

int link_new_conn(struct link *l, struct conn **ret, struct err *e)
{
    struct conn_config cfg = {.loop = l->loop,
                              .role = H2_CLIENT,
                              .is_unix = l->unix_path != NULL,
                              .tls = l->tls,
                              .host = l->host,
                              .congestion = l->congestion,
                              .is_plain = l->is_plain,
                              .scratch = l->scratch,
                              .n_in = &l->n_in,
                              .n_out = &l->n_out,
                              .h2_calls = &h2_calls,
                              .calls = &conn_calls,
                              .ctx = l};
    int rc = conn_create(&cfg, ret, e);
    if (rc == OK) l->n_conns++;
    return rc;
}

static void connect_now(struct link *l)
{
    if (!link_dial_is_over(l)) return;
    uv_timer_start(&l->tick, on_tick, TICK_MS, TICK_MS);
    link_dial_start(l);
}

static void on_idle(uv_idle_t *idle)
{
    struct link *l = idle->data;
    uv_idle_stop(idle);
    deliver(l);
    if (l->is_closing) return;
    bool is_waiting = false;
    for (struct call *q = l->calls; q; q = q->next) {
        if (q->state != CALL_QUEUED) continue;
        if (l->state == LINK_UP) submit(l, q);
        is_waiting = true;
    }
    if (is_waiting && l->state == LINK_DOWN) connect_now(l);
}

/* ---- the clock ---- */

static void expire_conn(struct link *l, int64_t now_ms)
{
    struct conn *c = l->conn;
    int64_t age_ms = now_ms - l->since_ms;
    link_dial_tick(l, now_ms);
    struct err e;
    if (l->state == LINK_SHAKING && age_ms > LIMIT_HANDSHAKE_MS) {
        conn_close(c);
        err_set(&e, ERR_IO, 0, "it does not answer");
        link_lost(l, c, &e);
    }
    if (l->state != LINK_UP) return;
    int64_t silent_ms = now_ms - conn_last_read_ms(c);
    int64_t stuck_ms = now_ms - conn_sent_ms(c);
    if (stuck_ms < silent_ms) silent_ms = stuck_ms; /* bytes that go are a sign of life, too */
    if (silent_ms > LIMIT_PING_MS + LIMIT_STALL_MS) {
        conn_close(c);
        err_set(&e, ERR_IO, 0, "no sign of life for %lld s", (long long)silent_ms / 1000);
        link_lost(l, c, &e);
    } else if (now_ms - l->ping_ms >= LIMIT_PING_MS) {
        l->ping_ms = now_ms;
        h2_ping(conn_h2(c), (int64_t)uv_hrtime());
        conn_kick(c);
    }
}

/* An upload that has left our hands may still be on its slow way out of the kernel. */
static bool is_stalled(const struct call *q, int64_t now_ms)
{
    if (q->state != CALL_OPEN || now_ms - q->moved_ms <= (int64_t)q->stall_ms) return false;
    bool is_uploading = q->n_body > 0 && !q->status;
    return !is_uploading || now_ms - conn_sent_ms(q->conn) > (int64_t)q->stall_ms;
}

/* Whoever has time-outs of its own wants to know that a slow line is not a dead one. */
static void tell_moved(struct call *q)
{
    if (!q->on_moved || q->state != CALL_OPEN) return;
    int64_t ms = q->moved_ms;
    if (q->n_body > 0 && !q->status && conn_sent_ms(q->conn) > ms) ms = conn_sent_ms(q->conn);
    if (ms == q->told_ms) return;
    q->told_ms = ms;
    q->on_moved(q->ctx);
}

/* A window carries at most its size in a round trip. Where what came in the last second fills more than
 * half of that, the path may have more to give: twice as much, up to the cap. A grown window only
 * bounds what may be on its way; nothing is kept here but what a request collects.
 */
uint32_t link_grown_window(uint32_t window, double bytes_per_s, double rtt_ms)
{
    double on_its_way = bytes_per_s * rtt_ms / 1e3;
    if (!(on_its_way > window / 2.0) || window >= LIMIT_GROWN_WINDOW) return window;
    return window * 2 < LIMIT_GROWN_WINDOW ? window * 2 : LIMIT_GROWN_WINDOW;
}

static void grow_window(struct link *l)
{
    int64_t now_ns = (int64_t)uv_hrtime();
    double took_s = (double)(now_ns - l->window_ns) / 1e9;
    double rate = took_s > 0 ? (double)(l->n_in - l->window_in) / took_s : 0;
    l->window_in = l->n_in;
    l->window_ns = now_ns;
    uint32_t n = link_grown_window(l->window, rate, l->rtt_min_ms);
    if (n == l->window || l->state != LINK_UP) return;
    l->window = n;
    h2_window(conn_h2(l->conn), n);
    conn_kick(l->conn);
}

static void on_tick(uv_timer_t *timer)
{
    struct link *l = timer->data;
    grow_window(l);
    int64_t now_ms = now_of(l);
    for (struct call *q = l->calls, *next = NULL; q; q = next) {
        next = q->next;
        tell_moved(q);
    }
    for (struct call *q = l->calls; q; q = q->next) {
        if (!is_stalled(q, now_ms)) continue;
        err_set(&q->err, ERR_IO, 0, "no answer from %.100s for %u s", l->where,
                (q->stall_ms + 999) / 1000);
        end_call(q, ERR_IO);
    }
    expire_conn(l, now_ms);
    if (!l->conn && !l->calls) uv_timer_stop(&l->tick); /* a link at rest costs no wake-ups */
}

/* ---- life ---- */

static int copy_config(struct link *l, const struct link_config *c, struct err *e)
{
    if (c->unix_path) {
        l->unix_path = alloc_dup(c->unix_path);
        snprintf(l->where, sizeof l->where, "%s", c->unix_path);
        return l->unix_path ? OK : err_set(e, ERR_NOMEM, 0, "out of memory for a connection");
    }
    bool is_v6 = strchr(c->host, ':') != NULL;
    l->host = alloc_dup(c->host);
    snprintf(l->port, sizeof l->port, "%u", c->port);
    snprintf(l->where, sizeof l->where, is_v6 ? "[%.253s]:%u" : "%.253s:%u", c->host, c->port);
    if (!l->host) return err_set(e, ERR_NOMEM, 0, "out of memory for a connection");
    int rc = proxy_choose(c->host, c->port, getenv, &l->dial.proxy, e);
    return rc ? rc : tls_context_client(c->tls_pin, &l->tls, e);
}

int link_create(uv_loop_t *loop, const struct link_config *c, struct link **ret, struct err *e)
{
    struct link *l = alloc_zero(1, sizeof *l);
    if (l) l->scratch = alloc_zero(CONN_SCRATCH_BYTES, 1);
    if (!l || !l->scratch) {
        free(l);
        return err_set(e, ERR_NOMEM, 0, "out of memory for a connection");
    }
    int rc = copy_config(l, c, e);
    if (rc) {
        free(l->scratch);
        free(l->host);
        free(l->unix_path);
        free(l);
        return rc;
    }
    signal(SIGPIPE, SIG_IGN); /* libuv writes to sockets that the peer may have closed */
    l->loop = loop;
    l->congestion = c->congestion;
    l->is_plain = c->is_plain;
    l->up = c->up;
    l->down = c->down;
    l->rtt_ms = -1;
    check(!uv_idle_init(loop, &l->idle) && !uv_timer_init(loop, &l->tick) &&
          !uv_timer_init(loop, &l->rate_tick) && !uv_timer_init(loop, &l->dial.stagger));
    l->idle.data = l->tick.data = l->rate_tick.data = l->dial.stagger.data = l;
    l->n_handles = 4;
    *ret = l;
    return OK;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct link *l = handle->data;
    l->n_handles--;
    link_maybe_gone(l);
}

void link_close(struct link *l, void (*closed_fn)(void *ctx), void *ctx)
{
    if (l->is_closing) return;
    l->is_closing = true;
    l->closed_fn = closed_fn;
    l->closed_ctx = ctx;
    struct conn *c = l->conn;
    l->conn = NULL;
    for (struct call *q = l->calls; q; q = q->next)
        end_call(q, ERR_CANCELLED);
    if (c) conn_finish(c);
    link_dial_stop(l);
    uv_close((uv_handle_t *)&l->idle, on_handle_closed);
    uv_close((uv_handle_t *)&l->tick, on_handle_closed);
    uv_close((uv_handle_t *)&l->rate_tick, on_handle_closed);
    uv_close((uv_handle_t *)&l->dial.stagger, on_handle_closed);
}

double link_rtt_ms(const struct link *l)
{
    return l->rtt_ms;
}

void link_traffic(const struct link *l, uint64_t *ret_in, uint64_t *ret_out)
{
    *ret_in = l->n_in;
    *ret_out = l->n_out;
}
