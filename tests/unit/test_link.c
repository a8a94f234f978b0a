#include "net/limits.h"
#include "net/link.h"
#include "net/signature.h"
#include "tests/unit/loopback.h"

/* ---- servers for the tests ---- */

static void echo(struct request *r, void *ctx)
{
    (void)ctx;
    size_t n = 0;
    const void *p = request_body(r, &n);
    const char *digest = request_header(r, "content-digest");
    request_add_header(r, "repr-digest", digest ? digest : "none");
    request_reply(r, 200, "text/x-echo", p, n);
}

struct held {
    struct request *r;
    int n_gone;
    struct loopback *lb;
    uint64_t cancel_id;
};

static void on_gone(struct request *r, void *ctx)
{
    struct held *h = ctx;
    assert_ptr_equal(r, h->r);
    h->r = NULL;
    h->n_gone++;
    loopback_stop(h->lb);
}

static void hold_and_cancel(struct request *r, void *ctx)
{
    struct held *h = ctx;
    h->r = r;
    request_on_gone(r, on_gone, h);
    link_cancel(h->lb->link, h->cancel_id);
}

static void hold_and_close_link(struct request *r, void *ctx)
{
    struct held *h = ctx;
    h->r = r;
    request_on_gone(r, on_gone, h);
    link_close(h->lb->link, NULL, NULL);
    h->lb->link = NULL;
}

static void hold_and_stop_server(struct request *r, void *ctx)
{
    struct held *h = ctx;
    h->r = r;
    request_on_gone(r, on_gone, h);
    server_close(h->lb->server, NULL, NULL);
    h->lb->server = NULL;
}

/* ---- cases ---- */

static void small_exchange(bool is_unix)
{
    struct loopback lb;
    loopback_open(&lb);
    loopback_serve(&lb, is_unix, echo, NULL);
    loopback_link(&lb, is_unix, NULL);
    struct answer a = answer_for(&lb, 1);
    ask(&lb, "POST", "/echo", "hello", 5, &a);
    assert_int_equal(a.n_done, 0);
    loopback_run(&lb);
    assert_int_equal(a.n_done, 1);
    assert_int_equal(a.code, OK);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.type, "text/x-echo");
    assert_int_equal(a.body.len, 5);
    assert_memory_equal(a.body.p, "hello", 5);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void loopback_request_and_answer_over_tls(void **state)
{
    (void)state;
    small_exchange(false);
}

static void loopback_request_and_answer_over_unix_socket(void **state)
{
    (void)state;
    small_exchange(true);
}

static void loopback_body_of_8_mib_comes_back_unchanged(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    loopback_serve(&lb, false, echo, NULL);
    loopback_link(&lb, false, NULL);
    uint32_t *big = malloc(LIMIT_BODY_BYTES);
    for (uint32_t i = 0; i < LIMIT_BODY_BYTES / 4; i++)
        big[i] = i * 2654435761u;
    struct answer a = answer_for(&lb, 1);
    ask(&lb, "PUT", "/echo", big, LIMIT_BODY_BYTES, &a);
    loopback_run(&lb);
    assert_int_equal(a.code, OK);
    assert_int_equal(a.body.len, LIMIT_BODY_BYTES);
    assert_memory_equal(a.body.p, big, LIMIT_BODY_BYTES);
    free(big);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void loopback_lasting_body_is_sent_from_where_it_lies(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    loopback_serve(&lb, false, echo, NULL);
    loopback_link(&lb, false, NULL);
    char *text = calloc(1, 300000);
    struct answer a = answer_for(&lb, 1);
    struct link_request r = {.method = "PUT",
                             .path = "/echo",
                             .type = "text/plain",
                             .body = text,
                             .n_body = 300000,
                             .is_lasting = true,
                             .done = on_answer,
                             .ctx = &a};
    assert_true(link_send(lb.link, &r) != 0);
    memset(text, 'y', 300000); /* a copy would not see it */
    loopback_run(&lb);
    assert_int_equal(a.code, OK);
    assert_int_equal(a.body.len, 300000);
    assert_memory_equal(a.body.p, text, 300000);
    free(text);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void loopback_digest_header_goes_both_ways(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    loopback_serve(&lb, true, echo, NULL);
    loopback_link(&lb, true, NULL);
    struct hash h = hash_of("x", 1);
    char hex[HASH_HEX];
    struct answer a = answer_for(&lb, 1);
    struct link_request r = {.method = "PUT",
                             .path = "/",
                             .body = "x",
                             .n_body = 1,
                             .digest = hash_hex(&h, hex),
                             .done = on_answer,
                             .ctx = &a};
    assert_true(link_send(lb.link, &r) != 0);
    loopback_run(&lb);
    assert_string_equal(a.digest, hex);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void check_signature(struct request *r, void *ctx)
{
    struct signature_target t = {request_method(r), request_header(r, ":authority"),
                                 request_path(r), request_header(r, "content-digest")};
    int *rc = ctx;
    struct key_pub key;
    struct err e = {0};
    char hex[KEY_HEX] = "";
    *rc = signature_check(&t, request_header(r, "signature-input"), request_header(r, "signature"),
                          &key, &e);
    if (*rc == OK) key_hex(&key, hex);
    request_reply(r, 200, "text/plain", hex, strlen(hex));
}

static void loopback_a_signed_request_is_taken_by_a_server(void **state)
{
    (void)state;
    struct loopback lb;
    struct key k;
    int rc = ERR_IO;
    loopback_open(&lb);
    loopback_serve(&lb, true, check_signature, &rc);
    loopback_link(&lb, true, NULL);
    key_generate(&k);
    struct hash h = hash_of("x", 1);
    char hex[HASH_HEX], name[KEY_HEX];
    struct answer a = answer_for(&lb, 1);
    struct link_request r = {.method = "PUT",
                             .path = "/v1/a",
                             .body = "x",
                             .n_body = 1,
                             .digest = hash_hex(&h, hex),
                             .signer = &k,
                             .signed_at_s = 1760000000,
                             .done = on_answer,
                             .ctx = &a};
    assert_true(link_send(lb.link, &r) != 0);
    loopback_run(&lb);
    assert_int_equal(rc, OK);
    assert_string_equal(buf_str(&a.body), key_hex(&k.pub, name));
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void busy(struct request *r, void *ctx)
{
    request_add_header(r, "retry-after", ctx);
    request_reply_error(r, 503, "not now", "later");
}

static void loopback_retry_after_is_told_within_reason(void **state)
{
    (void)state;
    char text[3][24] = {"7", "99999999999999999999", "Wed, 21 Oct"};
    const uint32_t expect_s[3] = {7, 3600, 0};
    for (int i = 0; i < 3; i++) {
        struct loopback lb;
        loopback_open(&lb);
        loopback_serve(&lb, true, busy, text[i]);
        loopback_link(&lb, true, NULL);
        struct answer a = answer_for(&lb, 1);
        ask(&lb, "GET", "/", NULL, 0, &a);
        loopback_run(&lb);
        assert_int_equal(a.status, 503);
        assert_int_equal(a.retry_after_s, expect_s[i]);
        buf_deinit(&a.body);
        loopback_close(&lb);
    }
}

static void loopback_forty_requests_share_one_connection(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    loopback_serve(&lb, false, echo, NULL);
    loopback_link(&lb, false, NULL);
    struct answer a = answer_for(&lb, 40);
    for (int i = 0; i < 40; i++)
        ask(&lb, "POST", "/echo", &i, sizeof i, &a);
    loopback_run(&lb);
    assert_int_equal(a.n_done, 40);
    assert_int_equal(a.code, OK);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void loopback_wrong_pin_is_refused(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    loopback_serve(&lb, false, echo, NULL);
    struct hash wrong = lb.pin;
    wrong.b[0] ^= 1;
    loopback_link(&lb, false, &wrong);
    struct answer a = answer_for(&lb, 2);
    ask(&lb, "POST", "/echo", "secret", 6, &a);
    ask(&lb, "GET", "/echo", NULL, 0, &a);
    loopback_run(&lb);
    assert_int_equal(a.n_done, 2);
    assert_int_equal(a.code, ERR_AUTH);
    assert_string_equal(a.what, "the aggregator's certificate is not the one this run names");
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void loopback_without_pin_a_self_made_certificate_is_refused(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    loopback_serve(&lb, false, echo, NULL);
    struct link_config c = {.host = "127.0.0.1", .port = server_port(lb.server)};
    assert_int_equal(link_create(&lb.loop, &c, &lb.link, NULL), OK);
    struct answer a = answer_for(&lb, 1);
    ask(&lb, "GET", "/", NULL, 0, &a);
    loopback_run(&lb);
    assert_int_equal(a.code, ERR_AUTH);
    assert_non_null(strstr(a.what, "not trusted"));
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void loopback_nobody_listening_fails_every_request_with_a_sentence(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    loopback_serve(&lb, false, echo, NULL);
    loopback_link(&lb, false, NULL);
    char expect[128];
    snprintf(expect, sizeof expect, "cannot reach 127.0.0.1:%u: connection refused",
             server_port(lb.server));
    server_close(lb.server, NULL, NULL);
    lb.server = NULL;
    loopback_run(&lb);
    struct answer a = answer_for(&lb, 2);
    ask(&lb, "GET", "/1", NULL, 0, &a);
    ask(&lb, "GET", "/2", NULL, 0, &a);
    loopback_run(&lb);
    assert_int_equal(a.n_done, 2);
    assert_int_equal(a.code, ERR_IO);
    assert_string_equal(a.what, expect);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void again_after_failure(const struct link_reply *r, void *ctx)
{
    struct answer *a = ctx;
    assert_int_equal(r->code, ERR_IO);
    loopback_serve(a->lb, true, echo, NULL);
    ask(a->lb, "POST", "/", "again", 5, a);
}

static void loopback_link_connects_anew_for_the_next_request(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    loopback_link(&lb, true, NULL);
    struct answer a = answer_for(&lb, 1);
    struct link_request r = {.method = "GET", .path = "/", .done = again_after_failure, .ctx = &a};
    assert_true(link_send(lb.link, &r) != 0);
    loopback_run(&lb);
    assert_int_equal(a.n_done, 1);
    assert_int_equal(a.code, OK);
    assert_int_equal(a.body.len, 5);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void loopback_cancelled_request_tells_both_sides(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    struct held h = {.lb = &lb};
    loopback_serve(&lb, false, hold_and_cancel, &h);
    loopback_link(&lb, false, NULL);
    struct answer a = answer_for(&lb, 99);
    h.cancel_id = ask(&lb, "GET", "/", NULL, 0, &a);
    loopback_run(&lb);
    assert_int_equal(a.n_done, 1);
    assert_int_equal(a.code, ERR_CANCELLED);
    assert_int_equal(h.n_gone, 1);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void loopback_request_cancelled_before_it_left_ends_too(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    loopback_serve(&lb, false, echo, NULL);
    loopback_link(&lb, false, NULL);
    struct answer a = answer_for(&lb, 1);
    link_cancel(lb.link, ask(&lb, "GET", "/", NULL, 0, &a));
    assert_int_equal(a.n_done, 0);
    loopback_run(&lb);
    assert_int_equal(a.n_done, 1);
    assert_int_equal(a.code, ERR_CANCELLED);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void loopback_closing_the_link_cancels_what_is_open(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    struct held h = {.lb = &lb};
    loopback_serve(&lb, true, hold_and_close_link, &h);
    loopback_link(&lb, true, NULL);
    struct answer a = answer_for(&lb, 99);
    ask(&lb, "GET", "/", NULL, 0, &a);
    loopback_run(&lb);
    assert_int_equal(a.n_done, 1);
    assert_int_equal(a.code, ERR_CANCELLED);
    assert_int_equal(h.n_gone, 1);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void loopback_server_that_stops_fails_the_open_request(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    struct held h = {.lb = &lb};
    loopback_serve(&lb, false, hold_and_stop_server, &h);
    loopback_link(&lb, false, NULL);
    struct answer a = answer_for(&lb, 99);
    ask(&lb, "GET", "/", NULL, 0, &a);
    loopback_run(&lb);
    assert_int_equal(a.n_done, 1);
    assert_int_equal(a.code, ERR_IO);
    assert_non_null(strstr(a.what, "lost 127.0.0.1"));
    assert_int_equal(h.n_gone, 1);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void loopback_answer_above_the_cap_is_refused(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    loopback_serve(&lb, true, echo, NULL);
    loopback_link(&lb, true, NULL);
    static const uint8_t body[2000] = {0};
    struct answer a = answer_for(&lb, 1);
    struct link_request r = {.method = "POST",
                             .path = "/",
                             .body = body,
                             .n_body = sizeof body,
                             .max_reply_bytes = 1999,
                             .done = on_answer,
                             .ctx = &a};
    assert_true(link_send(lb.link, &r) != 0);
    loopback_run(&lb);
    assert_int_equal(a.code, ERR_LIMIT);
    assert_int_equal(a.status, 0);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static int stop_at_second_piece(const uint8_t *p, size_t n, void *ctx)
{
    (void)p;
    struct answer *a = ctx;
    assert_true(n > 0);
    return a->status++ > 0;
}

static void loopback_reader_may_abort_a_stream(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    loopback_serve(&lb, true, echo, NULL);
    loopback_link(&lb, true, NULL);
    static const uint8_t body[300000] = {0};
    struct answer a = answer_for(&lb, 1);
    struct link_request r = {.method = "POST",
                             .path = "/",
                             .body = body,
                             .n_body = sizeof body,
                             .on_data = stop_at_second_piece,
                             .done = on_answer,
                             .ctx = &a};
    assert_true(link_send(lb.link, &r) != 0);
    loopback_run(&lb);
    assert_int_equal(a.code, ERR_CANCELLED);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

/* 0.5 MB less the 0.2 MB that may go at once, at 2 MB/s; a slow machine only takes longer. */
static void capped(struct cap *up, struct cap *down)
{
    struct loopback lb;
    struct err e = {0};
    loopback_open(&lb);
    loopback_serve(&lb, true, echo, NULL);
    struct link_config c = {.unix_path = lb.socket, .up = up, .down = down};
    assert_int_equal(link_create(&lb.loop, &c, &lb.link, &e), OK);
    static const uint8_t body[500000] = {0};
    struct answer a = answer_for(&lb, 1);
    ask(&lb, "POST", "/", body, sizeof body, &a);
    uint64_t begun_ns = uv_hrtime();
    loopback_run(&lb);
    double took_s = (double)(uv_hrtime() - begun_ns) / 1e9;
    assert_int_equal(a.code, OK);
    assert_int_equal(a.body.len, sizeof body);
    assert_true(took_s > 0.1);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

static void loopback_upload_cap_holds(void **state)
{
    (void)state;
    struct cap up = {0};
    cap_set(&up, 2e6, (int64_t)uv_hrtime());
    capped(&up, NULL);
}

static void loopback_download_cap_holds(void **state)
{
    (void)state;
    struct cap down = {0};
    cap_set(&down, 2e6, (int64_t)uv_hrtime());
    capped(NULL, &down);
}

static void loopback_traffic_and_round_trip_are_counted(void **state)
{
    (void)state;
    struct loopback lb;
    loopback_open(&lb);
    loopback_serve(&lb, false, echo, NULL);
    loopback_link(&lb, false, NULL);
    assert_true(link_rtt_ms(lb.link) < 0);
    static const uint8_t body[100000] = {0};
    struct answer a = answer_for(&lb, 99);
    ask(&lb, "POST", "/", body, sizeof body, &a);
    while (!a.n_done)
        uv_run(&lb.loop, UV_RUN_ONCE);
    uint64_t in = 0;
    uint64_t out = 0;
    link_traffic(lb.link, &in, &out);
    assert_true(in > sizeof body && in < 2 * sizeof body);
    assert_true(out > sizeof body && out < 2 * sizeof body);
    server_traffic(lb.server, &in, &out);
    assert_true(in > sizeof body && out > sizeof body);
    assert_true(link_rtt_ms(lb.link) >= 0 && link_rtt_ms(lb.link) < 10000);
    assert_int_equal(server_connections(lb.server), 1);
    buf_deinit(&a.body);
    loopback_close(&lb);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(loopback_request_and_answer_over_tls),
        cmocka_unit_test(loopback_request_and_answer_over_unix_socket),
        cmocka_unit_test(loopback_body_of_8_mib_comes_back_unchanged),
        cmocka_unit_test(loopback_lasting_body_is_sent_from_where_it_lies),
        cmocka_unit_test(loopback_digest_header_goes_both_ways),
        cmocka_unit_test(loopback_a_signed_request_is_taken_by_a_server),
        cmocka_unit_test(loopback_retry_after_is_told_within_reason),
        cmocka_unit_test(loopback_forty_requests_share_one_connection),
        cmocka_unit_test(loopback_wrong_pin_is_refused),
        cmocka_unit_test(loopback_without_pin_a_self_made_certificate_is_refused),
        cmocka_unit_test(loopback_nobody_listening_fails_every_request_with_a_sentence),
        cmocka_unit_test(loopback_link_connects_anew_for_the_next_request),
        cmocka_unit_test(loopback_cancelled_request_tells_both_sides),
        cmocka_unit_test(loopback_request_cancelled_before_it_left_ends_too),
        cmocka_unit_test(loopback_closing_the_link_cancels_what_is_open),
        cmocka_unit_test(loopback_server_that_stops_fails_the_open_request),
        cmocka_unit_test(loopback_answer_above_the_cap_is_refused),
        cmocka_unit_test(loopback_reader_may_abort_a_stream),
        cmocka_unit_test(loopback_upload_cap_holds),
        cmocka_unit_test(loopback_download_cap_holds),
        cmocka_unit_test(loopback_traffic_and_round_trip_are_counted),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
