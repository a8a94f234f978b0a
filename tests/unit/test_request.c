#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/limits.h"
#include "net/request.h"
#include "tests/check.h"

/* A client of HTTP/2 in memory, the request layer, and a clock that the test turns. */

struct bench {
    struct h2 *client;
    struct h2 *server;
    struct request_home home;
    struct guard *guard;
    struct guard_seat *seat;
    struct request_body taken;
    const char *coding; /* content-encoding of what is asked, or NULL */
    int64_t now_ms;
    struct request *r; /* the handler's, until it is gone */
    int n_handled;
    int n_gone;
    int n_kicked;
    bool is_lazy; /* the handler keeps the request */
    /* client side */
    struct buf out;
    size_t out_at;
    size_t out_stop; /* the client waits here for a long time */
    struct h2_stream *asked;
    struct buf got;
    struct buf head;
    int status;
    int n_end;
    int n_closed;
    uint32_t why;
};

static void gone(struct request *r, void *ctx)
{
    struct bench *b = ctx;
    assert_ptr_equal(r, b->r);
    b->r = NULL;
    b->n_gone++;
}

static void handle(struct request *r, void *ctx)
{
    struct bench *b = ctx;
    b->n_handled++;
    if (b->is_lazy) {
        b->r = r;
        request_on_gone(r, gone, b);
        return;
    }
    size_t n = 0;
    const void *p = request_body(r, &n);
    assert_non_null(p); /* parsers may look at it whatever its length */
    const char *q = request_query(r, "q");
    request_add_header(r, "x-q", q ? q : "none");
    request_reply(r, 200, "text/plain", p, n);
}

static void kick(struct request_home *home)
{
    ((struct bench *)home->handle_ctx)->n_kicked++;
}

static void s_head(struct h2_stream *s, void *ctx)
{
    request_begin(&((struct bench *)ctx)->home, s);
}
static void s_data(struct h2_stream *s, const uint8_t *p, size_t n, void *ctx)
{
    request_data(&((struct bench *)ctx)->home, s, p, n);
}
static void s_end(struct h2_stream *s, void *ctx)
{
    request_end(&((struct bench *)ctx)->home, s);
}
static long s_read(struct h2_stream *s, uint8_t *dst, size_t cap, bool *ret_end, void *ctx)
{
    (void)ctx;
    return request_read(s, dst, cap, ret_end);
}
static void s_closed(struct h2_stream *s, uint32_t why, void *ctx)
{
    (void)why;
    (void)ctx;
    request_closed(s);
}
static const struct h2_calls server_calls = {
    .head = s_head, .data = s_data, .end = s_end, .read = s_read, .closed = s_closed};

static void c_head(struct h2_stream *s, void *ctx)
{
    struct bench *b = ctx;
    b->status = h2_status(s);
    const char *names[] = {"content-type", "content-length", "x-q", "retry-after"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (h2_header(s, names[i]))
            buf_printf(&b->head, "%s=%s;", names[i], h2_header(s, names[i]));
}
static void c_data(struct h2_stream *s, const uint8_t *p, size_t n, void *ctx)
{
    (void)s;
    buf_put(&((struct bench *)ctx)->got, p, n);
}
static void c_end(struct h2_stream *s, void *ctx)
{
    (void)s;
    ((struct bench *)ctx)->n_end++;
}
static long c_read(struct h2_stream *s, uint8_t *dst, size_t cap, bool *ret_end, void *ctx)
{
    struct bench *b = ctx;
    (void)s;
    size_t stop = b->out_stop ? b->out_stop : b->out.len;
    size_t n = stop - b->out_at < cap ? stop - b->out_at : cap;
    if (!n && stop < b->out.len) return H2_WAIT;
    memcpy(dst, b->out.p + b->out_at, n);
    b->out_at += n;
    *ret_end = b->out_at == b->out.len;
    return (long)n;
}
static void c_closed(struct h2_stream *s, uint32_t why, void *ctx)
{
    struct bench *b = ctx;
    (void)s;
    b->n_closed++;
    b->why = why;
}
static const struct h2_calls client_calls = {
    .head = c_head, .data = c_data, .end = c_end, .read = c_read, .closed = c_closed};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    b->now_ms = 1000;
    const struct guard_config guard = {.conns_per_address = LIMIT_CONNECTIONS_PER_IP};
    const struct guard_key key = guard_key_v4((const uint8_t[]){192, 0, 2, 7});
    assert_int_equal(guard_create(&guard, &b->guard, NULL), OK);
    assert_int_equal(guard_enter(b->guard, &key, 0, &b->seat), GUARD_WELCOME);
    b->home = (struct request_home){.address = "192.0.2.7",
                                    .max_body_bytes = 100000,
                                    .seat = b->seat,
                                    .now_ms = &b->now_ms,
                                    .handle = handle,
                                    .handle_ctx = b,
                                    .kick = kick};
    assert_int_equal(h2_create(H2_CLIENT, &client_calls, b, &b->client, NULL), OK);
    assert_int_equal(h2_create(H2_SERVER, &server_calls, b, &b->server, NULL), OK);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    h2_destroy(b->client);
    h2_destroy(b->server);
    assert_null(b->home.first);
    assert_int_equal(guard_held(b->guard), 0);
    assert_int_equal(guard_waiting(b->guard), 0);
    assert_int_equal(b->home.n_answers, 0);
    guard_leave(b->seat);
    guard_destroy(b->guard);
    buf_deinit(&b->out);
    buf_deinit(&b->got);
    buf_deinit(&b->head);
    free(b);
    return 0;
}

static size_t carry(struct bench *b, struct h2 *from, struct h2 *to)
{
    size_t moved = 0;
    for (;;) {
        const uint8_t *p = NULL;
        size_t n = 0;
        struct err e = {0};
        assert_int_equal(h2_pull(from, b->now_ms * 1000000, &p, &n, &e), OK);
        if (!n) return moved;
        assert_int_equal(h2_feed(to, p, n, b->now_ms * 1000000, &e), OK);
        moved += n;
    }
}

static void run(struct bench *b)
{
    while (carry(b, b->client, b->server) + carry(b, b->server, b->client)) {
    }
}

static void ask(struct bench *b, const char *method, const char *path, size_t n_body)
{
    for (size_t i = 0; i < n_body; i++)
        buf_put_u8(&b->out, (uint8_t)i);
    struct h2_head head = {.method = method,
                           .scheme = "https",
                           .authority = "h",
                           .path = path,
                           .has_body = n_body > 0};
    char length[24];
    struct h2_field f[2];
    snprintf(length, sizeof length, "%zu", n_body);
    if (n_body) f[head.n_fields++] = (struct h2_field){"content-length", length};
    if (b->coding) f[head.n_fields++] = (struct h2_field){"content-encoding", b->coding};
    head.fields = f;
    assert_int_equal(h2_request(b->client, &head, NULL, &b->asked, NULL), OK);
    run(b);
}

/* ---- cases ---- */

static void request_body_and_query_reach_the_handler(void **state)
{
    struct bench *b = *state;
    ask(b, "POST", "/x?a=1&q=a%20b%2Bc+d&q=second", 5000);
    assert_int_equal(b->status, 200);
    assert_string_equal(buf_str(&b->head), "content-type=text/plain;content-length=5000;"
                                           "x-q=a b+c d;");
    assert_int_equal(b->got.len, 5000);
    assert_memory_equal(b->got.p, b->out.p, 5000);
    assert_int_equal(b->n_closed, 1);
}

static void request_fields_are_readable(void **state)
{
    struct bench *b = *state;
    b->is_lazy = true;
    ask(b, "PUT", "/v1/x?empty=&flag", 1);
    assert_string_equal(request_method(b->r), "PUT");
    assert_string_equal(request_path(b->r), "/v1/x");
    assert_string_equal(request_query(b->r, "empty"), "");
    assert_string_equal(request_query(b->r, "flag"), "");
    assert_null(request_query(b->r, "x"));
    assert_string_equal(request_peer(b->r), "192.0.2.7");
    assert_string_equal(request_header(b->r, ":authority"), "h");
    request_set_user(b->r, b);
    assert_ptr_equal(request_user(b->r), b);
    request_reply(b->r, 204, NULL, NULL, 0);
    run(b);
    assert_int_equal(b->status, 204);
    assert_int_equal(b->n_gone, 0);
}

static void request_broken_escapes_are_answered_400(void **state)
{
    struct bench *b = *state;
    ask(b, "GET", "/x?q=%zz", 0);
    assert_int_equal(b->status, 400);
    ask(b, "GET", "/x?q=%0", 0);
    ask(b, "GET", "/x?q=a%00b", 0);
    ask(b, "OPTIONS", "*", 0);
    assert_int_equal(b->status, 400);
    assert_int_equal(b->n_handled, 0);
    assert_int_equal(b->n_closed, 4);
}

static void request_body_above_the_cap_is_answered_413(void **state)
{
    struct bench *b = *state;
    ask(b, "POST", "/x", 100001);
    assert_int_equal(b->status, 413);
    assert_int_equal(b->n_handled, 0);
    assert_int_equal(guard_held(b->guard), 0);
    assert_non_null(strstr(buf_str(&b->got), "\"hint\":\"send at most 100000 bytes"));
    ask(b, "GET", "/y", 0); /* the connection is as good as before */
    assert_int_equal(b->n_handled, 1);
}

static void request_body_of_exactly_the_cap_is_fine(void **state)
{
    struct bench *b = *state;
    ask(b, "POST", "/x", 100000);
    assert_int_equal(b->status, 200);
    assert_int_equal(b->got.len, 100000);
}

static struct request_body cut_body;

static void on_cut(struct request *r, void *ctx)
{
    (void)ctx;
    assert_string_equal(request_path(r), "/x");
    assert_string_equal(request_header(r, "content-length"), "90000");
    request_take_body(r, &cut_body);
}

/* A request that stopped after 40000 of 90000 bytes. */
static void stop_half_way(struct bench *b)
{
    b->home.cut = on_cut;
    b->out_stop = 40000;
    ask(b, "PUT", "/x", 90000);
    assert_null(cut_body.bytes.p);
}

static void check_half(struct bench *b)
{
    assert_int_equal(cut_body.bytes.len, 40000);
    assert_memory_equal(cut_body.bytes.p, b->out.p, 40000);
    assert_int_equal(guard_held(b->guard), 40000); /* and no more than what came */
    request_body_free(&cut_body);
    assert_int_equal(b->n_handled, 0);
}

static void request_that_is_cut_off_leaves_what_came(void **state)
{
    struct bench *b = *state;
    stop_half_way(b);
    h2_reset(b->asked, H2_CANCEL);
    run(b);
    check_half(b);
}

static void request_is_cut_off_by_the_server_for_its_path(void **state)
{
    struct bench *b = *state;
    stop_half_way(b);
    request_cut(&b->home, "/y");
    assert_null(cut_body.bytes.p);
    request_cut(&b->home, "/x");
    check_half(b);
    request_cut(&b->home, "/x"); /* once */
    run(b);
    assert_null(cut_body.bytes.p);
    assert_int_equal(b->n_closed, 1);
    assert_int_equal(b->why, H2_CANCEL);
}

static void request_full_server_answers_503_and_when_to_retry(void **state)
{
    struct bench *b = *state;
    uint64_t others = LIMIT_HELD_PER_ADDRESS - 100;
    assert_true(guard_hold(b->seat, others));
    ask(b, "POST", "/x", 101);
    assert_int_equal(b->status, 503);
    assert_non_null(strstr(buf_str(&b->head), "retry-after=2;"));
    guard_release(b->seat, others);
}

static void request_body_waits_for_its_place_within_the_first_window(void **state)
{
    struct bench *b = *state;
    uint64_t others = LIMIT_PROMISED_PER_ADDRESS;
    assert_true(guard_hold(b->seat, others));
    b->home.max_body_bytes = 1 << 20;
    ask(b, "POST", "/x", 1 << 20);
    assert_int_equal(guard_waiting(b->guard), 1);
    assert_int_equal(guard_held(b->guard) - others, LIMIT_UPLOAD_WINDOW);
    b->now_ms += 10 * LIMIT_STALL_MS; /* its sender is not to blame */
    request_expire(&b->home);
    run(b);
    assert_int_equal(b->n_closed, 0);
    guard_release(b->seat, others);
    run(b);
    assert_int_equal(b->status, 200);
    assert_int_equal(b->got.len, 1 << 20);
}

static void request_small_body_needs_no_wider_window(void **state)
{
    struct bench *b = *state;
    assert_true(guard_hold(b->seat, LIMIT_PROMISED_PER_ADDRESS));
    ask(b, "POST", "/x", 1000);
    assert_int_equal(b->status, 200);
    guard_release(b->seat, LIMIT_PROMISED_PER_ADDRESS);
}

static void request_taken_body_counts_until_it_is_freed(void **state)
{
    struct bench *b = *state;
    b->is_lazy = true;
    ask(b, "POST", "/x", 90000);
    request_take_body(b->r, &b->taken);
    assert_int_equal(b->taken.bytes.len, 90000);
    h2_destroy(b->server); /* the peer goes, the work goes on */
    b->server = NULL;
    assert_int_equal(b->n_gone, 1);
    assert_int_equal(guard_held(b->guard), 90000);
    request_body_free(&b->taken);
    assert_int_equal(guard_held(b->guard), 0);
}

/* Large bodies lie on pages of their own, also when their first part came before they had a place. */
static void request_large_body_is_whole_in_its_block(void **state)
{
    struct bench *b = *state;
    size_t n = 400001;
    b->is_lazy = true;
    b->home.max_body_bytes = 1 << 20;
    assert_true(guard_hold(b->seat, LIMIT_PROMISED_PER_ADDRESS));
    ask(b, "POST", "/x", n);
    guard_release(b->seat, LIMIT_PROMISED_PER_ADDRESS);
    run(b);
    request_take_body(b->r, &b->taken);
    assert_true(b->taken.is_block);
    assert_int_equal((uintptr_t)b->taken.bytes.p % 4096, 0);
    assert_int_equal(b->taken.bytes.len, n);
    assert_memory_equal(b->taken.bytes.p, b->out.p, n);
    request_body_free(&b->taken);
    request_reply(b->r, 204, NULL, NULL, 0);
    run(b);
    assert_int_equal(b->status, 204);
}

static void request_answers_that_nobody_reads_are_bounded(void **state)
{
    struct bench *b = *state;
    b->is_lazy = true;
    size_t n = LIMIT_ANSWERS_BYTES;
    void *text = calloc(1, n);
    ask(b, "GET", "/a", 0);
    h2_hold(b->asked);                               /* reads a window's worth, then no more */
    request_reply(b->r, 200, "text/plain", text, n); /* the first always may */
    run(b);
    assert_int_equal(guard_held(b->guard), n);
    ask(b, "GET", "/b", 0);
    request_reply(b->r, 200, "text/plain", text, 2000);
    run(b);
    assert_int_equal(b->status, 503);
    free(text);
}

static void request_knows_its_own_machine(void **state)
{
    struct bench *b = *state;
    static const char *const near[] = {"unix", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"};
    static const char *const far[] = {"192.0.2.7", "12.7.0.1", "::2", "::ffff:12.7.0.1", "1270::1"};
    b->is_lazy = true;
    ask(b, "GET", "/", 0);
    for (int i = 0; i < 5; i++) {
        b->home.address = near[i];
        assert_true(request_is_local(b->r));
        b->home.address = far[i];
        assert_false(request_is_local(b->r));
    }
}

static void request_coded_bodies_are_not_understood(void **state)
{
    struct bench *b = *state;
    b->coding = "gzip";
    ask(b, "POST", "/x", 10);
    assert_int_equal(b->status, 415);
    assert_int_equal(b->n_handled, 0);
}

static void request_error_is_a_problem_document(void **state)
{
    struct bench *b = *state;
    b->is_lazy = true;
    ask(b, "GET", "/x", 0);
    request_reply_error(b->r, 409, "the round is \"over\"", NULL);
    run(b);
    assert_int_equal(b->status, 409);
    assert_non_null(strstr(buf_str(&b->head), "content-type=application/problem+json;"));
    assert_string_equal(buf_str(&b->got), "{\"detail\":\"the round is "
                                          "\\\"over\\\"\",\"hint\":\"\",\"status\":409,\"title\":"
                                          "\"Conflict\",\"type\":\"about:blank\"}");
}

static void request_head_method_gets_no_body(void **state)
{
    struct bench *b = *state;
    b->is_lazy = true;
    ask(b, "HEAD", "/x", 0);
    request_reply(b->r, 200, "text/plain", "12345", 5);
    run(b);
    assert_string_equal(buf_str(&b->head), "content-type=text/plain;content-length=5;");
    assert_int_equal(b->got.len, 0);
    assert_int_equal(b->n_end, 1);
}

static void request_file_range_is_sent(void **state)
{
    struct bench *b = *state;
    b->is_lazy = true;
    char name[] = "/tmp/potluck-request-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    struct buf text = {0};
    for (int i = 0; i < 300000; i++)
        buf_put_u8(&text, (uint8_t)(i * 13));
    assert_int_equal(write(fd, text.p, text.len), (ssize_t)text.len);
    ask(b, "GET", "/x", 0);
    request_reply_file(b->r, 206, "application/octet-stream", fd, 1000, 200000);
    run(b);
    assert_int_equal(b->got.len, 200000);
    assert_memory_equal(b->got.p, text.p + 1000, 200000);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed by its new owner */
    buf_deinit(&text);
}

static void request_file_shorter_than_promised_is_no_whole_answer(void **state)
{
    struct bench *b = *state;
    b->is_lazy = true;
    char name[] = "/tmp/potluck-request-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(write(fd, "abc", 3), 3);
    ask(b, "GET", "/x", 0);
    request_reply_file(b->r, 200, "text/plain", fd, 0, 4);
    run(b);
    assert_int_equal(b->n_end, 0);
    assert_int_equal(b->n_closed, 1);
    assert_int_equal(b->why, H2_INTERNAL);
}

static void request_event_stream_pushes_and_ends(void **state)
{
    struct bench *b = *state;
    b->is_lazy = true;
    ask(b, "GET", "/events", 0);
    struct request *r = b->r;
    request_stream_begin(r, 200, "text/event-stream");
    run(b);
    assert_int_equal(b->status, 200);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(request_stream_push(r, "event\n", 6), OK);
        run(b);
        assert_int_equal(b->got.len, 6 * (i + 1));
    }
    request_stream_end(r);
    run(b);
    assert_int_equal(b->n_end, 1);
    assert_int_equal(b->n_gone, 0);
}

static void request_slow_reader_of_a_stream_misses_events(void **state)
{
    struct bench *b = *state;
    b->is_lazy = true;
    ask(b, "GET", "/events", 0);
    struct request *r = b->r;
    request_stream_begin(r, 200, "text/event-stream");
    run(b);
    static const uint8_t event[50000] = {0};
    int n_pushed = 0;
    while (request_stream_push(r, event, sizeof event) == OK)
        n_pushed++;
    assert_int_equal(n_pushed, LIMIT_STREAM_WAITING / 50000);
    run(b); /* the reader catches up, and hears what comes after */
    assert_int_equal(b->got.len, (size_t)n_pushed * sizeof event);
    assert_int_equal(request_stream_push(r, event, sizeof event), OK);
    request_stream_end(r);
    run(b);
    assert_int_equal(b->n_end, 1);
}

static void request_peer_that_leaves_is_told_once(void **state)
{
    struct bench *b = *state;
    b->is_lazy = true;
    ask(b, "GET", "/wait", 0);
    h2_destroy(b->server);
    b->server = NULL;
    assert_int_equal(b->n_gone, 1);
    assert_null(b->r);
}

static void request_stream_reader_that_leaves_is_told_once(void **state)
{
    struct bench *b = *state;
    b->is_lazy = true;
    ask(b, "GET", "/events", 0);
    request_stream_begin(b->r, 200, "text/event-stream");
    run(b);
    h2_destroy(b->server);
    b->server = NULL;
    assert_int_equal(b->n_gone, 1);
}

static void request_disconnect_during_upload_never_reaches_the_handler(void **state)
{
    struct bench *b = *state;
    b->out_stop = 40000;
    ask(b, "POST", "/x", 80000);
    assert_int_equal(guard_held(b->guard), 80000); /* its whole place */
    h2_destroy(b->server);
    b->server = NULL;
    assert_int_equal(b->n_handled, 0);
    assert_int_equal(guard_held(b->guard), 0);
}

static void request_stalled_upload_is_reset(void **state)
{
    struct bench *b = *state;
    b->out_stop = 40000;
    ask(b, "POST", "/x", 80000);
    b->now_ms += LIMIT_STALL_MS;
    request_expire(&b->home);
    run(b);
    assert_int_equal(b->n_closed, 0);
    b->now_ms += 1;
    request_expire(&b->home);
    run(b);
    assert_int_equal(b->n_closed, 1);
    assert_int_equal(b->why, H2_CANCEL);
}

static void request_crawling_upload_is_reset(void **state)
{
    struct bench *b = *state;
    b->out_stop = 1;
    b->is_lazy = true;
    ask(b, "POST", "/x", 80000);
    for (int i = 0; i < 20 && !b->n_closed; i++) { /* some bytes every 10 s: never a stall */
        b->now_ms += 10000;
        b->out_stop += 10;
        h2_resume(b->asked);
        run(b);
        request_expire(&b->home);
        run(b);
    }
    assert_int_equal(b->n_closed, 1);
    assert_int_equal(b->n_handled, 0);
    assert_in_range(b->now_ms, 1000 + LIMIT_SLOW_AFTER_MS + 1, 1000 + LIMIT_SLOW_AFTER_MS + 10000);
}

static void request_slow_handler_is_not_the_peers_fault(void **state)
{
    struct bench *b = *state;
    b->is_lazy = true;
    ask(b, "GET", "/wait", 0);
    b->now_ms += 100LL * LIMIT_STALL_MS;
    request_expire(&b->home);
    run(b);
    assert_int_equal(b->n_closed, 0);
    request_reply(b->r, 200, NULL, "late", 4);
    run(b);
    assert_int_equal(b->got.len, 4);
}

static void request_quiet_event_stream_stays_a_stuck_one_goes(void **state)
{
    struct bench *b = *state;
    b->is_lazy = true;
    ask(b, "GET", "/events", 0);
    request_stream_begin(b->r, 200, "text/event-stream");
    run(b);
    b->now_ms += 100LL * LIMIT_STALL_MS;
    request_expire(&b->home);
    run(b);
    assert_int_equal(b->n_closed, 0);
    assert_int_equal(request_stream_push(b->r, "x", 1), OK); /* nobody fetches this one */
    b->now_ms += LIMIT_STALL_MS + 1;
    request_expire(&b->home);
    run(b);
    assert_int_equal(b->n_closed, 1);
    assert_int_equal(b->n_gone, 1);
}

static void request_answered_early_may_go_on_for_a_moment_only(void **state)
{
    struct bench *b = *state;
    b->home.max_body_bytes = 10;
    b->out_stop = 1000;
    ask(b, "POST", "/x", 80000);
    assert_int_equal(b->status, 413);
    assert_int_equal(b->n_end, 1);
    assert_int_equal(b->n_closed, 0);
    b->now_ms += 2001;
    request_expire(&b->home);
    run(b);
    assert_int_equal(b->n_closed, 1);
    assert_int_equal(b->why, H2_NO_ERROR);
}

static bool exchange_with_failure(uint64_t k)
{
    void *state = NULL;
    alloc_fail_nth(0);
    setup(&state);
    struct bench *b = state;
    alloc_fail_nth(k);
    struct h2_head head = {.method = "GET", .scheme = "https", .authority = "h", .path = "/x?q=1"};
    struct h2_stream *s = NULL;
    struct err e = {0};
    bool is_alive = h2_request(b->client, &head, NULL, &s, &e) == OK;
    for (int i = 0; is_alive && i < 20; i++) {
        struct h2 *from = i % 2 ? b->server : b->client;
        struct h2 *to = i % 2 ? b->client : b->server;
        for (size_t n = 1; is_alive && n;) {
            const uint8_t *p = NULL;
            is_alive = h2_pull(from, 1, &p, &n, &e) == OK && h2_feed(to, p, n, 1, &e) == OK;
        }
    }
    bool is_fine = is_alive && b->status == 200 && b->n_end == 1;
    teardown(&state);
    return is_fine;
}

static void request_every_failing_allocation_is_survived(void **state)
{
    (void)state;
    assert_true(exchange_with_failure(0));
    uint64_t n = alloc_count();
    assert_in_range(n, 10, 5000);
    int n_failed = 0;
    for (uint64_t k = 1; k <= n; k++)
        n_failed += !exchange_with_failure(k);
    alloc_fail_nth(0);
    assert_true(n_failed > 5);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(request_body_and_query_reach_the_handler),
        CASE(request_fields_are_readable),
        CASE(request_broken_escapes_are_answered_400),
        CASE(request_body_above_the_cap_is_answered_413),
        CASE(request_that_is_cut_off_leaves_what_came),
        CASE(request_is_cut_off_by_the_server_for_its_path),
        CASE(request_body_of_exactly_the_cap_is_fine),
        CASE(request_full_server_answers_503_and_when_to_retry),
        CASE(request_body_waits_for_its_place_within_the_first_window),
        CASE(request_small_body_needs_no_wider_window),
        CASE(request_taken_body_counts_until_it_is_freed),
        CASE(request_large_body_is_whole_in_its_block),
        CASE(request_answers_that_nobody_reads_are_bounded),
        CASE(request_knows_its_own_machine),
        CASE(request_coded_bodies_are_not_understood),
        CASE(request_error_is_a_problem_document),
        CASE(request_head_method_gets_no_body),
        CASE(request_file_range_is_sent),
        CASE(request_file_shorter_than_promised_is_no_whole_answer),
        CASE(request_event_stream_pushes_and_ends),
        CASE(request_slow_reader_of_a_stream_misses_events),
        CASE(request_peer_that_leaves_is_told_once),
        CASE(request_stream_reader_that_leaves_is_told_once),
        CASE(request_disconnect_during_upload_never_reaches_the_handler),
        CASE(request_stalled_upload_is_reset),
        CASE(request_crawling_upload_is_reset),
        CASE(request_slow_handler_is_not_the_peers_fault),
        CASE(request_quiet_event_stream_stays_a_stuck_one_goes),
        CASE(request_answered_early_may_go_on_for_a_moment_only),
        cmocka_unit_test(request_every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
