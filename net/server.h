#pragma once
/* Why: the serving half of our HTTP/2. It listens on TCP with TLS 1.3 (ALPN h2) or on a Unix
 * socket in the clear (prior knowledge), parses requests within net/limits.h, and hands whole
 * requests to one handler. Replies may be given later and from stored files; streams of events
 * stay open. One loop thread; nothing here blocks. SIGPIPE is ignored for the whole process.
 *
 * Owner: server_create / server_close (asynchronous; closed_fn tells when memory is gone).
 * struct request belongs to the server: it lives until request_reply has been called or, when the
 * peer goes away first, until gone_fn (set by request_on_gone) has returned.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"

struct server;
struct request;
struct guard_seat;

/* One answer given, for whoever counts. */
struct server_answer {
    const char *method;
    const char *route; /* what request_set_route was told, or NULL */
    int status;
    int64_t took_ms; /* from the request's head to the answer's */
};

struct server_config {
    const char *host;      /* numeric address to listen on, or NULL */
    uint16_t port;         /* 0: any free port; see server_port */
    const char *unix_path; /* instead of host: Unix socket, mode 0600, same user only */
    const char *cert_path; /* PEM; required with host */
    const char *key_path;
    size_t max_body_bytes; /* a request body above it is answered 413; at most LIMIT_BODY_BYTES */
    uint32_t conns_per_address;                   /* 0: LIMIT_CONNECTIONS_PER_IP */
    void (*handle)(struct request *r, void *ctx); /* called when the request is complete */
    void (*answered)(const struct server_answer *a, void *ctx); /* may be NULL */
    /* A request ended when only a part of its body was there; may be NULL. The part may be taken
     * (request_take_body), and nothing can be answered: r is gone afterwards.
     */
    void (*cut)(struct request *r, void *ctx);
    void *ctx;
    const char *congestion; /* for measurements, as in struct link_config */
    bool is_plain;
};

int server_create(uv_loop_t *loop, const struct server_config *c, struct server **ret,
                  struct err *e) MUST_CHECK; /* ERR_IO with a hint when the port is taken */
uint16_t server_port(const struct server *s);
uint32_t server_connections(const struct server *s);
/* Stop listening, send GOAWAY, drop connections; then closed_fn(ctx). */
void server_close(struct server *s, void (*closed_fn)(void *ctx), void *ctx);

/* End every other request for the path of r whose body is still arriving, as if its sender had gone;
 * what its address has sent until now is looked at first.
 */
void server_cut(struct server *s, const struct request *r);

/* Traffic since the start, bodies and framing. */
void server_traffic(const struct server *s, uint64_t *ret_in, uint64_t *ret_out);

/* Why connections and requests were turned away or ended by us, since the start. */
enum server_refusal {
    SERVER_FULL,      /* as many connections as there may be */
    SERVER_ADDRESS,   /* too many from one address */
    SERVER_NETWORK,   /* too many from one IPv6 /48 */
    SERVER_RATE,      /* opened too fast by one address */
    SERVER_CROWDED,   /* the oldest of too many that had not greeted */
    SERVER_HANDSHAKE, /* TLS could not be agreed on */
    SERVER_SILENT,    /* no greeting in time */
    SERVER_SLOW_HEAD, /* a header block that did not end in time */
    SERVER_PROTOCOL,  /* broke the rules of HTTP/2 */
    SERVER_ABUSE,     /* kept them, to no good end: see h2_abuse */
    SERVER_STUCK,     /* neither took bytes nor answered a PING */
    SERVER_IDLE,      /* nothing asked for long */
    SERVER_STALLED,   /* one request or answer that did not move */
    SERVER_CRAWLED,   /* one upload below the least rate */
    SERVER_NO_ROOM,   /* one request: too many bytes held already */
    SERVER_TOO_LARGE, /* one request: body above the cap */
    SERVER_REFUSALS
};
const char *server_refusal_word(enum server_refusal r); /* "per_address"; for metrics and logs */

struct server_counts {
    uint64_t n_accepted; /* connections taken */
    uint64_t n_greeted;  /* of these, as far as HTTP/2 */
    uint64_t refused[SERVER_REFUSALS];
    uint64_t n_requests; /* given to the handler */
    uint64_t n_held;     /* bytes held for peers now */
    uint32_t n_waiting;  /* bodies that wait for their place now */
    uint32_t n_conns;    /* connections now */
};
void server_count(const struct server *s, struct server_counts *ret);

/* Reading a request. Strings live as long as the request. */
const char *request_method(const struct request *r);
const char *request_path(const struct request *r);                     /* without the query */
const char *request_query(const struct request *r, const char *name);  /* value or NULL */
const char *request_header(const struct request *r, const char *name); /* lower case; or NULL */
const void *request_body(const struct request *r, size_t *ret_n);      /* never NULL */
const char *request_peer(const struct request *r);                     /* "192.0.2.1" or "unix" */
bool request_is_local(const struct request *r);                        /* from this machine */
void request_set_route(struct request *r, const char *route); /* a constant; for `answered` */

/* Take the body out of its request, without a copy. It may outlive request, connection and server,
 * and counts among what is held for its sender until request_body_free (loop thread).
 */
struct request_body {
    struct buf bytes;
    struct guard_seat *seat;
    uint64_t n_held;
    bool is_block; /* of net/guard.h */
};
void request_take_body(struct request *r, struct request_body *ret);
void request_body_free(struct request_body *b); /* accepts zeroed */

void request_set_user(struct request *r, void *user);
void *request_user(const struct request *r);
/* Called once if the peer goes away before the reply; the request is gone afterwards. */
void request_on_gone(struct request *r, void (*gone_fn)(struct request *r, void *ctx), void *ctx);

/* Replies; each finishes the request (r must not be used afterwards). Bytes are copied.
 * request_reply_error writes an RFC 9457 problem document with `detail` and `hint` beside what the
 * status says; request_reply_problem one of a type of its own (a URI) that programs can tell apart.
 * request_reply_file sends [offset, offset + n) of a file opened by the caller (fd is taken over).
 */
void request_reply(struct request *r, int status, const char *type, const void *body, size_t n);
void request_reply_error(struct request *r, int status, const char *detail, const char *hint);
void request_reply_problem(struct request *r, int status, const char *type, const char *detail,
                           const char *hint);
void request_reply_file(struct request *r, int status, const char *type, int fd, uint64_t offset,
                        uint64_t n);
/* Extra reply header, before the reply. Both strings are copied. */
void request_add_header(struct request *r, const char *name, const char *value);

/* An endless reply (event stream): begin, push any number of times, end. push returns ERR_LIMIT
 * when the reader is so slow that more than 256 KiB wait: skip that event.
 */
void request_stream_begin(struct request *r, int status, const char *type);
int request_stream_push(struct request *r, const void *p, size_t n) MUST_CHECK;
void request_stream_end(struct request *r);
