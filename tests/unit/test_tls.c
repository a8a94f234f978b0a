#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "net/tls.h"
#include "tests/check.h"

struct pair {
    char dir[64];
    char cert[96];
    char key[96];
    struct hash pin;
    struct tls_context *server_context;
    struct tls_context *client_context;
    struct tls *server;
    struct tls *client;
};

static int setup(void **state)
{
    struct pair *p = calloc(1, sizeof *p);
    snprintf(p->dir, sizeof p->dir, "/tmp/potluck-tls-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->cert, sizeof p->cert, "%s/cert.pem", p->dir);
    snprintf(p->key, sizeof p->key, "%s/key.pem", p->dir);
    assert_int_equal(tls_make_certificate(p->cert, p->key, "host.example", &p->pin, NULL), OK);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pair *p = *state;
    tls_destroy(p->client);
    tls_destroy(p->server);
    tls_context_destroy(p->client_context);
    tls_context_destroy(p->server_context);
    unlink(p->cert);
    unlink(p->key);
    assert_int_equal(rmdir(p->dir), 0);
    free(p);
    return 0;
}

static void open_pair(struct pair *p, const struct hash *pin)
{
    struct err e = {0};
    assert_int_equal(tls_context_server(p->cert, p->key, &p->server_context, &e), OK);
    assert_int_equal(tls_context_client(pin, &p->client_context, &e), OK);
    assert_int_equal(tls_create(p->server_context, NULL, &p->server, &e), OK);
    assert_int_equal(tls_create(p->client_context, "host.example", &p->client, &e), OK);
}

/* Carry what `from` has to say to `to`, `step` bytes at a time; what it reads goes to got. */
static int carry(struct tls *from, struct tls *to, size_t step, struct buf *got, struct err *e)
{
    struct buf wire = {0};
    int rc = OK;
    tls_pull(from, &wire);
    for (size_t at = 0; !rc && at < wire.len; at += step) {
        size_t n = wire.len - at < step ? wire.len - at : step;
        rc = tls_feed(to, wire.p + at, n, e);
        for (size_t k = 1; !rc && k;) {
            uint8_t plain[1000];
            rc = tls_read(to, plain, sizeof plain, &k, e);
            if (!rc && got) buf_put(got, plain, k);
        }
    }
    buf_deinit(&wire);
    return rc;
}

static int shake_hands(struct pair *p, size_t step, struct err *e)
{
    size_t n = 0;
    int rc = tls_read(p->client, (uint8_t[1]){0}, 1, &n, e);
    for (int i = 0; !rc && i < 4; i++) {
        rc = carry(p->client, p->server, step, NULL, e);
        if (!rc) rc = carry(p->server, p->client, step, NULL, e);
    }
    return rc;
}

static void tls_right_pin_connects_even_byte_by_byte(void **state)
{
    struct pair *p = *state;
    struct err e = {0};
    open_pair(p, &p->pin);
    assert_int_equal(shake_hands(p, 1, &e), OK);
    assert_true(tls_is_ready(p->client) && tls_is_ready(p->server));
}

static void tls_carries_bytes_both_ways(void **state)
{
    struct pair *p = *state;
    struct err e = {0};
    open_pair(p, &p->pin);
    assert_int_equal(shake_hands(p, 4096, &e), OK);
    static uint8_t big[100000];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 31);
    struct buf got = {0};
    assert_int_equal(tls_write(p->client, big, sizeof big, &e), OK);
    assert_int_equal(carry(p->client, p->server, 777, &got, &e), OK);
    assert_int_equal(got.len, sizeof big);
    assert_memory_equal(got.p, big, sizeof big);
    buf_clear(&got);
    assert_int_equal(tls_write(p->server, (const uint8_t *)"yes", 3, &e), OK);
    assert_int_equal(carry(p->server, p->client, 1, &got, &e), OK);
    assert_int_equal(got.len, 3);
    buf_deinit(&got);
}

static void tls_wrong_pin_is_refused_before_anything_is_sent(void **state)
{
    struct pair *p = *state;
    struct err e = {0};
    struct hash wrong = p->pin;
    wrong.b[31] ^= 0x80;
    open_pair(p, &wrong);
    assert_int_equal(shake_hands(p, 4096, &e), ERR_AUTH);
    assert_string_equal(e.what, "the aggregator's certificate is not the one this run names");
    assert_true(e.hint[0] != 0);
    assert_false(tls_is_ready(p->client));
    assert_false(tls_is_ready(p->server));
}

static void tls_without_pin_trusts_only_the_systems_authorities(void **state)
{
    struct pair *p = *state;
    struct err e = {0};
    open_pair(p, NULL);
    assert_int_equal(shake_hands(p, 4096, &e), ERR_AUTH);
}

static void tls_damaged_record_is_an_error(void **state)
{
    struct pair *p = *state;
    struct err e = {0};
    open_pair(p, &p->pin);
    assert_int_equal(shake_hands(p, 4096, &e), OK);
    assert_int_equal(tls_write(p->client, (const uint8_t *)"hello", 5, &e), OK);
    struct buf wire = {0};
    tls_pull(p->client, &wire);
    wire.p[wire.len - 1] ^= 1;
    assert_int_equal(tls_feed(p->server, wire.p, wire.len, &e), OK);
    size_t n = 0;
    assert_int_equal(tls_read(p->server, (uint8_t[9]){0}, 9, &n, &e), ERR_PROTO);
    buf_deinit(&wire);
}

static void tls_plain_text_is_no_handshake(void **state)
{
    struct pair *p = *state;
    struct err e = {0};
    open_pair(p, &p->pin);
    const char *http = "GET / HTTP/1.1\r\n\r\n";
    assert_int_equal(tls_feed(p->server, (const uint8_t *)http, strlen(http), &e), OK);
    size_t n = 0;
    assert_int_equal(tls_read(p->server, (uint8_t[9]){0}, 9, &n, &e), ERR_PROTO);
}

static void tls_farewell_is_seen(void **state)
{
    struct pair *p = *state;
    struct err e = {0};
    open_pair(p, &p->pin);
    assert_int_equal(shake_hands(p, 4096, &e), OK);
    tls_shutdown(p->client);
    assert_int_equal(carry(p->client, p->server, 4096, NULL, &e), OK);
    assert_true(tls_is_closed(p->server));
}

static void tls_certificate_files_are_private_and_have_the_pin(void **state)
{
    struct pair *p = *state;
    struct stat st = {0};
    struct hash pin;
    assert_int_equal(stat(p->key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(tls_certificate_pin(p->cert, &pin, NULL), OK);
    assert_true(hash_equal(&pin, &p->pin));
}

static void tls_second_certificate_has_another_pin(void **state)
{
    struct pair *p = *state;
    struct hash pin;
    assert_int_equal(tls_make_certificate(p->cert, p->key, "127.0.0.1", &pin, NULL), OK);
    assert_false(hash_equal(&pin, &p->pin));
}

static void tls_unusable_files_get_a_sentence(void **state)
{
    struct pair *p = *state;
    struct err e = {0};
    struct tls_context *c = NULL;
    struct hash pin;
    assert_int_equal(tls_context_server("/nowhere/cert.pem", p->key, &c, &e), ERR_IO);
    assert_int_equal(tls_certificate_pin("/nowhere/cert.pem", &pin, &e), ERR_NOTFOUND);
    assert_int_equal(tls_certificate_pin(p->key, &pin, &e), ERR_PROTO);
    assert_int_equal(tls_context_server(p->cert, p->cert, &c, &e), ERR_IO);
    assert_int_equal(tls_make_certificate("/nowhere/c", "/nowhere/k", "h", &pin, &e), ERR_IO);
    assert_int_equal(tls_make_certificate(p->cert, p->key, "a,DNS:b", &pin, &e), ERR_ARG);
    assert_null(c);
}

static void tls_key_of_another_certificate_is_refused(void **state)
{
    struct pair *p = *state;
    struct err e = {0};
    struct hash pin;
    struct tls_context *c = NULL;
    struct buf old = {0};
    assert_int_equal(file_read(p->cert, 65536, &old, NULL), OK);
    assert_int_equal(tls_make_certificate(p->cert, p->key, "h", &pin, NULL), OK);
    assert_int_equal(file_replace(p->cert, old.p, old.len, 0600, NULL), OK);
    assert_int_equal(tls_context_server(p->cert, p->key, &c, &e), ERR_AUTH);
    assert_non_null(strstr(e.what, "is not the key of"));
    buf_deinit(&old);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* A link gives its context back while its connection is still closing. */
static void tls_context_lives_as_long_as_its_connections(void **state)
{
    struct pair *p = *state;
    struct err e = {0};
    open_pair(p, &p->pin);
    tls_context_destroy(p->client_context);
    tls_context_destroy(p->server_context);
    p->client_context = p->server_context = NULL;
    struct buf got = {0};
    assert_int_equal(carry(p->client, p->server, 4096, &got, &e), OK);
    buf_deinit(&got);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(tls_context_lives_as_long_as_its_connections),
        CASE(tls_right_pin_connects_even_byte_by_byte),
        CASE(tls_carries_bytes_both_ways),
        CASE(tls_wrong_pin_is_refused_before_anything_is_sent),
        CASE(tls_without_pin_trusts_only_the_systems_authorities),
        CASE(tls_damaged_record_is_an_error),
        CASE(tls_plain_text_is_no_handshake),
        CASE(tls_farewell_is_seen),
        CASE(tls_certificate_files_are_private_and_have_the_pin),
        CASE(tls_second_certificate_has_another_pin),
        CASE(tls_unusable_files_get_a_sentence),
        CASE(tls_key_of_another_certificate_is_refused),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
