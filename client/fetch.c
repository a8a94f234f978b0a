#include "client/fetch.h"

#include <stdlib.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "client/sent.h"
#include "net/link.h"

#define LATER_TIMES     5  /* how often a host may say "later" */
#define LATER_MAX_S     10 /* and for how long we believe it */
#define POST_MAX_ANSWER 65536
#define AGAIN_TIMES     2 /* a connection that had gone quiet is made again */

struct fetch {
    uv_loop_t loop;
    struct link *link;
    struct buf *out; /* of the question being asked, as all below */
    int rc;
    int status;
    uint32_t retry_after_s;
    bool is_done;
    uint32_t n_under_way; /* of many */
    bool keeps_errors;    /* the body of a refusal is wanted too */
    bool has_worked;      /* ever: then silence may be no more than an idle connection's end */
    struct err *e;
};

static void on_done(const struct link_reply *reply, void *ctx)
{
    struct fetch *f = ctx;
    f->rc = reply->code;
    f->status = reply->status;
    f->retry_after_s = reply->retry_after_s;
    f->is_done = true;
    if (reply->code != OK) {
        if (f->e) *f->e = reply->err;
    } else if (reply->status != 200) {
        f->rc = err_set(f->e, reply->status == 404 ? ERR_NOTFOUND : ERR_PROTO, 0,
                        "the aggregator answered with status %d", reply->status);
        if (f->keeps_errors) buf_put(f->out, reply->body, reply->n_body);
    } else {
        buf_put(f->out, reply->body, reply->n_body);
        f->rc = buf_ok(f->out, f->e);
    }
    uv_stop(&f->loop);
}

int fetch_open(const char *host, uint16_t port, const struct hash *tls_pin, struct fetch **ret,
               struct err *e)
{
    struct link_config c = {.host = host, .port = port, .tls_pin = tls_pin};
    struct fetch *f = alloc_zero(1, sizeof *f);
    if (!f) return err_set(e, ERR_NOMEM, 0, "no memory for a connection");
    uv_loop_init(&f->loop);
    int rc = link_create(&f->loop, &c, &f->link, e);
    if (rc != OK) {
        check(uv_loop_close(&f->loop) == 0);
        free(f);
        return rc;
    }
    *ret = f;
    return OK;
}

void fetch_close(struct fetch *f)
{
    if (!f) return;
    link_close(f->link, NULL, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    check(uv_loop_close(&f->loop) == 0);
    free(f);
}

static int send_once(struct fetch *f, struct link_request *r, struct buf *out, struct err *e)
{
    r->done = on_done;
    r->ctx = f;
    f->out = out;
    f->e = e;
    f->status = 0;
    f->is_done = false;
    link_send(f->link, r);
    while (!f->is_done)
        uv_run(&f->loop, UV_RUN_DEFAULT);
    return f->rc;
}

static int ask_once(struct fetch *f, const char *path, uint32_t stall_ms, size_t max_bytes,
                    struct buf *out, struct err *e)
{
    struct link_request r = {
        .method = "GET", .path = path, .stall_ms = stall_ms, .max_reply_bytes = max_bytes};
    return send_once(f, &r, out, e);
}

static void on_nap(uv_timer_t *t)
{
    uv_close((uv_handle_t *)t, NULL);
    uv_stop(t->loop);
}

/* On the loop, so that the connection stays alive meanwhile. */
static void nap(struct fetch *f, uint32_t s)
{
    uv_timer_t t;
    uv_timer_init(&f->loop, &t);
    uv_timer_start(&t, on_nap, (uint64_t)s * 1000, 0);
    while (!uv_is_closing((uv_handle_t *)&t))
        uv_run(&f->loop, UV_RUN_DEFAULT);
    uv_run(&f->loop, UV_RUN_NOWAIT); /* the handle is ours until it is closed */
}

int fetch_ask(struct fetch *f, const char *path, uint32_t stall_ms, size_t max_bytes,
              struct buf *out, struct err *e)
{
    size_t before = out->len;
    int n_later = 0, n_again = 0;
    for (;;) {
        int rc = ask_once(f, path, stall_ms, max_bytes, out, e);
        f->has_worked = f->has_worked || f->status;
        if (rc == OK) return OK;
        out->len = before;
        bool is_later = f->status == 503 && f->retry_after_s && n_later++ < LATER_TIMES;
        if (is_later)
            nap(f, f->retry_after_s < LATER_MAX_S ? f->retry_after_s : LATER_MAX_S);
        else if (rc != ERR_IO || !f->has_worked || n_again++ >= AGAIN_TIMES)
            return rc;
    }
}

static void on_item(const struct link_reply *reply, void *ctx)
{
    struct fetch_item *it = ctx;
    it->rc = reply->code;
    it->err = reply->err;
    it->status = reply->status;
    if (reply->code == OK && reply->status != 200)
        it->rc = err_set(&it->err, reply->status == 404 ? ERR_NOTFOUND : ERR_PROTO, 0,
                         "the aggregator answered with status %d", reply->status);
    if (it->rc == OK) {
        buf_put(&it->out, reply->body, reply->n_body);
        it->rc = buf_ok(&it->out, &it->err);
    }
    it->of->n_under_way--;
    uv_stop(&it->of->loop);
}

int fetch_ask_many(struct fetch *f, struct fetch_item *items, uint32_t n, uint32_t stall_ms,
                   size_t max_bytes, struct err *e)
{
    uint32_t i_next = 0;
    while (i_next < n || f->n_under_way) {
        for (; i_next < n && f->n_under_way < FETCH_AT_ONCE; i_next++, f->n_under_way++) {
            struct fetch_item *it = &items[i_next];
            it->of = f;
            link_send(f->link, &(struct link_request){.method = "GET",
                                                      .path = it->path,
                                                      .stall_ms = stall_ms,
                                                      .max_reply_bytes = max_bytes,
                                                      .done = on_item,
                                                      .ctx = it});
        }
        uv_run(&f->loop, UV_RUN_DEFAULT);
    }
    /* Whatever came to grief with the connection, or was told to come later, is asked alone. */
    for (uint32_t i = 0; i < n; i++) {
        struct fetch_item *it = &items[i];
        f->has_worked = f->has_worked || it->status;
        if (it->rc == OK || it->rc == ERR_NOTFOUND || it->rc == ERR_LIMIT) continue;
        buf_clear(&it->out);
        it->rc = fetch_ask(f, it->path, stall_ms, max_bytes, &it->out, &it->err);
        if (it->rc == OK || it->rc == ERR_NOTFOUND || it->rc == ERR_LIMIT) continue;
        if (e) *e = it->err;
        return it->rc;
    }
    return OK;
}

int fetch_get(const char *host, uint16_t port, const struct hash *tls_pin, const char *path,
              uint32_t stall_ms, size_t max_bytes, struct buf *out, struct err *e)
{
    struct fetch *f = NULL;
    int rc = fetch_open(host, port, tls_pin, &f, e);
    if (rc != OK) return rc;
    rc = ask_once(f, path, stall_ms, max_bytes, out, e);
    fetch_close(f);
    return rc == ERR_NOTFOUND ? ERR_PROTO : rc;
}

/* The host's own words, made printable; or the status alone. */
static int refusal(int status, const struct buf *body, struct err *e)
{
    json_t *o = NULL;
    char clean[200];
    err_set(e, ERR_WRONG_STATE, 0, "the aggregator answered with status %d", status);
    if (json_parse(body->p, body->len, &o, NULL) != OK) return ERR_WRONG_STATE;
    const char *detail = json_string_value(json_object_get(o, "detail"));
    const char *hint = json_string_value(json_object_get(o, "hint"));
    if (detail) err_set(e, ERR_WRONG_STATE, 0, "%s", utf8_printable(detail, clean, sizeof clean));
    if (hint) err_hint(e, "%s", utf8_printable(hint, clean, sizeof clean));
    json_decref(o);
    return ERR_WRONG_STATE;
}

int fetch_post(const char *host, uint16_t port, const struct hash *tls_pin, const char *path,
               const char *type, const struct buf *body, uint32_t stall_ms, struct err *e)
{
    struct fetch *f = NULL;
    struct buf answer = {0};
    struct link_request r = {.method = "POST",
                             .path = path,
                             .type = type,
                             .body = body->p,
                             .n_body = body->len,
                             .stall_ms = stall_ms,
                             .max_reply_bytes = POST_MAX_ANSWER};
    int rc = fetch_open(host, port, tls_pin, &f, e);
    if (rc != OK) return rc;
    f->keeps_errors = true;
    rc = send_once(f, &r, &answer, e);
    if (rc != OK && f->status) rc = refusal(f->status, &answer, e);
    fetch_close(f);
    buf_deinit(&answer);
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
