#include "net/link.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "net/conn.h"
#include "net/limits.h"
#include "net/signature.h"

#define TICK_MS       1000
#define RATE_TICK_MS  50
#define RATE_MIN_DATA 4096 /* no smaller DATA frames because of the cap */
#define SPARE_CALLS   16

#define RETRY_AFTER_MAX_S 3600

/* One request. QUEUED: no stream yet. OPEN: on a connection. ENDED: waits for the idle handle to
 * call done, so that done never runs inside a call of the owner.
 */
enum call_state { CALL_FREE, CALL_QUEUED, CALL_OPEN, CALL_ENDED };

struct call {
    struct link *l;
    struct call *next;
    enum call_state state;
    bool is_spare;
    bool was_refused; /* given a second try already */
    bool is_complete; /* the answer has ended */
    uint64_t id;
    struct conn *conn;
    struct h2_stream *stream;
    struct buf text; /* method, path, type, range, digest: each with its NUL; absent ones empty */
    struct buf body; /* empty when the caller's lasts */
    const uint8_t *body_p;
    size_t n_body;
    size_t body_at;
    struct buf in;
    uint64_t n_in;
    uint32_t stall_ms;
    uint64_t max_reply_bytes;
    int64_t moved_ms;
    link_data_fn on_data;
    link_done_fn done;
    void *ctx;
    int code;
    struct err err;
    int status;
    char type[96];
    char digest[HASH_HEX];
    uint32_t retry_after_s;
    const struct key *signer;
    int64_t signed_at_s;
};

enum link_state { LINK_DOWN, LINK_RESOLVING, LINK_CONNECTING, LINK_SHAKING, LINK_UP };

struct link {
    uv_loop_t *loop;
    uv_idle_t idle;
    uv_timer_t tick;
    uv_timer_t rate_tick;
    uv_getaddrinfo_t resolve;
    uv_connect_t connect;
    struct addrinfo *addresses;
    struct addrinfo *next_address;
    char *host;
    char *unix_path;
    char where[300]; /* for people: "host:port" or the socket's path */
    char port[8];
    struct tls_context *tls;
    uint8_t *scratch;
    struct conn *conn; /* where new requests go; older ones may still be finishing theirs */
    enum link_state state;
    int64_t since_ms; /* of the state */
    int64_t ping_ms;
    struct call *calls; /* oldest first */
    uint64_t last_id;
    struct call spare[SPARE_CALLS];
    double rtt_ms;
    uint64_t n_in; /* bytes on the wire */
    uint64_t n_out;
    uint64_t rate; /* upload cap, bytes per second */
    double tokens;
    int64_t tokens_ns;
    int n_conns; /* not yet closed */
    int n_handles;
    bool is_resolving;  /* the resolver will still call back */
    bool is_attempting; /* the connect callback is still to come */
    bool is_closing;
    void (*closed_fn)(void *ctx);
    void *closed_ctx;
};

static void on_idle(uv_idle_t *idle);
static void on_tick(uv_timer_t *timer);
static void try_next_address(struct link *l, int last_error);

static int64_t now_of(const struct link *l)
{
    return (int64_t)uv_now(l->loop);
}

static void wake(struct link *l)
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
    leave_conn(q->l, c);
    wake(q->l);
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
    for (int i = 0; i < SPARE_CALLS; i++) {
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
    q->moved_ms = now_of(l);
    q->on_data = r->on_data;
    q->done = r->done;
    q->ctx = r->ctx;
    put_text(q, r->method);
    put_text(q, r->path);
    put_text(q, r->type);
    put_text(q, r->range);
    struct hash h;
    char field[DIGEST_CAP];
    bool has_digest = r->digest && hash_from_hex(r->digest, &h) == 0;
    put_text(q, has_digest ? digest_text(&h, field) : NULL);
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
    wake(l);
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
    char length[24];
    snprintf(length, sizeof length, "%zu", q->n_body);
    struct h2_field f[7];
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
    if (q->signer) f[n++] = (struct h2_field){"signature-input", input};
    if (q->signer) f[n++] = (struct h2_field){"signature", signature};
    if (head.has_body || strcmp(head.method, "GET") != 0)
        f[n++] = (struct h2_field){"content-length", length};
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
    const char *later = h2_header(s, "retry-after");
    if (later && strspn(later, "0123456789") == strlen(later)) {
        unsigned long long wait_s = strtoull(later, NULL, 10);
        q->retry_after_s = wait_s < RETRY_AFTER_MAX_S ? (uint32_t)wait_s : RETRY_AFTER_MAX_S;
    }
}

static void on_data(struct h2_stream *s, const uint8_t *p, size_t n, void *ctx)
{
    struct call *q = h2_user(s);
    (void)ctx;
    if (!q) return;
    q->moved_ms = now_of(q->l);
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

/* Take n bytes from the bucket; how many may go now, 0: later. */
static size_t allowance(struct link *l, size_t want)
{
    if (!l->rate) return want;
    int64_t now_ns = (int64_t)uv_hrtime();
    double burst = (double)l->rate / 10;
    if (burst < 4 * RATE_MIN_DATA) burst = 4 * RATE_MIN_DATA;
    l->tokens += (double)(now_ns - l->tokens_ns) / 1e9 * (double)l->rate;
    l->tokens_ns = now_ns;
    if (l->tokens > burst) l->tokens = burst;
    double least = want < RATE_MIN_DATA ? (double)want : RATE_MIN_DATA;
    if (l->tokens < least) return 0;
    size_t n = (double)want < l->tokens ? want : (size_t)l->tokens;
    l->tokens -= (double)n;
    return n;
}

static void on_rate_tick(uv_timer_t *timer)
{
    struct link *l = timer->data;
    for (struct call *q = l->calls; q; q = q->next) {
        if (q->state != CALL_OPEN || q->body_at == q->n_body) continue;
        h2_resume(q->stream);
        conn_kick(q->conn);
    }
}

static long on_read(struct h2_stream *s, uint8_t *dst, size_t cap, bool *ret_end, void *ctx)
{
    struct link *l = ctx;
    struct call *q = h2_user(s);
    if (!q) return H2_BROKEN;
    size_t left = q->n_body - q->body_at;
    size_t n = allowance(l, left < cap ? left : cap);
    if (!n && left) {
        if (!l->is_closing) uv_timer_start(&l->rate_tick, on_rate_tick, RATE_TICK_MS, 0);
        return H2_WAIT;
    }
    memcpy(dst, q->body_p + q->body_at, n);
    q->body_at += n;
    q->moved_ms = now_of(l);
    *ret_end = q->body_at == q->n_body;
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
        wake(l);
    } else {
        err_set(&q->err, ERR_IO, 0, "%s broke off the request (HTTP/2 error %u)", l->where, why);
        end_call(q, ERR_IO);
    }
}

static void on_pong(double rtt_ms, void *ctx)
{
    struct link *l = ctx;
    l->rtt_ms = rtt_ms;
}

/* The server takes nothing new here. What is open goes on; what comes gets a new connection. */
static void on_goaway(struct h2 *h, void *ctx)
{
    struct link *l = ctx;
    struct conn *c = l->conn;
    if (l->state != LINK_UP || conn_h2(c) != h) return; /* an older connection */
    l->conn = NULL;
    l->state = LINK_DOWN;
    leave_conn(l, c);
    wake(l);
}

static const struct h2_calls h2_calls = {.head = on_head,
                                         .data = on_data,
                                         .end = on_end,
                                         .read = on_read,
                                         .closed = on_stream_closed,
                                         .pong = on_pong,
                                         .goaway = on_goaway};

/* ---- connecting ---- */

static void set_state(struct link *l, enum link_state state)
{
    l->state = state;
    l->since_ms = now_of(l);
}

/* No connection could be made: everybody who waits for one hears why. */
static void fail_queued(struct link *l, const struct err *e)
{
    l->conn = NULL;
    set_state(l, LINK_DOWN);
    for (struct call *q = l->calls; q; q = q->next) {
        if (q->state != CALL_QUEUED) continue;
        q->err = *e;
        end_call(q, e->code);
    }
}

static void cannot_reach(struct link *l, const char *why)
{
    struct err e;
    err_set(&e, ERR_IO, 0, "cannot reach %.100s: %s", l->where, why);
    err_hint(&e, l->unix_path ? "is the agent running?"
                              : "check the network, and whether the aggregator is running");
    fail_queued(l, &e);
}

/* The connection c is gone because of e. */
static void lost(struct link *l, struct conn *c, const struct err *e)
{
    struct err told = *e;
    bool was_shaking = c == l->conn && l->state == LINK_SHAKING;
    if (was_shaking && e->code != ERR_AUTH) {
        cannot_reach(l, e->what);
        return;
    }
    if (was_shaking) {
        fail_queued(l, e);
        return;
    }
    if (c == l->conn) {
        l->conn = NULL;
        set_state(l, LINK_DOWN);
    }
    err_set(&told, e->code ? e->code : ERR_IO, 0, "lost %.80s: %.90s", l->where, e->what);
    for (struct call *q = l->calls; q; q = q->next) {
        if (q->state != CALL_OPEN || q->conn != c) continue;
        q->err = told;
        end_call(q, told.code);
    }
    wake(l);
}

static void on_broken(struct conn *c, const struct err *e, void *ctx)
{
    lost(ctx, c, e);
}

static void on_ready(struct conn *c, void *ctx)
{
    struct link *l = ctx;
    set_state(l, LINK_UP);
    l->ping_ms = now_of(l);
    h2_ping(conn_h2(c), (int64_t)uv_hrtime());
    wake(l);
}

static void maybe_gone(struct link *l)
{
    if (!l->is_closing || l->n_conns || l->n_handles || l->is_resolving) return;
    deliver(l);
    if (l->closed_fn) l->closed_fn(l->closed_ctx);
    uv_freeaddrinfo(l->addresses);
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
    maybe_gone(l);
}

static const struct conn_calls conn_calls = {
    .ready = on_ready, .broken = on_broken, .closed = on_conn_closed};

static void on_connect(uv_connect_t *req, int status)
{
    struct link *l = req->data;
    l->is_attempting = false;
    if (l->is_closing) return;
    struct err e = {0};
    if (!status && !conn_start(l->conn, &e)) {
        set_state(l, LINK_SHAKING);
        return;
    }
    conn_close(l->conn);
    l->conn = NULL;
    if (e.code)
        cannot_reach(l, e.what);
    else /* a time-out of ours arrives as a cancelled attempt */
        try_next_address(l, status == UV_ECANCELED ? UV_ETIMEDOUT : status);
}

static int new_conn(struct link *l, struct err *e)
{
    struct conn_config cfg = {.loop = l->loop,
                              .role = H2_CLIENT,
                              .is_unix = l->unix_path != NULL,
                              .tls = l->tls,
                              .host = l->host,
                              .scratch = l->scratch,
                              .n_in = &l->n_in,
                              .n_out = &l->n_out,
                              .h2_calls = &h2_calls,
                              .calls = &conn_calls,
                              .ctx = l};
    int rc = conn_create(&cfg, &l->conn, e);
    if (rc) return rc;
    l->n_conns++;
    l->connect.data = l;
    set_state(l, LINK_CONNECTING);
    return OK;
}

static void try_next_address(struct link *l, int last_error)
{
    struct addrinfo *a = l->next_address;
    struct err e;
    if (!a) {
        cannot_reach(l, uv_strerror(last_error));
        return;
    }
    l->next_address = a->ai_next;
    if (new_conn(l, &e)) {
        fail_queued(l, &e);
        return;
    }
    int rc = uv_tcp_connect(&l->connect, (uv_tcp_t *)conn_stream(l->conn), a->ai_addr, on_connect);
    l->is_attempting = !rc;
    if (!rc) return;
    conn_close(l->conn);
    l->conn = NULL;
    try_next_address(l, rc);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct link *l = req->data;
    l->is_resolving = false;
    uv_freeaddrinfo(l->addresses);
    l->addresses = l->next_address = found;
    if (l->is_closing)
        maybe_gone(l);
    else if (status)
        cannot_reach(l, uv_strerror(status));
    else
        try_next_address(l, UV_EAI_NODATA);
}

static void connect_unix(struct link *l)
{
    struct err e;
    l->next_address = NULL;
    if (new_conn(l, &e)) {
        fail_queued(l, &e);
        return;
    }
    l->is_attempting = true; /* uv_pipe_connect always calls back */
    uv_pipe_connect(&l->connect, (uv_pipe_t *)conn_stream(l->conn), l->unix_path, on_connect);
}

static void connect_now(struct link *l)
{
    if (l->is_attempting || l->is_resolving) return;
    uv_timer_start(&l->tick, on_tick, TICK_MS, TICK_MS);
    if (l->unix_path) {
        connect_unix(l);
        return;
    }
    struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    l->resolve.data = l;
    set_state(l, LINK_RESOLVING);
    int rc = uv_getaddrinfo(l->loop, &l->resolve, on_resolved, l->host, l->port, &want);
    l->is_resolving = !rc;
    if (rc) cannot_reach(l, uv_strerror(rc));
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
    if (l->state == LINK_CONNECTING && age_ms > LIMIT_CONNECT_MS) conn_close(c);
    struct err e;
    if (l->state == LINK_SHAKING && age_ms > LIMIT_HANDSHAKE_MS) {
        conn_close(c);
        err_set(&e, ERR_IO, 0, "it does not answer");
        lost(l, c, &e);
    }
    if (l->state != LINK_UP) return;
    int64_t silent_ms = now_ms - conn_last_read_ms(c);
    int64_t stuck_ms = now_ms - conn_sent_ms(c);
    if (stuck_ms < silent_ms) silent_ms = stuck_ms; /* bytes that go are a sign of life, too */
    if (silent_ms > LIMIT_PING_MS + LIMIT_STALL_MS) {
        conn_close(c);
        err_set(&e, ERR_IO, 0, "no sign of life for %lld s", (long long)silent_ms / 1000);
        lost(l, c, &e);
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

static void on_tick(uv_timer_t *timer)
{
    struct link *l = timer->data;
    int64_t now_ms = now_of(l);
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
    return tls_context_client(c->tls_pin, &l->tls, e);
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
    l->rtt_ms = -1;
    check(!uv_idle_init(loop, &l->idle) && !uv_timer_init(loop, &l->tick) &&
          !uv_timer_init(loop, &l->rate_tick));
    l->idle.data = l->tick.data = l->rate_tick.data = l;
    l->n_handles = 3;
    *ret = l;
    return OK;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct link *l = handle->data;
    l->n_handles--;
    maybe_gone(l);
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
    if (c && l->state == LINK_CONNECTING)
        conn_close(c);
    else if (c)
        conn_finish(c);
    if (l->is_resolving) (void)uv_cancel((uv_req_t *)&l->resolve);
    uv_close((uv_handle_t *)&l->idle, on_handle_closed);
    uv_close((uv_handle_t *)&l->tick, on_handle_closed);
    uv_close((uv_handle_t *)&l->rate_tick, on_handle_closed);
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

void link_set_upload_rate(struct link *l, uint64_t bytes_per_s)
{
    l->rate = bytes_per_s;
    l->tokens = 0;
    l->tokens_ns = (int64_t)uv_hrtime();
    on_rate_tick(&l->rate_tick);
}
