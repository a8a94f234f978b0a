#include "client/fetch.h"

#include <uv.h>

#include "base/file.h"
#include "client/sent.h"
#include "net/link.h"

struct fetch {
    struct buf *out;
    struct link *link;
    int rc;
    struct err *e;
};

static void on_done(const struct link_reply *reply, void *ctx)
{
    struct fetch *f = ctx;
    f->rc = reply->code;
    if (reply->code != OK) {
        if (f->e) *f->e = reply->err;
    } else if (reply->status != 200) {
        f->rc =
            err_set(f->e, ERR_PROTO, 0, "the aggregator answered with status %d", reply->status);
    } else {
        buf_put(f->out, reply->body, reply->n_body);
        f->rc = buf_ok(f->out, f->e);
    }
    link_close(f->link, NULL, NULL);
}

int fetch_get(const char *host, uint16_t port, const struct hash *tls_pin, const char *path,
              uint32_t stall_ms, size_t max_bytes, struct buf *out, struct err *e)
{
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct link_config c = {.host = host, .port = port, .tls_pin = tls_pin};
    struct fetch f = {.out = out, .rc = ERR_IO, .e = e};
    int rc = link_create(&loop, &c, &f.link, e);
    if (rc == OK) {
        struct link_request r = {.method = "GET",
                                 .path = path,
                                 .stall_ms = stall_ms,
                                 .max_reply_bytes = max_bytes,
                                 .done = on_done,
                                 .ctx = &f};
        link_send(f.link, &r);
        uv_run(&loop, UV_RUN_DEFAULT);
        rc = f.rc;
    }
    check(uv_loop_close(&loop) == 0);
    return rc;
}

static bool is_tokenizer(const struct rundesc *run, const struct buf *b)
{
    struct hash got = hash_of(b->p, b->len);
    return b->len == run->tokenizer_bytes && hash_equal(&got, &run->tokenizer);
}

static int ask_all(const struct rundesc *run, struct buf *out, struct err *e)
{
    int rc = ERR_NOTFOUND;
    for (uint32_t i = 0; i < run->n_aggregators && rc != OK; i++) {
        const struct rundesc_aggregator *a = &run->aggregators[i];
        buf_clear(out);
        rc = fetch_get(a->host, a->port, &a->tls_pin, sent_kind(SENT_TOKENIZER)->path,
                       FETCH_STALL_MS, (size_t)run->tokenizer_bytes, out, e);
        if (rc == OK && !is_tokenizer(run, out))
            rc =
                err_set(e, ERR_AUTH, 0, "what came is not the tokenizer that this run is bound to");
        if (rc == OK) continue;
        (void)err_wrap(e, "asking %.60s:%u for the run's tokenizer.json", a->host, a->port);
        if (e && !e->hint[0])
            err_hint(e, "it is needed once; try again when the run's host can be reached");
    }
    return rc;
}

int fetch_tokenizer(const struct home *h, const struct rundesc *run, struct buf *out, struct err *e)
{
    char path[PATH_CAP];
    int rc = home_run_path(h, &run->id, "tokenizer.json", path, e);
    if (rc != OK) return rc;
    buf_clear(out);
    if (file_read(path, (size_t)run->tokenizer_bytes, out, NULL) == OK && is_tokenizer(run, out))
        return OK;
    buf_clear(out);
    rc = ask_all(run, out, e);
    if (rc != OK) return rc;
    int kept = file_replace(path, out->p, out->len, 0600, NULL);
    (void)kept; /* when it could not be, it is asked for again */
    return OK;
}
