#include "net/request.h"

#include <errno.h>
#include <fcntl.h>
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
    const char *end = p + pairs->len;
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
    return r->body.p;
}

const char *request_peer(const struct request *r)
{
    return r->home->address;
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

static void drop_body(struct request *r)
{
    *r->home->n_bodies -= r->body.len;
    buf_deinit(&r->body);
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
    refuse(r, 413, "the request body is too large", hint);
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
    const char *length = h2_header(s, "content-length");
    if (rc == ERR_NOMEM)
        h2_reset(s, H2_INTERNAL);
    else if (rc)
        refuse(r, 400, "the path or query of the request is malformed", "see docs/PROTOCOL.md");
    else if (length && strtoull(length, NULL, 10) > home->max_body_bytes)
        refuse_size(r);
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
    size_t before = r->body.len;
    if (*home->n_bodies + n <= LIMIT_BODIES_BYTES) buf_put(&r->body, p, n);
    *home->n_bodies += r->body.len - before;
    if (r->body.len - before == n) return;
    request_add_header(r, "retry-after", "2");
    refuse(r, 503, "the server is receiving as much as it can hold", "try again in a moment");
}

void request_end(struct request_home *home, struct h2_stream *s)
{
    struct request *r = h2_user(s);
    if (!r || r->phase != ARRIVING) return;
    r->phase = WITH_HANDLER;
    home->handle(r, home->handle_ctx);
}

void request_closed(struct h2_stream *s)
{
    struct request *r = h2_user(s);
    if (!r) return;
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
    if (r->fd >= 0) close(r->fd);
    buf_deinit(&r->query);
    buf_deinit(&r->extra);
    buf_deinit(&r->out);
    free(r->path);
    free(r);
}

static bool is_stuck(const struct request *r, int64_t now_ms)
{
    if (r->phase == WITH_HANDLER) return false; /* ours to answer, not the peer's fault */
    if (r->source == SOURCE_STREAM && r->out_at == r->out.len && r->is_stream_open) return false;
    if (now_ms - r->moved_ms > LIMIT_STALL_MS) return true;
    int64_t age_ms = now_ms - r->begun_ms;
    if (r->phase == ANSWERED && r->is_sent && now_ms - r->moved_ms > EARLY_MS) return true;
    return r->phase == ARRIVING && age_ms > LIMIT_SLOW_AFTER_MS &&
           (int64_t)r->body.len < age_ms / 1000 * LIMIT_SLOW_BYTES_PER_S;
}

void request_expire(struct request_home *home)
{
    for (struct request *r = home->first; r; r = r->next)
        if (is_stuck(r, *home->now_ms)) h2_reset(r->stream, r->is_sent ? H2_NO_ERROR : H2_CANCEL);
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
    const char *end = p + r->extra.len;
    while (p < end && n < H2_FIELDS_MAX) {
        const char *value = p + strlen(p) + 1;
        f[n++] = (struct h2_field){p, value};
        p = value + strlen(value) + 1;
    }
    bool has_body = length != 0 && strcmp(request_method(r), "HEAD") != 0;
    r->is_sent = !has_body;
    bool is_short = r->extra.failed || r->out.failed;
    if (is_short || h2_respond(r->stream, status, f, n, has_body, NULL))
        h2_reset(r->stream, H2_INTERNAL);
    r->home->kick(r->home);
}

void request_reply(struct request *r, int status, const char *type, const void *body, size_t n)
{
    r->source = n ? SOURCE_BYTES : SOURCE_NONE;
    buf_put(&r->out, body, n);
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
