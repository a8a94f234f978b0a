#pragma once
/* Why: HTTP/2 without any input or output: bytes from the peer go in, bytes for the peer come
 * out, and what they mean is told through callbacks. Both roles run the same code, so a client
 * and a server can be tied together in memory by a test or a simulator. This is the only file
 * that knows nghttp2; the attacks that nghttp2 1.52 does not stop by itself (endless stream
 * errors, empty DATA frames, header bombs, floods of frames that carry nothing) are stopped here,
 * with the caps of net/limits.h. Idle bytes are all but request heads and bodies: PING, SETTINGS,
 * PRIORITY, WINDOW_UPDATE, padding, unknown frames; who is sent much may update windows more often.
 *
 * Owner: h2_create / h2_destroy. One thread. Callbacks run inside h2_feed, h2_pull or h2_destroy;
 * inside them every function may be called but these three.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct h2;
struct h2_stream;

enum h2_role { H2_CLIENT, H2_SERVER };

/* What `read` may return instead of a number of bytes. */
#define H2_WAIT   (-1) /* nothing now; h2_resume when there is */
#define H2_BROKEN (-2) /* the source failed; the stream is reset */

#define H2_NO_ERROR 0x0
#define H2_INTERNAL 0x2
#define H2_REFUSED  0x7
#define H2_CANCEL   0x8

struct h2_calls {
    /* All header fields of a request, or of a final response, are there. */
    void (*head)(struct h2_stream *s, void *ctx);
    void (*data)(struct h2_stream *s, const uint8_t *p, size_t n, void *ctx);
    void (*end)(struct h2_stream *s, void *ctx); /* the peer has sent everything */
    /* Fill dst with up to cap bytes of the outgoing body; *ret_end with or after the last. */
    long (*read)(struct h2_stream *s, uint8_t *dst, size_t cap, bool *ret_end, void *ctx);
    /* Last call for a stream: over, reset (why is the error code), or connection gone. */
    void (*closed)(struct h2_stream *s, uint32_t why, void *ctx);
    void (*pong)(double rtt_ms, void *ctx);  /* may be NULL */
    void (*goaway)(struct h2 *h, void *ctx); /* the peer takes no new streams; may be NULL */
};

struct h2_field {
    const char *name; /* lower case */
    const char *value;
};

/* calls must outlive the session. ERR_NOMEM. */
int h2_create(enum h2_role role, const struct h2_calls *calls, void *ctx, struct h2 **ret,
              struct err *e) MUST_CHECK;
void h2_destroy(struct h2 *h); /* closes every open stream with H2_CANCEL first */

/* Bytes from the peer. On an error nothing more can be read, but h2_pull may still have a GOAWAY
 * to send. ERR_PROTO: the peer broke the rules; ERR_LIMIT: it is misbehaving; ERR_NOMEM.
 */
int h2_feed(struct h2 *h, const uint8_t *p, size_t n, int64_t now_ns, struct err *e) MUST_CHECK;

/* Next bytes for the peer, valid until the next call; *ret_n 0 when there are none now. */
int h2_pull(struct h2 *h, int64_t now_ns, const uint8_t **ret, size_t *ret_n,
            struct err *e) MUST_CHECK;

/* Both sides have said all: the connection can be closed once the pulled bytes are written. */
bool h2_is_over(const struct h2 *h);
bool h2_is_given_up(const struct h2 *h);  /* we told the peer that it broke the rules */
bool h2_is_greeted(const struct h2 *h);   /* the peer's SETTINGS have come */
uint32_t h2_streams(const struct h2 *h);  /* open now */
const char *h2_abuse(const struct h2 *h); /* what the peer was told to calm down for, or NULL */
/* Server: when the oldest request began whose head is still arriving; 0: there is none. */
int64_t h2_head_since_ns(const struct h2 *h);

/* Client: start a request. Errors: ERR_NOMEM, ERR_WRONG_STATE (no more streams here). */
struct h2_head {
    const char *method;
    const char *scheme; /* "https" or "http" */
    const char *authority;
    const char *path;
    const struct h2_field *fields;
    size_t n_fields; /* at most H2_FIELDS_MAX */
    bool has_body;
};
#define H2_FIELDS_MAX 16
int h2_request(struct h2 *h, const struct h2_head *head, void *user, struct h2_stream **ret,
               struct err *e) MUST_CHECK;

/* Server: answer. Once per stream; the body comes from `read` when has_body. It may be given while
 * the request is still arriving; the stream then stays until the peer ends it or it is reset.
 */
int h2_respond(struct h2_stream *s, int status, const struct h2_field *fields, size_t n_fields,
               bool has_body, struct err *e) MUST_CHECK;

/* A server's streams begin with LIMIT_UPLOAD_WINDOW. h2_hold, from `head` on: what arrives is not
 * given back to that window. h2_open ends it, and widens the window to n bytes when that is more.
 */
void h2_hold(struct h2_stream *s);
void h2_open(struct h2_stream *s, uint32_t n);

/* A client's windows: n bytes for each stream and for the connection. What was promised cannot be
 * taken back: a smaller n counts for the streams to come.
 */
void h2_window(struct h2 *h, uint32_t n);

/* For measurements: windows as HTTP/2 has them by itself, 64 KiB, whatever is asked for later. */
void h2_plain(struct h2 *h);

void h2_resume(struct h2_stream *s); /* `read` has something again */
void h2_reset(struct h2_stream *s, uint32_t why);
void h2_goaway(struct h2 *h); /* tell the peer to start nothing new here */
void h2_ping(struct h2 *h, int64_t now_ns);

/* A field received ("" when absent is never returned: NULL is). Names in lower case, pseudo
 * fields with their colon. Valid as long as the stream.
 */
const char *h2_header(const struct h2_stream *s, const char *name);
int h2_status(const struct h2_stream *s);          /* of a response; 0 before head */
bool h2_has_ended(const struct h2_stream *s);      /* the peer has sent everything */
bool h2_ends_with_head(const struct h2_stream *s); /* inside `head`: no body follows */
void h2_set_user(struct h2_stream *s, void *user);
void *h2_user(const struct h2_stream *s);
