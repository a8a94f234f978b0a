/* How a connection is made: addresses, proxies; and how its windows grow. */
#include <stddef.h>

#include "net/limits.h"
#include "net/link_in.h"
#include "tests/unit/loopback.h"

static void echo(struct request *r, void *ctx)
{
    (void)ctx;
    size_t n = 0;
    const void *p = request_body(r, &n);
    request_reply(r, 200, "text/x-echo", p, n);
}

/* A proxy of an office: takes one CONNECT, reads it to its end, answers, and passes bytes on. */
struct office {
    struct loopback *lb;
    uv_tcp_t listener, in, out;
    uv_connect_t connect;
    const char *answer;
    char asked[512];
    size_t n_asked;
    bool is_open;
};

struct parcel {
    uv_write_t write;
    char bytes[65536];
};

static struct parcel *parcel_of(const uv_buf_t *buf)
{
    if (!buf->base) return NULL;
    return (struct parcel *)(void *)(buf->base - offsetof(struct parcel, bytes));
}

static void office_alloc(uv_handle_t *h, size_t hint, uv_buf_t *ret)
{
    (void)h;
    (void)hint;
    struct parcel *p = malloc(sizeof *p);
    assert_non_null(p);
    *ret = uv_buf_init(p->bytes, sizeof p->bytes);
}

static void office_sent(uv_write_t *w, int status)
{
    (void)status;
    free(w->data);
}

static void office_pass(uv_tcp_t *to, struct parcel *p, size_t n)
{
    uv_buf_t b = uv_buf_init(p->bytes, (unsigned)n);
    p->write.data = p;
    assert_int_equal(uv_write(&p->write, (uv_stream_t *)to, &b, 1, office_sent), 0);
}

static void office_close(struct office *o)
{
    if (!uv_is_closing((uv_handle_t *)&o->in)) uv_close((uv_handle_t *)&o->in, NULL);
    if (!uv_is_closing((uv_handle_t *)&o->out)) uv_close((uv_handle_t *)&o->out, NULL);
}

static void office_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct office *o = s->data;
    struct parcel *p = parcel_of(buf);
    if (n <= 0) {
        free(p);
        if (n < 0) office_close(o);
        return;
    }
    if (o->is_open) {
        office_pass(s == (uv_stream_t *)&o->in ? &o->out : &o->in, p, (size_t)n);
        return;
    }
    assert_true(o->n_asked + (size_t)n < sizeof o->asked);
    memcpy(o->asked + o->n_asked, p->bytes, (size_t)n);
    o->n_asked += (size_t)n;
    if (!strstr(o->asked, "\r\n\r\n")) {
        free(p);
        return;
    }
    o->is_open = true;
    snprintf(p->bytes, sizeof p->bytes, "%s", o->answer);
    office_pass(&o->in, p, strlen(o->answer));
}

static void office_connected(uv_connect_t *c, int status)
{
    struct office *o = c->data;
    assert_int_equal(status, 0);
    assert_int_equal(uv_read_start((uv_stream_t *)&o->out, office_alloc, office_read), 0);
    assert_int_equal(uv_read_start((uv_stream_t *)&o->in, office_alloc, office_read), 0);
}

static void office_came(uv_stream_t *listener, int status)
{
    struct office *o = listener->data;
    struct sockaddr_in to;
    assert_int_equal(status, 0);
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&o->in), 0);
    uv_close((uv_handle_t *)&o->listener, NULL);
    assert_int_equal(uv_ip4_addr("127.0.0.1", server_port(o->lb->server), &to), 0);
    assert_int_equal(uv_tcp_connect(&o->connect, &o->out, (struct sockaddr *)&to, office_connected),
                     0);
}

static void office_opens(struct office *o, struct loopback *lb, const char *answer)
{
    struct sockaddr_in at;
    int n = sizeof at;
    char text[64];
    *o = (struct office){.lb = lb, .answer = answer};
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &at), 0);
    uv_tcp_init(&lb->loop, &o->listener);
    uv_tcp_init(&lb->loop, &o->in);
    uv_tcp_init(&lb->loop, &o->out);
    o->listener.data = o->in.data = o->out.data = o->connect.data = o;
    assert_int_equal(uv_tcp_bind(&o->listener, (struct sockaddr *)&at, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&o->listener, 1, office_came), 0);
    assert_int_equal(uv_tcp_getsockname(&o->listener, (struct sockaddr *)&at, &n), 0);
    snprintf(text, sizeof text, "http://me:pw@127.0.0.1:%u", ntohs(at.sin_port));
    setenv("https_proxy", text, 1); /* NOLINT(concurrency-mt-unsafe): one thread */
}

/* The host's name means nothing here: only the proxy has to know it. */
static void through_the_office(struct loopback *lb, struct answer *a)
{
    struct err e = {0};
    struct link_config c = {.host = "run.invalid", .port = 7333, .tls_pin = &lb->pin};
    assert_int_equal(link_create(&lb->loop, &c, &lb->link, &e), OK);
    unsetenv("https_proxy"); /* NOLINT(concurrency-mt-unsafe) */
    ask(lb, "POST", "/echo", "hello", 5, a);
    loopback_run(lb);
}

static void a_proxy_opens_the_way(void **state)
{
    (void)state;
    struct loopback lb;
    struct office o;
    loopback_open(&lb);
    loopback_serve(&lb, false, echo, NULL);
    office_opens(&o, &lb, "HTTP/1.1 200 Connection established\r\n\r\n");
    struct answer a = answer_for(&lb, 1);
    through_the_office(&lb, &a);
    assert_int_equal(a.code, OK);
    assert_int_equal(a.status, 200);
    assert_memory_equal(a.body.p, "hello", 5);
    assert_non_null(strstr(o.asked, "CONNECT run.invalid:7333 HTTP/1.1\r\n"));
    assert_non_null(strstr(o.asked, "Proxy-Authorization: Basic bWU6cHc=\r\n"));
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void what_a_proxy_refuses_is_told(void **state)
{
    (void)state;
    struct loopback lb;
    struct office o;
    loopback_open(&lb);
    loopback_serve(&lb, false, echo, NULL);
    office_opens(&o, &lb, "HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n");
    struct answer a = answer_for(&lb, 1);
    through_the_office(&lb, &a);
    assert_int_equal(a.code, ERR_AUTH);
    assert_non_null(strstr(a.what, "name and a password"));
    loopback_close(&lb);
}

static void a_window_grows_with_what_is_on_its_way(void **state)
{
    (void)state;
    uint32_t mib = 1 << 20;
    assert_int_equal(link_grown_window(mib, 1e6, 20), mib);      /* 20 kB in a round trip */
    assert_int_equal(link_grown_window(mib, 12e6, 80), 2 * mib); /* 100 Mbit/s far away */
    assert_int_equal(link_grown_window(mib, 12e6, 0), mib);      /* not measured */
    assert_int_equal(link_grown_window(LIMIT_GROWN_WINDOW, 1e9, 300), LIMIT_GROWN_WINDOW);
    assert_int_equal(link_grown_window(LIMIT_GROWN_WINDOW - 1, 1e9, 300), LIMIT_GROWN_WINDOW);
}

/* Both families are there, and only one of them is listened on: localhost is ::1 and 127.0.0.1. */
static void an_address_that_refuses_does_not_matter(void **state)
{
    (void)state;
    struct loopback lb;
    struct err e = {0};
    loopback_open(&lb);
    loopback_serve(&lb, false, echo, NULL);
    struct link_config c = {
        .host = "localhost", .port = server_port(lb.server), .tls_pin = &lb.pin};
    assert_int_equal(link_create(&lb.loop, &c, &lb.link, &e), OK);
    struct answer a = answer_for(&lb, 1);
    ask(&lb, "POST", "/echo", "hello", 5, &a);
    loopback_run(&lb);
    assert_int_equal(a.status, 200);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_proxy_opens_the_way),
        cmocka_unit_test(what_a_proxy_refuses_is_told),
        cmocka_unit_test(a_window_grows_with_what_is_on_its_way),
        cmocka_unit_test(an_address_that_refuses_does_not_matter),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
