#include "aggregator/ask.h"

#include <string.h>
#include <uv.h>

#include "aggregator/setup.h"
#include "net/link.h"

#define PATIENCE_MS 4000

struct ask {
    uv_loop_t loop;
    uv_timer_t timer;
    struct link *link;
    uint64_t id;
    int rc;
    struct buf *out;
    struct err *e;
};

static void on_reply(const struct link_reply *reply, void *ctx)
{
    struct ask *a = ctx;
    a->rc = reply->code;
    if (a->rc != OK && a->e) *a->e = reply->err;
    if (a->rc == OK && reply->status != 200)
        a->rc = err_set(a->e, ERR_IO, 0, "the aggregator answered with status %d", reply->status);
    if (a->rc == OK) {
        buf_put(a->out, reply->body, reply->n_body);
        a->rc = buf_ok(a->out, a->e);
    }
    if (a->rc == ERR_CANCELLED)
        a->rc = err_set(a->e, ERR_IO, 0, "the aggregator did not answer in time");
    uv_close((uv_handle_t *)&a->timer, NULL);
    link_close(a->link, NULL, NULL);
}

static void on_timeout(uv_timer_t *t)
{
    struct ask *a = t->data;
    link_cancel(a->link, a->id);
}

int ask_status(const char *listen_addr, const struct rundesc *run, struct buf *out, struct err *e)
{
    char host[SETUP_HOST_CAP];
    struct ask a = {.rc = ERR_IO, .out = out, .e = e};
    struct link_config c = {.host = host, .tls_pin = &run->aggregators[0].tls_pin};
    struct link_request r = {.method = "GET", .path = "/v1/status", .done = on_reply, .ctx = &a};
    int rc = setup_split(listen_addr, host, &c.port, e);
    if (rc != OK) return rc;
    if (strcmp(host, "0.0.0.0") == 0) memcpy(host, "127.0.0.1", sizeof "127.0.0.1");
    if (strcmp(host, "::") == 0) memcpy(host, "::1", sizeof "::1");
    uv_loop_init(&a.loop);
    rc = link_create(&a.loop, &c, &a.link, e);
    if (rc == OK) {
        uv_timer_init(&a.loop, &a.timer);
        a.timer.data = &a;
        uv_timer_start(&a.timer, on_timeout, PATIENCE_MS, 0);
        a.id = link_send(a.link, &r);
        uv_run(&a.loop, UV_RUN_DEFAULT);
        rc = a.rc;
    }
    uv_loop_close(&a.loop);
    return rc;
}
