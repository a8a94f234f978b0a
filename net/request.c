#include "net/request.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "net/limits.h"

/* A request that was answered before it was complete may go on for so long. RFC 9113 section 8.1
 * would let us cut it off at once, but common clients then lose the answer that says why.
 */
#define EARLY_MS 2000

#define LARGE_BODY   (256 * 1024) /* worth a block of net/guard.h */
#define SMALL_ANSWER 1024         /* a sentence: not worth counting */

enum source { SOURCE_NONE, SOURCE_BYTES, SOURCE_FILE, SOURCE_STREAM };

/* ARRIVING: the body is coming. WITH_HANDLER: complete, somebody is to answer. ANSWERED: the
 * handler is done with it; what is left is ours.
 */
enum phase { ARRIVING, WITH_HANDLER, ANSWERED };

struct request {
    struct request_home *home;
    struct h2_stream *stream;
    struct request *next;
    struct request *prev;
    enum phase phase;
    char *path;
    struct buf query; /* decoded: name NUL value NUL ... */
    struct buf body;
    struct guard_claim claim; /* the body's place */
    uint64_t n_held;          /* counted by the guard for the body */
    uint64_t n_answer;        /* and for the answer */
    size_t n_expected;        /* what content-length says; 0: nothing */
    bool is_placed;
    bool is_block; /* body.p is one of net/guard.h */
    bool is_expired;
    const char *route;
    void *user;
    void (*gone_fn)(struct request *r, void *ctx);
    void *gone_ctx;
    struct buf extra; /* reply headers: name NUL value NUL ... */
    enum source source;
    struct buf out; /* SOURCE_BYTES and SOURCE_STREAM; out_at is sent */
    size_t out_at;
    int fd; /* SOURCE_FILE */
    uint64_t file_at;
    uint64_t file_left;
    bool is_sent;        /* the answer is out; a stream still here is one answered early */
    bool is_stream_open; /* between request_stream_begin and request_stream_end */
    int64_t begun_ms;
    int64_t moved_ms; /* last progress */
};

/* ---- reading ---- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decode n bytes. -1 on a broken escape or an encoded NUL. */
static int decode(struct buf *out, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (c == '%') {
            int hi = i + 2 < n ? digit_of(p[i + 1]) : -1;
            int lo = i + 2 < n ? digit_of(p[i + 2]) : -1;
            if (hi < 0 || lo < 0 || (hi == 0 && lo == 0)) return -1;
            c = (char)(hi << 4 | lo);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        buf_put_u8(out, (uint8_t)c);
    }
    buf_put_u8(out, 0);
    return 0;
}

static int parse_query(struct request *r, const char *p)
{
    while (*p) {
        size_t n = strcspn(p, "&");
        const char *eq = memchr(p, '=', n);
        size_t n_name = eq ? (size_t)(eq - p) : n;
        if (decode(&r->query, p, n_name)) return -1;
        if (decode(&r->query, eq ? eq + 1 : "", eq ? n - n_name - 1 : 0)) return -1;
        p += n + (p[n] == '&');
    }
    return 0;
}

/* ERR_PROTO: unusable path or query; ERR_NOMEM. */
static int parse_path(struct request *r)
{
    const char *full = h2_header(r->stream, ":path");
    if (!full || full[0] != '/') full = "*";
    size_t n = strcspn(full, "?");
    r->path = alloc_zero(n + 1, 1);
    if (!r->path) return ERR_NOMEM;
    memcpy(r->path, full, n);
    if (full[0] != '/') return ERR_PROTO;
    if (full[n] == '?' && parse_query(r, full + n + 1)) return ERR_PROTO;
    return r->query.failed ? ERR_NOMEM : OK;
}

static const char *find(const struct buf *pairs, const char *name)
{
    const char *p = (const char *)pairs->p;
    const char *end = p ? p + pairs->len : NULL;
    while (p < end) {
        const char *value = p + strlen(p) + 1;
        if (strcmp(p, name) == 0) return value;
        p = value + strlen(value) + 1;
    }
    return NULL;
}

const char *request_method(const struct request *r)
{
    const char *m = h2_header(r->stream, ":method");
    return m ? m : "";
}

const char *request_path(const struct request *r)
{
    return r->path;
}

const char *request_query(const struct request *r, const char *name)
{
    return find(&r->query, name);
}

const char *request_header(const struct request *r, const char *name)
{
    return h2_header(r->stream, name);
}

const void *request_body(const struct request *r, size_t *ret_n)
{
    *ret_n = r->body.len;
    return r->body.p ? r->body.p : (const uint8_t *)""; /* a pointer also when there is nothing */
}

const char *request_peer(const struct request *r)
{
    return r->home->address;
}

bool request_is_local(const struct request *r)
{
    const char *a = r->home->address;
    return strcmp(a, "unix") == 0 || strncmp(a, "127.", 4) == 0 || strcmp(a, "::1") == 0 ||
           strncmp(a, "::ffff:127.", 11) == 0;
}

void request_set_route(struct request *r, const char *route)
{
    r->route = route;
}

void request_set_user(struct request *r, void *user)
{
    r->user = user;
}

void *request_user(const struct request *r)
{
    return r->user;
}

void request_on_gone(struct request *r, void (*gone_fn)(struct request *r, void *ctx), void *ctx)
{
    r->gone_fn = gone_fn;
    r->gone_ctx = ctx;
}

/* ---- life ---- */

static int64_t now_of(const struct request *r)
{
    return *r->home->now_ms;
}

static void count(const struct request *r, enum server_refusal why)
{
    if (r->home->counts) r->home->counts->refused[why]++;
}

/* The bytes of a body go where they came from. */
static void free_bytes(struct buf *b, bool is_block, struct guard_seat *seat)
{
    if (is_block && b->p)
        guard_block_return(guard_of(seat), b->p);
    else
        free(b->p);
    *b = (struct buf){0};
}

static void drop_body(struct request *r)
{
    guard_claim_drop(&r->claim);
    free_bytes(&r->body, r->is_block, r->home->seat);
    if (r->n_held) guard_release(r->home->seat, r->n_held);
    r->n_held = 0;
}

void request_take_body(struct request *r, struct request_body *ret)
{
    /* What was claimed and did not come goes back at once. */
    uint64_t n_spare = r->n_held > r->body.len ? r->n_held - r->body.len : 0;
    *ret = (struct request_body){r->body, r->home->seat, r->n_held - n_spare, r->is_block};
    r->body = (struct buf){0};
    r->n_held = 0;
    if (n_spare) guard_release(r->home->seat, n_spare);
}

static void drop_answer(struct request *r)
{
    buf_deinit(&r->out);
    r->home->n_answers -= r->n_answer;
    if (r->n_answer) guard_release(r->home->seat, r->n_answer);
    r->n_answer = 0;
}

void request_body_free(struct request_body *b)
{
    free_bytes(&b->bytes, b->is_block, b->seat);
    if (b->n_held) guard_release(b->seat, b->n_held);
    *b = (struct request_body){0};
}

/* The server's own refusals do not concern the handler. */
static void refuse(struct request *r, int status, const char *detail, const char *hint)
{
    drop_body(r);
    request_reply_error(r, status, detail, hint);
}

static void refuse_size(struct request *r)
{
    char hint[96];
    snprintf(hint, sizeof hint, "send at most %zu bytes in one request", r->home->max_body_bytes);
    count(r, SERVER_TOO_LARGE);
    refuse(r, 413, "the request body is too large", hint);
}

static void refuse_busy(struct request *r)
{
    count(r, SERVER_NO_ROOM);
    request_add_header(r, "retry-after", "2");
    refuse(r, 503, "the server is receiving as much as it can hold", "try again in a moment");
}

/* The body has its place: what came already counts within it, the rest may come. */
static void on_placed(struct guard_claim *c)
{
    struct request *r = (struct request *)(void *)((uint8_t *)c - offsetof(struct request, claim));
    uint64_t before = r->n_held;
    r->is_placed = true;
    r->n_held = c->n;
    r->moved_ms = now_of(r);
    h2_open(r->stream, (uint32_t)c->n);
    if (before) guard_release(r->home->seat, before);
    r->home->kick(r->home);
}

/* length: of the body, as far as its head tells. */
static void ask_for_place(struct request *r, uint64_t length)
{
    h2_hold(r->stream);
    r->claim = (struct guard_claim){.seat = r->home->seat, .n = length, .placed = on_placed};
    guard_claim(&r->claim);
}

static bool is_coded(const struct h2_stream *s)
{
    const char *coding = h2_header(s, "content-encoding");
    return coding && strcmp(coding, "identity") != 0;
}

void request_begin(struct request_home *home, struct h2_stream *s)
{
    struct request *r = alloc_zero(1, sizeof *r);
    if (!r) {
        h2_reset(s, H2_INTERNAL);
        return;
    }
    r->home = home;
    r->stream = s;
    r->fd = -1;
    r->begun_ms = r->moved_ms = *home->now_ms;
    r->next = home->first;
    if (r->next) r->next->prev = r;
    home->first = r;
    h2_set_user(s, r);
    int rc = parse_path(r);
    const char *text = h2_header(s, "content-length");
    uint64_t length = text ? strtoull(text, NULL, 10) : home->max_body_bytes;
    r->n_expected = text && length <= home->max_body_bytes ? (size_t)length : 0;
    if (rc == ERR_NOMEM)
        h2_reset(s, H2_INTERNAL);
    else if (rc)
        refuse(r, 400, "the path or query of the request is malformed", "see docs/PROTOCOL.md");
    else if (is_coded(s))
        refuse(r, 415, "no content coding is understood here", "send the body as it is");
    else if (length > home->max_body_bytes)
        refuse_size(r);
    else if (length && !h2_ends_with_head(s))
        ask_for_place(r, length);
}

/* Room for all of it at once: growing copies nothing, and on pages of its own a body can go to disk
 * as it is. Without memory for that it grows as it comes, and is refused if that fails.
 */
static void expect_body(struct request *r)
{
    if (!r->is_placed || r->is_block || r->n_expected < LARGE_BODY) return;
    if (r->n_expected > GUARD_BLOCK_BYTES) return;
    uint8_t *p = guard_block(guard_of(r->home->seat));
    if (!p) return;
    if (r->body.len) memcpy(p, r->body.p, r->body.len);
    free(r->body.p);
    r->body.p = p;
    r->body.cap = GUARD_BLOCK_BYTES;
    r->is_block = true;
}

void request_data(struct request_home *home, struct h2_stream *s, const uint8_t *p, size_t n)
{
    struct request *r = h2_user(s);
    if (!r || r->phase != ARRIVING) return; /* refused: the rest is dropped as it comes */
    r->moved_ms = *home->now_ms;
    if (r->body.len + n > home->max_body_bytes) {
        refuse_size(r);
        return;
    }
    uint64_t need = r->body.len + n;
    if (need > r->n_held) {
        if (!guard_hold(home->seat, need - r->n_held)) {
            refuse_busy(r);
            return;
        }
        r->n_held = need;
    }
    if (n < r->n_expected) expect_body(r);
    buf_put(&r->body, p, n);
    if (r->body.failed) refuse_busy(r);
}

void request_end(struct request_home *home, struct h2_stream *s)
{
    struct request *r = h2_user(s);
    if (!r || r->phase != ARRIVING) return;
    r->phase = WITH_HANDLER;
    guard_claim_drop(&r->claim); /* all of it came through the first window */
    if (home->counts) home->counts->n_requests++;
    home->handle(r, home->handle_ctx);
}

/* Of those that the handler has not seen it may want to know what came. */
static void tell_cut(struct request *r)
{
    bool is_cut = r->phase == ARRIVING && r->body.len > 0;
    if (is_cut && r->home->cut) r->home->cut(r, r->home->handle_ctx);
}

void request_cut(struct request_home *home, const char *path)
{
    for (struct request *r = home->first; r; r = r->next) {
        if (r->phase != ARRIVING || strcmp(r->path, path) != 0) continue;
        tell_cut(r);
        r->phase = ANSWERED;
        drop_body(r);
        h2_reset(r->stream, H2_CANCEL);
        home->kick(home);
    }
}

void request_closed(struct h2_stream *s)
{
    struct request *r = h2_user(s);
    if (!r) return;
    tell_cut(r);
    h2_set_user(s, NULL);
    /* The handler is told only of requests that it was given and has not finished. */
    bool is_known = r->phase == WITH_HANDLER || r->is_stream_open;
    if (is_known && r->gone_fn) r->gone_fn(r, r->gone_ctx);
    if (r->next) r->next->prev = r->prev;
    if (r->prev)
        r->prev->next = r->next;
    else
        r->home->first = r->next;
    drop_body(r);
    drop_answer(r);
    if (r->fd >= 0) close(r->fd);
    buf_deinit(&r->query);
    buf_deinit(&r->extra);
    free(r->path);
    free(r);
}

/* SERVER_REFUSALS: it may go on. */
static enum server_refusal stuck_how(struct request *r, int64_t now_ms)
{
    if (r->phase == WITH_HANDLER) return SERVER_REFUSALS; /* ours to answer, not the peer's fault */
    if (r->claim.is_waiting) r->begun_ms = r->moved_ms = now_ms; /* nor is this */
    if (r->source == SOURCE_STREAM && r->out_at == r->out.len && r->is_stream_open)
        return SERVER_REFUSALS;
    if (now_ms - r->moved_ms > LIMIT_STALL_MS) return SERVER_STALLED;
    if (r->phase == ANSWERED && r->is_sent && now_ms - r->moved_ms > EARLY_MS)
        return SERVER_STALLED;
    int64_t age_ms = now_ms - r->begun_ms;
    bool is_slow = r->phase == ARRIVING && age_ms > LIMIT_SLOW_AFTER_MS &&
                   (int64_t)r->body.len < age_ms / 1000 * LIMIT_SLOW_BYTES_PER_S;
    return is_slow ? SERVER_CRAWLED : SERVER_REFUSALS;
}

void request_expire(struct request_home *home)
{
    for (struct request *r = home->first; r; r = r->next) {
        enum server_refusal how = stuck_how(r, *home->now_ms);
        if (how == SERVER_REFUSALS || r->is_expired) continue;
        r->is_expired = true;
        if (!r->is_sent) count(r, how);
        h2_reset(r->stream, r->is_sent ? H2_NO_ERROR : H2_CANCEL);
    }
}

/* ---- answering ---- */

void request_add_header(struct request *r, const char *name, const char *value)
{
    buf_put_str(&r->extra, name);
    buf_put_u8(&r->extra, 0);
    buf_put_str(&r->extra, value);
    buf_put_u8(&r->extra, 0);
}

/* Send the head. length < 0: not known. Without memory the stream is reset: the peer sees an
 * error, never half an answer.
 */
static void respond(struct request *r, int status, const char *type, int64_t length)
{
    char text[24];
    struct h2_field f[H2_FIELDS_MAX];
    size_t n = 0;
    check(r->phase != ANSWERED);
    r->phase = ANSWERED;
    r->moved_ms = now_of(r);
    if (type && length != 0) f[n++] = (struct h2_field){"content-type", type};
    if (length >= 0 && status != 204 && status != 304) {
        snprintf(text, sizeof text, "%lld", (long long)length);
        f[n++] = (struct h2_field){"content-length", text};
    }
    const char *p = (const char *)r->extra.p;
    const char *end = p ? p + r->extra.len : NULL;
    while (p < end && n < H2_FIELDS_MAX) {
        const char *value = p + strlen(p) + 1;
        f[n++] = (struct h2_field){p, value};
        p = value + strlen(value) + 1;
    }
    if (r->home->answered) {
        struct server_answer a = {request_method(r), r->route, status, r->moved_ms - r->begun_ms};
        r->home->answered(&a, r->home->handle_ctx);
    }
    bool has_body = length != 0 && strcmp(request_method(r), "HEAD") != 0;
    r->is_sent = !has_body;
    bool is_short = r->extra.failed || r->out.failed;
    if (is_short || h2_respond(r->stream, status, f, n, has_body, NULL))
        h2_reset(r->stream, H2_INTERNAL);
    r->home->kick(r->home);
}

/* An answer that is not read stays here: how much may, is bounded. One may always be asked for. */
static bool may_wait(struct request *r, size_t n)
{
    struct request_home *home = r->home;
    if (home->n_answers && home->n_answers + n > LIMIT_ANSWERS_BYTES) return false;
    if (!guard_hold(home->seat, n)) return false;
    home->n_answers += n;
    r->n_answer = n;
    return true;
}

void request_reply(struct request *r, int status, const char *type, const void *body, size_t n)
{
    if (n > SMALL_ANSWER && !may_wait(r, n)) {
        count(r, SERVER_NO_ROOM);
        request_add_header(r, "retry-after", "2");
        request_reply_error(r, 503, "too many answers wait to be read", "read those first");
        return;
    }
    r->source = n ? SOURCE_BYTES : SOURCE_NONE;
    buf_put(&r->out, body, n); /* which may be the request's own */
    drop_body(r);
    respond(r, status, type, (int64_t)n);
}

/* RFC 9110, section 15: what a status is called; the title of a problem without a type. */
static const char *status_title(int status)
{
    switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    case 507: return "Insufficient Storage";
    default: return status < 500 ? "Client Error" : "Internal Server Error";
    }
}

void request_reply_error(struct request *r, int status, const char *detail, const char *hint)
{
    request_reply_problem(r, status, "about:blank", detail, hint);
}

void request_reply_problem(struct request *r, int status, const char *type, const char *detail,
                           const char *hint)
{
    struct buf text = {0};
    json_t *o = json_object();
    json_set_text(o, "type", type);
    json_set_text(o, "title", status_title(status));
    json_set_u64(o, "status", (uint64_t)status);
    json_set_text(o, "detail", detail);
    json_set_text(o, "hint", hint ? hint : "");
    /* Without memory the status alone says enough. */
    if (!o || json_write(o, &text, NULL)) buf_clear(&text);
    json_decref(o);
    request_reply(r, status, "application/problem+json", text.p, text.len);
    buf_deinit(&text);
}

void request_reply_file(struct request *r, int status, const char *type, int fd, uint64_t offset,
                        uint64_t n)
{
    r->source = n ? SOURCE_FILE : SOURCE_NONE;
    r->fd = fd;
    r->file_at = offset;
    r->file_left = n;
    (void)posix_fadvise(fd, (off_t)offset, (off_t)n, POSIX_FADV_SEQUENTIAL);
    drop_body(r);
    respond(r, status, type, (int64_t)n);
}

void request_stream_begin(struct request *r, int status, const char *type)
{
    r->source = SOURCE_STREAM;
    r->is_stream_open = true;
    drop_body(r);
    respond(r, status, type, -1);
}

int request_stream_push(struct request *r, const void *p, size_t n)
{
    check(r->is_stream_open);
    if (r->out.len - r->out_at + n > LIMIT_STREAM_WAITING) return ERR_LIMIT;
    if (r->out_at == r->out.len) { /* a reader that keeps up starts its stall clock anew */
        buf_clear(&r->out);
        r->out_at = 0;
        r->moved_ms = now_of(r);
    } else if (r->out_at > LIMIT_STREAM_WAITING) {
        memmove(r->out.p, r->out.p + r->out_at, r->out.len - r->out_at);
        r->out.len -= r->out_at;
        r->out_at = 0;
    }
    buf_put(&r->out, p, n);
    if (r->out.failed) h2_reset(r->stream, H2_INTERNAL);
    h2_resume(r->stream);
    r->home->kick(r->home);
    return r->out.failed ? ERR_NOMEM : OK;
}

void request_stream_end(struct request *r)
{
    check(r->is_stream_open);
    r->is_stream_open = false;
    h2_resume(r->stream);
    r->home->kick(r->home);
}

static long read_file(struct request *r, uint8_t *dst, size_t cap)
{
    size_t want = r->file_left < cap ? (size_t)r->file_left : cap;
    ssize_t n;
    do
        n = pread(r->fd, dst, want, (off_t)r->file_at);
    while (n < 0 && errno == EINTR);
    if (n <= 0) return H2_BROKEN; /* unreadable, or shorter than promised */
    r->file_at += (uint64_t)n;
    r->file_left -= (uint64_t)n;
    return n;
}

long request_read(struct h2_stream *s, uint8_t *dst, size_t cap, bool *ret_end)
{
    struct request *r = h2_user(s);
    if (!r) return H2_BROKEN;
    r->moved_ms = now_of(r);
    if (r->source == SOURCE_FILE) {
        long n = read_file(r, dst, cap);
        *ret_end = r->is_sent = n >= 0 && r->file_left == 0;
        return n;
    }
    size_t left = r->out.len - r->out_at;
    size_t n = left < cap ? left : cap;
    if (n) memcpy(dst, r->out.p + r->out_at, n);
    r->out_at += n;
    *ret_end = r->is_sent = r->out_at == r->out.len && !r->is_stream_open;
    return n || *ret_end ? (long)n : H2_WAIT;
}
