#include "net/conn.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "net/limits.h"

#define BLOCK_BYTES  (CONN_SCRATCH_BYTES / 2)
#define RECORD_BYTES 16384 /* of TLS, at most */

/* CONNECTED: bytes flow. FINISHING: everything that can be sent is being sent. LINGERING: our
 * side is shut down, the peer's last bytes are read and dropped, since closing a socket with
 * unread bytes would destroy what we sent. CLOSING: uv_close is on its way.
 */
enum conn_state { CONN_NEW, CONN_CONNECTED, CONN_FINISHING, CONN_LINGERING, CONN_CLOSING };

struct conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } u;
    uv_idle_t idle;   /* runs once after conn_kick */
    uv_timer_t grace; /* bounds the farewell */
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct conn_config cfg;
    struct tls *tls;
    struct h2 *h2;
    struct buf plain;   /* frames on their way into TLS records */
    struct buf out;     /* being filled */
    struct buf sending; /* on its way, while is_writing */
    enum conn_state state;
    int n_handles; /* still to be closed */
    bool is_writing;
    bool is_feeding; /* inside h2_feed: a kick would only cost a wake-up */
    bool is_ready;
    bool is_mute; /* nothing can be written any more; what has come is still read */
    struct err write_err;
    bool is_failed;    /* h2 refused the peer's bytes: only the farewell is left */
    int64_t n_dropped; /* bytes read after the end */
    int64_t last_read_ms;
    int64_t sent_ms;
    int64_t n_written; /* bytes given to libuv */
    int64_t n_taken;   /* of these, acknowledged by the peer's kernel when last looked at */
};

static void flush(struct conn *c);

static int64_t now_ns(void)
{
    return (int64_t)uv_hrtime();
}

/* ---- ending ---- */

static void on_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    if (--c->n_handles) return;
    h2_destroy(c->h2);
    c->h2 = NULL;
    c->cfg.calls->closed(c, c->cfg.ctx);
    tls_destroy(c->tls);
    buf_deinit(&c->plain);
    buf_deinit(&c->out);
    buf_deinit(&c->sending);
    free(c);
}

void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSING) return;
    c->state = CONN_CLOSING;
    c->n_handles = 3;
    uv_close(&c->u.handle, on_closed);
    uv_close((uv_handle_t *)&c->idle, on_closed);
    uv_close((uv_handle_t *)&c->grace, on_closed);
}

/* The connection ends by itself: tell the owner once, unless the owner asked for the end. */
static void break_off(struct conn *c, const struct err *e)
{
    if (c->state == CONN_CLOSING) return;
    bool is_news = c->state == CONN_CONNECTED;
    conn_close(c);
    if (is_news) c->cfg.calls->broken(c, e, c->cfg.ctx);
}

static void on_grace(uv_timer_t *timer)
{
    struct conn *c = timer->data;
    if (c->state == CONN_CONNECTED)
        break_off(c, &c->write_err);
    else
        conn_close(c);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    struct conn *c = req->data;
    if (status && c->state == CONN_LINGERING) conn_close(c);
}

/* All is written: shut our side and wait, bounded, for the peer to close its own. */
static void linger(struct conn *c)
{
    c->state = CONN_LINGERING;
    c->shutdown.data = c;
    if (uv_shutdown(&c->shutdown, &c->u.stream, on_shutdown)) conn_close(c);
}

static void start_grace(struct conn *c)
{
    if (uv_timer_start(&c->grace, on_grace, CONN_GRACE_MS, 0)) conn_close(c);
}

void conn_finish(struct conn *c)
{
    if (c->state == CONN_NEW) conn_close(c);
    if (c->state != CONN_CONNECTED) return;
    c->state = CONN_FINISHING;
    if (c->is_ready) h2_goaway(c->h2);
    start_grace(c);
    conn_kick(c);
}

/* The peer broke the rules or memory ran out: send the GOAWAY that h2 has ready, then close. */
static void fail(struct conn *c, const struct err *e)
{
    if (c->state == CONN_CLOSING || c->is_failed) return;
    c->is_failed = true;
    if (c->state != CONN_CONNECTED) return; /* the farewell is on its way already */
    c->state = CONN_FINISHING;
    start_grace(c);
    conn_kick(c);
    c->cfg.calls->broken(c, e, c->cfg.ctx);
}

/* ---- writing ---- */

static void on_written(uv_write_t *req, int status)
{
    struct conn *c = req->data;
    c->is_writing = false;
    c->sent_ms = (int64_t)uv_now(c->cfg.loop);
    buf_clear(&c->sending);
    if (c->state == CONN_CLOSING) return;
    if (!status) {
        flush(c);
        return;
    }
    /* The peer is gone, but what it sent before lies in our kernel: an answer, or the part of an upload
     * that need not be sent again. Reading comes to the end of it by itself.
     */
    c->is_mute = true;
    err_set(&c->write_err, ERR_IO, 0, "the connection broke: %s", uv_strerror(status));
    if (c->state == CONN_CONNECTED)
        start_grace(c);
    else
        conn_close(c);
}

static int send_out(struct conn *c, struct err *e)
{
    struct buf swap = c->sending;
    c->sending = c->out;
    c->out = swap;
    uv_buf_t b = uv_buf_init((char *)c->sending.p, (unsigned int)c->sending.len);
    c->write.data = c;
    int rc = uv_write(&c->write, &c->u.stream, &b, 1, on_written);
    if (rc) return err_set(e, ERR_IO, 0, "the connection broke: %s", uv_strerror(rc));
    c->is_writing = true;
    *c->cfg.n_out += c->sending.len;
    c->n_written += (int64_t)c->sending.len;
    return OK;
}

/* Clear: small frames are gathered into blocks, so that the kernel is called seldom. */
static int fill_clear(struct conn *c, struct err *e)
{
    while (c->out.len < CONN_OUT_BYTES && !c->out.failed) {
        const uint8_t *p = NULL;
        size_t n = 0;
        int rc = h2_pull(c->h2, now_ns(), &p, &n, e);
        if (rc || !n) return rc;
        buf_put(&c->out, p, n);
    }
    return OK;
}

static int seal(struct conn *c, const uint8_t *p, size_t n, struct err *e)
{
    return n ? tls_write(c->tls, p, n, e) : OK;
}

/* TLS: small frames are gathered so that records are full; a frame that fills one goes in as it is.
 */
static int fill_tls(struct conn *c, struct err *e)
{
    int rc = OK;
    size_t n = 1;
    while (!rc && n && tls_waiting(c->tls) + c->plain.len < CONN_OUT_BYTES && !c->plain.failed) {
        const uint8_t *p = NULL;
        rc = h2_pull(c->h2, now_ns(), &p, &n, e);
        bool is_large = n >= RECORD_BYTES / 2;
        if (rc) break;
        if (c->plain.len && (is_large || !n || c->plain.len + n > RECORD_BYTES)) {
            rc = seal(c, c->plain.p, c->plain.len, e);
            buf_clear(&c->plain);
        }
        if (!rc && is_large) rc = seal(c, p, n, e);
        if (!is_large) buf_put(&c->plain, p, n);
    }
    if (!rc) rc = buf_ok(&c->plain, e);
    if (!rc) rc = seal(c, c->plain.p, c->plain.len, e);
    buf_clear(&c->plain);
    return rc;
}

static int fill_out(struct conn *c, struct err *e)
{
    int rc = !c->is_ready ? OK : c->tls ? fill_tls(c, e) : fill_clear(c, e);
    if (c->tls) tls_pull(c->tls, &c->out); /* handshake bytes, too */
    return rc ? rc : buf_ok(&c->out, e);
}

/* Nothing is left to send: what now? */
static void drained(struct conn *c)
{
    buf_deinit(&c->plain); /* a quiet connection costs little memory */
    buf_deinit(&c->out);
    buf_deinit(&c->sending);
    if (c->tls) tls_trim(c->tls);
    if (c->state == CONN_FINISHING) {
        if (c->tls) tls_shutdown(c->tls);
        if (c->tls) tls_pull(c->tls, &c->out);
        struct err e;
        if (c->out.len && !c->out.failed && send_out(c, &e)) {
            conn_close(c);
            return;
        }
        linger(c);
    } else if (c->is_ready && h2_is_over(c->h2)) {
        struct err e;
        bool is_fault = h2_is_given_up(c->h2); /* the library ended it by itself */
        err_set(&e, is_fault ? ERR_PROTO : OK, 0,
                is_fault ? "HTTP/2 error: the other side broke the rules"
                         : "the connection was closed");
        break_off(c, &e);
    }
}

static void flush(struct conn *c)
{
    if (c->is_writing || c->is_mute || (c->state != CONN_CONNECTED && c->state != CONN_FINISHING))
        return;
    struct err e;
    if (fill_out(c, &e) || (c->out.len && send_out(c, &e))) {
        break_off(c, &e);
        return;
    }
    if (!c->is_writing) drained(c);
}

static void on_idle(uv_idle_t *idle)
{
    struct conn *c = idle->data;
    uv_idle_stop(idle);
    if (!c->tls && !c->is_ready && c->state == CONN_CONNECTED) {
        c->is_ready = true;
        c->cfg.calls->ready(c, c->cfg.ctx);
    }
    flush(c);
}

void conn_kick(struct conn *c)
{
    if (c->is_feeding || c->state == CONN_CLOSING) return;
    uv_idle_start(&c->idle, on_idle); /* cannot fail: the callback is not NULL */
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *ret)
{
    struct conn *c = handle->data;
    (void)hint;
    *ret = uv_buf_init((char *)c->cfg.scratch, BLOCK_BYTES);
}

static int feed_tls(struct conn *c, const uint8_t *p, size_t n, struct err *e)
{
    uint8_t *plain = c->cfg.scratch + BLOCK_BYTES;
    int rc = tls_feed(c->tls, p, n, e);
    while (!rc) {
        size_t got = 0;
        rc = tls_read(c->tls, plain, BLOCK_BYTES, &got, e);
        if (!rc && tls_is_ready(c->tls) && !c->is_ready) {
            c->is_ready = true;
            c->cfg.calls->ready(c, c->cfg.ctx);
        }
        if (rc || !got) break;
        rc = h2_feed(c->h2, plain, got, now_ns(), e);
    }
    return rc;
}

static void take(struct conn *c, const uint8_t *p, size_t n);

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = stream->data;
    if (n == 0) return;
    struct err e;
    if (n < 0) {
        if (c->is_mute)
            e = c->write_err;
        else if (n == UV_EOF)
            err_set(&e, OK, 0, "the other side closed the connection");
        else
            err_set(&e, ERR_IO, 0, "the connection broke: %s", uv_strerror((int)n));
        break_off(c, &e);
        return;
    }
    take(c, (const uint8_t *)buf->base, (size_t)n);
}

static void take(struct conn *c, const uint8_t *p, size_t n)
{
    struct err e;
    c->last_read_ms = (int64_t)uv_now(c->cfg.loop);
    *c->cfg.n_in += n;
    if (c->is_failed || c->state == CONN_LINGERING) { /* read only to be dropped */
        c->n_dropped += (int64_t)n;
        if (c->n_dropped > CONN_FAREWELL_BYTES) conn_close(c);
        return;
    }
    c->is_feeding = true;
    int rc = c->tls ? feed_tls(c, p, n, &e) : h2_feed(c->h2, p, n, now_ns(), &e);
    c->is_feeding = false;
    if (rc)
        fail(c, &e);
    else if (c->tls && tls_is_closed(c->tls)) {
        err_set(&e, OK, 0, "the other side closed the connection");
        break_off(c, &e);
        return;
    }
    flush(c);
}

void conn_rest(struct conn *c, bool is_resting)
{
    if (c->state != CONN_CONNECTED) return;
    c->last_read_ms =
        (int64_t)uv_now(c->cfg.loop); /* silence of our own making counts for nothing */
    if (is_resting)
        uv_read_stop(&c->u.stream);
    else
        (void)uv_read_start(&c->u.stream, on_alloc, on_read); /* it has read before */
}

void conn_drain(struct conn *c)
{
    uv_os_fd_t fd = -1;
    uint8_t *shared = c->cfg.scratch; /* in use by the one who asks */
    if (c->is_feeding || c->state != CONN_CONNECTED || uv_fileno(&c->u.handle, &fd)) return;
    uint8_t *own = alloc_zero(CONN_SCRATCH_BYTES, 1);
    if (!own) return;
    c->cfg.scratch = own;
    ssize_t n = 1;
    for (size_t total = 0; n > 0 && total < CONN_DRAIN_BYTES; total += (size_t)n) {
        if (c->state != CONN_CONNECTED) break;
        n = recv(fd, own, BLOCK_BYTES, MSG_DONTWAIT);
        if (n <= 0) break; /* nothing, or an end that the loop will find again */
        take(c, own, (size_t)n);
    }
    c->cfg.scratch = shared;
    free(own);
}

/* ---- starting ---- */

int conn_create(const struct conn_config *cfg, struct conn **ret, struct err *e)
{
    struct conn *c = alloc_zero(1, sizeof *c);
    if (!c) return err_set(e, ERR_NOMEM, 0, "out of memory for a connection");
    c->cfg = *cfg;
    int rc = h2_create(cfg->role, cfg->h2_calls, cfg->ctx, &c->h2, e);
    if (!rc && cfg->is_plain) h2_plain(c->h2);
    if (!rc && cfg->tls) rc = tls_create(cfg->tls, cfg->host, &c->tls, e);
    int uv_rc = rc             ? 0
                : cfg->is_unix ? uv_pipe_init(cfg->loop, &c->u.pipe, 0)
                               : uv_tcp_init(cfg->loop, &c->u.tcp);
    if (uv_rc) rc = err_set(e, ERR_IO, 0, "cannot make a socket: %s", uv_strerror(uv_rc));
    if (rc) {
        tls_destroy(c->tls);
        h2_destroy(c->h2);
        free(c);
        return rc;
    }
    check(!uv_idle_init(cfg->loop, &c->idle) && !uv_timer_init(cfg->loop, &c->grace));
    c->u.handle.data = c->idle.data = c->grace.data = c;
    c->last_read_ms = c->sent_ms = (int64_t)uv_now(cfg->loop);
    *ret = c;
    return OK;
}

/* Best effort: an option that the kernel lacks costs speed, not correctness. */
static void set_tcp_options(struct conn *c)
{
    uv_os_fd_t fd = -1;
    if (uv_fileno(&c->u.handle, &fd)) return;
    unsigned int dead_ms = LIMIT_STALL_MS; /* a black-holed path is noticed by the kernel */
    int unsent_bytes = CONN_OUT_BYTES;     /* little waits in the kernel, so caps act at once */
    /* On a home line that loses one packet in a hundred, BBR carries ten times what CUBIC does. Where
     * the kernel lacks it or does not allow it, its own default stays.
     */
    const char *control = c->cfg.congestion ? c->cfg.congestion : "bbr";
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, control, (socklen_t)strlen(control));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof dead_ms);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes, sizeof unsent_bytes);
    (void)uv_tcp_nodelay(&c->u.tcp, 1);
}

int conn_start(struct conn *c, struct err *e)
{
    check(c->state == CONN_NEW);
    if (!c->cfg.is_unix) set_tcp_options(c);
    int rc = uv_read_start(&c->u.stream, on_alloc, on_read);
    if (rc) return err_set(e, ERR_IO, 0, "cannot read from a connection: %s", uv_strerror(rc));
    c->state = CONN_CONNECTED;
    c->last_read_ms = c->sent_ms = (int64_t)uv_now(c->cfg.loop);
    if (c->tls && c->cfg.role == H2_CLIENT) {
        size_t n = 0;
        int tls_rc = tls_read(c->tls, c->cfg.scratch, BLOCK_BYTES, &n, e); /* the ClientHello */
        if (tls_rc) return tls_rc;
    }
    conn_kick(c);
    return OK;
}

/* ---- asking ---- */

uv_stream_t *conn_stream(struct conn *c)
{
    return &c->u.stream;
}

struct h2 *conn_h2(struct conn *c)
{
    return c->h2;
}

void *conn_ctx(const struct conn *c)
{
    return c->cfg.ctx;
}

bool conn_is_ready(const struct conn *c)
{
    return c->is_ready;
}

bool conn_is_leaving(const struct conn *c)
{
    return c->state >= CONN_FINISHING;
}

int64_t conn_last_read_ms(const struct conn *c)
{
    return c->last_read_ms;
}

size_t conn_on_its_way(struct conn *c)
{
    uv_os_fd_t fd = -1;
    int n_waiting = 0; /* in the kernel, not acknowledged */
    size_t n_queued = uv_stream_get_write_queue_size(&c->u.stream);
    if (uv_fileno(&c->u.handle, &fd) || ioctl(fd, SIOCOUTQ, &n_waiting)) return n_queued;
    return n_queued + (size_t)n_waiting;
}

int64_t conn_sent_ms(struct conn *c)
{
    int64_t n_taken = c->n_written - (int64_t)conn_on_its_way(c);
    if (n_taken != c->n_taken) c->sent_ms = (int64_t)uv_now(c->cfg.loop);
    c->n_taken = n_taken;
    return c->sent_ms;
}

bool conn_is_writing(const struct conn *c)
{
    return c->is_writing;
}
