#include <pthread.h>

#include "base/file.h"
#include "client/fetch.h"
#include "net/request.h"
#include "tests/unit/loopback.h"
#include "tests/unit/scratch.h"

/* An aggregator that knows one thing, on a thread and loop of its own, for as many answers. */
struct host_case {
    struct loopback lb;
    pthread_t thread;
    const char *body;
    int n_asked, n_left;
    uv_timer_t end; /* a request that never comes must not hang the test */
};

static void stop(struct host_case *k)
{
    if (!uv_is_closing((uv_handle_t *)&k->end)) uv_close((uv_handle_t *)&k->end, NULL);
    loopback_stop(&k->lb);
}

static void on_late(uv_timer_t *t)
{
    stop(t->data);
}

static void handle(struct request *r, void *ctx)
{
    struct host_case *k = ctx;
    k->n_asked++;
    if (k->body)
        request_reply(r, 200, "application/json", k->body, strlen(k->body));
    else
        request_reply_error(r, 404, "not here", "");
    if (--k->n_left <= 0) {
        k->end.data = k;
        uv_timer_start(&k->end, on_late, 300, 0);
    }
}

static void *run(void *ctx)
{
    struct host_case *k = ctx;
    loopback_run(&k->lb);
    return NULL;
}

static void host_open(struct host_case *k, const char *body, int n_answers)
{
    *k = (struct host_case){.body = body, .n_left = n_answers};
    loopback_open(&k->lb);
    loopback_serve(&k->lb, false, handle, k);
    uv_timer_init(&k->lb.loop, &k->end);
    k->end.data = k;
    uv_timer_start(&k->end, on_late, 20000, 0);
    assert_int_equal(pthread_create(&k->thread, NULL, run, k), 0);
}

static void host_close(struct host_case *k)
{
    assert_int_equal(pthread_join(k->thread, NULL), 0);
    loopback_close(&k->lb);
}

static struct rundesc *run_of(const struct host_case *k, const char *tokenizer)
{
    struct rundesc *d = calloc(1, sizeof *d);
    assert_non_null(d);
    d->id = hash_of("run", 3);
    d->tokenizer = hash_of(tokenizer, strlen(tokenizer));
    d->tokenizer_bytes = strlen(tokenizer);
    d->n_aggregators = 2; /* the first one is not there */
    for (int i = 0; i < 2; i++) {
        snprintf(d->aggregators[i].host, sizeof d->aggregators[i].host, "127.0.0.1");
        d->aggregators[i].tls_pin = k->lb.pin;
    }
    d->aggregators[0].port = 1;
    d->aggregators[1].port = server_port(k->lb.server);
    return d;
}

static void home_make(struct home *h, char dir[PATH_CAP], const struct rundesc *d)
{
    char path[PATH_CAP];
    scratch_make(dir);
    assert_int_equal(home_open(h, dir, NULL), OK);
    assert_int_equal(home_run_path(h, &d->id, "", path, NULL), OK);
    assert_int_equal(file_mkdirs(path, NULL), OK);
}

static void fetch_tokenizer_asks_once_and_keeps_what_fits(void **state)
{
    (void)state;
    struct host_case k;
    struct home h;
    struct err e = {0};
    struct buf out = {0};
    char dir[PATH_CAP];
    host_open(&k, "{\"a\":1}", 1);
    struct rundesc *d = run_of(&k, "{\"a\":1}");
    home_make(&h, dir, d);
    if (fetch_tokenizer(&h, d, &out, &e)) fail_msg("%s", e.what);
    assert_string_equal(buf_str(&out), "{\"a\":1}");
    assert_int_equal(fetch_tokenizer(&h, d, &out, &e), OK); /* from the folder */
    assert_string_equal(buf_str(&out), "{\"a\":1}");
    host_close(&k);
    assert_int_equal(k.n_asked, 1);
    assert_int_equal(fetch_tokenizer(&h, d, &out, &e), OK); /* the host is gone */
    buf_deinit(&out);
    home_close(&h);
    scratch_remove(dir);
    free(d);
}

static void fetch_tokenizer_refuses_another_one(void **state)
{
    (void)state;
    struct host_case k;
    struct home h;
    struct err e = {0};
    struct buf out = {0};
    char dir[PATH_CAP];
    host_open(&k, "{\"a\":2}", 1);
    struct rundesc *d = run_of(&k, "{\"a\":1}");
    home_make(&h, dir, d);
    scratch_write(dir, "x", "y", 1);
    assert_int_equal(fetch_tokenizer(&h, d, &out, &e), ERR_AUTH);
    assert_non_null(strstr(e.what, "tokenizer"));
    assert_true(e.hint[0]);
    host_close(&k);
    assert_int_not_equal(fetch_tokenizer(&h, d, &out, &e), OK); /* nothing was kept */
    buf_deinit(&out);
    home_close(&h);
    scratch_remove(dir);
    free(d);
}

static void fetch_get_tells_a_refusal_from_silence(void **state)
{
    (void)state;
    struct host_case k;
    struct err e = {0};
    struct buf out = {0};
    host_open(&k, NULL, 1);
    uint16_t port = server_port(k.lb.server);
    struct hash pin = k.lb.pin;
    assert_int_equal(fetch_get("127.0.0.1", port, &pin, "/x", 2000, 100, &out, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "404"));
    host_close(&k);
    assert_int_equal(fetch_get("127.0.0.1", port, &pin, "/x", 2000, 100, &out, &e), ERR_IO);
    assert_int_equal(out.len, 0);
    buf_deinit(&out);
}

static void fetch_post_says_what_the_host_says(void **state)
{
    (void)state;
    struct host_case k;
    struct err e = {0};
    struct buf body = {0};
    buf_put_str(&body, "hello");
    host_open(&k, "{}", 1);
    struct hash pin = k.lb.pin;
    if (fetch_post("127.0.0.1", server_port(k.lb.server), &pin, "/x", "text/plain", &body, 2000,
                   &e))
        fail_msg("%s", e.what);
    host_close(&k);
    host_open(&k, NULL, 1);
    pin = k.lb.pin;
    uint16_t port = server_port(k.lb.server);
    assert_int_equal(fetch_post("127.0.0.1", port, &pin, "/x", "text/plain", &body, 2000, &e),
                     ERR_WRONG_STATE);
    assert_string_equal(e.what, "not here");
    host_close(&k);
    assert_int_equal(fetch_post("127.0.0.1", port, &pin, "/x", "text/plain", &body, 2000, &e),
                     ERR_IO);
    buf_deinit(&body);
}

static void fetch_asks_many_side_by_side(void **state)
{
    (void)state;
    enum { N = 40 };
    struct host_case k;
    struct err e = {0};
    struct fetch *f = NULL;
    static struct fetch_item items[N];
    struct buf out = {0};
    host_open(&k, "{\"a\":1}", N + 1);
    struct hash pin = k.lb.pin;
    assert_int_equal(fetch_open("127.0.0.1", server_port(k.lb.server), &pin, &f, &e), OK);
    memset(items, 0, sizeof items);
    for (int i = 0; i < N; i++)
        snprintf(items[i].path, sizeof items[i].path, "/x/%d", i);
    if (fetch_ask_many(f, items, N, 5000, 100, &e)) fail_msg("%s", e.what);
    for (int i = 0; i < N; i++) {
        assert_int_equal(items[i].rc, OK);
        assert_string_equal(buf_str(&items[i].out), "{\"a\":1}");
        buf_deinit(&items[i].out);
    }
    assert_int_equal(fetch_ask(f, "/y", 5000, 3, &out, &e),
                     ERR_LIMIT); /* still the same connection */
    assert_int_equal(out.len, 0);
    fetch_close(f);
    buf_deinit(&out);
    host_close(&k);
    assert_int_equal(k.n_asked, N + 1);
}

static void fetch_tells_what_is_not_there_of_many(void **state)
{
    (void)state;
    struct host_case k;
    struct err e = {0};
    struct fetch *f = NULL;
    struct fetch_item items[3] = {{.path = "/a"}, {.path = "/b"}, {.path = "/c"}};
    host_open(&k, NULL, 3);
    struct hash pin = k.lb.pin;
    assert_int_equal(fetch_open("127.0.0.1", server_port(k.lb.server), &pin, &f, &e), OK);
    assert_int_equal(fetch_ask_many(f, items, 3, 5000, 100, &e), OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(items[i].rc, ERR_NOTFOUND);
    fetch_close(f);
    host_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fetch_tokenizer_asks_once_and_keeps_what_fits),
        cmocka_unit_test(fetch_tokenizer_refuses_another_one),
        cmocka_unit_test(fetch_get_tells_a_refusal_from_silence),
        cmocka_unit_test(fetch_post_says_what_the_host_says),
        cmocka_unit_test(fetch_asks_many_side_by_side),
        cmocka_unit_test(fetch_tells_what_is_not_there_of_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
