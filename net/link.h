#pragma once
/* Why: the asking half of our HTTP/2: one connection to one aggregator (TLS 1.3, ALPN h2, the
 * certificate's public key pinned by the run description) or to the agent's Unix socket. It
 * connects when the first request comes, keeps the connection alive with PING, and fails its
 * requests with ERR_IO when the connection breaks; deciding when to try again is the session's
 * business (net/backoff.h). GOAWAY and RST_STREAM are ordinary events.
 *
 * Owner: link_create / link_close (asynchronous). One loop thread. SIGPIPE is ignored for the
 * whole process.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/key.h"
#include "net/cap.h"

struct link;

struct link_config {
    const char *host; /* name or address; or NULL with unix_path */
    uint16_t port;
    const char *unix_path;
    const struct hash *tls_pin; /* SHA-256 of SubjectPublicKeyInfo; NULL: system CAs and name */
    struct cap *up, *down;      /* may be shared; NULL: no cap. Outlive the link */
    const char *congestion;     /* for measurements; NULL: BBR where there is. Outlives the link */
    bool is_plain;              /* for measurements: windows stay at HTTP/2's own 64 KiB */
};

/* The end of one request. status 0 when err is not OK. body lives during the call only. */
struct link_reply {
    int code;                /* OK, or ERR_IO / ERR_PROTO / ERR_LIMIT / ERR_AUTH / ERR_CANCELLED */
    struct err err;          /* text when code is not OK */
    int status;              /* HTTP status */
    const char *type;        /* content-type or "" */
    const char *digest;      /* SHA-256 of the whole thing in hex, if repr-digest says it; or "" */
    uint32_t retry_after_s;  /* what the server asks for, at most an hour; 0: nothing */
    int64_t upload_offset;   /* what upload-offset says; -1: nothing */
    bool is_upload_complete; /* upload-complete: ?1 */
    const uint8_t *body;
    size_t n_body;
};
typedef void (*link_done_fn)(const struct link_reply *reply, void *ctx);

/* Called for each piece of an event stream or a large body instead of collecting it. Return
 * non-zero to abort the request (it ends with ERR_CANCELLED). The body of an error answer (status
 * not 2xx) is collected all the same.
 */
typedef int (*link_data_fn)(const uint8_t *p, size_t n, void *ctx);

struct link_request {
    const char *method;
    const char *path; /* with query */
    const char *type; /* content-type of the body; NULL when there is none */
    const void *body; /* copied, unless it is lasting */
    size_t n_body;
    bool is_lasting;    /* body lives until `done` */
    const char *range;  /* "bytes=0-99" or NULL */
    const char *digest; /* SHA-256 of the body, 64 hex digits, sent as content-digest; or NULL */
    /* A resumable upload (draft-ietf-httpbis-resumable-upload): this body, which begins at
     * upload_at and reaches the end, is the rest of what has the SHA-256 `repr` (64 hex digits).
     */
    bool is_upload;
    uint64_t upload_at;
    const char *repr;
    /* Its body goes after the bodies of such requests that were sent before it, not between them. */
    bool is_in_line;
    const struct key *signer; /* signs the request (net/signature.h); NULL: nobody. Outlives it */
    int64_t signed_at_s;      /* wall clock, for the signature */
    uint32_t stall_ms;        /* no progress for so long ends it with ERR_IO; 0: LIMIT_STALL_MS */
    size_t max_reply_bytes;   /* 0: LIMIT_BODY_BYTES, or no limit with on_data */
    link_data_fn on_data;     /* NULL: collect the body */
    void (*on_moved)(void *ctx); /* bytes went or came, about once a second; NULL: nobody asks */
    link_done_fn done;           /* called exactly once, never from inside link_send */
    void *ctx;
};

int link_create(uv_loop_t *loop, const struct link_config *c, struct link **ret,
                struct err *e) MUST_CHECK;

/* Start a request. Errors come through done. Returns an id for link_cancel, never 0. */
uint64_t link_send(struct link *l, const struct link_request *r);
void link_cancel(struct link *l, uint64_t id); /* done comes with ERR_CANCELLED */

/* Round-trip time of the last PING in ms, or -1; bytes on the wire so far. */
double link_rtt_ms(const struct link *l);
void link_traffic(const struct link *l, uint64_t *ret_in, uint64_t *ret_out);

/* Fails all requests with ERR_CANCELLED, closes; then closed_fn(ctx) (may be NULL). */
void link_close(struct link *l, void (*closed_fn)(void *ctx), void *ctx);
