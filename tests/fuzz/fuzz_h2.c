/* Bytes from a stranger go into a session with the request layer on top. The first byte chooses
 * the role and the size of the pieces. Whatever comes: no crash, no leak, a refusal says why, at
 * most LIMIT_STREAMS requests are open, and held bodies are all given back in the end.
 */
#include <string.h>

#include "net/limits.h"
#include "net/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct request_home home;
    struct guard *guard;
    struct guard_seat *seat;
    int64_t now_ms;
    uint32_t n_handled;
    struct h2 *h;
};

static void handle(struct request *r, void *ctx)
{
    struct run *t = ctx;
    size_t n = 0;
    const void *p = request_body(r, &n);
    const char *q = request_query(r, "q");
    if (t->n_handled++ % 3 == 1) return; /* kept: answered never */
    if (q) request_add_header(r, "x-n", "1");
    request_reply(r, 200, "text/plain", p, n);
}

static void kick(struct request_home *home)
{
    (void)home;
}

static void on_head(struct h2_stream *s, void *ctx)
{
    struct run *t = ctx;
    if (!h2_status(s)) request_begin(&t->home, s);
}

static void on_data(struct h2_stream *s, const uint8_t *p, size_t n, void *ctx)
{
    if (!h2_status(s)) request_data(&((struct run *)ctx)->home, s, p, n);
}

static void on_end(struct h2_stream *s, void *ctx)
{
    if (!h2_status(s)) request_end(&((struct run *)ctx)->home, s);
}

static long on_read(struct h2_stream *s, uint8_t *dst, size_t cap, bool *ret_end, void *ctx)
{
    (void)ctx;
    if (h2_user(s)) return request_read(s, dst, cap, ret_end);
    memset(dst, 'x', cap);
    *ret_end = true;
    return (long)cap;
}

static void on_closed(struct h2_stream *s, uint32_t why, void *ctx)
{
    (void)why;
    (void)ctx;
    if (h2_user(s)) request_closed(s);
}

static const struct h2_calls calls = {
    .head = on_head, .data = on_data, .end = on_end, .read = on_read, .closed = on_closed};

/* A client has asked something, so that answers have a stream to belong to. */
static void ask(struct h2 *h)
{
    struct h2_head head = {
        .method = "POST", .scheme = "https", .authority = "h", .path = "/", .has_body = true};
    struct h2_stream *s = NULL;
    for (int i = 0; i < 3; i++)
        check(h2_request(h, &head, NULL, &s, NULL) == OK);
}

static int drain(struct run *t)
{
    for (;;) {
        const uint8_t *p = NULL;
        size_t n = 0;
        struct err e = {0};
        if (h2_pull(t->h, t->now_ms * 1000000, &p, &n, &e)) return -1;
        if (!n) return 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    struct run t = {.now_ms = 1000};
    const struct guard_config guard = {.conns_per_address = 4};
    const struct guard_key key = guard_key_v4((const uint8_t[]){192, 0, 2, 1});
    check(guard_create(&guard, &t.guard, NULL) == OK);
    check(guard_enter(t.guard, &key, 0, &t.seat) == GUARD_WELCOME);
    t.home = (struct request_home){.address = "192.0.2.1",
                                   .max_body_bytes = 4096,
                                   .seat = t.seat,
                                   .now_ms = &t.now_ms,
                                   .handle = handle,
                                   .handle_ctx = &t,
                                   .kick = kick};
    enum h2_role role = data[0] & 0x80 ? H2_CLIENT : H2_SERVER;
    size_t step = data[0] & 0x7f ? data[0] & 0x7f : 16384;
    check(h2_create(role, &calls, &t, &t.h, NULL) == OK);
    if (role == H2_CLIENT) ask(t.h);
    int rc = drain(&t);
    for (size_t at = 1; at < size && !rc; at += step) {
        struct err e = {0};
        rc = h2_feed(t.h, data + at, size - at < step ? size - at : step, t.now_ms * 1000000, &e);
        check(!rc == !e.what[0]);
        check(h2_streams(t.h) <= LIMIT_STREAMS + 1);
        if (drain(&t)) rc = -1;
        t.now_ms += 100;
        request_expire(&t.home);
    }
    h2_destroy(t.h);
    check(guard_held(t.guard) == 0 && guard_waiting(t.guard) == 0 && !t.home.first);
    guard_leave(t.seat);
    guard_destroy(t.guard);
    return 0;
}
