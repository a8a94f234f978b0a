#include "net/server.h"

#include <arpa/inet.h>
#include <errno.h>
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

#define TICK_MS 1000

struct address_key {
    uint8_t b[16]; /* an IPv4 address, or the /64 of an IPv6 address; zero for a Unix socket */
};

struct peer {
    struct server *s;
    struct conn *conn;
    struct peer *next;
    struct peer *prev;
    struct request_home home;
    struct address_key key;
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
    uv_loop_t *loop;
    struct tls_context *tls;
    uint8_t *scratch;
    struct peer *peers;
    uint32_t n_peers;
    int n_handles;
    size_t max_body_bytes;
    uint64_t n_bodies;
    uint64_t n_in; /* bytes on the wire */
    uint64_t n_out;
    int64_t now_ms;
    void (*handle)(struct request *r, void *ctx);
    void *ctx;
    void (*closed_fn)(void *ctx);
    void *closed_ctx;
    char unix_path[sizeof((struct sockaddr_un *)0)->sun_path];
    uint16_t port;
    bool is_unix;
    bool is_closing;
    bool is_accept_owed; /* memory ran out while a connection waited */
};

static void on_tick(uv_timer_t *timer);

/* ---- end ---- */

static void server_free(struct server *s)
{
    tls_context_destroy(s->tls);
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
    p->busy_ms = (int64_t)uv_now(p->s->loop);
}

/* A peer that leaves or misbehaves is an ordinary event: its requests are told, nothing else. */
static void on_broken(struct conn *c, const struct err *e, void *ctx)
{
    (void)c;
    (void)e;
    (void)ctx;
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

static struct peer *peer_new(struct server *s)
{
    struct peer *p = alloc_zero(1, sizeof *p);
    if (!p) return NULL;
    struct conn_config cfg = {.loop = s->loop,
                              .role = H2_SERVER,
                              .is_unix = s->is_unix,
                              .tls = s->tls,
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
    p->home = (struct request_home){.address = p->address,
                                    .max_body_bytes = s->max_body_bytes,
                                    .n_bodies = &s->n_bodies,
                                    .now_ms = &s->now_ms,
                                    .handle = s->handle,
                                    .handle_ctx = s->ctx,
                                    .kick = kick};
    p->since_ms = p->busy_ms = p->ping_ms = (int64_t)uv_now(s->loop);
    p->next = s->peers;
    if (p->next) p->next->prev = p;
    s->peers = p;
    s->n_peers++;
    return p;
}

static bool learn_address(struct peer *p)
{
    struct sockaddr_storage a = {0};
    int n = sizeof a;
    if (p->s->is_unix) {
        snprintf(p->address, sizeof p->address, "unix");
        return true;
    }
    if (uv_tcp_getpeername((uv_tcp_t *)conn_stream(p->conn), (struct sockaddr *)&a, &n))
        return false;
    if (a.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(void *)&a;
        memcpy(p->key.b, &v4->sin_addr, sizeof v4->sin_addr);
        return uv_ip4_name(v4, p->address, sizeof p->address) == 0;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(void *)&a;
    memcpy(p->key.b, &v6->sin6_addr, 8); /* one household has a whole /64 */
    return uv_ip6_name(v6, p->address, sizeof p->address) == 0;
}

static bool is_welcome(const struct peer *p)
{
    const struct server *s = p->s;
    if (s->is_closing || s->n_peers > LIMIT_CONNECTIONS) return false;
    if (s->is_unix) {
        struct ucred who = {0};
        socklen_t n = sizeof who;
        uv_os_fd_t fd = -1;
        return uv_fileno((uv_handle_t *)conn_stream(p->conn), &fd) == 0 &&
               getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == geteuid();
    }
    uint32_t n_same = 0;
    for (const struct peer *q = s->peers; q; q = q->next)
        n_same += memcmp(&q->key, &p->key, sizeof p->key) == 0;
    return n_same <= LIMIT_CONNECTIONS_PER_IP;
}

static void accept_one(struct server *s)
{
    struct peer *p = peer_new(s);
    if (!uv_is_active((uv_handle_t *)&s->tick)) uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
    /* libuv accepts nothing more until this one is taken, so the clock tries again. */
    s->is_accept_owed = !p;
    if (!p) return;
    if (uv_accept(&s->u.stream, conn_stream(p->conn)) || !learn_address(p) || !is_welcome(p) ||
        conn_start(p->conn, NULL))
        conn_close(p->conn);
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
        conn_close(c);
        return;
    }
    if (!conn_is_ready(c)) return;
    int64_t silent_ms = now_ms - conn_last_read_ms(c);
    int64_t stuck_ms = now_ms - conn_sent_ms(c);
    if (stuck_ms > silent_ms) stuck_ms = silent_ms; /* bytes that come or go are signs of life */
    if (stuck_ms > (conn_is_writing(c) ? LIMIT_STALL_MS : LIMIT_PING_MS + LIMIT_STALL_MS)) {
        conn_close(c);
        return;
    }
    request_expire(&p->home);
    bool is_busy = h2_streams(conn_h2(c)) > 0;
    if (is_busy) p->busy_ms = now_ms;
    if (!is_busy && now_ms - p->busy_ms > LIMIT_IDLE_MS) {
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
    if (!rc) rc = uv_listen(&s->u.stream, 128, on_connection);
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
    if (!uv_rc) uv_rc = uv_listen(&s->u.stream, 128, on_connection);
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
    int rc = s->is_unix ? OK : tls_context_server(c->cert_path, c->key_path, &s->tls, e);
    if (rc) {
        server_free(s);
        return rc;
    }
    check(!uv_timer_init(loop, &s->tick));
    check(!(s->is_unix ? uv_pipe_init(loop, &s->u.pipe, 0) : uv_tcp_init(loop, &s->u.tcp)));
    s->n_handles = 2;
    s->u.handle.data = s->tick.data = s;
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

void server_traffic(const struct server *s, uint64_t *ret_in, uint64_t *ret_out)
{
    *ret_in = s->n_in;
    *ret_out = s->n_out;
}
