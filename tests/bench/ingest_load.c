/* ingest_load - many contributors at once: real keys, real TLS connections (net/link.h, what a
 * contributor's agent uses), real payloads of the run's own model. tests/bench/ingest runs it.
 *
 *     ingest_load RUN_FILE PORT CONNECTIONS SECONDS    everybody reserves; when all have, each sends
 *                                                      chunk after chunk for SECONDS; then eight
 *                                                      more send a whole contribution each and must
 *                                                      be accepted
 *     ingest_load RUN_FILE check SECONDS               decode and check payloads, one core
 *
 * A chunk counts when its 204 came: it is on the server's disk by then. One line of JSON.
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/judge.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "net/link.h"
#include "record/msg.h"
#include "record/rundesc.h"

#define PAYLOADS    8
#define MAX_CONNS   1000
#define MAX_SAMPLES 1000000
#define RETRY_MS    50

struct payload {
    struct buf bytes;
    struct hash hash;
    uint32_t n_chunks;
    struct hash chunks[MSG_MAX_CHUNKS];
    char hex[MSG_MAX_CHUNKS][HASH_HEX];
};

struct load;

struct sender {
    struct load *l;
    struct link *link;
    struct key key;
    struct msg_slot slot;
    const struct payload *payload;
    uint32_t i_chunk;
    uint64_t began_ns;
    bool is_whole; /* sends each chunk once, then its manifest */
    uv_timer_t again;
    char path[120];
};

struct load {
    uv_loop_t loop;
    struct rundesc run;
    struct model_table table;
    struct payload payloads[PAYLOADS];
    struct sender *senders; /* [n + PAYLOADS] */
    uint32_t n;
    uint32_t n_ready; /* have reserved */
    uint32_t n_accepted, n_whole;
    uint64_t start_ns, end_ns;
    uint64_t n_bytes, n_chunks, n_retries;
    float *samples_ms;
    size_t n_samples;
    struct link_config to;
    struct msg_round round;
    double seconds;
};

static _Noreturn void die(const char *what, const struct err *e)
{
    fprintf(stderr, "ingest_load: %s: %s\n", what, e ? e->what : "");
    exit(1);
}

static uint64_t seconds_ns(double s)
{
    return (uint64_t)(s * 1e9);
}

static void make_payload(struct load *l, uint64_t who, struct payload *p)
{
    struct err e = {0};
    struct rng r;
    float *v = calloc(l->table.n_params, sizeof *v);
    if (!v) die("memory", NULL);
    rng_init(&r, who, 1);
    for (uint64_t i = 0; i < l->table.n_params; i++)
        v[i] = rng_normal(&r) * 1e-3f;
    if (delta_pack(&l->table, &l->run.train.delta, DELTA_CONTRIBUTION, v, NULL, &p->bytes, NULL,
                   &e))
        die("packing", &e);
    free(v);
    p->hash = hash_of(p->bytes.p, p->bytes.len);
    for (size_t at = 0; at < p->bytes.len; at += MSG_CHUNK_BYTES, p->n_chunks++) {
        size_t left = p->bytes.len - at;
        size_t n = left < MSG_CHUNK_BYTES ? left : MSG_CHUNK_BYTES;
        p->chunks[p->n_chunks] = hash_of(p->bytes.p + at, n);
        hash_hex(&p->chunks[p->n_chunks], p->hex[p->n_chunks]);
    }
}

/* ---- one sender ---- */

static void send_chunk(struct sender *s);
static void reserve(struct sender *s);

static void need(const struct link_reply *r, int status, const char *what)
{
    if (r->code == OK && r->status == status) return;
    fprintf(stderr, "ingest_load: %s: status %d %s %.*s\n", what, r->status, r->err.what,
            (int)r->n_body, r->body ? (const char *)r->body : "");
    exit(1);
}

static void finish(struct load *l)
{
    for (uint32_t i = 0; i < l->n + PAYLOADS; i++) {
        if (l->senders[i].link) link_close(l->senders[i].link, NULL, NULL);
        l->senders[i].link = NULL;
        uv_close((uv_handle_t *)&l->senders[i].again, NULL);
    }
}

static void on_receipt(const struct link_reply *r, void *ctx)
{
    struct sender *s = ctx;
    struct load *l = s->l;
    struct msg_receipt receipt;
    struct err e = {0};
    need(r, 200, "a manifest");
    if (msg_receipt_verify(r->body, r->n_body, NULL, &receipt, &e)) die("a receipt", &e);
    l->n_accepted += receipt.verdict == MSG_ACCEPTED;
    if (receipt.verdict != MSG_ACCEPTED) fprintf(stderr, "not accepted: %s\n", receipt.reason);
    if (++l->n_whole == PAYLOADS) finish(l);
}

static void send_manifest(struct sender *s)
{
    struct load *l = s->l;
    struct buf jws = {0};
    struct err e = {0};
    struct msg_manifest *m = alloc_zero(1, sizeof *m);
    if (!m) die("memory", NULL);
    uint32_t steps = l->run.inner_steps;
    *m = (struct msg_manifest){.run = l->run.id,
                               .contributor = s->key.pub,
                               .round = l->round.round,
                               .base = l->round.base,
                               .payload = s->payload->hash,
                               .n_bytes = s->payload->bytes.len,
                               .n_chunks = s->payload->n_chunks,
                               .n_steps = steps,
                               .n_tokens =
                                   (uint64_t)steps * l->run.train.batch_seqs * l->run.train.seq_len,
                               .loss = 1,
                               .tok_per_s = 1,
                               .engine = "bench",
                               .created_at_ms = clock_wall_ms()};
    memcpy(m->id, s->slot.id, sizeof m->id);
    memcpy(m->chunks, s->payload->chunks, sizeof m->chunks);
    if (msg_manifest_sign(m, &s->key, &jws, &e)) die("signing", &e);
    snprintf(s->path, sizeof s->path, "/v1/contributions/%s/manifest", s->slot.id);
    struct link_request r = {.method = "POST",
                             .path = s->path,
                             .type = "application/jose",
                             .body = jws.p,
                             .n_body = jws.len,
                             .done = on_receipt,
                             .ctx = s};
    link_send(s->link, &r);
    buf_deinit(&jws);
    free(m);
}

static void on_again(uv_timer_t *t)
{
    send_chunk(t->data);
}

static void on_stored(const struct link_reply *r, void *ctx)
{
    struct sender *s = ctx;
    struct load *l = s->l;
    uint64_t now = uv_hrtime();
    if (r->code == OK && r->status == 503) {
        l->n_retries++;
        uv_timer_start(&s->again, on_again, RETRY_MS, 0);
        return;
    }
    if (r->code == ERR_CANCELLED) return;
    need(r, 204, "a chunk");
    if (!s->is_whole && now <= l->end_ns) {
        size_t left = s->payload->bytes.len - (size_t)s->i_chunk * MSG_CHUNK_BYTES;
        l->n_bytes += left < MSG_CHUNK_BYTES ? left : MSG_CHUNK_BYTES;
        l->n_chunks++;
        if (l->n_samples < MAX_SAMPLES)
            l->samples_ms[l->n_samples++] = (float)(now - s->began_ns) / 1e6f;
    }
    s->i_chunk++;
    if (s->is_whole && s->i_chunk == s->payload->n_chunks) {
        send_manifest(s);
        return;
    }
    if (s->i_chunk == s->payload->n_chunks) s->i_chunk = 0;
    if (s->is_whole || now < l->end_ns) {
        s->began_ns = now;
        send_chunk(s);
    } else if (--l->n_ready == 0) {
        for (uint32_t i = 0; i < PAYLOADS; i++)
            reserve(&l->senders[l->n + i]);
    }
}

static void send_chunk(struct sender *s)
{
    size_t at = (size_t)s->i_chunk * MSG_CHUNK_BYTES;
    size_t left = s->payload->bytes.len - at;
    snprintf(s->path, sizeof s->path, "/v1/contributions/%s/chunks/%" PRIu32, s->slot.id,
             s->i_chunk);
    struct link_request r = {.method = "PUT",
                             .path = s->path,
                             .type = "application/octet-stream",
                             .body = s->payload->bytes.p + at,
                             .n_body = left < MSG_CHUNK_BYTES ? left : MSG_CHUNK_BYTES,
                             .is_lasting = true,
                             .digest = s->payload->hex[s->i_chunk],
                             .signer = &s->key,
                             .signed_at_s = clock_wall_ms() / 1000,
                             .stall_ms = 60000,
                             .done = on_stored,
                             .ctx = s};
    link_send(s->link, &r);
}

/* The race begins when the last one has its slot. */
static void begin(struct load *l)
{
    l->start_ns = uv_hrtime();
    l->end_ns = l->start_ns + seconds_ns(l->seconds);
    for (uint32_t i = 0; i < l->n; i++) {
        l->senders[i].began_ns = l->start_ns;
        l->senders[i].i_chunk = i % l->senders[i].payload->n_chunks;
        send_chunk(&l->senders[i]);
    }
}

static void on_slot(const struct link_reply *r, void *ctx)
{
    struct sender *s = ctx;
    struct load *l = s->l;
    struct err e = {0};
    need(r, 201, "a reservation");
    if (msg_slot_decode(r->body, r->n_body, &s->slot, &e)) die("a slot", &e);
    if (s->is_whole)
        send_chunk(s);
    else if (++l->n_ready == l->n)
        begin(l);
}

static void reserve(struct sender *s)
{
    struct load *l = s->l;
    struct buf jws = {0};
    struct err e = {0};
    struct msg_reserve m = {.run = l->run.id,
                            .contributor = s->key.pub,
                            .round = l->round.round,
                            .base = l->round.base,
                            .max_bytes = s->payload->bytes.len,
                            .created_at_ms = clock_wall_ms()};
    if (msg_reserve_sign(&m, &s->key, &jws, &e)) die("signing", &e);
    struct link_request r = {.method = "POST",
                             .path = "/v1/contributions",
                             .type = "application/jose",
                             .body = jws.p,
                             .n_body = jws.len,
                             .stall_ms = 60000,
                             .done = on_slot,
                             .ctx = s};
    link_send(s->link, &r);
    buf_deinit(&jws);
}

static void on_round(const struct link_reply *r, void *ctx)
{
    struct load *l = ctx;
    struct err e = {0};
    need(r, 200, "the round");
    if (msg_round_decode(r->body, r->n_body, &l->round, &e)) die("the round", &e);
    for (uint32_t i = 0; i < l->n; i++)
        reserve(&l->senders[i]);
}

/* ---- both modes ---- */

static void open_run(struct load *l, const char *path)
{
    struct err e = {0};
    struct buf jws = {0};
    if (file_read(path, 1 << 20, &jws, &e)) die("the run", &e);
    if (rundesc_parse(jws.p, jws.len, NULL, &l->run, &e)) die("the run", &e);
    if (model_table_init(&l->table, &l->run.model, &e)) die("the model", &e);
    buf_deinit(&jws);
    for (uint64_t i = 0; i < PAYLOADS; i++)
        make_payload(l, i, &l->payloads[i]);
}

static void make_senders(struct load *l)
{
    struct err e = {0};
    l->senders = calloc(l->n + PAYLOADS, sizeof *l->senders);
    l->samples_ms = calloc(MAX_SAMPLES, sizeof(float));
    if (!l->senders || !l->samples_ms) die("memory", NULL);
    for (uint32_t i = 0; i < l->n + PAYLOADS; i++) {
        struct sender *s = &l->senders[i];
        bool is_whole = i >= l->n;
        uint32_t who = is_whole ? MAX_CONNS + i - l->n : i; /* the same keys whatever n is */
        uint8_t seed[KEY_BYTES] = {1, (uint8_t)who, (uint8_t)(who >> 8)};
        s->l = l;
        s->is_whole = is_whole;
        s->payload = &l->payloads[who % PAYLOADS];
        s->again.data = s;
        uv_timer_init(&l->loop, &s->again);
        if (key_from_seed(seed, &s->key, &e)) die("a key", &e);
        if (link_create(&l->loop, &l->to, &s->link, &e)) die("a link", &e);
    }
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static int run_load(struct load *l, uint16_t port, uint32_t n, double seconds)
{
    l->n = n;
    l->seconds = seconds;
    l->to = (struct link_config){
        .host = "127.0.0.1", .port = port, .tls_pin = &l->run.aggregators[0].tls_pin};
    uv_loop_init(&l->loop);
    make_senders(l);
    struct link_request r = {.method = "GET", .path = "/v1/round", .done = on_round, .ctx = l};
    link_send(l->senders[0].link, &r);
    uv_run(&l->loop, UV_RUN_DEFAULT);
    qsort(l->samples_ms, l->n_samples, sizeof *l->samples_ms, by_size);
    size_t k = l->n_samples;
    printf("{\"connections\":%u,\"seconds\":%.3f,\"chunks\":%" PRIu64 ",\"bytes\":%" PRIu64
           ",\"mb_per_s\":%.1f,\"chunk_p50_ms\":%.1f,\"chunk_p99_ms\":%.1f,\"retries\":%" PRIu64
           ",\"accepted\":%u,\"of\":%d,\"payload_bytes\":%zu,\"params\":%" PRIu64 "}\n",
           n, seconds, l->n_chunks, l->n_bytes, (double)l->n_bytes / seconds / 1e6,
           k ? (double)l->samples_ms[k / 2] : 0, k ? (double)l->samples_ms[k * 99 / 100] : 0,
           l->n_retries, l->n_accepted, PAYLOADS, l->payloads[0].bytes.len, l->table.n_params);
    return l->n_accepted == PAYLOADS && l->n_chunks ? 0 : 1;
}

static int run_check(struct load *l, double seconds)
{
    struct err e = {0};
    uint64_t start = uv_hrtime(), n_bytes = 0;
    for (uint32_t i = 0; uv_hrtime() - start < seconds_ns(seconds); i++) {
        const struct buf *b = &l->payloads[i % PAYLOADS].bytes;
        if (judge_payload(&l->table, &l->run.train.delta, b->p, b->len, &e)) die("checking", &e);
        n_bytes += b->len;
    }
    double took_s = (double)(uv_hrtime() - start) / 1e9;
    printf("{\"check_mb_per_s_core\":%.1f,\"payload_bytes\":%zu}\n", (double)n_bytes / took_s / 1e6,
           l->payloads[0].bytes.len);
    return 0;
}

int main(int argc, char **argv)
{
    struct load *l = calloc(1, sizeof *l);
    if (!l || argc < 4) {
        fputs("usage: ingest_load RUN_FILE PORT CONNECTIONS SECONDS | RUN_FILE check SECONDS\n",
              stderr);
        return 2;
    }
    (void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
    open_run(l, argv[1]);
    if (strcmp(argv[2], "check") == 0) return run_check(l, strtod(argv[3], NULL));
    if (argc < 5) return 2;
    uint32_t n = (uint32_t)strtoul(argv[3], NULL, 10);
    if (n < 1 || n > MAX_CONNS) die("1 to 1000 connections", NULL);
    return run_load(l, (uint16_t)strtoul(argv[2], NULL, 10), n, strtod(argv[4], NULL));
}
