#include "client/control.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "net/router.h"
#include "net/server.h"

#define MAX_WATCHERS 16
#define EVERY_MS     1000
#define LEAST_GAP_MS 100

struct control {
    struct control_config config;
    struct server *server;
    struct watcher {
        struct request *r;
        enum view_range range;
        uint64_t tty; /* 0: none */
    } watchers[MAX_WATCHERS];
    uint32_t n_watchers;
    struct view *view; /* 50 KB: not for the stack */
    uv_timer_t timer;
    uint64_t pushed_ms;
    int n_open;
    void (*closed_fn)(void *ctx);
    void *closed_ctx;
};

enum route { ROUTE_VIEW, ROUTE_EVENTS, ROUTE_INTENT, ROUTE_SETTINGS, ROUTE_SET };

static const struct router_entry routes[] = {
    [ROUTE_VIEW] = {"GET",  "/v1/view"    },
      [ROUTE_EVENTS] = {"GET",  "/v1/events"  },
    [ROUTE_INTENT] = {"POST", "/v1/intent"  },
      [ROUTE_SETTINGS] = {"GET",  "/v1/settings"},
    [ROUTE_SET] = {"POST", "/v1/settings"},
};

static int encode(struct control *c, enum view_range range, struct buf *out, struct err *e)
{
    view_init(c->view);
    c->view->range = range;
    c->config.look(c->view, c->config.ctx);
    return view_encode(c->view, out, e);
}

/* ?range=24h; false when it is none of the known ones, which is answered. */
static bool asked_range(struct request *r, enum view_range *ret)
{
    const char *name = request_query(r, "range");
    *ret = name ? view_range_from_name(name) : VIEW_10M;
    if (*ret != VIEW_RANGES) return true;
    request_reply_error(r, 400, "there is no such range", "one of 10m, 1h, 24h, 7d, all");
    return false;
}

static void reply_view(struct control *c, struct request *r)
{
    struct buf b = {0};
    struct err e = {0};
    enum view_range range;
    if (!asked_range(r, &range)) return;
    if (encode(c, range, &b, &e) == OK)
        request_reply(r, 200, "application/json", b.p, b.len);
    else
        request_reply_error(r, 500, e.what, e.hint);
    buf_deinit(&b);
}

/* --- events -------------------------------------------------------------------------------------- */

/* One view for all screens that look back equally far. */
static void push_range(struct control *c, enum view_range range)
{
    struct buf b = {0};
    struct err e = {0};
    for (uint32_t i = 0; i < c->n_watchers; i++) {
        if (c->watchers[i].range != range) continue;
        if (b.len == 0) {
            if (encode(c, range, &b, &e) != OK) break;
            buf_put_u8(&b, '\n');
        }
        /* A reader that is too slow misses this one and gets the next. */
        if (request_stream_push(c->watchers[i].r, b.p, b.len) != OK)
            log_debug("a screen reads too slowly; one view skipped");
    }
    buf_deinit(&b);
}

static void push(struct control *c)
{
    c->pushed_ms = uv_now(c->config.loop);
    for (int r = 0; r < VIEW_RANGES; r++)
        push_range(c, (enum view_range)r);
}

static void on_timer(uv_timer_t *t)
{
    struct control *c = t->data;
    push(c);
    uv_timer_start(t, on_timer, EVERY_MS, 0);
}

void control_changed(struct control *c)
{
    if (!c || c->n_watchers == 0 || !c->server) return;
    uint64_t since = uv_now(c->config.loop) - c->pushed_ms;
    uv_timer_start(&c->timer, on_timer, since >= LEAST_GAP_MS ? 0 : LEAST_GAP_MS - since, 0);
}

static void on_gone(struct request *r, void *ctx)
{
    struct control *c = ctx;
    for (uint32_t i = 0; i < c->n_watchers; i++)
        if (c->watchers[i].r == r) c->watchers[i--] = c->watchers[--c->n_watchers];
}

static void begin_events(struct control *c, struct request *r)
{
    if (c->n_watchers == MAX_WATCHERS) {
        request_reply_error(r, 503, "too many screens are attached", "close one of them");
        return;
    }
    enum view_range range;
    if (!asked_range(r, &range)) return;
    const char *tty = request_query(r, "tty");
    request_on_gone(r, on_gone, c);
    request_stream_begin(r, 200, "application/x-ndjson");
    c->watchers[c->n_watchers++] = (struct watcher){r, range, tty ? strtoull(tty, NULL, 10) : 0};
    uv_timer_start(&c->timer, on_timer, 0, 0);
}

/* --- intents ------------------------------------------------------------------------------------- */

static int status_of(int code)
{
    if (code == ERR_PROTO || code == ERR_ARG) return 400;
    if (code == ERR_WRONG_STATE) return 409;
    if (code == ERR_NOTFOUND) return 404;
    return 500;
}

static void take_intent(struct control *c, struct request *r)
{
    size_t n = 0;
    const void *body = request_body(r, &n);
    struct intent it;
    struct err e = {0};
    int rc = intent_decode(body, n, &it, &e);
    if (rc == OK) rc = c->config.ask(&it, c->config.ctx, &e);
    if (rc == OK)
        request_reply(r, 200, "application/json", "{\"ok\":true}", 11);
    else
        request_reply_error(r, status_of(rc), e.what, e.hint);
    control_changed(c);
}

/* --- settings ------------------------------------------------------------------------------------- */

static void reply_settings(struct control *c, struct request *r)
{
    struct buf b = {0};
    struct err e = {0};
    if (c->config.settings(&b, c->config.ctx, &e) == OK)
        request_reply(r, 200, "application/json", b.p, b.len);
    else
        request_reply_error(r, 500, e.what, e.hint);
    buf_deinit(&b);
}

static void take_setting(struct control *c, struct request *r)
{
    size_t n = 0;
    const void *body = request_body(r, &n);
    json_t *o = NULL;
    struct err e = {0};
    char key[64], value[512];
    int rc = json_parse(body, n, &o, &e);
    if (rc == OK) {
        struct json_reader j = {.e = &e};
        bool is_default = json_is_null(json_object_get(o, "value"));
        json_text(&j, o, "key", key, sizeof key);
        if (!is_default) json_text(&j, o, "value", value, sizeof value);
        rc = json_bad(&j) ? ERR_PROTO
                          : c->config.set(key, is_default ? NULL : value, c->config.ctx, &e);
    }
    json_decref(o);
    if (rc == OK)
        reply_settings(c, r);
    else
        request_reply_error(r, status_of(rc), e.what, e.hint);
    control_changed(c);
}

static void handle(struct request *r, void *ctx)
{
    struct control *c = ctx;
    struct router_match m;
    int i =
        router_find(routes, sizeof routes / sizeof *routes, request_method(r), request_path(r), &m);
    switch (i) {
    case ROUTE_VIEW: reply_view(c, r); break;
    case ROUTE_EVENTS: begin_events(c, r); break;
    case ROUTE_INTENT: take_intent(c, r); break;
    case ROUTE_SETTINGS: reply_settings(c, r); break;
    case ROUTE_SET: take_setting(c, r); break;
    case ROUTER_NOT_METHOD:
        request_reply_error(r, 405, "this path has another method", "see docs/PROTOCOL.md");
        break;
    default: request_reply_error(r, 404, "no such path", "see docs/PROTOCOL.md"); break;
    }
}

/* --- life ---------------------------------------------------------------------------------------- */

int control_create(const struct control_config *c_, struct control **ret, struct err *e)
{
    struct control *c = alloc_zero(1, sizeof *c);
    if (c) c->view = alloc_zero(1, sizeof *c->view);
    if (!c || !c->view) {
        free(c);
        return err_set(e, ERR_NOMEM, 0, "no memory for the control socket");
    }
    c->config = *c_;
    struct server_config s = {
        .unix_path = c_->socket_path, .max_body_bytes = 8192, .handle = handle, .ctx = c};
    int rc = server_create(c_->loop, &s, &c->server, e);
    if (rc != OK) {
        free(c->view);
        free(c);
        return rc;
    }
    uv_timer_init(c_->loop, &c->timer);
    c->timer.data = c;
    c->n_open = 2;
    *ret = c;
    return OK;
}

static void part_closed(struct control *c)
{
    if (--c->n_open > 0) return;
    void (*fn)(void *) = c->closed_fn;
    void *ctx = c->closed_ctx;
    free(c->view);
    free(c);
    if (fn) fn(ctx);
}

static void timer_closed(uv_handle_t *h)
{
    part_closed(h->data);
}

static void server_closed(void *ctx)
{
    part_closed(ctx);
}

void control_close(struct control *c, void (*closed_fn)(void *ctx), void *ctx)
{
    if (!c) return;
    c->closed_fn = closed_fn;
    c->closed_ctx = ctx;
    struct server *s = c->server;
    c->server = NULL;
    while (c->n_watchers > 0)
        request_stream_end(c->watchers[--c->n_watchers].r);
    server_close(s, server_closed, c);
    uv_close((uv_handle_t *)&c->timer, timer_closed);
}

uint32_t control_n_watchers(const struct control *c)
{
    return c ? c->n_watchers : 0;
}

uint32_t control_ttys(const struct control *c, uint64_t *ret, uint32_t cap)
{
    uint32_t n = 0;
    for (uint32_t i = 0; c && i < c->n_watchers && n < cap; i++)
        if (c->watchers[i].tty) ret[n++] = c->watchers[i].tty;
    return n;
}
