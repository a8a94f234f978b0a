/* goodput_load - how much of a line our transport fills. tests/bench/goodput runs both ends.
 *
 *     goodput_load serve ADDR PORT FOLDER CONTROL own|plain     answers until its input ends
 *     goodput_load up|down HOST PORT FOLDER CONTROL own|plain CONNECTIONS SECONDS
 *
 * FOLDER: where the server puts its certificate. CONTROL: TCP's congestion control. plain: HTTP/2's own
 * windows of 64 KiB. Pieces of 128 KiB, fourteen under way on each connection; what counts is what
 * was complete, from the first answer to the end. One line of JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "net/link.h"
#include "net/server.h"
#include "net/tls.h"

#define PIECE     (128 * 1024)
#define MAX_CONNS 16
#define AHEAD     14

struct load {
    uv_loop_t loop;
    struct server *server;
    uv_pipe_t input;
    uv_timer_t end;
    struct link *links[MAX_CONNS];
    uint32_t n_links;
    bool is_up, is_over;
    uint64_t n_bytes, first_ns, end_ns;
    uint8_t piece[PIECE];
};

struct asker {
    struct load *l;
    struct link *link;
};

static _Noreturn void die(const char *what, const struct err *e)
{
    fprintf(stderr, "goodput_load: %s: %s\n", what, e ? e->what : "");
    exit(1);
}

/* ---- server ---- */

static void on_request(struct request *r, void *ctx)
{
    struct load *l = ctx;
    if (strcmp(request_method(r), "GET") == 0)
        request_reply(r, 200, "application/octet-stream", l->piece, PIECE);
    else
        request_reply(r, 204, NULL, NULL, 0);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *ret)
{
    (void)hint;
    *ret = uv_buf_init((char *)((struct load *)h->data)->piece, 16);
}

static void on_input(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    if (n < 0) exit(0); /* whoever started us has ended us */
    (void)s;
}

static int serve(struct load *l, char **argv)
{
    char cert[300], key[300], pin[300], hex[HASH_HEX];
    struct err e = {0};
    struct hash h;
    snprintf(cert, sizeof cert, "%s/cert.pem", argv[4]);
    snprintf(key, sizeof key, "%s/key.pem", argv[4]);
    snprintf(pin, sizeof pin, "%s/pin", argv[4]);
    if (tls_make_certificate(cert, key, "bench", &h, &e)) die("a certificate", &e);
    struct server_config c = {.host = argv[2],
                              .port = (uint16_t)strtoul(argv[3], NULL, 10),
                              .cert_path = cert,
                              .key_path = key,
                              .max_body_bytes = 1 << 20,
                              .handle = on_request,
                              .ctx = l,
                              .congestion = argv[5],
                              .is_plain = strcmp(argv[6], "plain") == 0};
    if (server_create(&l->loop, &c, &l->server, &e)) die("listening", &e);
    FILE *f = fopen(pin, "w");
    if (!f || fputs(hash_hex(&h, hex), f) < 0 || fclose(f)) die("writing the pin", NULL);
    uv_pipe_init(&l->loop, &l->input, 0);
    l->input.data = l;
    uv_pipe_open(&l->input, 0);
    uv_read_start((uv_stream_t *)&l->input, on_alloc, on_input);
    puts("ready");
    fflush(stdout);
    return uv_run(&l->loop, UV_RUN_DEFAULT);
}

/* ---- client ---- */

static void ask(struct asker *a);

static void on_done(const struct link_reply *r, void *ctx)
{
    struct asker *a = ctx;
    struct load *l = a->l;
    if (l->is_over) {
        free(a);
        return;
    }
    if (r->code != OK || r->status > 204) die("a piece", &r->err);
    if (l->first_ns)
        l->n_bytes += PIECE;
    else
        l->first_ns = uv_hrtime();
    ask(a);
}

static void ask(struct asker *a)
{
    struct load *l = a->l;
    struct link_request r = {.method = l->is_up ? "PUT" : "GET",
                             .path = "/piece",
                             .type = l->is_up ? "application/octet-stream" : NULL,
                             .body = l->piece,
                             .n_body = l->is_up ? PIECE : 0,
                             .is_lasting = true,
                             .is_in_line = true,
                             .stall_ms = 120000,
                             .done = on_done,
                             .ctx = a};
    link_send(a->link, &r);
}

static void on_end(uv_timer_t *t)
{
    struct load *l = t->data;
    l->is_over = true;
    l->end_ns = uv_hrtime();
    for (uint32_t i = 0; i < l->n_links; i++)
        link_close(l->links[i], NULL, NULL);
    uv_close((uv_handle_t *)t, NULL);
}

static int load(struct load *l, char **argv)
{
    char path[300], hex[HASH_HEX] = "";
    struct hash pin;
    struct err e = {0};
    snprintf(path, sizeof path, "%s/pin", argv[4]);
    FILE *f = fopen(path, "r");
    if (!f || !fgets(hex, sizeof hex, f) || hash_from_hex(hex, &pin)) die("the pin", NULL);
    fclose(f);
    struct link_config c = {.host = argv[2],
                            .port = (uint16_t)strtoul(argv[3], NULL, 10),
                            .tls_pin = &pin,
                            .congestion = argv[5],
                            .is_plain = strcmp(argv[6], "plain") == 0};
    l->is_up = strcmp(argv[1], "up") == 0;
    l->n_links = (uint32_t)strtoul(argv[7], NULL, 10);
    if (l->n_links < 1 || l->n_links > MAX_CONNS) die("1 to 16 connections", NULL);
    double seconds = strtod(argv[8], NULL);
    for (uint32_t i = 0; i < l->n_links; i++) {
        if (link_create(&l->loop, &c, &l->links[i], &e)) die("a link", &e);
        for (int k = 0; k < AHEAD; k++) {
            struct asker *a = calloc(1, sizeof *a);
            if (!a) die("memory", NULL);
            *a = (struct asker){l, l->links[i]};
            ask(a);
        }
    }
    uv_timer_init(&l->loop, &l->end);
    l->end.data = l;
    uv_timer_start(&l->end, on_end, (uint64_t)(seconds * 1000), 0);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    double took_s = l->first_ns ? (double)(l->end_ns - l->first_ns) / 1e9 : 0;
    printf("{\"bytes\":%llu,\"seconds\":%.3f,\"mbit_per_s\":%.2f}\n",
           (unsigned long long)l->n_bytes, took_s,
           took_s > 0 ? (double)l->n_bytes * 8 / took_s / 1e6 : 0);
    return 0;
}

int main(int argc, char **argv)
{
    struct load *l = calloc(1, sizeof *l);
    bool is_serving = argc > 1 && strcmp(argv[1], "serve") == 0;
    if (!l || argc != (is_serving ? 7 : 9)) {
        fputs(
            "usage: goodput_load serve ADDR PORT FOLDER CONTROL own|plain\n"
            "       goodput_load up|down HOST PORT FOLDER CONTROL own|plain CONNECTIONS SECONDS\n",
            stderr);
        return 2;
    }
    for (size_t i = 0; i < PIECE; i++)
        l->piece[i] = (uint8_t)(i * 2654435761u >> 13);
    uv_loop_init(&l->loop);
    return is_serving ? serve(l, argv) : load(l, argv);
}
