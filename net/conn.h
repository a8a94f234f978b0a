#pragma once
/* Why: one connection, whichever side we are: a libuv stream, TLS when there is a context, and
 * HTTP/2 on top. It moves bytes, keeps at most CONN_OUT_BYTES waiting twice (one block on its
 * way, one being filled), and ends politely. net/server.c and net/link.c give it meaning.
 *
 *     peer -> uv_read -> tls_feed/tls_read -> h2_feed -> h2_calls
 *     peer <- uv_write <- tls_write/tls_pull <- h2_pull <- h2_calls.read
 *
 * Nothing is written from inside a caller's call: conn_kick wakes an idle handle and the loop
 * writes. So no callback ever comes from inside a function of this header.
 *
 * Owner: conn_create; conn_close is asynchronous, `closed` is the last call. One loop thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "net/h2.h"
#include "net/tls.h"

#define CONN_OUT_BYTES     (128 * 1024)
#define CONN_SCRATCH_BYTES (128 * 1024)
#define CONN_GRACE_MS      1000 /* for a farewell to arrive */
#define CONN_FAREWELL_BYTES                                                                        \
    (4 << 20) /* read and dropped meanwhile: what may have been on its way */

struct conn;

struct conn_calls {
    void (*ready)(struct conn *c, void *ctx); /* handshake done, requests may flow */
    /* The connection ended by itself; e->code is OK when the peer closed it in order. conn_close
     * has been called already.
     */
    void (*broken)(struct conn *c, const struct err *e, void *ctx);
    void (*closed)(struct conn *c, void *ctx); /* memory goes away after this call */
};

struct conn_config {
    uv_loop_t *loop;
    enum h2_role role;
    bool is_unix;
    struct tls_context *tls; /* NULL: clear, prior knowledge */
    const char *host;        /* name to check (client with TLS) */
    const char *congestion; /* TCP's, where the kernel has it; NULL: BBR. Outlives the connection */
    bool is_plain;          /* for measurements: no windows of our own */
    uint8_t *scratch;       /* CONN_SCRATCH_BYTES, shared by all connections of one loop owner */
    uint64_t *n_in;         /* the owner's totals of bytes on the wire, added to */
    uint64_t *n_out;
    const struct h2_calls *h2_calls; /* get ctx as well */
    const struct conn_calls *calls;
    void *ctx;
};

int conn_create(const struct conn_config *cfg, struct conn **ret, struct err *e) MUST_CHECK;

/* For uv_accept, uv_tcp_connect and uv_pipe_connect; closing belongs to conn_close. */
uv_stream_t *conn_stream(struct conn *c);
struct h2 *conn_h2(struct conn *c);
void *conn_ctx(const struct conn *c);

/* The stream is connected: set socket options, begin to read and shake hands. ERR_IO. */
int conn_start(struct conn *c, struct err *e) MUST_CHECK;

void conn_kick(struct conn *c); /* there may be something to write */

void conn_rest(struct conn *c, bool is_resting); /* read nothing meanwhile */

/* Take now what lies in the kernel, at most CONN_DRAIN_BYTES: whoever asks on another connection what came
 * on this one wants to know about all of it. Does nothing inside this connection's own calls.
 */
#define CONN_DRAIN_BYTES (16 << 20)
void conn_drain(struct conn *c);

/* Say GOAWAY, send what can be sent now, then close; at most CONN_GRACE_MS. No `broken`. */
void conn_finish(struct conn *c);
void conn_close(struct conn *c); /* at once; again is harmless */

bool conn_is_ready(const struct conn *c);
bool conn_is_leaving(const struct conn *c);      /* finish or close was called, or it broke */
int64_t conn_last_read_ms(const struct conn *c); /* uv_now of the last byte from the peer */
/* uv_now when the peer's kernel was last seen taking bytes of ours. On a slow line one block takes
 * longer than any time-out of ours, yet it moves. Looks at the socket: call it about once a second.
 */
int64_t conn_sent_ms(struct conn *c);
size_t conn_on_its_way(struct conn *c); /* bytes of ours that the peer's kernel has not got yet */
bool conn_is_writing(const struct conn *c); /* bytes wait for the peer to take them */
