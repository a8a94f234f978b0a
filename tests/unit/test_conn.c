#include <sys/socket.h>

#include "base/alloc.h"
#include "net/conn.h"
#include "net/limits.h"
#include "tests/unit/loopback.h"

/* One connection on one end of a socket pair; the test holds the other end by hand. */
struct end {
    uv_loop_t loop;
    struct conn *c;
    uint8_t scratch[CONN_SCRATCH_BYTES];
    uint64_t n_in;
    uint64_t n_out;
    int fd;
    int n_ready;
    int n_broken;
    int n_closed;
    int n_heads;
    int broken_code;
};

static void ready(struct conn *c, void *ctx)
{
    (void)c;
    ((struct end *)ctx)->n_ready++;
}

static void broken(struct conn *c, const struct err *e, void *ctx)
{
    struct end *n = ctx;
    (void)c;
    n->n_broken++;
    n->broken_code = e->code;
}

static void closed(struct conn *c, void *ctx)
{
    (void)c;
    ((struct end *)ctx)->n_closed++;
}

static void head(struct h2_stream *s, void *ctx)
{
    (void)s;
    ((struct end *)ctx)->n_heads++;
}

static void data(struct h2_stream *s, const uint8_t *p, size_t n, void *ctx)
{
    (void)s, (void)p, (void)n, (void)ctx;
}

static void end(struct h2_stream *s, void *ctx)
{
    (void)ctx;
    if (h2_respond(s, 204, NULL, 0, false, NULL)) h2_reset(s, H2_INTERNAL);
}

static void stream_closed(struct h2_stream *s, uint32_t why, void *ctx)
{
    (void)s, (void)why, (void)ctx;
}

static const struct conn_calls calls = {ready, broken, closed};
static const struct h2_calls h2_calls = {
    .head = head, .data = data, .end = end, .closed = stream_closed};

static int setup(void **state)
{
    struct end *n = calloc(1, sizeof *n);
    int fd[2];
    assert_int_equal(uv_loop_init(&n->loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    struct conn_config cfg = {.loop = &n->loop,
                              .role = H2_SERVER,
                              .is_unix = true,
                              .scratch = n->scratch,
                              .n_in = &n->n_in,
                              .n_out = &n->n_out,
                              .h2_calls = &h2_calls,
                              .calls = &calls,
                              .ctx = n};
    assert_int_equal(conn_create(&cfg, &n->c, NULL), OK);
    assert_int_equal(uv_pipe_open((uv_pipe_t *)conn_stream(n->c), fd[0]), 0);
    n->fd = fd[1];
    *state = n;
    return 0;
}

static int teardown(void **state)
{
    struct end *n = *state;
    if (!n->n_closed) conn_close(n->c);
    assert_int_equal(uv_run(&n->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(n->n_closed, 1);
    assert_int_equal(uv_loop_close(&n->loop), 0);
    if (n->fd >= 0) close(n->fd);
    free(n);
    return 0;
}

static void turn(struct end *n, int times)
{
    for (int i = 0; i < times; i++)
        uv_run(&n->loop, UV_RUN_NOWAIT);
}

static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                            "\0\0\0\4\0\0\0\0\0";
static const char request[] = "\0\0\6\1\5\0\0\0\1\x82\x86\x84\x41\1x";

static void say(struct end *n, const char *p, size_t len)
{
    assert_int_equal(write(n->fd, p, len), (ssize_t)len);
}

/* Reads all that is there; returns the number of frames of this type, sets *ret_eof. */
static int count_frames(struct end *n, uint8_t type, bool *ret_eof)
{
    static uint8_t b[65536];
    ssize_t len = recv(n->fd, b, sizeof b, MSG_DONTWAIT);
    int found = 0;
    for (ssize_t at = 0; at + 9 <= len; at += 9 + (b[at] << 16 | b[at + 1] << 8 | b[at + 2]))
        found += b[at + 3] == type;
    *ret_eof = len == 0 || (len > 0 && recv(n->fd, b, 1, MSG_DONTWAIT) == 0);
    return found;
}

static void conn_is_ready_only_after_start_and_never_from_inside_it(void **state)
{
    struct end *n = *state;
    assert_int_equal(conn_start(n->c, NULL), OK);
    assert_int_equal(n->n_ready, 0);
    turn(n, 2);
    assert_int_equal(n->n_ready, 1);
    assert_true(conn_is_ready(n->c));
    assert_false(h2_is_greeted(conn_h2(n->c)));
}

static void conn_answers_and_counts_bytes(void **state)
{
    struct end *n = *state;
    bool is_eof = false;
    assert_int_equal(conn_start(n->c, NULL), OK);
    say(n, hello, sizeof hello - 1);
    say(n, request, sizeof request - 1);
    turn(n, 5);
    assert_int_equal(n->n_heads, 1);
    assert_true(h2_is_greeted(conn_h2(n->c)));
    assert_int_equal(n->n_in, sizeof hello + sizeof request - 2);
    assert_true(n->n_out > 0);
    assert_int_equal(count_frames(n, 1, &is_eof), 1);
    assert_false(is_eof);
}

static void conn_sees_the_peer_take_bytes(void **state)
{
    struct end *n = *state;
    bool is_eof = false;
    assert_int_equal(conn_start(n->c, NULL), OK);
    say(n, hello, sizeof hello - 1);
    turn(n, 5);
    int64_t before_ms = conn_sent_ms(n->c); /* our SETTINGS wait to be read */
    while ((int64_t)uv_now(&n->loop) < before_ms + 2)
        uv_run(&n->loop, UV_RUN_NOWAIT);
    assert_int_equal(conn_sent_ms(n->c), before_ms);
    assert_true(count_frames(n, 4, &is_eof) > 0);
    assert_true(conn_sent_ms(n->c) > before_ms);
}

static void conn_tells_once_when_the_peer_leaves(void **state)
{
    struct end *n = *state;
    assert_int_equal(conn_start(n->c, NULL), OK);
    turn(n, 2);
    close(n->fd);
    n->fd = -1;
    turn(n, 5);
    assert_int_equal(n->n_broken, 1);
    assert_int_equal(n->n_closed, 1);
}

static void conn_finish_says_goaway_and_waits_for_the_peer(void **state)
{
    struct end *n = *state;
    bool is_eof = false;
    assert_int_equal(conn_start(n->c, NULL), OK);
    say(n, hello, sizeof hello - 1);
    turn(n, 5);
    conn_finish(n->c);
    turn(n, 5);
    assert_int_equal(count_frames(n, 7, &is_eof), 1);
    assert_true(is_eof);
    assert_int_equal(n->n_closed, 0);
    close(n->fd);
    n->fd = -1;
    turn(n, 5);
    assert_int_equal(n->n_closed, 1);
    assert_int_equal(n->n_broken, 0); /* asked for, so no news */
}

static void conn_that_breaks_the_rules_gets_goaway_and_the_end(void **state)
{
    struct end *n = *state;
    bool is_eof = false;
    assert_int_equal(conn_start(n->c, NULL), OK);
    say(n, hello, sizeof hello - 1);
    for (int i = 0; i < LIMIT_EMPTY_DATA + 40; i++) /* DATA without a byte, on an open stream */
        say(n, i ? "\0\0\0\0\0\0\0\0\1" : "\0\0\6\1\4\0\0\0\1\x83\x86\x84\x41\1x", i ? 9 : 15);
    turn(n, 5);
    assert_int_equal(n->n_broken, 1);
    assert_int_equal(n->broken_code, ERR_LIMIT);
    assert_int_equal(count_frames(n, 7, &is_eof), 1);
    assert_true(is_eof);
}

static void conn_close_before_start_is_fine(void **state)
{
    struct end *n = *state;
    conn_close(n->c);
    conn_close(n->c);
    turn(n, 3);
    assert_int_equal(n->n_closed, 1);
}

/* ---- every allocation of a whole exchange fails once ---- */

static void echo(struct request *r, void *ctx)
{
    (void)ctx;
    size_t n = 0;
    const void *p = request_body(r, &n);
    request_reply(r, 200, "text/plain", p, n);
}

static void note(const struct link_reply *r, void *ctx)
{
    struct answer *a = ctx;
    a->n_done++;
    a->status = r->status;
    if (r->code) assert_true(r->err.what[0] != 0 || r->code == ERR_CANCELLED);
}

static bool exchange_with_failure(uint64_t k, uint64_t *ret_n)
{
    struct loopback lb;
    struct server_config sc = {.handle = echo};
    struct link_config lc = {0};
    struct answer a = {0};
    static const uint8_t body[20000] = {0};
    alloc_fail_nth(0);
    loopback_open(&lb);
    sc.unix_path = lc.unix_path = lb.socket;
    alloc_fail_nth(k);
    struct link_request r = {
        .method = "POST", .path = "/", .body = body, .n_body = sizeof body, .ctx = &a};
    r.done = note;
    bool is_open = server_create(&lb.loop, &sc, &lb.server, NULL) == OK &&
                   link_create(&lb.loop, &lc, &lb.link, NULL) == OK;
    if (is_open) assert_true(link_send(lb.link, &r) != 0);
    for (int i = 0; is_open && i < 60 && !a.n_done; i++)
        uv_run(&lb.loop, UV_RUN_NOWAIT);
    *ret_n = alloc_count();
    alloc_fail_nth(0);
    loopback_close(&lb); /* whatever went wrong, everything is given back */
    assert_int_equal(a.n_done, is_open ? 1 : 0);
    return a.status == 200;
}

static void loopback_every_failing_allocation_is_survived(void **state)
{
    (void)state;
    uint64_t n = 0;
    uint64_t ignored = 0;
    assert_true(exchange_with_failure(0, &n));
    assert_in_range(n, 30, 5000);
    int n_failed = 0;
    for (uint64_t k = 1; k <= n; k++)
        n_failed += !exchange_with_failure(k, &ignored);
    assert_true(n_failed > 10);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(conn_is_ready_only_after_start_and_never_from_inside_it),
        CASE(conn_answers_and_counts_bytes),
        CASE(conn_sees_the_peer_take_bytes),
        CASE(conn_tells_once_when_the_peer_leaves),
        CASE(conn_finish_says_goaway_and_waits_for_the_peer),
        CASE(conn_that_breaks_the_rules_gets_goaway_and_the_end),
        CASE(conn_close_before_start_is_fine),
        cmocka_unit_test(loopback_every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
