#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "net/h2.h"
#include "net/limits.h"
#include "tests/check.h"

#define SECOND_NS 1000000000LL

/* ---- a client and a server tied together in memory ---- */

struct side {
    struct h2 *h;
    struct h2_stream *last;
    struct buf got; /* body bytes received */
    struct buf out; /* body to send */
    size_t out_at;
    bool is_waiting; /* read says H2_WAIT */
    bool is_silent;  /* a server that leaves requests open */
    bool is_holding; /* a server that gives no place to bodies yet */
    struct h2_stream *held;
    int n_head;
    int n_end;
    int n_closed;
    int n_goaway;
    int n_pong;
    int status;
    uint32_t why;
    char path[64];
};

static void on_head(struct h2_stream *s, void *ctx)
{
    struct side *d = ctx;
    d->n_head++;
    d->last = s;
    d->status = h2_status(s);
    const char *path = h2_header(s, ":path");
    if (path) snprintf(d->path, sizeof d->path, "%s", path);
    if (!d->is_holding) return;
    d->held = s;
    h2_hold(s);
}

static void on_data(struct h2_stream *s, const uint8_t *p, size_t n, void *ctx)
{
    (void)s;
    buf_put(&((struct side *)ctx)->got, p, n);
}

static void on_end(struct h2_stream *s, void *ctx)
{
    struct side *d = ctx;
    d->n_end++;
    if (d->status || d->is_silent) return; /* a client, or a lazy server */
    struct h2_field f[] = {
        {"content-type", "text/plain"}
    };
    if (h2_respond(s, 200, f, 1, d->out.len > 0 || d->is_waiting, NULL)) h2_reset(s, H2_INTERNAL);
}

static long on_read(struct h2_stream *s, uint8_t *dst, size_t cap, bool *ret_end, void *ctx)
{
    struct side *d = ctx;
    (void)s;
    if (d->is_waiting) return H2_WAIT;
    size_t left = d->out.len - d->out_at;
    size_t n = left < cap ? left : cap;
    if (n) memcpy(dst, d->out.p + d->out_at, n);
    d->out_at += n;
    *ret_end = d->out_at == d->out.len;
    return (long)n;
}

static void on_closed(struct h2_stream *s, uint32_t why, void *ctx)
{
    struct side *d = ctx;
    d->n_closed++;
    d->why = why;
    if (d->last == s) d->last = NULL;
}

static void on_pong(double rtt_ms, void *ctx)
{
    assert_true(rtt_ms >= 0);
    ((struct side *)ctx)->n_pong++;
}

static void on_goaway(struct h2 *h, void *ctx)
{
    (void)h;
    ((struct side *)ctx)->n_goaway++;
}

static const struct h2_calls calls = {on_head,   on_data, on_end,   on_read,
                                      on_closed, on_pong, on_goaway};

struct pair {
    struct side client;
    struct side server;
};

static int pair_open(struct pair *p)
{
    struct err e = {0};
    if (h2_create(H2_CLIENT, &calls, &p->client, &p->client.h, &e)) return -1;
    return h2_create(H2_SERVER, &calls, &p->server, &p->server.h, &e);
}

static void side_close(struct side *d)
{
    h2_destroy(d->h);
    buf_deinit(&d->got);
    buf_deinit(&d->out);
}

static void pair_close(struct pair *p)
{
    side_close(&p->client);
    side_close(&p->server);
}

/* Move what `from` has to say into `to`, step bytes at a time. Returns bytes moved or -1. */
static long carry(struct h2 *from, struct h2 *to, size_t step, int64_t now_ns, struct err *e)
{
    long moved = 0;
    for (;;) {
        const uint8_t *p = NULL;
        size_t n = 0;
        if (h2_pull(from, now_ns, &p, &n, e)) return -1;
        if (!n) return moved;
        for (size_t at = 0; at < n; at += step)
            if (h2_feed(to, p + at, n - at < step ? n - at : step, now_ns, e)) return -1;
        moved += (long)n;
    }
}

static int run(struct pair *p, size_t step, struct err *e)
{
    int64_t now_ns = SECOND_NS;
    for (;;) {
        long a = carry(p->client.h, p->server.h, step, now_ns++, e);
        if (a < 0) return -1;
        long b = carry(p->server.h, p->client.h, step, now_ns++, e);
        if (b < 0) return -1;
        if (a == 0 && b == 0) return OK;
    }
}

static int ask(struct pair *p, const char *method, const char *path, bool has_body)
{
    struct h2_head head = {.method = method,
                           .scheme = "https",
                           .authority = "host.example",
                           .path = path,
                           .has_body = has_body};
    struct h2_stream *s = NULL;
    return h2_request(p->client.h, &head, NULL, &s, NULL);
}

static void fill(struct buf *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_put_u8(b, (uint8_t)(i * 7 + i / 251));
}

/* ---- honest exchanges ---- */

static void h2_exchange_survives_any_fragmentation(void **state)
{
    (void)state;
    for (size_t step = 1; step < 120; step++) {
        struct pair p = {0};
        struct err e = {0};
        assert_int_equal(pair_open(&p), OK);
        fill(&p.client.out, 100);
        fill(&p.server.out, 50);
        assert_int_equal(ask(&p, "POST", "/v1/x?y=1", true), OK);
        assert_int_equal(run(&p, step, &e), OK);
        assert_string_equal(p.server.path, "/v1/x?y=1");
        assert_int_equal(p.client.status, 200);
        assert_int_equal(p.server.got.len, 100);
        assert_memory_equal(p.server.got.p, p.client.out.p, 100);
        assert_int_equal(p.client.got.len, 50);
        assert_int_equal(p.client.n_closed, 1);
        assert_int_equal(p.client.why, H2_NO_ERROR);
        assert_int_equal(h2_streams(p.server.h), 0);
        pair_close(&p);
    }
}

static void h2_body_larger_than_both_windows_arrives(void **state)
{
    (void)state;
    struct pair p = {0};
    struct err e = {0};
    assert_int_equal(pair_open(&p), OK);
    fill(&p.client.out, 3 * LIMIT_CONNECTION_WINDOW);
    fill(&p.server.out, 2 * LIMIT_CONNECTION_WINDOW);
    assert_int_equal(ask(&p, "POST", "/", true), OK);
    assert_int_equal(run(&p, 65536, &e), OK);
    assert_int_equal(p.server.got.len, p.client.out.len);
    assert_memory_equal(p.server.got.p, p.client.out.p, p.client.out.len);
    assert_int_equal(p.client.got.len, p.server.out.len);
    assert_memory_equal(p.client.got.p, p.server.out.p, p.server.out.len);
    pair_close(&p);
}

static void h2_first_flight_uses_the_whole_window(void **state)
{
    (void)state;
    struct pair p = {0};
    struct err e = {0};
    assert_int_equal(pair_open(&p), OK);
    assert_int_equal(run(&p, 65536, &e), OK); /* settings exchanged */
    fill(&p.client.out, 2 * LIMIT_STREAM_WINDOW);
    assert_int_equal(ask(&p, "POST", "/", true), OK);
    struct buf flight = {0};
    for (size_t n = 1; n;) {
        const uint8_t *b = NULL;
        assert_int_equal(h2_pull(p.client.h, SECOND_NS, &b, &n, &e), OK);
        buf_put(&flight, b, n);
    }
    assert_int_equal(p.client.out_at, LIMIT_UPLOAD_WINDOW);
    assert_int_equal(h2_feed(p.server.h, flight.p, flight.len, SECOND_NS, &e), OK);
    assert_int_equal(run(&p, 65536, &e), OK);
    assert_int_equal(p.server.got.len, 2 * LIMIT_STREAM_WINDOW);
    buf_deinit(&flight);
    pair_close(&p);
}

/* A body that waits for its place stays within the first window; then all of it comes at once. */
static void h2_held_body_waits_and_an_open_one_flows(void **state)
{
    (void)state;
    struct pair p = {0};
    struct err e = {0};
    assert_int_equal(pair_open(&p), OK);
    p.server.is_holding = true;
    fill(&p.client.out, LIMIT_STREAM_WINDOW);
    assert_int_equal(ask(&p, "POST", "/", true), OK);
    assert_int_equal(run(&p, 65536, &e), OK);
    assert_int_equal(p.server.got.len, LIMIT_UPLOAD_WINDOW);
    p.server.is_holding = false;
    assert_int_equal(ask(&p, "GET", "/", false), OK); /* another request goes past it */
    assert_int_equal(run(&p, 65536, &e), OK);
    assert_int_equal(p.server.n_head, 2);
    h2_open(p.server.held, LIMIT_STREAM_WINDOW);
    assert_int_equal(run(&p, 65536, &e), OK);
    assert_int_equal(p.server.got.len, LIMIT_STREAM_WINDOW);
    pair_close(&p);
}

static void h2_waiting_source_goes_on_after_resume(void **state)
{
    (void)state;
    struct pair p = {0};
    struct err e = {0};
    assert_int_equal(pair_open(&p), OK);
    p.server.is_waiting = true;
    assert_int_equal(ask(&p, "GET", "/events", false), OK);
    assert_int_equal(run(&p, 65536, &e), OK);
    assert_int_equal(p.client.n_head, 1);
    assert_int_equal(p.client.n_end, 0);
    p.server.is_waiting = false;
    fill(&p.server.out, 10);
    h2_resume(p.server.last);
    assert_int_equal(run(&p, 65536, &e), OK);
    assert_int_equal(p.client.got.len, 10);
    assert_int_equal(p.client.n_end, 1);
    pair_close(&p);
}

static void h2_seventeenth_request_waits_its_turn(void **state)
{
    (void)state;
    struct pair p = {0};
    struct err e = {0};
    assert_int_equal(pair_open(&p), OK);
    p.server.is_silent = true;
    for (int i = 0; i < LIMIT_STREAMS + 1; i++)
        assert_int_equal(ask(&p, "GET", "/", false), OK);
    assert_int_equal(run(&p, 65536, &e), OK);
    assert_int_equal(p.server.n_head, LIMIT_STREAMS);
    assert_int_equal(h2_respond(p.server.last, 204, NULL, 0, false, &e), OK);
    assert_int_equal(run(&p, 65536, &e), OK);
    assert_int_equal(p.server.n_head, LIMIT_STREAMS + 1);
    pair_close(&p);
    assert_int_equal(p.server.n_closed, LIMIT_STREAMS + 1);
    assert_int_equal(p.client.n_closed, LIMIT_STREAMS + 1);
}

static void h2_reset_reaches_the_other_side(void **state)
{
    (void)state;
    struct pair p = {0};
    struct err e = {0};
    assert_int_equal(pair_open(&p), OK);
    p.server.is_silent = true;
    assert_int_equal(ask(&p, "GET", "/", false), OK);
    assert_int_equal(run(&p, 65536, &e), OK);
    h2_reset(p.server.last, H2_REFUSED);
    assert_int_equal(run(&p, 65536, &e), OK);
    assert_int_equal(p.client.n_closed, 1);
    assert_int_equal(p.client.why, H2_REFUSED);
    pair_close(&p);
}

static void h2_goaway_lets_open_streams_end(void **state)
{
    (void)state;
    struct pair p = {0};
    struct err e = {0};
    assert_int_equal(pair_open(&p), OK);
    p.server.is_silent = true;
    assert_int_equal(ask(&p, "GET", "/", false), OK);
    assert_int_equal(run(&p, 65536, &e), OK);
    h2_goaway(p.server.h);
    assert_int_equal(run(&p, 65536, &e), OK);
    assert_int_equal(p.client.n_goaway, 1);
    assert_int_equal(p.client.n_closed, 0);
    assert_int_equal(h2_respond(p.server.last, 200, NULL, 0, false, &e), OK);
    assert_int_equal(run(&p, 65536, &e), OK);
    assert_int_equal(p.client.n_end, 1);
    assert_true(h2_is_over(p.server.h));
    assert_true(h2_is_over(p.client.h));
    pair_close(&p);
}

static void h2_ping_measures_the_round_trip(void **state)
{
    (void)state;
    struct pair p = {0};
    struct err e = {0};
    assert_int_equal(pair_open(&p), OK);
    h2_ping(p.client.h, SECOND_NS);
    assert_int_equal(run(&p, 65536, &e), OK);
    assert_int_equal(p.client.n_pong, 1);
    pair_close(&p);
}

static void h2_header_lookup_is_exact(void **state)
{
    (void)state;
    struct pair p = {0};
    struct err e = {0};
    assert_int_equal(pair_open(&p), OK);
    p.server.is_silent = true;
    struct h2_field f[] = {
        {"x-a",  "1"},
        {"x-ab", "" }
    };
    struct h2_head head = {.method = "GET",
                           .scheme = "https",
                           .authority = "h",
                           .path = "/",
                           .fields = f,
                           .n_fields = 2};
    struct h2_stream *s = NULL;
    assert_int_equal(h2_request(p.client.h, &head, &p, &s, &e), OK);
    assert_ptr_equal(h2_user(s), &p);
    assert_int_equal(run(&p, 65536, &e), OK);
    assert_string_equal(h2_header(p.server.last, "x-a"), "1");
    assert_string_equal(h2_header(p.server.last, "x-ab"), "");
    assert_null(h2_header(p.server.last, "x"));
    assert_string_equal(h2_header(p.server.last, ":method"), "GET");
    pair_close(&p);
}

/* ---- attacks, written as raw frames ---- */

static void put_frame(struct buf *b, uint8_t type, uint8_t flags, uint32_t id, const void *p,
                      size_t n)
{
    uint8_t head[9] = {
        (uint8_t)(n >> 16),  (uint8_t)(n >> 8),   (uint8_t)n,         type,       flags,
        (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    buf_put(b, head, sizeof head);
    buf_put(b, p, n);
}

enum { UNKNOWN = 0x2a, PRIORITY = 2 };
enum { DATA = 0, HEADERS = 1, RST = 3, SETTINGS = 4, PING = 6, WINDOW = 8, CONTINUATION = 9 };
enum { END_STREAM = 1, END_HEADERS = 4 };

static void put_preface(struct buf *b)
{
    buf_put_str(b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    put_frame(b, SETTINGS, 0, 0, NULL, 0);
}

/* POST / over http, :authority x; from the static table of HPACK. */
static const uint8_t request_head[] = {0x83, 0x86, 0x84, 0x41, 0x01, 'x'};

static void put_request(struct buf *b, uint32_t id, uint8_t flags)
{
    put_frame(b, HEADERS, END_HEADERS | flags, id, request_head, sizeof request_head);
}

/* What the server made of the bytes. */
struct verdict {
    int code;        /* of h2_feed */
    int n_rst;       /* RST_STREAM frames it sent */
    int n_goaway;    /* GOAWAY frames it sent */
    uint32_t reason; /* of the GOAWAY */
    size_t eaten;    /* bytes it took before it gave up */
};

static void count_frames(struct verdict *v, const uint8_t *p, size_t n)
{
    for (size_t at = 0; at + 9 <= n;) {
        size_t len = (size_t)p[at] << 16 | (size_t)p[at + 1] << 8 | p[at + 2];
        if (p[at + 3] == RST) v->n_rst++;
        if (p[at + 3] == 7) {
            v->n_goaway++;
            memcpy(&v->reason, p + at + 9 + 4, 4);
            v->reason = __builtin_bswap32(v->reason);
        }
        at += 9 + len;
    }
}

/* Feed 8 KiB at a time, as a socket would, reading the answers in between. */
static struct verdict attack(struct side *d, const struct buf *b)
{
    struct verdict v = {0};
    struct err e = {0};
    d->is_silent = true;
    assert_int_equal(h2_create(H2_SERVER, &calls, d, &d->h, &e), OK);
    while (!v.code && v.eaten < b->len) {
        size_t n = b->len - v.eaten < 8192 ? b->len - v.eaten : 8192;
        v.code = h2_feed(d->h, b->p + v.eaten, n, SECOND_NS, &e);
        v.eaten += n;
        for (size_t got = 1; got;) {
            const uint8_t *p = NULL;
            if (h2_pull(d->h, SECOND_NS, &p, &got, &e)) break;
            count_frames(&v, p, got);
        }
    }
    side_close(d);
    return v;
}

static void h2_made_you_reset_is_stopped(void **state)
{
    (void)state;
    struct side d = {0};
    struct buf b = {0};
    const uint8_t overflow[4] = {0x7f, 0xff, 0xff, 0xff};
    put_preface(&b);
    for (uint32_t i = 0; i < 20000; i++) {
        put_request(&b, 2 * i + 1, END_STREAM);
        put_frame(&b, WINDOW, 0, 2 * i + 1, overflow, 4);
    }
    struct verdict v = attack(&d, &b);
    assert_int_equal(v.code, ERR_LIMIT);
    assert_true(v.n_rst <= LIMIT_RESETS_BURST + 1);
    assert_int_equal(v.n_goaway, 1);
    assert_int_equal(v.reason, 0xb); /* ENHANCE_YOUR_CALM */
    assert_true(v.eaten < 50000);
    buf_deinit(&b);
}

static void h2_rapid_reset_is_stopped(void **state)
{
    (void)state;
    struct side d = {0};
    struct buf b = {0};
    const uint8_t cancel[4] = {0, 0, 0, 8};
    put_preface(&b);
    for (uint32_t i = 0; i < 20000; i++) {
        put_request(&b, 2 * i + 1, 0);
        put_frame(&b, RST, 0, 2 * i + 1, cancel, 4);
    }
    struct verdict v = attack(&d, &b);
    assert_true(v.n_goaway >= 1);
    assert_true(d.n_head < 2000);
    buf_deinit(&b);
}

static void h2_hundred_slow_resets_are_forgiven(void **state)
{
    (void)state;
    struct side d = {.is_silent = true};
    struct err e = {0};
    struct buf b = {0};
    const uint8_t overflow[4] = {0x7f, 0xff, 0xff, 0xff};
    assert_int_equal(h2_create(H2_SERVER, &calls, &d, &d.h, &e), OK);
    put_preface(&b);
    for (uint32_t i = 0; i < 500; i++) { /* one a second, for longer than the burst */
        put_request(&b, 2 * i + 1, END_STREAM);
        put_frame(&b, WINDOW, 0, 2 * i + 1, overflow, 4);
        int64_t now_ns = SECOND_NS * (i + 1);
        assert_int_equal(h2_feed(d.h, b.p, b.len, now_ns, &e), OK);
        for (size_t n = 1; n;) {
            const uint8_t *p = NULL;
            assert_int_equal(h2_pull(d.h, now_ns, &p, &n, &e), OK);
        }
        buf_clear(&b);
    }
    assert_int_equal(d.n_closed, 500);
    side_close(&d);
    buf_deinit(&b);
}

static void h2_empty_data_flood_is_stopped(void **state)
{
    (void)state;
    struct side d = {0};
    struct buf b = {0};
    put_preface(&b);
    put_request(&b, 1, 0);
    for (int i = 0; i < 100000; i++)
        put_frame(&b, DATA, 0, 1, NULL, 0);
    struct verdict v = attack(&d, &b);
    assert_int_equal(v.code, ERR_LIMIT);
    assert_int_equal(v.n_goaway, 1);
    assert_true(v.eaten <= 8192);
    buf_deinit(&b);
}

static void h2_few_empty_data_frames_are_allowed(void **state)
{
    (void)state;
    struct side d = {0};
    struct buf b = {0};
    put_preface(&b);
    put_request(&b, 1, 0);
    for (int k = 0; k < 10; k++) {
        for (int i = 0; i < LIMIT_EMPTY_DATA; i++)
            put_frame(&b, DATA, 0, 1, NULL, 0);
        put_frame(&b, DATA, 0, 1, "x", 1);
    }
    struct verdict v = attack(&d, &b);
    assert_int_equal(v.code, OK);
    assert_int_equal(v.n_goaway, 0);
    buf_deinit(&b);
}

static void h2_header_bomb_ends_the_connection_before_it_is_unpacked(void **state)
{
    (void)state;
    struct side d = {0};
    struct buf b = {0};
    /* One 4000-byte field enters the dynamic table; one byte each names it 5000 times more. */
    struct buf block = {0};
    buf_put(&block, request_head, sizeof request_head);
    const uint8_t literal[] = {0x40, 0x01, 'a', 0x7f, 0xa1, 0x1e}; /* value of 4000 bytes */
    buf_put(&block, literal, sizeof literal);
    for (int i = 0; i < 4000; i++)
        buf_put_u8(&block, 'b');
    for (int i = 0; i < 5000; i++)
        buf_put_u8(&block, 0x80 | 62);
    put_preface(&b);
    put_frame(&b, HEADERS, END_HEADERS | END_STREAM, 1, block.p, block.len);
    struct verdict v = attack(&d, &b);
    assert_int_equal(v.code, ERR_LIMIT);
    assert_int_equal(d.n_head, 0);
    buf_deinit(&block);
    buf_deinit(&b);
}

static void h2_too_many_or_too_long_fields_reset_the_stream(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct side d = {0};
        struct buf b = {0};
        struct buf block = {0};
        buf_put(&block, request_head, 2); /* method and scheme */
        if (kind == 2) {                  /* five fields of 4000 bytes */
            buf_put(&block, request_head + 2, sizeof request_head - 2);
            for (int i = 0; i < 5 * 4000; i++) {
                if (i % 4000 == 0) buf_put(&block, "\x00\x01z\x7f\xa1\x1e", 6);
                buf_put_u8(&block, 'v');
            }
        } else if (kind == 0) {
            buf_put(&block, request_head + 2, sizeof request_head - 2);
            for (int i = 0; i < LIMIT_HEADERS; i++)
                buf_put(&block, "\x00\x01z\x01z", 5);
        } else { /* :path of 600 bytes */
            buf_put(&block, "\x04\x7f\xd9\x03/", 5);
            for (int i = 0; i < 599; i++)
                buf_put_u8(&block, 'p');
        }
        put_preface(&b);
        size_t n = block.len < 16384 ? block.len : 16384;
        put_frame(&b, HEADERS, END_STREAM | (n == block.len ? END_HEADERS : 0), 1, block.p, n);
        if (n < block.len) put_frame(&b, CONTINUATION, END_HEADERS, 1, block.p + n, block.len - n);
        struct verdict v = attack(&d, &b);
        assert_int_equal(v.code, OK);
        assert_int_equal(v.n_rst, 1);
        assert_int_equal(d.n_head, 0);
        buf_deinit(&block);
        buf_deinit(&b);
    }
}

static void h2_continuation_flood_is_stopped(void **state)
{
    (void)state;
    struct side d = {0};
    struct buf b = {0};
    put_preface(&b);
    put_frame(&b, HEADERS, END_STREAM, 1, request_head, sizeof request_head);
    for (int i = 0; i < 1000; i++)
        put_frame(&b, CONTINUATION, 0, 1, "\x00\x01z\x01z", 5);
    struct verdict v = attack(&d, &b);
    assert_int_not_equal(v.code, OK);
    assert_true(v.eaten <= 8192);
    buf_deinit(&b);
}

static void h2_ping_and_settings_floods_are_stopped(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct side d = {.is_silent = true};
        struct err e = {0};
        struct buf b = {0};
        assert_int_equal(h2_create(H2_SERVER, &calls, &d, &d.h, &e), OK);
        put_preface(&b);
        for (int i = 0; i < 10000; i++)
            put_frame(&b, kind ? PING : SETTINGS, 0, 0, "12345678", kind ? 8 : 0);
        assert_int_not_equal(h2_feed(d.h, b.p, b.len, SECOND_NS, &e), OK); /* nothing is read */
        side_close(&d);
        buf_deinit(&b);
    }
}

/* Each kind is harmless alone, and every one of them costs time: all that is neither head nor body
 * comes out of one allowance.
 */
static void h2_floods_of_frames_that_carry_nothing_are_stopped(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {PRIORITY, SETTINGS, PING, WINDOW, UNKNOWN};
    static const size_t sizes[] = {5, 0, 8, 4, 0};
    static const uint8_t text[8] = {0, 0, 0, 1, 1}; /* depends on 1; opens a window by 1 */
    for (size_t k = 0; k < sizeof kinds; k++) {
        struct side d = {0};
        struct buf b = {0};
        put_preface(&b);
        put_request(&b, 1, 0);
        for (uint32_t i = 0; i < 2 * LIMIT_IDLE_BYTES / 9; i++)
            put_frame(&b, kinds[k], 0, kinds[k] == PRIORITY ? 3 : 0, text, sizes[k]);
        struct verdict v = attack(&d, &b);
        assert_int_equal(v.code, ERR_LIMIT);
        /* nghttp2 drops who does not read its answers, without a word. */
        assert_int_equal(v.reason, kinds[k] == SETTINGS || kinds[k] == PING ? 0 : 11);
        assert_true(v.eaten < LIMIT_IDLE_BYTES + 50000);
        buf_deinit(&b);
    }
}

static void h2_head_that_does_not_end_is_seen(void **state)
{
    (void)state;
    struct side d = {.is_silent = true};
    struct err e = {0};
    struct buf b = {0};
    assert_int_equal(h2_create(H2_SERVER, &calls, &d, &d.h, &e), OK);
    put_preface(&b);
    put_frame(&b, HEADERS, END_STREAM, 1, request_head, sizeof request_head);
    assert_int_equal(h2_feed(d.h, b.p, b.len, 5 * SECOND_NS, &e), OK);
    assert_true(h2_head_since_ns(d.h) == 5 * SECOND_NS);
    buf_clear(&b);
    put_frame(&b, CONTINUATION, END_HEADERS, 1, NULL, 0);
    assert_int_equal(h2_feed(d.h, b.p, b.len, 6 * SECOND_NS, &e), OK);
    assert_true(h2_head_since_ns(d.h) == 0);
    side_close(&d);
    buf_deinit(&b);
}

static void h2_streams_above_the_cap_cost_the_connection(void **state)
{
    (void)state;
    struct side d = {0};
    struct buf b = {0};
    put_preface(&b);
    for (uint32_t i = 0; i < 5000; i++)
        put_request(&b, 2 * i + 1, 0);
    struct verdict v = attack(&d, &b);
    assert_int_equal(v.n_goaway, 1);
    assert_true(d.n_head < 2000);
    buf_deinit(&b);
}

static void h2_other_protocols_are_refused(void **state)
{
    (void)state;
    struct side d = {0};
    struct buf b = {0};
    buf_put_str(&b, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    struct verdict v = attack(&d, &b);
    assert_int_equal(v.code, ERR_PROTO);
    buf_deinit(&b);
}

/* ---- memory ---- */

/* Returns whether everything worked; must neither crash nor leak either way. */
static bool exchange_with_failure(uint64_t k)
{
    struct pair p = {0};
    struct err e = {0};
    fill(&p.client.out, 3000);
    fill(&p.server.out, 3000);
    alloc_fail_nth(k);
    bool is_fine = pair_open(&p) == OK && ask(&p, "POST", "/x", true) == OK &&
                   run(&p, 1000, &e) == OK && p.client.n_end == 1 && p.client.got.len == 3000;
    pair_close(&p);
    return is_fine;
}

static void h2_every_failing_allocation_is_survived(void **state)
{
    (void)state;
    assert_true(exchange_with_failure(0));
    uint64_t n = alloc_count();
    assert_in_range(n, 20, 5000); /* nghttp2 asks through our allocator */
    int n_failed = 0;
    for (uint64_t k = 1; k <= n; k++)
        n_failed += !exchange_with_failure(k);
    alloc_fail_nth(0);
    assert_true(n_failed > 10);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(h2_exchange_survives_any_fragmentation),
        cmocka_unit_test(h2_body_larger_than_both_windows_arrives),
        cmocka_unit_test(h2_first_flight_uses_the_whole_window),
        cmocka_unit_test(h2_held_body_waits_and_an_open_one_flows),
        cmocka_unit_test(h2_waiting_source_goes_on_after_resume),
        cmocka_unit_test(h2_seventeenth_request_waits_its_turn),
        cmocka_unit_test(h2_reset_reaches_the_other_side),
        cmocka_unit_test(h2_goaway_lets_open_streams_end),
        cmocka_unit_test(h2_ping_measures_the_round_trip),
        cmocka_unit_test(h2_header_lookup_is_exact),
        cmocka_unit_test(h2_made_you_reset_is_stopped),
        cmocka_unit_test(h2_rapid_reset_is_stopped),
        cmocka_unit_test(h2_hundred_slow_resets_are_forgiven),
        cmocka_unit_test(h2_empty_data_flood_is_stopped),
        cmocka_unit_test(h2_few_empty_data_frames_are_allowed),
        cmocka_unit_test(h2_header_bomb_ends_the_connection_before_it_is_unpacked),
        cmocka_unit_test(h2_too_many_or_too_long_fields_reset_the_stream),
        cmocka_unit_test(h2_continuation_flood_is_stopped),
        cmocka_unit_test(h2_ping_and_settings_floods_are_stopped),
        cmocka_unit_test(h2_floods_of_frames_that_carry_nothing_are_stopped),
        cmocka_unit_test(h2_head_that_does_not_end_is_seen),
        cmocka_unit_test(h2_streams_above_the_cap_cost_the_connection),
        cmocka_unit_test(h2_other_protocols_are_refused),
        cmocka_unit_test(h2_every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
