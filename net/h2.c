#include "net/h2.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "net/limits.h"

#define FRAME_HEAD   9
#define PLAIN_WINDOW 65535
#define BOMB         4 /* times the caps of a head: no mistake any more */
#define FRAME_BODY   (16384 - FRAME_HEAD)
#define SENT_SHARE   32    /* one idle byte more for so many that were sent to the peer */
#define FEED_BLOCK   16384 /* a peer that overdrew its limits is noticed at least this often */

struct h2_stream {
    struct h2 *h;
    struct h2_stream *next;
    struct h2_stream *prev;
    void *user;
    struct buf fields; /* name NUL value NUL ... */
    size_t header_bytes;
    uint32_t n_headers;
    int32_t id;
    int status;
    int64_t begun_ns;
    bool is_head_done;
    bool is_last;        /* the frame being read ends it */
    bool is_remote_done; /* the peer sent END_STREAM */
    bool is_answered;
    bool is_refused; /* too large a head: reset when it is complete */
    bool is_held;    /* its window does not open again by itself */
    uint32_t n_held; /* bytes not given back meanwhile */
};

struct h2 {
    nghttp2_session *session;
    const struct h2_calls *calls;
    void *ctx;
    struct h2_stream *streams;
    enum h2_role role;
    uint32_t n_streams;
    uint32_t n_empty; /* DATA frames without a byte in a row */
    int64_t now_ns;
    int64_t bucket_ns; /* when the bucket was filled last */
    double bucket;     /* stream errors this peer may still cause */
    double idle;       /* bytes that carry nothing which it may still send */
    int64_t idle_ns;
    uint64_t n_useful; /* of the bytes being fed */
    bool is_greeted;
    bool is_plain;
    bool is_given_up;  /* a GOAWAY with an error has left */
    bool is_dead;      /* the session may only be deleted */
    const char *abuse; /* why the peer was told to calm down, or NULL */
};

/* nghttp2 allocates through base/alloc.h, so that tests can fail its k-th allocation. */
static void *mem_malloc(size_t n, void *ctx)
{
    (void)ctx;
    return alloc_resize(NULL, n, 1);
}

static void mem_free(void *p, void *ctx)
{
    (void)ctx;
    free(p);
}

static void *mem_calloc(size_t n, size_t size, void *ctx)
{
    (void)ctx;
    return alloc_zero(n, size);
}

static void *mem_realloc(void *p, size_t n, void *ctx)
{
    (void)ctx;
    return alloc_resize(p, n, 1);
}

static struct h2_stream *stream_of(const struct h2 *h, int32_t id)
{
    return id > 0 ? nghttp2_session_get_stream_user_data(h->session, id) : NULL;
}

static struct h2_stream *stream_add(struct h2 *h)
{
    struct h2_stream *s = alloc_zero(1, sizeof *s);
    if (!s) return NULL;
    s->h = h;
    s->next = h->streams;
    if (s->next) s->next->prev = s;
    h->streams = s;
    h->n_streams++;
    return s;
}

static void stream_free(struct h2_stream *s)
{
    struct h2 *h = s->h;
    if (s->next) s->next->prev = s->prev;
    if (s->prev)
        s->prev->next = s->next;
    else
        h->streams = s->next;
    h->n_streams--;
    buf_deinit(&s->fields);
    free(s);
}

/* ---- limits ---- */

static void calm_down(struct h2 *h, const char *abuse)
{
    if (h->abuse) return;
    h->abuse = abuse;
    /* Without memory for a GOAWAY the connection is dropped all the same: h2_feed fails. */
    (void)nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* nghttp2 would unpack a bomb to its end before it resets the stream: 48 MB for each 16 KB, which is
 * time. Failing the callback stops it at once, and with it the session: nothing is sent any more.
 */
static int give_up(struct h2 *h, const char *abuse)
{
    h->abuse = abuse;
    h->is_dead = true;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* Each stream error costs a token. nghttp2 counts the peer's RST_STREAM frames but not those
 * that the peer makes us send (CVE-2025-8671), hence a bucket of our own.
 */
static void count_stream_error(struct h2 *h)
{
    double passed_s = (double)(h->now_ns - h->bucket_ns) / 1e9;
    h->bucket_ns = h->now_ns;
    if (passed_s > 0) h->bucket += passed_s * LIMIT_RESETS_PER_S;
    if (h->bucket > LIMIT_RESETS_BURST) h->bucket = LIMIT_RESETS_BURST;
    h->bucket -= 1;
    if (h->bucket < 0) calm_down(h, "too many stream errors");
}

/* Frames of every kind cost time, whoever sends them. What is neither head nor body comes out of
 * an allowance; a header block is bounded by its own caps.
 */
static void count_idle(struct h2 *h, size_t n_fed)
{
    double passed_s = (double)(h->now_ns - h->idle_ns) / 1e9;
    h->idle_ns = h->now_ns;
    if (passed_s > 0) h->idle += passed_s * LIMIT_IDLE_PER_S;
    if (h->idle > LIMIT_IDLE_BYTES) h->idle = LIMIT_IDLE_BYTES;
    if (n_fed > h->n_useful) h->idle -= (double)(n_fed - h->n_useful);
    h->n_useful = n_fed > h->n_useful ? 0 : h->n_useful - n_fed; /* of a block yet to come */
    if (h->idle < 0 && h->role == H2_SERVER) calm_down(h, "too many frames that carry nothing");
}

/* ---- callbacks of nghttp2 ---- */

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *ctx)
{
    struct h2 *h = ctx;
    (void)session;
    bool is_data = hd->type == NGHTTP2_DATA;
    /* Also what arrives for a stream that was just reset: its sender could not know. */
    if (is_data || hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION)
        h->n_useful += FRAME_HEAD + hd->length;
    if (!is_data) return 0;
    if (hd->length > 0 || hd->flags & NGHTTP2_FLAG_END_STREAM)
        h->n_empty = 0;
    else if (++h->n_empty > LIMIT_EMPTY_DATA)
        calm_down(h, "too many empty DATA frames");
    return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct h2 *h = ctx;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    struct h2_stream *s = stream_add(h);
    if (!s) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    s->id = frame->hd.stream_id;
    s->begun_ns = h->now_ns ? h->now_ns : 1;
    if (nghttp2_session_set_stream_user_data(session, s->id, s)) {
        stream_free(s);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *ctx)
{
    struct h2 *h = ctx;
    (void)session;
    (void)flags;
    struct h2_stream *s = stream_of(h, frame->hd.stream_id);
    if (!s) return 0;
    s->header_bytes += n_name + n_value;
    s->n_headers++;
    bool is_path = n_name == 5 && memcmp(name, ":path", 5) == 0;
    if (s->header_bytes > BOMB * LIMIT_HEADER_BYTES || s->n_headers > BOMB * LIMIT_HEADERS)
        return give_up(h, "header bomb");
    if (s->header_bytes > LIMIT_HEADER_BYTES || s->n_headers > LIMIT_HEADERS ||
        (is_path && n_value > LIMIT_PATH_BYTES))
        s->is_refused = true;
    if (s->is_refused || s->is_head_done) return 0; /* counted, not kept; as trailers are */
    buf_put(&s->fields, name, n_name);
    buf_put_u8(&s->fields, 0);
    buf_put(&s->fields, value, n_value);
    buf_put_u8(&s->fields, 0);
    return s->fields.failed ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static void head_done(struct h2 *h, struct h2_stream *s)
{
    if (s->is_head_done) return;
    if (h->role == H2_CLIENT) {
        const char *text = h2_header(s, ":status");
        s->status = text ? (int)strtol(text, NULL, 10) : 0;
        if (s->status < 200) { /* interim: the final answer is still to come */
            buf_clear(&s->fields);
            return;
        }
    }
    s->is_head_done = true;
    h->calls->head(s, h->ctx);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct h2 *h = ctx;
    (void)session;
    if (frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK) {
        int64_t sent_ns = 0;
        memcpy(&sent_ns, frame->ping.opaque_data, sizeof sent_ns);
        if (h->calls->pong && sent_ns > 0 && sent_ns <= h->now_ns)
            h->calls->pong((double)(h->now_ns - sent_ns) / 1e6, h->ctx);
        return 0;
    }
    if (frame->hd.type == NGHTTP2_SETTINGS) h->is_greeted = true;
    if (frame->hd.type == NGHTTP2_GOAWAY && h->calls->goaway) h->calls->goaway(h, h->ctx);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    struct h2_stream *s = stream_of(h, frame->hd.stream_id);
    if (!s) return 0;
    s->is_last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (s->is_refused) {
        h2_reset(s, H2_INTERNAL);
        return 0;
    }
    if (frame->hd.type == NGHTTP2_HEADERS) head_done(h, s);
    if (s->is_last && !s->is_remote_done) {
        s->is_remote_done = true;
        h->calls->end(s, h->ctx);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *ctx)
{
    struct h2 *h = ctx;
    (void)flags;
    struct h2_stream *s = stream_of(h, id);
    if (s && !s->is_refused) h->calls->data(s, p, n, h->ctx);
    /* The connection's window always opens again: one stream that waits must not stop the others. */
    bool is_held = s && s->is_held;
    int rc = is_held ? nghttp2_session_consume_connection(session, n)
                     : nghttp2_session_consume(session, id, n);
    if (is_held) s->n_held += (uint32_t)n;
    return nghttp2_is_fatal(rc) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t why, void *ctx)
{
    struct h2 *h = ctx;
    struct h2_stream *s = stream_of(h, id);
    if (!s) return 0;
    (void)nghttp2_session_set_stream_user_data(session, id, NULL);
    h->calls->closed(s, why, h->ctx);
    stream_free(s);
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code,
                            void *ctx)
{
    (void)session;
    (void)frame;
    (void)code;
    count_stream_error(ctx);
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct h2 *h = ctx;
    (void)session;
    /* A client resets to cancel its own requests; that says nothing about the server. */
    if (frame->hd.type == NGHTTP2_RST_STREAM && h->role == H2_SERVER) count_stream_error(h);
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
        h->is_given_up = true;
    return 0;
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *dst, size_t cap,
                       uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    struct h2 *h = ctx;
    (void)session;
    (void)source;
    struct h2_stream *s = stream_of(h, id);
    if (!s) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    bool is_end = false;
    if (cap > FRAME_BODY) cap = FRAME_BODY; /* with its head, a frame then fills a TLS record */
    long n = h->calls->read(s, dst, cap, &is_end, h->ctx);
    if (n < 0 && n != H2_WAIT) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (n == H2_WAIT || (n == 0 && !is_end)) return NGHTTP2_ERR_DEFERRED;
    check((size_t)n <= cap);
    if (is_end) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

/* ---- life ---- */

static int new_session(struct h2 *h)
{
    nghttp2_mem mem = {
        .malloc = mem_malloc, .free = mem_free, .calloc = mem_calloc, .realloc = mem_realloc};
    nghttp2_session_callbacks *cb = NULL;
    nghttp2_option *opt = NULL;
    int rc = NGHTTP2_ERR_NOMEM;
    if (nghttp2_session_callbacks_new(&cb) || nghttp2_option_new(&opt)) goto out;
    nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
    nghttp2_option_set_no_auto_window_update(opt, 1);
    nghttp2_option_set_peer_max_concurrent_streams(opt, LIMIT_STREAMS);
    nghttp2_option_set_max_outbound_ack(opt, LIMIT_ACKS_WAITING);
    nghttp2_option_set_no_closed_streams(opt, 1);
    nghttp2_option_set_stream_reset_rate_limit(opt, LIMIT_RESETS_BURST, LIMIT_RESETS_PER_S);
    if (h->role == H2_SERVER)
        rc = nghttp2_session_server_new3(&h->session, cb, h, opt, &mem);
    else
        rc = nghttp2_session_client_new3(&h->session, cb, h, opt, &mem);
out:
    nghttp2_option_del(opt);
    nghttp2_session_callbacks_del(cb);
    return rc;
}

/* Both windows must be set: the stream window by SETTINGS, the connection window by an update.
 * Left at 64 KiB, an 80 ms path carries a tenth of what it could.
 */
static int greet(struct h2 *h)
{
    nghttp2_settings_entry s[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, LIMIT_STREAMS      },
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,    LIMIT_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,   LIMIT_HEADER_BYTES },
        {NGHTTP2_SETTINGS_ENABLE_PUSH,            0                  },
    };
    if (h->role == H2_SERVER) s[1].value = LIMIT_UPLOAD_WINDOW;
    size_t n = h->role == H2_CLIENT ? 4 : 3; /* a server never speaks of push */
    int rc = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, s, n);
    if (rc) return rc;
    return nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                                 LIMIT_CONNECTION_WINDOW);
}

int h2_create(enum h2_role role, const struct h2_calls *calls, void *ctx, struct h2 **ret,
              struct err *e)
{
    struct h2 *h = alloc_zero(1, sizeof *h);
    if (!h) return err_set(e, ERR_NOMEM, 0, "out of memory for a connection");
    h->role = role;
    h->calls = calls;
    h->ctx = ctx;
    h->bucket = LIMIT_RESETS_BURST;
    h->idle = LIMIT_IDLE_BYTES;
    if (new_session(h) || greet(h)) {
        h2_destroy(h);
        return err_set(e, ERR_NOMEM, 0, "out of memory for a connection");
    }
    *ret = h;
    return OK;
}

void h2_destroy(struct h2 *h)
{
    if (!h) return;
    struct h2_stream *next = NULL;
    for (struct h2_stream *s = h->streams; s; s = next) {
        next = s->next;
        h->calls->closed(s, H2_CANCEL, h->ctx);
        if (s->id > 0) (void)nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
        stream_free(s);
    }
    if (h->session) nghttp2_session_del(h->session);
    free(h);
}

static int library_error(int rc, struct err *e)
{
    if (rc == NGHTTP2_ERR_NOMEM || rc == NGHTTP2_ERR_CALLBACK_FAILURE)
        return err_set(e, ERR_NOMEM, 0, "out of memory for a connection");
    if (rc == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        return err_set(e, ERR_PROTO, 0, "the other side does not speak HTTP/2");
    if (rc == NGHTTP2_ERR_FLOODED)
        return err_set(e, ERR_LIMIT, 0, "the other side floods the connection");
    return err_set(e, ERR_PROTO, 0, "HTTP/2 error: %s", nghttp2_strerror(rc));
}

int h2_feed(struct h2 *h, const uint8_t *p, size_t n, int64_t now_ns, struct err *e)
{
    h->now_ns = now_ns;
    if (!h->bucket_ns) h->bucket_ns = h->idle_ns = now_ns;
    while (n) {
        if (h->abuse) return err_set(e, ERR_LIMIT, 0, "misbehaving peer: %s", h->abuse);
        size_t block = n < FEED_BLOCK ? n : FEED_BLOCK;
        ssize_t rc = nghttp2_session_mem_recv(h->session, p, block);
        if (h->is_dead) break;
        if (rc < 0) return library_error((int)rc, e);
        count_idle(h, block);
        p += block;
        n -= block;
    }
    return h->abuse ? err_set(e, ERR_LIMIT, 0, "misbehaving peer: %s", h->abuse) : OK;
}

int h2_pull(struct h2 *h, int64_t now_ns, const uint8_t **ret, size_t *ret_n, struct err *e)
{
    h->now_ns = now_ns;
    *ret_n = 0;
    if (h->is_dead) return OK;
    ssize_t n = nghttp2_session_mem_send(h->session, ret);
    if (n < 0) return library_error((int)n, e);
    *ret_n = (size_t)n;
    h->idle += (double)n / SENT_SHARE; /* capped when the next bytes come */
    return OK;
}

bool h2_is_over(const struct h2 *h)
{
    return !nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session);
}

bool h2_is_given_up(const struct h2 *h)
{
    return h->is_given_up;
}

bool h2_is_greeted(const struct h2 *h)
{
    return h->is_greeted;
}

uint32_t h2_streams(const struct h2 *h)
{
    return h->n_streams;
}

const char *h2_abuse(const struct h2 *h)
{
    return h->abuse;
}

int64_t h2_head_since_ns(const struct h2 *h)
{
    int64_t first = 0;
    for (const struct h2_stream *s = h->streams; s; s = s->next)
        if (!s->is_head_done && (!first || s->begun_ns < first)) first = s->begun_ns;
    return first;
}

/* ---- sending ---- */

static nghttp2_nv field(const char *name, const char *value)
{
    /* nghttp2 copies both and writes to neither. */
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value)};
}

static int submit_error(int rc, struct err *e)
{
    if (rc == NGHTTP2_ERR_NOMEM) return err_set(e, ERR_NOMEM, 0, "out of memory for a request");
    return err_set(e, ERR_WRONG_STATE, 0, "this connection takes no more requests: %s",
                   nghttp2_strerror(rc));
}

int h2_request(struct h2 *h, const struct h2_head *head, void *user, struct h2_stream **ret,
               struct err *e)
{
    check(h->role == H2_CLIENT && head->n_fields <= H2_FIELDS_MAX);
    nghttp2_nv nv[4 + H2_FIELDS_MAX];
    size_t n = 0;
    nv[n++] = field(":method", head->method);
    nv[n++] = field(":scheme", head->scheme);
    nv[n++] = field(":authority", head->authority);
    nv[n++] = field(":path", head->path);
    for (size_t i = 0; i < head->n_fields; i++)
        nv[n++] = field(head->fields[i].name, head->fields[i].value);
    struct h2_stream *s = stream_add(h);
    if (!s) return submit_error(NGHTTP2_ERR_NOMEM, e);
    s->user = user;
    nghttp2_data_provider body = {.read_callback = on_read};
    int32_t id = nghttp2_submit_request(h->session, NULL, nv, n, head->has_body ? &body : NULL, s);
    if (id < 0) {
        stream_free(s);
        return submit_error(id, e);
    }
    s->id = id;
    *ret = s;
    return OK;
}

int h2_respond(struct h2_stream *s, int status, const struct h2_field *fields, size_t n_fields,
               bool has_body, struct err *e)
{
    check(s->h->role == H2_SERVER && !s->is_answered && n_fields <= H2_FIELDS_MAX);
    char text[16];
    snprintf(text, sizeof text, "%d", status);
    nghttp2_nv nv[1 + H2_FIELDS_MAX];
    size_t n = 0;
    nv[n++] = field(":status", text);
    for (size_t i = 0; i < n_fields; i++)
        nv[n++] = field(fields[i].name, fields[i].value);
    nghttp2_data_provider body = {.read_callback = on_read};
    int rc = nghttp2_submit_response(s->h->session, s->id, nv, n, has_body ? &body : NULL);
    if (rc) return submit_error(rc, e);
    s->is_answered = true;
    return OK;
}

/* The ones below have no way to report that memory ran out. A lost RST_STREAM, GOAWAY, PING or
 * window leaves a stream or connection to the time-outs, which end it.
 */
void h2_resume(struct h2_stream *s)
{
    (void)nghttp2_session_resume_data(s->h->session, s->id);
}

void h2_hold(struct h2_stream *s)
{
    s->is_held = true;
}

void h2_open(struct h2_stream *s, uint32_t n)
{
    nghttp2_session *session = s->h->session;
    s->is_held = false;
    if (n > LIMIT_UPLOAD_WINDOW && !s->h->is_plain)
        (void)nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, s->id, (int32_t)n);
    if (s->n_held) (void)nghttp2_session_consume_stream(session, s->id, s->n_held);
    s->n_held = 0;
}

void h2_plain(struct h2 *h)
{
    h2_window(h, PLAIN_WINDOW);
    h->is_plain = true;
}

void h2_window(struct h2 *h, uint32_t n)
{
    if (h->is_plain) return;
    nghttp2_settings_entry s = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, n};
    bool is_between = n >= LIMIT_STREAM_WINDOW && n < LIMIT_CONNECTION_WINDOW;
    (void)nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, &s, 1);
    (void)nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                                is_between ? LIMIT_CONNECTION_WINDOW : (int32_t)n);
}

void h2_reset(struct h2_stream *s, uint32_t why)
{
    (void)nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id, why);
}

void h2_goaway(struct h2 *h)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(h->session);
    (void)nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
}

void h2_ping(struct h2 *h, int64_t now_ns)
{
    uint8_t mark[8];
    memcpy(mark, &now_ns, sizeof mark);
    (void)nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, mark);
}

/* ---- reading ---- */

const char *h2_header(const struct h2_stream *s, const char *name)
{
    const char *p = (const char *)s->fields.p;
    const char *end = p + s->fields.len;
    while (p < end) {
        const char *value = p + strlen(p) + 1;
        if (strcmp(p, name) == 0) return value;
        p = value + strlen(value) + 1;
    }
    return NULL;
}

int h2_status(const struct h2_stream *s)
{
    return s->status;
}

void h2_set_user(struct h2_stream *s, void *user)
{
    s->user = user;
}

bool h2_ends_with_head(const struct h2_stream *s)
{
    return s->is_last;
}

bool h2_has_ended(const struct h2_stream *s)
{
    return s->is_remote_done;
}

void *h2_user(const struct h2_stream *s)
{
    return s->user;
}
