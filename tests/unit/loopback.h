#pragma once
/* Why: the net tests talk over real sockets, but only to themselves: one server and one link on
 * one loop, on an ephemeral port of 127.0.0.1 or a Unix socket in a throw-away folder. The loop
 * runs until nothing is left to do; nobody sleeps.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "net/link.h"
#include "net/server.h"
#include "net/tls.h"
#include "tests/check.h"

struct loopback {
    uv_loop_t loop;
    char dir[64];
    char cert[100];
    char key[100];
    char socket[100];
    struct hash pin;
    struct server *server;
    struct link *link;
};

/* What came back for one request. */
struct answer {
    int n_done;
    int code;
    int status;
    char what[192];
    char type[96];
    char digest[HASH_HEX];
    uint32_t retry_after_s;
    struct buf body;
    struct loopback *lb;
    int n_left; /* close everything when this many answers are still to come: see on_answer */
};

static inline void loopback_open(struct loopback *lb)
{
    *lb = (struct loopback){0};
    assert_int_equal(uv_loop_init(&lb->loop), 0);
    snprintf(lb->dir, sizeof lb->dir, "/tmp/potluck-net-XXXXXX");
    assert_non_null(mkdtemp(lb->dir));
    snprintf(lb->cert, sizeof lb->cert, "%s/cert.pem", lb->dir);
    snprintf(lb->key, sizeof lb->key, "%s/key.pem", lb->dir);
    snprintf(lb->socket, sizeof lb->socket, "%s/socket", lb->dir);
}

static inline void loopback_serve(struct loopback *lb, bool is_unix,
                                  void (*handle)(struct request *, void *), void *ctx)
{
    struct server_config c = {.handle = handle, .ctx = ctx};
    struct err e = {0};
    if (is_unix) {
        c.unix_path = lb->socket;
    } else {
        assert_int_equal(tls_make_certificate(lb->cert, lb->key, "localhost", &lb->pin, &e), OK);
        c.host = "127.0.0.1";
        c.cert_path = lb->cert;
        c.key_path = lb->key;
    }
    assert_int_equal(server_create(&lb->loop, &c, &lb->server, &e), OK);
}

/* pin NULL: the right one. */
static inline void loopback_link(struct loopback *lb, bool is_unix, const struct hash *pin)
{
    struct link_config c = {.unix_path = is_unix ? lb->socket : NULL,
                            .host = "127.0.0.1",
                            .port = is_unix ? 0 : server_port(lb->server),
                            .tls_pin = pin ? pin : &lb->pin};
    struct err e = {0};
    assert_int_equal(link_create(&lb->loop, &c, &lb->link, &e), OK);
}

static inline void loopback_stop(struct loopback *lb)
{
    if (lb->link) link_close(lb->link, NULL, NULL);
    if (lb->server) server_close(lb->server, NULL, NULL);
    lb->link = NULL;
    lb->server = NULL;
}

static inline void loopback_run(struct loopback *lb)
{
    assert_int_equal(uv_run(&lb->loop, UV_RUN_DEFAULT), 0);
}

static inline void loopback_close(struct loopback *lb)
{
    loopback_stop(lb);
    loopback_run(lb);
    assert_int_equal(uv_loop_close(&lb->loop), 0); /* every handle is gone */
    unlink(lb->cert);
    unlink(lb->key);
    unlink(lb->socket);
    assert_int_equal(rmdir(lb->dir), 0);
}

/* Keep the answer; the last of a test's answers ends the loop. */
static inline void on_answer(const struct link_reply *r, void *ctx)
{
    struct answer *a = ctx;
    a->n_done++;
    a->code = r->code;
    a->status = r->status;
    a->retry_after_s = r->retry_after_s;
    snprintf(a->what, sizeof a->what, "%s", r->err.what);
    snprintf(a->type, sizeof a->type, "%s", r->type);
    snprintf(a->digest, sizeof a->digest, "%s", r->digest);
    buf_clear(&a->body);
    buf_put(&a->body, r->body, r->n_body);
    if (a->n_done >= a->n_left) loopback_stop(a->lb);
}

static inline struct answer answer_for(struct loopback *lb, int n)
{
    return (struct answer){.lb = lb, .n_left = n};
}

static inline uint64_t ask(struct loopback *lb, const char *method, const char *path,
                           const void *body, size_t n, struct answer *a)
{
    struct link_request r = {.method = method,
                             .path = path,
                             .type = n ? "application/octet-stream" : NULL,
                             .body = body,
                             .n_body = n,
                             .done = on_answer,
                             .ctx = a};
    uint64_t id = link_send(lb->link, &r);
    assert_true(id != 0);
    return id;
}
