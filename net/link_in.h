#pragma once
/* Why: the insides of a link, seen by link.c (requests) and link_dial.c (how a connection is made)
 * alone.
 */

#include <uv.h>

#include "net/conn.h"
#include "net/link.h"
#include "net/proxy.h"

#define LINK_SPARE_CALLS 16
#define LINK_ADDRESSES   16 /* of a host; more are not tried */

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
    struct buf text; /* method, path, type, range, digest, repr: each with its NUL; absent: empty */
    struct buf body; /* empty when the caller's lasts */
    const uint8_t *body_p;
    size_t n_body;
    size_t body_at;
    struct buf in;
    uint64_t n_in;
    uint32_t stall_ms;
    uint64_t max_reply_bytes;
    int64_t moved_ms;
    int64_t told_ms; /* moved_ms when on_moved was called */
    bool is_upload;
    bool is_in_line;
    uint64_t upload_at;
    int64_t upload_offset;
    bool is_upload_complete;
    link_data_fn on_data;
    void (*on_moved)(void *ctx);
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

/* One way to the other side being tried. The request outlives the connection's closing. */
struct attempt {
    uv_connect_t connect;
    struct link *l;
    struct attempt *next;
    struct conn *conn; /* NULL: given up, only the callback is still to come */
    bool is_calling;   /* the callback is still to come */
    struct buf said;   /* what a proxy has answered so far */
    char *asked;       /* of the proxy; being written */
    uv_write_t write;
};

/* net/link_dial.c: how a connection is made. */
struct dial {
    uv_getaddrinfo_t resolve;
    uv_timer_t stagger; /* until the next address is tried beside those under way */
    struct addrinfo *addresses;
    struct addrinfo *order[LINK_ADDRESSES];
    int n_addresses, i_next;
    struct attempt *attempts;
    int last_error; /* of libuv */
    struct err why; /* in words, when a proxy said no */
    struct proxy proxy;
    bool is_resolving; /* the resolver will still call back */
};

enum link_state { LINK_DOWN, LINK_RESOLVING, LINK_CONNECTING, LINK_SHAKING, LINK_UP };

struct link {
    uv_loop_t *loop;
    uv_idle_t idle;
    uv_timer_t tick;
    uv_timer_t rate_tick;
    struct dial dial;
    char *host;
    char *unix_path;
    char where[300]; /* for people: "host:port" or the socket's path */
    char port[8];
    struct tls_context *tls;
    const char *congestion;
    bool is_plain;
    uint8_t *scratch;
    struct conn *conn; /* where new requests go; older ones may still be finishing theirs */
    enum link_state state;
    int64_t since_ms; /* of the state */
    int64_t ping_ms;
    struct call *calls; /* oldest first */
    uint64_t last_id;
    struct call spare[LINK_SPARE_CALLS];
    double rtt_ms;      /* of the last PING */
    double rtt_min_ms;  /* of this connection: the path without queues; 0: not known */
    uint32_t window;    /* of this connection */
    uint64_t window_in; /* n_in when it was looked at last, ... */
    int64_t window_ns;  /* ... and when */
    uint64_t n_in;      /* bytes on the wire */
    uint64_t n_out;
    struct cap *up, *down;
    bool is_resting; /* too much has come: nothing is read for a while */
    int n_conns;     /* not yet closed */
    int n_handles;
    bool is_closing;
    void (*closed_fn)(void *ctx);
    void *closed_ctx;
};

/* link.c */
uint32_t link_grown_window(uint32_t window, double bytes_per_s, double rtt_ms);
void link_fail_queued(struct link *l, const struct err *e); /* no connection could be made */
void link_cannot_reach(struct link *l, const char *why);    /* the same, in these words */
void link_wake(struct link *l);
void link_set_state(struct link *l, enum link_state state);
void link_lost(struct link *l, struct conn *c, const struct err *e);
void link_maybe_gone(struct link *l);
int link_new_conn(struct link *l, struct conn **ret, struct err *e) MUST_CHECK;

/* link_dial.c. A dial ends with l->conn set and started (LINK_SHAKING), or with link_fail_queued. */
void link_dial_start(struct link *l);
void link_dial_tick(struct link *l, int64_t now_ms); /* time-outs */
void link_dial_stop(struct link *l);                 /* at the end: give up what is under way */
bool link_dial_is_over(const struct link *l);        /* no callback is still to come */
void link_dial_free(struct link *l);
