#include "net/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/conn.h"
#include "net/limits.h"
#include "net/request.h"

#define TICK_MS       1000
#define BREATH_MS     10 /* the others are served for so long when the accept budget is used up */
#define REFUSAL_COST  0.125 /* of an accept that leads to a handshake */
#define ACCEPTS_BURST (LIMIT_ACCEPTS_PER_S / 4.0)
#define BACKLOG       1024 /* connections that the kernel keeps for us */
#define FRESH_MS      5000 /* without a request for so long a connection may give way to another */

struct peer {
    struct server *s;
    struct conn *conn;
    struct peer *next;
    struct peer *prev;
    struct request_home home;
    char address[INET6_ADDRSTRLEN];
    int64_t since_ms;
    int64_t busy_ms; /* when a request was open last */
    int64_t ping_ms;
};

struct server {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } u;
    uv_timer_t tick;
    uv_timer_t breath;
    uv_loop_t *loop;
    struct guard *guard;
    struct server_counts counts;
    double accepts; /* that may still be begun */
    int64_t accepts_ms;
    struct tls_context *tls;
    uint8_t *scratch;
    struct peer *peers;
    uint32_t n_peers;
    int n_handles;
    size_t max_body_bytes;
    uint64_t n_in; /* bytes on the wire */
    uint64_t n_out;
    int64_t now_ms;
    void (*handle)(struct request *r, void *ctx);
    void (*answered)(const struct server_answer *a, void *ctx);
    void (*cut)(struct request *r, void *ctx);
    void *ctx;
    const char *congestion;
    bool is_plain;
    void (*closed_fn)(void *ctx);
    void *closed_ctx;
    char unix_path[sizeof((struct sockaddr_un *)0)->sun_path];
    uint16_t port;
    bool is_unix;
    bool is_closing;
    bool is_accept_owed; /* a connection waits: the budget is used up, or memory ran out */
};

/* A connection that has been accepted and not been let in. Refusing costs no more than this. */
struct door {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } u;
    struct server *s;
};

static void on_tick(uv_timer_t *timer);

const char *server_refusal_word(enum server_refusal r)
{
    static const char *const words[SERVER_REFUSALS] = {
        [SERVER_FULL] = "full",           [SERVER_ADDRESS] = "per_address",
        [SERVER_NETWORK] = "per_network", [SERVER_RATE] = "rate",
        [SERVER_CROWDED] = "crowded",     [SERVER_HANDSHAKE] = "tls",
        [SERVER_SILENT] = "no_greeting",  [SERVER_SLOW_HEAD] = "slow_head",
        [SERVER_PROTOCOL] = "protocol",   [SERVER_ABUSE] = "abuse",
        [SERVER_STUCK] = "stuck",         [SERVER_IDLE] = "idle",
        [SERVER_STALLED] = "stalled",     [SERVER_CRAWLED] = "crawled",
        [SERVER_NO_ROOM] = "no_room",     [SERVER_TOO_LARGE] = "too_large",
    };
    return r < SERVER_REFUSALS ? words[r] : "unknown";
}

/* ---- end ---- */

static void server_free(struct server *s)
{
    tls_context_destroy(s->tls);
    guard_destroy(s->guard);
    free(s->scratch);
    free(s);
}

static void maybe_gone(struct server *s)
{
    if (!s->is_closing || s->n_peers || s->n_handles) return;
    if (s->closed_fn) s->closed_fn(s->closed_ctx);
    server_free(s);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct server *s = handle->data;
    s->n_handles--;
    maybe_gone(s);
}

void server_close(struct server *s, void (*closed_fn)(void *ctx), void *ctx)
{
    if (s->is_closing) return;
    s->is_closing = true;
    s->closed_fn = closed_fn;
    s->closed_ctx = ctx;
    if (s->unix_path[0]) unlink(s->unix_path);
    uv_close(&s->u.handle, on_handle_closed);
    uv_close((uv_handle_t *)&s->tick, on_handle_closed);
    uv_close((uv_handle_t *)&s->breath, on_handle_closed);
    struct peer *next = NULL;
    for (struct peer *p = s->peers; p; p = next) {
        next = p->next;
        conn_finish(p->conn);
    }
}

/* ---- one connection ---- */

static void on_ready(struct conn *c, void *ctx)
{
    struct peer *p = ctx;
    (void)c;
    p->s->counts.n_greeted++;
    p->busy_ms = (int64_t)uv_now(p->s->loop);
}

static void turn_away(struct peer *p, enum server_refusal why)
{
    p->s->counts.refused[why]++;
    conn_close(p->conn);
}

/* A peer that leaves or misbehaves is an ordinary event: its requests are told, and it is counted. */
static void on_broken(struct conn *c, const struct err *e, void *ctx)
{
    struct peer *p = ctx;
    uint64_t *refused = p->s->counts.refused;
    bool is_fault = e->code == ERR_PROTO || e->code == ERR_LIMIT;
    if (!is_fault) return;
    if (!conn_is_ready(c))
        refused[SERVER_HANDSHAKE]++;
    else
        refused[e->code == ERR_LIMIT ? SERVER_ABUSE : SERVER_PROTOCOL]++;
}

static void on_conn_closed(struct conn *c, void *ctx)
{
    struct peer *p = ctx;
    struct server *s = p->s;
    (void)c;
    if (p->next) p->next->prev = p->prev;
    if (p->prev)
        p->prev->next = p->next;
    else
        s->peers = p->next;
    s->n_peers--;
    guard_leave(p->home.seat);
    free(p);
    if (!s->n_peers && !s->is_closing && !s->is_accept_owed) uv_timer_stop(&s->tick);
    maybe_gone(s);
}

static void on_head(struct h2_stream *st, void *ctx)
{
    struct peer *p = ctx;
    p->s->now_ms = (int64_t)uv_now(p->s->loop);
    request_begin(&p->home, st);
}

static void on_data(struct h2_stream *st, const uint8_t *b, size_t n, void *ctx)
{
    struct peer *p = ctx;
    p->s->now_ms = (int64_t)uv_now(p->s->loop);
    request_data(&p->home, st, b, n);
}

static void on_end(struct h2_stream *st, void *ctx)
{
    struct peer *p = ctx;
    p->s->now_ms = (int64_t)uv_now(p->s->loop);
    request_end(&p->home, st);
}

static long on_read(struct h2_stream *st, uint8_t *dst, size_t cap, bool *ret_end, void *ctx)
{
    struct peer *p = ctx;
    p->s->now_ms = (int64_t)uv_now(p->s->loop);
    return request_read(st, dst, cap, ret_end);
}

static void on_stream_closed(struct h2_stream *st, uint32_t why, void *ctx)
{
    struct peer *p = ctx;
    (void)why;
    p->busy_ms = (int64_t)uv_now(p->s->loop);
    request_closed(st);
}

static const struct conn_calls conn_calls = {
    .ready = on_ready, .broken = on_broken, .closed = on_conn_closed};
static const struct h2_calls h2_calls = {
    .head = on_head, .data = on_data, .end = on_end, .read = on_read, .closed = on_stream_closed};

static void kick(struct request_home *home)
{
    struct peer *p =
        (struct peer *)(void *)((uint8_t *)home - offsetof(struct peer, home)); /* its container */
    p->s->now_ms = (int64_t)uv_now(p->s->loop);
    conn_kick(p->conn);
}

/* ---- accepting ---- */

static struct peer *peer_new(struct server *s, struct guard_seat *seat, const char *address)
{
    struct peer *p = alloc_zero(1, sizeof *p);
    if (!p) return NULL;
    struct conn_config cfg = {.loop = s->loop,
                              .role = H2_SERVER,
                              .is_unix = s->is_unix,
                              .tls = s->tls,
                              .congestion = s->congestion,
                              .is_plain = s->is_plain,
                              .scratch = s->scratch,
                              .n_in = &s->n_in,
                              .n_out = &s->n_out,
                              .h2_calls = &h2_calls,
                              .calls = &conn_calls,
                              .ctx = p};
    if (conn_create(&cfg, &p->conn, NULL)) {
        free(p);
        return NULL;
    }
    p->s = s;
    snprintf(p->address, sizeof p->address, "%s", address);
    p->home = (struct request_home){.address = p->address,
                                    .max_body_bytes = s->max_body_bytes,
                                    .seat = seat,
                                    .counts = &s->counts,
                                    .now_ms = &s->now_ms,
                                    .handle = s->handle,
                                    .answered = s->answered,
                                    .cut = s->cut,
                                    .handle_ctx = s->ctx,
                                    .kick = kick};
    p->since_ms = p->busy_ms = p->ping_ms = (int64_t)uv_now(s->loop);
    p->next = s->peers;
    if (p->next) p->next->prev = p;
    s->peers = p;
    s->n_peers++;
    s->counts.n_accepted++;
    return p;
}

static bool learn_address(struct door *d, struct guard_key *ret_key, char text[INET6_ADDRSTRLEN])
{
    struct sockaddr_storage a = {0};
    int n = sizeof a;
    if (uv_tcp_getpeername(&d->u.tcp, (struct sockaddr *)&a, &n)) return false;
    if (a.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(void *)&a;
        uint8_t b[4];
        memcpy(b, &v4->sin_addr, sizeof b);
        *ret_key = guard_key_v4(b);
        return uv_ip4_name(v4, text, INET6_ADDRSTRLEN) == 0;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(void *)&a;
    *ret_key = guard_key_v6(v6->sin6_addr.s6_addr);
    return uv_ip6_name(v6, text, INET6_ADDRSTRLEN) == 0;
}

static bool is_same_user(struct door *d)
{
    struct ucred who = {0};
    socklen_t n = sizeof who;
    uv_os_fd_t fd = -1;
    return uv_fileno(&d->u.handle, &fd) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == geteuid();
}

/* Whoever has not greeted yet costs a handshake. When there are too many, the next one waits in the
 * kernel until one has finished, or the oldest has had its time: a thousand contributors that come
 * back at once all get in, and strangers who connect and say nothing hold nobody up for long.
 */
static bool is_crowded(struct server *s)
{
    struct peer *oldest = NULL;
    uint32_t n = 0;
    for (struct peer *p = s->peers; p; p = p->next) {
        if (conn_is_leaving(p->conn) || h2_is_greeted(conn_h2(p->conn))) continue;
        oldest = p; /* new ones are put in front */
        n++;
    }
    if (n < LIMIT_GREETING) return false;
    if (s->now_ms - oldest->since_ms < LIMIT_GREETING_MS) return true;
    turn_away(oldest, SERVER_CROWDED);
    return false;
}

/* All places are taken: who has asked for nothing the longest leaves one to the next who knocks. */
static void make_room(struct server *s)
{
    struct peer *idle = NULL;
    for (struct peer *p = s->peers; p; p = p->next) {
        if (conn_is_leaving(p->conn) || h2_streams(conn_h2(p->conn))) continue;
        if (s->now_ms - p->busy_ms > FRESH_MS && (!idle || p->busy_ms < idle->busy_ms)) idle = p;
    }
    if (idle) turn_away(idle, SERVER_IDLE);
}

/* ERR_AGAIN: no memory just now, though it is welcome. */
static int let_in(struct door *d, const struct guard_key *key, const char *address)
{
    struct server *s = d->s;
    struct guard_seat *seat = NULL;
    static const enum server_refusal why[] = {[GUARD_FULL] = SERVER_FULL,
                                              [GUARD_ADDRESS] = SERVER_ADDRESS,
                                              [GUARD_NETWORK] = SERVER_NETWORK,
                                              [GUARD_RATE] = SERVER_RATE};
    enum guard_verdict v = guard_enter(s->guard, key, s->now_ms, &seat);
    if (v == GUARD_FULL) make_room(s);
    if (v != GUARD_WELCOME) {
        s->counts.refused[why[v]]++;
        return ERR_LIMIT;
    }
    s->accepts -= 1 - REFUSAL_COST;
    uv_os_fd_t fd = -1;
    int own = uv_fileno(&d->u.handle, &fd) ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    struct peer *p = own >= 0 ? peer_new(s, seat, address) : NULL;
    if (!p) {
        if (own >= 0) close(own);
        guard_leave(seat);
        return ERR_AGAIN;
    }
    uv_stream_t *stream = conn_stream(p->conn);
    int rc =
        s->is_unix ? uv_pipe_open((uv_pipe_t *)stream, own) : uv_tcp_open((uv_tcp_t *)stream, own);
    if (rc) close(own);
    if (rc || conn_start(p->conn, NULL)) conn_close(p->conn);
    return OK;
}

static void on_door_closed(uv_handle_t *handle)
{
    struct door *d = handle->data;
    struct server *s = d->s;
    s->n_handles--;
    free(d);
    maybe_gone(s);
}

static struct door *door_new(struct server *s)
{
    struct door *d = alloc_zero(1, sizeof *d);
    if (!d) return NULL;
    d->s = s;
    if (s->is_unix ? uv_pipe_init(s->loop, &d->u.pipe, 0) : uv_tcp_init(s->loop, &d->u.tcp)) {
        free(d);
        return NULL;
    }
    d->u.handle.data = d;
    s->n_handles++;
    return d;
}

static bool has_budget(struct server *s)
{
    s->now_ms = (int64_t)uv_now(s->loop);
    s->accepts += (double)(s->now_ms - s->accepts_ms) / 1000 * LIMIT_ACCEPTS_PER_S;
    s->accepts_ms = s->now_ms;
    if (s->accepts > ACCEPTS_BURST) s->accepts = ACCEPTS_BURST;
    return s->accepts >= 1;
}

static void on_breath(uv_timer_t *timer);

/* libuv accepts nothing more until this one is taken: the clock, or the breath, tries again. */
static void owe(struct server *s)
{
    s->is_accept_owed = true;
    uv_timer_start(&s->breath, on_breath, BREATH_MS, 0);
}

static void accept_one(struct server *s)
{
    char address[INET6_ADDRSTRLEN] = "unix";
    struct guard_key key = {{0}};
    struct door *d = has_budget(s) && !is_crowded(s) ? door_new(s) : NULL;
    if (!uv_is_active((uv_handle_t *)&s->tick)) uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
    if (!d) {
        owe(s);
        return;
    }
    s->is_accept_owed = false;
    s->accepts -= REFUSAL_COST;
    bool is_here = uv_accept(&s->u.stream, &d->u.stream) == 0 && !s->is_closing &&
                   (s->is_unix ? is_same_user(d) : learn_address(d, &key, address));
    if (is_here) (void)let_in(d, &key, address);
    uv_close(&d->u.handle, on_door_closed);
}

static void on_breath(uv_timer_t *timer)
{
    struct server *s = timer->data;
    if (s->is_accept_owed) accept_one(s);
}

static void on_connection(uv_stream_t *stream, int status)
{
    /* A failed accept (no descriptors left) concerns that one peer; the next may succeed. */
    if (status == 0) accept_one(stream->data);
}

/* ---- the clock ---- */

static void check_peer(struct peer *p, int64_t now_ms)
{
    struct conn *c = p->conn;
    if (conn_is_leaving(c)) return;
    if (!h2_is_greeted(conn_h2(c)) && now_ms - p->since_ms > LIMIT_HANDSHAKE_MS) {
        turn_away(p, SERVER_SILENT);
        return;
    }
    if (!conn_is_ready(c)) return;
    int64_t head_ns = h2_head_since_ns(conn_h2(c));
    if (head_ns && (int64_t)uv_hrtime() - head_ns > LIMIT_HEAD_MS * 1000000LL) {
        turn_away(p, SERVER_SLOW_HEAD);
        return;
    }
    int64_t silent_ms = now_ms - conn_last_read_ms(c);
    int64_t stuck_ms = now_ms - conn_sent_ms(c);
    if (stuck_ms > silent_ms) stuck_ms = silent_ms; /* bytes that come or go are signs of life */
    if (stuck_ms > (conn_is_writing(c) ? LIMIT_STALL_MS : LIMIT_PING_MS + LIMIT_STALL_MS)) {
        turn_away(p, SERVER_STUCK);
        return;
    }
    request_expire(&p->home);
    bool is_busy = h2_streams(conn_h2(c)) > 0;
    if (is_busy) p->busy_ms = now_ms;
    if (!is_busy && now_ms - p->busy_ms > LIMIT_IDLE_MS) {
        p->s->counts.refused[SERVER_IDLE]++;
        conn_finish(c);
        return;
    }
    if (silent_ms > LIMIT_PING_MS && now_ms - p->ping_ms > LIMIT_PING_MS) {
        p->ping_ms = now_ms;
        h2_ping(conn_h2(c), (int64_t)uv_hrtime());
    }
    conn_kick(c);
}

static void on_tick(uv_timer_t *timer)
{
    struct server *s = timer->data;
    s->now_ms = (int64_t)uv_now(s->loop);
    guard_trim(s->guard);
    if (s->is_accept_owed) accept_one(s);
    struct peer *next = NULL;
    for (struct peer *p = s->peers; p; p = next) {
        next = p->next;
        check_peer(p, s->now_ms);
    }
}

/* ---- listening ---- */

static int bind_error(struct err *e, int uv_rc, const char *host, uint16_t port)
{
    if (uv_rc == UV_EADDRINUSE) {
        err_set(e, ERR_IO, 0, "port %u is already in use on %s", port, host);
        err_hint(e, "stop the program that holds port %u, or choose another with --port", port);
    } else if (uv_rc == UV_EACCES) {
        err_set(e, ERR_IO, 0, "port %u may not be opened by this user", port);
        err_hint(e, "choose a port above 1023 with --port");
    } else {
        err_set(e, ERR_IO, 0, "cannot listen on %s port %u: %s", host, port, uv_strerror(uv_rc));
        err_hint(e, "choose an address of this machine, or 0.0.0.0 for all of them");
    }
    return ERR_IO;
}

static int listen_tcp(struct server *s, const struct server_config *c, struct err *e)
{
    struct sockaddr_storage a = {0};
    struct sockaddr *to = (struct sockaddr *)&a;
    if (uv_ip4_addr(c->host, c->port, (struct sockaddr_in *)(void *)&a) &&
        uv_ip6_addr(c->host, c->port, (struct sockaddr_in6 *)(void *)&a)) {
        err_set(e, ERR_ARG, 0, "'%.60s' is not a numeric address", c->host);
        err_hint(e, "use an address such as 127.0.0.1, 0.0.0.0 or ::");
        return ERR_ARG;
    }
    int rc = uv_tcp_bind(&s->u.tcp, to, 0);
    if (!rc) rc = uv_listen(&s->u.stream, BACKLOG, on_connection);
    int n = sizeof a;
    if (!rc) rc = uv_tcp_getsockname(&s->u.tcp, to, &n);
    if (rc) return bind_error(e, rc, c->host, c->port);
    s->port = ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&a)->sin_port
                                           : ((struct sockaddr_in6 *)(void *)&a)->sin6_port);
    return OK;
}

/* A socket file stays behind when its owner is killed. It may be replaced when nobody answers. */
static int clear_stale(const struct sockaddr_un *a, struct err *e)
{
    struct stat st = {0};
    if (lstat(a->sun_path, &st)) return OK;
    if (!S_ISSOCK(st.st_mode)) {
        err_set(e, ERR_IO, 0, "'%.80s' exists and is not a socket", a->sun_path);
        err_hint(e, "move it away, or choose another folder with --home");
        return ERR_IO;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return err_set(e, ERR_IO, errno, "cannot make a socket");
    bool is_dead = connect(fd, (const struct sockaddr *)a, sizeof *a) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!is_dead) {
        err_set(e, ERR_IO, 0, "another program is already listening on '%.80s'", a->sun_path);
        err_hint(e, "it is probably running already: use that one, or stop it first");
        return ERR_IO;
    }
    return unlink(a->sun_path) && errno != ENOENT
               ? err_set(e, ERR_IO, errno, "cannot replace the old socket '%.80s'", a->sun_path)
               : OK;
}

static int bind_unix(const struct sockaddr_un *a, int *ret_fd, struct err *e)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return err_set(e, ERR_IO, errno, "cannot make a socket");
    /* On Linux the file inherits the mode of the socket, so it is private from its first moment. */
    if (fchmod(fd, 0600) || bind(fd, (const struct sockaddr *)a, sizeof *a) ||
        chmod(a->sun_path, 0600)) {
        int sys = errno;
        close(fd);
        return err_set(e, ERR_IO, sys, "cannot make the socket '%.80s'", a->sun_path);
    }
    *ret_fd = fd;
    return OK;
}

static int listen_unix(struct server *s, const char *path, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path) {
        err_set(e, ERR_ARG, 0, "the socket path is too long: '%.80s...'", path);
        err_hint(e, "choose a shorter folder with --home (at most 90 characters)");
        return ERR_ARG;
    }
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = -1;
    int rc = clear_stale(&a, e);
    if (!rc) rc = bind_unix(&a, &fd, e);
    if (rc) return rc;
    int uv_rc = uv_pipe_open(&s->u.pipe, fd);
    if (uv_rc) close(fd);
    if (!uv_rc) uv_rc = uv_listen(&s->u.stream, BACKLOG, on_connection);
    if (uv_rc) {
        unlink(a.sun_path);
        return err_set(e, ERR_IO, 0, "cannot listen on '%.80s': %s", a.sun_path,
                       uv_strerror(uv_rc));
    }
    snprintf(s->unix_path, sizeof s->unix_path, "%s", a.sun_path);
    return OK;
}

int server_create(uv_loop_t *loop, const struct server_config *c, struct server **ret,
                  struct err *e)
{
    struct server *s = alloc_zero(1, sizeof *s);
    if (s) s->scratch = alloc_zero(CONN_SCRATCH_BYTES, 1);
    if (!s || !s->scratch) {
        free(s);
        return err_set(e, ERR_NOMEM, 0, "out of memory for a server");
    }
    signal(SIGPIPE, SIG_IGN); /* libuv writes to sockets that the peer may have closed */
    s->loop = loop;
    s->is_unix = c->unix_path != NULL;
    s->handle = c->handle;
    s->ctx = c->ctx;
    s->now_ms = (int64_t)uv_now(loop);
    s->max_body_bytes = c->max_body_bytes && c->max_body_bytes < LIMIT_BODY_BYTES
                            ? c->max_body_bytes
                            : LIMIT_BODY_BYTES;
    s->answered = c->answered;
    s->cut = c->cut;
    s->congestion = c->congestion;
    s->is_plain = c->is_plain;
    s->accepts = ACCEPTS_BURST;
    s->accepts_ms = s->now_ms;
    struct guard_config guard = {.conns_per_address = s->is_unix ? 0
                                                      : c->conns_per_address
                                                          ? c->conns_per_address
                                                          : LIMIT_CONNECTIONS_PER_IP};
    int rc = guard_create(&guard, &s->guard, e);
    if (!rc && !s->is_unix) rc = tls_context_server(c->cert_path, c->key_path, &s->tls, e);
    if (rc) {
        server_free(s);
        return rc;
    }
    check(!uv_timer_init(loop, &s->tick) && !uv_timer_init(loop, &s->breath));
    check(!(s->is_unix ? uv_pipe_init(loop, &s->u.pipe, 0) : uv_tcp_init(loop, &s->u.tcp)));
    s->n_handles = 3;
    s->u.handle.data = s->tick.data = s->breath.data = s;
    rc = c->unix_path ? listen_unix(s, c->unix_path, e) : listen_tcp(s, c, e);
    if (rc) {
        server_close(s, NULL, NULL);
        return rc;
    }
    *ret = s;
    return OK;
}

uint16_t server_port(const struct server *s)
{
    return s->port;
}

uint32_t server_connections(const struct server *s)
{
    return s->n_peers;
}

void server_cut(struct server *s, const struct request *r)
{
    for (struct peer *p = s->peers; p; p = p->next)
        if (strcmp(p->address, request_peer(r)) == 0) conn_drain(p->conn);
    for (struct peer *p = s->peers; p; p = p->next)
        request_cut(&p->home, request_path(r));
}

void server_traffic(const struct server *s, uint64_t *ret_in, uint64_t *ret_out)
{
    *ret_in = s->n_in;
    *ret_out = s->n_out;
}

void server_count(const struct server *s, struct server_counts *ret)
{
    *ret = s->counts;
    ret->n_held = guard_held(s->guard);
    ret->n_waiting = guard_waiting(s->guard);
    ret->n_conns = s->n_peers;
}
