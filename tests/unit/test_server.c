#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "net/limits.h"
#include "net/server.h"
#include "tests/unit/loopback.h"

static void echo(struct request *r, void *ctx)
{
    (void)ctx;
    size_t n = 0;
    const void *p = request_body(r, &n);
    request_reply(r, 200, "text/plain", p, n);
}

/* A raw client on the Unix socket, to say what no honest client would. */
static int raw_connect(const struct loopback *lb)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, lb->socket, sizeof lb->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void run_until_connections(struct loopback *lb, uint32_t n)
{
    for (int i = 0; i < 1000 && server_connections(lb->server) != n; i++)
        uv_run(&lb->loop, UV_RUN_NOWAIT);
    assert_int_equal(server_connections(lb->server), n);
}

static const char upload_begin[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                   "\0\0\0\4\0\0\0\0\0"
                                   "\0\0\6\1\4\0\0\0\1\x83\x86\x84\x41\1x"
                                   "\0\0\5\0\0\0\0\0\1hello";

static void count_call(struct request *r, void *ctx)
{
    ++*(int *)ctx;
    request_reply(r, 204, NULL, NULL, 0);
}

/* ---- cases ---- */

static void loopback_port_in_use_is_one_clear_sentence(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    loopback_serve(&lb, false, echo, NULL);
    struct server_config c = {.host = "127.0.0.1",
                              .port = server_port(lb.server),
                              .cert_path = lb.cert,
                              .key_path = lb.key,
                              .handle = echo};
    struct server *s = NULL;
    struct err e = {0};
    char what[64];
    char hint[16];
    assert_int_equal(server_create(&lb.loop, &c, &s, &e), ERR_IO);
    snprintf(what, sizeof what, "port %u is already in use on 127.0.0.1", c.port);
    snprintf(hint, sizeof hint, "%u", c.port);
    assert_string_equal(e.what, what);
    assert_non_null(strstr(e.hint, hint));
    loopback_close(&lb);
}

static void server_refuses_what_is_no_numeric_address(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    assert_int_equal(tls_make_certificate(lb.cert, lb.key, "h", &lb.pin, NULL), OK);
    struct server_config c = {
        .host = "host.example", .cert_path = lb.cert, .key_path = lb.key, .handle = echo};
    struct server *s = NULL;
    struct err e = {0};
    assert_int_equal(server_create(&lb.loop, &c, &s, &e), ERR_ARG);
    c.host = "127.0.0.1";
    c.key_path = "/nowhere";
    assert_int_equal(server_create(&lb.loop, &c, &s, &e), ERR_IO);
    assert_true(e.hint[0] != 0);
    loopback_close(&lb);
}

static void loopback_unix_socket_is_private_and_removed(void **state)
{
    (void)state;
    struct loopback lb;
    struct stat st = {0};
    loopback_open(&lb);
    loopback_serve(&lb, true, echo, NULL);
    assert_int_equal(stat(lb.socket, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    loopback_stop(&lb);
    loopback_run(&lb);
    assert_int_equal(stat(lb.socket, &st), -1);
    loopback_close(&lb);
}

static void loopback_stale_unix_socket_is_replaced_a_live_one_is_not(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, lb.socket, sizeof lb.socket);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    close(fd); /* what a killed program leaves behind */
    loopback_serve(&lb, true, echo, NULL);
    struct server_config c = {.unix_path = lb.socket, .handle = echo};
    struct server *second = NULL;
    struct err e = {0};
    assert_int_equal(server_create(&lb.loop, &c, &second, &e), ERR_IO);
    assert_non_null(strstr(e.what, "another program is already listening"));
    loopback_link(&lb, true, NULL); /* and the first still answers */
    struct answer ans = answer_for(&lb, 1);
    ask(&lb, "POST", "/", "x", 1, &ans);
    loopback_run(&lb);
    assert_int_equal(ans.status, 200);
    buf_deinit(&ans.body);
    loopback_close(&lb);
}

static void server_never_replaces_a_file_that_is_no_socket(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    int fd = open(lb.socket, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    struct server_config c = {.unix_path = lb.socket, .handle = echo};
    struct server *s = NULL;
    struct err e = {0};
    struct stat st = {0};
    assert_int_equal(server_create(&lb.loop, &c, &s, &e), ERR_IO);
    assert_int_equal(stat(lb.socket, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    loopback_close(&lb);
}

static void server_refuses_a_socket_path_that_does_not_fit(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    char path[200];
    memset(path, 'p', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    struct server_config c = {.unix_path = path, .handle = echo};
    struct server *s = NULL;
    struct err e = {0};
    assert_int_equal(server_create(&lb.loop, &c, &s, &e), ERR_ARG);
    loopback_close(&lb);
}

static void loopback_disconnect_during_upload_leaves_nothing(void **state)
{
    (void)state;
    struct loopback lb;
    int n_calls = 0;
    loopback_open(&lb);
    loopback_serve(&lb, true, count_call, &n_calls);
    int fd = raw_connect(&lb);
    assert_int_equal(write(fd, upload_begin, sizeof upload_begin - 1), sizeof upload_begin - 1);
    run_until_connections(&lb, 1);
    for (int i = 0; i < 10; i++)
        uv_run(&lb.loop, UV_RUN_NOWAIT);
    uint64_t in = 0;
    uint64_t out = 0;
    server_traffic(lb.server, &in, &out);
    assert_int_equal(in, sizeof upload_begin - 1);
    close(fd);
    run_until_connections(&lb, 0);
    assert_int_equal(n_calls, 0);
    loopback_close(&lb);
}

static void loopback_garbage_is_hung_up_on(void **state)
{
    (void)state;
    struct loopback lb;
    int n_calls = 0;
    loopback_open(&lb);
    loopback_serve(&lb, true, count_call, &n_calls);
    int fd = raw_connect(&lb);
    const char *http = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    assert_int_equal(write(fd, http, strlen(http)), (ssize_t)strlen(http));
    run_until_connections(&lb, 1);
    for (int i = 0; i < 20; i++)
        uv_run(&lb.loop, UV_RUN_NOWAIT);
    uint8_t b[1000];
    ssize_t n = 1;
    while (n > 0)
        n = recv(fd, b, sizeof b, MSG_DONTWAIT);
    assert_int_equal(n, 0); /* the server has closed its side */
    close(fd);
    run_until_connections(&lb, 0);
    assert_int_equal(n_calls, 0);
    loopback_close(&lb);
}

static void loopback_connection_cap_per_address_holds(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    loopback_serve(&lb, false, echo, NULL);
    struct sockaddr_in a = {0};
    uv_ip4_addr("127.0.0.1", server_port(lb.server), &a);
    int fd[LIMIT_CONNECTIONS_PER_IP + 5];
    for (size_t i = 0; i < sizeof fd / sizeof *fd; i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fd[i], (struct sockaddr *)&a, sizeof a), 0);
    }
    for (int i = 0; i < 300; i++)
        uv_run(&lb.loop, UV_RUN_NOWAIT);
    assert_int_equal(server_connections(lb.server), LIMIT_CONNECTIONS_PER_IP);
    for (size_t i = 0; i < sizeof fd / sizeof *fd; i++)
        close(fd[i]);
    run_until_connections(&lb, 0);
    loopback_close(&lb);
}

struct big {
    int fd;
    uint64_t n;
    uint64_t n_got;
    uint64_t sum;
    size_t max_piece;
};

static void send_file(struct request *r, void *ctx)
{
    struct big *b = ctx;
    request_reply_file(r, 200, "application/octet-stream", b->fd, 0, b->n);
}

static int add_up(const uint8_t *p, size_t n, void *ctx)
{
    struct answer *a = ctx;
    struct big *b = (void *)a->body.p;
    for (size_t i = 0; i < n; i++)
        b->sum += p[i] * (b->n_got + i + 1);
    b->n_got += n;
    if (n > b->max_piece) b->max_piece = n;
    return 0;
}

static void keep_status(const struct link_reply *r, void *ctx)
{
    struct answer *a = ctx;
    a->code = r->code;
    a->status = r->status;
    loopback_stop(a->lb);
}

static void loopback_file_of_20_mib_is_streamed_in_small_pieces(void **state)
{
    (void)state;
    struct loopback lb;
    struct big b = {.n = 20u << 20};
    uint64_t expect = 0;
    char name[] = "/tmp/potluck-server-XXXXXX";
    b.fd = mkstemp(name);
    unlink(name);
    uint8_t *text = malloc(b.n);
    for (uint64_t i = 0; i < b.n; i++)
        expect += (text[i] = (uint8_t)(i * i >> 8)) * (i + 1);
    assert_int_equal(write(b.fd, text, b.n), b.n);
    free(text);
    loopback_open(&lb);
    loopback_serve(&lb, false, send_file, &b);
    loopback_link(&lb, false, NULL);
    struct answer a = {.lb = &lb, .body = {.p = (uint8_t *)&b}};
    struct link_request r = {
        .method = "GET", .path = "/", .on_data = add_up, .done = keep_status, .ctx = &a};
    assert_true(link_send(lb.link, &r) != 0);
    loopback_run(&lb);
    assert_int_equal(a.code, OK);
    assert_int_equal(b.n_got, b.n);
    assert_true(b.sum == expect);
    assert_true(b.max_piece <= 65536);
    loopback_close(&lb);
}

static void hold(struct request *r, void *ctx)
{
    *(struct request **)ctx = r;
}

static void loopback_answer_may_come_much_later(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    struct request *held = NULL;
    loopback_serve(&lb, false, hold, &held);
    loopback_link(&lb, false, NULL);
    struct answer a = answer_for(&lb, 1);
    ask(&lb, "GET", "/v1/round?after=1", NULL, 0, &a);
    while (!held)
        uv_run(&lb.loop, UV_RUN_ONCE);
    for (int i = 0; i < 50; i++)
        uv_run(&lb.loop, UV_RUN_NOWAIT);
    assert_int_equal(a.n_done, 0);
    assert_string_equal(request_query(held, "after"), "1");
    assert_string_equal(request_peer(held), "127.0.0.1");
    request_reply(held, 200, "text/plain", "now", 3);
    loopback_run(&lb);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.len, 3);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void loopback_reply_given_just_before_close_still_arrives(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    struct request *held = NULL;
    loopback_serve(&lb, false, hold, &held);
    loopback_link(&lb, false, NULL);
    struct answer a = answer_for(&lb, 1);
    ask(&lb, "POST", "/stop", NULL, 0, &a);
    while (!held)
        uv_run(&lb.loop, UV_RUN_ONCE);
    request_reply(held, 200, "text/plain", "bye", 3);
    server_close(lb.server, NULL, NULL);
    lb.server = NULL;
    loopback_run(&lb);
    assert_int_equal(a.code, OK);
    assert_int_equal(a.body.len, 3);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(loopback_port_in_use_is_one_clear_sentence),
        cmocka_unit_test(server_refuses_what_is_no_numeric_address),
        cmocka_unit_test(loopback_unix_socket_is_private_and_removed),
        cmocka_unit_test(loopback_stale_unix_socket_is_replaced_a_live_one_is_not),
        cmocka_unit_test(server_never_replaces_a_file_that_is_no_socket),
        cmocka_unit_test(server_refuses_a_socket_path_that_does_not_fit),
        cmocka_unit_test(loopback_disconnect_during_upload_leaves_nothing),
        cmocka_unit_test(loopback_garbage_is_hung_up_on),
        cmocka_unit_test(loopback_connection_cap_per_address_holds),
        cmocka_unit_test(loopback_file_of_20_mib_is_streamed_in_small_pieces),
        cmocka_unit_test(loopback_answer_may_come_much_later),
        cmocka_unit_test(loopback_reply_given_just_before_close_still_arrives),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
