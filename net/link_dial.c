/* How a connection is made. All addresses of the host are tried in turn, families alternating, the
 * next one a quarter of a second after the one before or as soon as that failed; whichever is
 * connected first is kept (RFC 8305), so an address that swallows everything costs no more than that.
 * With a proxy its addresses are tried, and the connection counts once it has opened the way.
 *
 *   resolve -> attempt, attempt, ... -> [CONNECT] -> winner: conn_start, the others are closed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "net/limits.h"
#include "net/link_in.h"

#define STAGGER_MS 250

static void next_attempt(struct link *l);

/* ---- attempts ---- */

static bool any_left(const struct link *l)
{
    for (const struct attempt *a = l->dial.attempts; a; a = a->next)
        if (a->conn) return true;
    return false;
}

static void free_if_over(struct attempt *a)
{
    if (a->conn || a->is_calling) return;
    for (struct attempt **at = &a->l->dial.attempts; *at; at = &(*at)->next) {
        if (*at != a) continue;
        *at = a->next;
        break;
    }
    struct link *l = a->l;
    buf_deinit(&a->said);
    free(a->asked);
    free(a);
    if (l->dial.attempts) return;
    if (l->is_closing)
        link_maybe_gone(l);
    else
        link_wake(l); /* who came meanwhile may be dialled for now */
}

static void give_up(struct attempt *a)
{
    if (a->conn) conn_close(a->conn);
    a->conn = NULL;
    free_if_over(a);
}

static void give_up_all(struct link *l)
{
    for (struct attempt *a = l->dial.attempts, *next = NULL; a; a = next) {
        next = a->next;
        give_up(a);
    }
}

static void cannot_reach(struct link *l, int uv_error)
{
    char why[160];
    const struct proxy *p = &l->dial.proxy;
    if (*p->host)
        snprintf(why, sizeof why, "proxy %.60s:%s: %.60s", p->host, p->port, uv_strerror(uv_error));
    else
        snprintf(why, sizeof why, "%s", uv_strerror(uv_error));
    link_cannot_reach(l, why);
}

/* This one is of no use. Another may be; the last one's failure is everybody's. */
static void failed(struct attempt *a, int uv_error)
{
    struct link *l = a->l;
    struct dial *d = &l->dial;
    if (uv_error) d->last_error = uv_error;
    give_up(a);
    if (d->i_next < d->n_addresses) {
        next_attempt(l);
        return;
    }
    if (any_left(l)) return;
    uv_timer_stop(&d->stagger);
    if (d->why.code)
        link_fail_queued(l, &d->why);
    else
        cannot_reach(l, d->last_error);
}

static void won(struct attempt *a)
{
    struct link *l = a->l;
    struct err e = {0};
    struct conn *c = a->conn;
    a->conn = NULL;
    uv_timer_stop(&l->dial.stagger);
    give_up_all(l);
    if (conn_start(c, &e)) {
        conn_close(c);
        link_cannot_reach(l, e.what);
        return;
    }
    l->conn = c;
    link_set_state(l, LINK_SHAKING);
}

/* ---- the proxy ---- */

static struct attempt *attempt_of(uv_handle_t *h)
{
    struct conn *c = h->data;
    struct link *l = conn_ctx(c);
    for (struct attempt *a = l->dial.attempts; a; a = a->next)
        if (a->conn == c) return a;
    return NULL;
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *ret)
{
    struct conn *c = h->data;
    struct link *l = conn_ctx(c);
    (void)hint;
    *ret = uv_buf_init((char *)l->scratch, 1024); /* not more than its answer can be read here */
}

static void on_proxy_says(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct attempt *a = attempt_of((uv_handle_t *)s);
    if (!a || n == 0) return;
    struct err e = {0};
    int rc = n < 0 ? err_set(&e, ERR_IO, 0, "the proxy closed the connection") : OK;
    if (rc == OK) buf_put(&a->said, buf->base, (size_t)n);
    if (rc == OK) rc = buf_ok(&a->said, &e);
    if (rc == OK) rc = proxy_answer((const char *)a->said.p, a->said.len, &e);
    if (rc == ERR_AGAIN) return;
    uv_read_stop(s);
    if (rc == OK) {
        won(a);
        return;
    }
    a->l->dial.why = e;
    failed(a, 0);
}

static void on_asked(uv_write_t *w, int status)
{
    struct attempt *a = w->data;
    a->is_calling = false;
    if (!a->conn)
        free_if_over(a);
    else if (status)
        failed(a, status);
}

static void ask_proxy(struct attempt *a)
{
    struct link *l = a->l;
    struct buf b = {0};
    uv_stream_t *s = conn_stream(a->conn);
    proxy_ask(&l->dial.proxy, l->where, &b);
    a->asked = b.failed ? NULL : (char *)b.p;
    uv_buf_t out = uv_buf_init(a->asked, (unsigned)b.len);
    a->write.data = a;
    int rc = !a->asked ? UV_ENOMEM : uv_read_start(s, on_alloc, on_proxy_says);
    if (rc == 0) rc = uv_write(&a->write, s, &out, 1, on_asked);
    if (rc)
        failed(a, rc);
    else
        a->is_calling = true;
}

/* ---- connecting ---- */

static void on_connect(uv_connect_t *req, int status)
{
    struct attempt *a = req->data;
    a->is_calling = false;
    if (!a->conn)
        give_up(a);
    else if (status)
        failed(a, status);
    else if (*a->l->dial.proxy.host)
        ask_proxy(a);
    else
        won(a);
}

static struct attempt *new_attempt(struct link *l)
{
    struct err e = {0};
    struct attempt *a = alloc_zero(1, sizeof *a);
    int rc = a ? link_new_conn(l, &a->conn, &e)
               : err_set(&e, ERR_NOMEM, 0, "out of memory for a connection");
    if (rc) {
        free(a);
        l->dial.why = e;
        return NULL;
    }
    a->l = l;
    a->connect.data = a;
    a->next = l->dial.attempts;
    l->dial.attempts = a;
    return a;
}

static void on_stagger(uv_timer_t *t)
{
    next_attempt(t->data);
}

static void next_attempt(struct link *l)
{
    struct dial *d = &l->dial;
    const struct addrinfo *to = d->order[d->i_next++];
    struct attempt *a = new_attempt(l);
    if (!a) { /* no memory: not for another one either */
        d->i_next = d->n_addresses;
        if (!any_left(l)) link_fail_queued(l, &d->why);
        return;
    }
    int rc = uv_tcp_connect(&a->connect, (uv_tcp_t *)conn_stream(a->conn), to->ai_addr, on_connect);
    a->is_calling = !rc;
    if (d->i_next < d->n_addresses) uv_timer_start(&d->stagger, on_stagger, STAGGER_MS, 0);
    if (rc) failed(a, rc);
}

/* RFC 8305, section 4: the resolver's order, families alternating. */
static void put_in_order(struct dial *d)
{
    bool is_taken[LINK_ADDRESSES] = {0};
    struct addrinfo *all[LINK_ADDRESSES];
    int n = 0, family = 0;
    for (struct addrinfo *a = d->addresses; a && n < LINK_ADDRESSES; a = a->ai_next)
        all[n++] = a;
    d->n_addresses = d->i_next = 0;
    while (d->n_addresses < n) {
        int pick = -1;
        for (int i = 0; i < n; i++) {
            if (is_taken[i] || (pick >= 0 && all[i]->ai_family == family)) continue;
            bool is_other = all[i]->ai_family != family;
            if (pick < 0 || (is_other && all[pick]->ai_family == family)) pick = i;
        }
        is_taken[pick] = true;
        family = all[pick]->ai_family;
        d->order[d->n_addresses++] = all[pick];
    }
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct link *l = req->data;
    struct dial *d = &l->dial;
    d->is_resolving = false;
    uv_freeaddrinfo(d->addresses);
    d->addresses = found;
    if (l->is_closing) {
        link_maybe_gone(l);
        return;
    }
    if (status) {
        cannot_reach(l, status);
        return;
    }
    put_in_order(d);
    link_set_state(l, LINK_CONNECTING);
    if (d->n_addresses)
        next_attempt(l);
    else
        cannot_reach(l, UV_EAI_NODATA);
}

static void connect_unix(struct link *l)
{
    struct attempt *a = new_attempt(l);
    l->dial.n_addresses = l->dial.i_next = 0;
    if (!a) {
        link_fail_queued(l, &l->dial.why);
        return;
    }
    link_set_state(l, LINK_CONNECTING);
    a->is_calling = true; /* uv_pipe_connect always calls back */
    uv_pipe_connect(&a->connect, (uv_pipe_t *)conn_stream(a->conn), l->unix_path, on_connect);
}

void link_dial_start(struct link *l)
{
    struct dial *d = &l->dial;
    d->last_error = 0;
    d->why = (struct err){0};
    if (l->unix_path) {
        connect_unix(l);
        return;
    }
    bool is_proxied = *d->proxy.host;
    struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    d->resolve.data = l;
    link_set_state(l, LINK_RESOLVING);
    int rc = uv_getaddrinfo(l->loop, &d->resolve, on_resolved, is_proxied ? d->proxy.host : l->host,
                            is_proxied ? d->proxy.port : l->port, &want);
    d->is_resolving = !rc;
    if (rc) cannot_reach(l, rc);
}

void link_dial_tick(struct link *l, int64_t now_ms)
{
    if (l->state != LINK_CONNECTING || now_ms - l->since_ms <= LIMIT_CONNECT_MS) return;
    if (l->dial.i_next < l->dial.n_addresses) return; /* not all of them have had their turn */
    uv_timer_stop(&l->dial.stagger);
    give_up_all(l);
    cannot_reach(l, UV_ETIMEDOUT);
}

void link_dial_stop(struct link *l)
{
    give_up_all(l);
    if (l->dial.is_resolving) (void)uv_cancel((uv_req_t *)&l->dial.resolve);
}

bool link_dial_is_over(const struct link *l)
{
    return !l->dial.is_resolving && !l->dial.attempts;
}

void link_dial_free(struct link *l)
{
    uv_freeaddrinfo(l->dial.addresses);
}
