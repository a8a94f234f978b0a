/* cut_load - contributions over a line that breaks. A contributor's own session, wire and link (what
 * its agent uses; only the trainer is missing) talk to a real aggregator through a proxy in this
 * process, which forwards so many bytes and then cuts both connections. tests/chaos/cut runs it.
 *
 *     cut_load RUN_FILE PORT random POINTS SEED    each contribution is cut once, anywhere; every
 *                                                  fourth time the contributor starts anew as well
 *     cut_load RUN_FILE PORT records SEED          a cut after each TLS record, either way
 *     cut_load RUN_FILE PORT none POINTS SEED      no cut of ours: somebody kills the aggregator
 *     cut_load RUN_FILE keys POINTS                whose keys these will be
 *
 * One line of JSON. What is sent twice is counted at the proxy: bytes that went towards the
 * aggregator, less those of a contribution that was not cut.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "base/rng.h"
#include "client/wire.h"
#include "client/work_state.h"
#include "engine/delta.h"
#include "net/link.h"
#include "record/msg.h"
#include "record/rundesc.h"

#define BLOCK      16384
#define MAX_POINTS 1016
#define NEVER      UINT64_MAX
#define PATIENCE_S 120 /* for one contribution */

enum way { UP, DOWN, WAYS }; /* towards the aggregator, and back */

struct bench;

/* One connection through the proxy. */
struct pipe_end {
    uv_tcp_t tcp;
    uv_write_t write;
    struct tunnel *t;
    enum way way; /* of what is read here */
    char block[BLOCK];
    bool is_writing; /* the other side's block, on its way out here */
    uint32_t n_head; /* bytes of a TLS record's head seen */
    uint8_t head[5];
    uint32_t n_left; /* bytes of the record to come */
};

struct tunnel {
    struct bench *b;
    struct tunnel *next;
    uv_connect_t connect;
    struct pipe_end end[WAYS]; /* [UP]: the contributor's side */
    int n_open;
    bool is_cut;
};

/* When to cut: after so many bytes, or records, that went one way. */
struct plan {
    enum way way;
    uint64_t bytes, records;
    bool is_reset;
};

struct bench {
    uv_loop_t loop;
    struct rundesc run;
    struct model_table table;
    struct rng rng;
    uint16_t port;
    char dir[64], receipts[80];
    uv_tcp_t listener;
    struct tunnel *tunnels;
    struct plan plan;
    bool is_armed, is_hit;
    uint64_t n_bytes[WAYS], n_records[WAYS]; /* of this contribution */
    /* the contributor */
    struct key key;
    struct session session;
    struct wire *wire;
    struct session_payload payload;
    struct session_phase phase;
    struct session_note note;
    bool has_payload, is_done, is_accepted;
    uv_timer_t timer, patience;
    int64_t skew_ms; /* the session's clock runs ahead: nobody waits for its retries */
    uint32_t who;
    /* results */
    uint32_t n_accepted, n_reconnects, n_restarts, n_receipts;
};

static _Noreturn void die(const char *what, const struct err *e)
{
    fprintf(stderr, "cut_load: %s: %s\n", what, e ? e->what : "");
    exit(1);
}

/* ---- the proxy ---- */

static void on_end_closed(uv_handle_t *h)
{
    struct tunnel *t = ((struct pipe_end *)h->data)->t;
    if (--t->n_open) return;
    for (struct tunnel **at = &t->b->tunnels; *at; at = &(*at)->next)
        if (*at == t) {
            *at = t->next;
            break;
        }
    free(t);
}

static void close_tunnel(struct tunnel *t, bool is_reset)
{
    if (t->is_cut) return;
    t->is_cut = true;
    for (int i = 0; i < WAYS; i++) {
        uv_tcp_t *tcp = &t->end[i].tcp;
        if (is_reset && uv_tcp_close_reset(tcp, on_end_closed) == 0) continue;
        uv_close((uv_handle_t *)tcp, on_end_closed);
    }
}

/* How many of n bytes may still go; counts TLS records as they end. */
static size_t allowed(struct pipe_end *p, const uint8_t *bytes, size_t n)
{
    struct bench *b = p->t->b;
    bool counts = b->is_armed && p->way == b->plan.way;
    for (size_t i = 0; i < n; i++) {
        if (counts && b->n_bytes[p->way] >= b->plan.bytes) return i;
        b->n_bytes[p->way]++;
        if (p->n_left == 0) {
            p->head[p->n_head++] = bytes[i];
            if (p->n_head < 5) continue;
            p->n_head = 0;
            p->n_left = (uint32_t)p->head[3] << 8 | p->head[4];
        } else {
            p->n_left--;
        }
        if (p->n_left == 0) b->n_records[p->way]++;
        if (counts && p->n_left == 0 && b->n_records[p->way] >= b->plan.records) return i + 1;
    }
    return n;
}

static bool is_due(const struct pipe_end *p)
{
    const struct bench *b = p->t->b;
    return b->is_armed && p->way == b->plan.way &&
           (b->n_bytes[p->way] >= b->plan.bytes || b->n_records[p->way] >= b->plan.records);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *ret)
{
    struct pipe_end *p = h->data;
    (void)hint;
    *ret = uv_buf_init(p->block, BLOCK);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf);

static void on_written(uv_write_t *w, int status)
{
    struct pipe_end *to = w->data;
    struct tunnel *t = to->t;
    struct pipe_end *from = &t->end[to->way == UP ? DOWN : UP];
    if (t->is_cut) return;
    if (status) {
        close_tunnel(t, false);
    } else if (is_due(from)) {
        t->b->is_armed = false;
        t->b->is_hit = true;
        close_tunnel(t, t->b->plan.is_reset);
    } else {
        uv_read_start((uv_stream_t *)&from->tcp, on_alloc, on_read);
    }
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct pipe_end *from = s->data;
    struct tunnel *t = from->t;
    struct pipe_end *to = &t->end[from->way == UP ? DOWN : UP];
    if (n == 0 || t->is_cut) return;
    if (n < 0) {
        close_tunnel(t, false);
        return;
    }
    size_t may = allowed(from, (const uint8_t *)buf->base, (size_t)n);
    uv_buf_t out = uv_buf_init(from->block, (unsigned)may);
    uv_read_stop(s);
    to->write.data = to;
    if (uv_write(&to->write, (uv_stream_t *)&to->tcp, &out, 1, on_written)) close_tunnel(t, false);
}

static void on_connected(uv_connect_t *c, int status)
{
    struct tunnel *t = c->data;
    if (t->is_cut) return;
    if (status) {
        close_tunnel(t, false);
        return;
    }
    int size = 65536; /* a network holds little, and loses it */
    uv_send_buffer_size((uv_handle_t *)&t->end[DOWN].tcp, &size);
    for (int i = 0; i < WAYS; i++)
        uv_read_start((uv_stream_t *)&t->end[i].tcp, on_alloc, on_read);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct bench *b = listener->data;
    struct sockaddr_in to;
    struct tunnel *t = status ? NULL : calloc(1, sizeof *t);
    if (!t) die("a connection", NULL);
    t->b = b;
    t->n_open = WAYS;
    for (int i = 0; i < WAYS; i++) {
        t->end[i].t = t;
        t->end[i].way = (enum way)i;
        uv_tcp_init(&b->loop, &t->end[i].tcp);
        t->end[i].tcp.data = &t->end[i];
    }
    t->next = b->tunnels;
    b->tunnels = t;
    b->n_reconnects++;
    int size = 65536; /* what the network holds */
    if (uv_accept(listener, (uv_stream_t *)&t->end[UP].tcp)) die("accepting", NULL);
    uv_recv_buffer_size((uv_handle_t *)&t->end[UP].tcp, &size);
    uv_ip4_addr("127.0.0.1", b->port, &to);
    t->connect.data = t;
    if (uv_tcp_connect(&t->connect, &t->end[DOWN].tcp, (const struct sockaddr *)&to, on_connected))
        die("connecting", NULL);
}

static uint16_t listen_here(struct bench *b)
{
    struct sockaddr_in a;
    int n = sizeof a, small = 65536;
    uv_ip4_addr("127.0.0.1", 0, &a);
    uv_tcp_init(&b->loop, &b->listener);
    b->listener.data = b;
    if (uv_tcp_bind(&b->listener, (const struct sockaddr *)&a, 0) ||
        uv_listen((uv_stream_t *)&b->listener, 64, on_connection) ||
        uv_tcp_getsockname(&b->listener, (struct sockaddr *)&a, &n))
        die("listening", NULL);
    uv_recv_buffer_size((uv_handle_t *)&b->listener, &small);
    return ntohs(a.sin_port);
}

/* ---- the contributor ---- */

static void step(struct bench *b, const struct session_event *ev);

static int64_t now_ms(const struct bench *b)
{
    return (int64_t)uv_now(&b->loop) + b->skew_ms;
}

static void on_event(const struct session_event *ev, void *ctx)
{
    struct bench *b = ctx;
    if (ev->kind == SESSION_EV_RECEIPT) b->is_accepted = ev->receipt->verdict == MSG_ACCEPTED;
    step(b, ev);
}

static void on_text(const struct chunks_want *want, struct buf *bytes, void *ctx)
{
    (void)want;
    (void)bytes;
    (void)ctx;
}

static void on_peers(const struct msg_peers *peers, void *ctx)
{
    (void)peers;
    (void)ctx;
}

static void on_credits(const struct msg_credits *credits, void *ctx)
{
    (void)credits;
    (void)ctx;
}

static void open_wire(struct bench *b)
{
    struct err e = {0};
    struct wire_config c = {.loop = &b->loop,
                            .run = &b->run,
                            .key = &b->key,
                            .name = "cut",
                            .run_dir = b->dir,
                            .receipts_path = b->receipts,
                            .evidence_dir = b->dir,
                            .on_event = on_event,
                            .on_text = on_text,
                            .on_peers = on_peers,
                            .on_credits = on_credits,
                            .ctx = b};
    if (wire_create(&c, &b->wire, &e)) die("a wire", &e);
}

static void begin(struct bench *b)
{
    struct session_config c = {.run = b->run.id,
                               .inner_steps = b->run.inner_steps,
                               .max_inner_steps = b->run.max_inner_steps,
                               .upload_ms = b->run.upload_ms,
                               .n_addresses = 1,
                               .seed = b->who};
    session_init(&b->session, &c, &b->run.initial_model);
    struct session_saved v = {.base = b->run.initial_model,
                              .phase = b->phase,
                              .has_payload = b->has_payload,
                              .payload = b->payload,
                              .note = b->note};
    session_restore(&b->session, &v);
    struct session_event ev = {.kind = SESSION_EV_START};
    step(b, &ev);
}

/* What a contributor of this number would have packed. */
static void pack(struct bench *b)
{
    struct err e = {0};
    struct buf bytes = {0};
    char path[PATH_CAP];
    float *v = calloc(b->table.n_params, sizeof *v);
    if (!v) die("memory", NULL);
    for (uint64_t i = 0; i < b->table.n_params; i++)
        v[i] = (float)((i * 7919 + b->who * 104729u) % 100003) * 1e-8f - 5e-4f;
    if (delta_pack(&b->table, &b->run.train.delta, DELTA_CONTRIBUTION, v, NULL, &bytes, NULL, &e))
        die("packing", &e);
    free(v);
    b->payload = (struct session_payload){
        .hash = hash_of(bytes.p, bytes.len),
        .n_bytes = bytes.len,
        .n_chunks = (uint32_t)((bytes.len + MSG_CHUNK_BYTES - 1) / MSG_CHUNK_BYTES),
        .created_at_ms = clock_wall_ms()};
    if (work_state_payload(b->dir, &b->payload.hash, path) ||
        file_replace(path, bytes.p, bytes.len, 0600, &e))
        die("the payload", &e);
    b->has_payload = true;
    buf_deinit(&bytes);
}

/* The trainer's part is done at once. */
static void answer(struct bench *b, const struct session_action *a, enum session_event_kind kind)
{
    struct session_event ev = {.kind = kind, .tag = a->tag};
    uint64_t steps = b->run.inner_steps;
    if (kind == SESSION_EV_TRAINED)
        b->phase = (struct session_phase){.n_steps = (uint32_t)steps,
                                          .n_tokens = steps * b->run.train.batch_seqs *
                                                      b->run.train.seq_len,
                                          .loss = 1,
                                          .tok_per_s = 1};
    if (kind == SESSION_EV_PACKED) pack(b);
    ev.phase = b->phase;
    ev.payload = b->payload;
    step(b, &ev);
}

static void carry_out(struct bench *b, const struct session_action *a)
{
    switch ((int)a->what) {
    case SESSION_DO_TRAIN: answer(b, a, SESSION_EV_TRAINED); break;
    case SESSION_DO_PACK: answer(b, a, SESSION_EV_PACKED); break;
    case SESSION_DO_CHECK_RECORD: answer(b, a, SESSION_EV_RECORD); break;
    case SESSION_DO_NOTE: b->note = b->session.note; break;
    case SESSION_DO_DROP: wire_drop(b->wire, a->tag); break;
    case SESSION_DO_JOIN:
    case SESSION_DO_POLL:
    case SESSION_DO_RESERVE:
    case SESSION_DO_PUT_CHUNK:
    case SESSION_DO_MANIFEST: wire_request(b->wire, a, &b->session, "cut", 1); break;
    case SESSION_DO_SAY: break;
    default:
        fprintf(stderr, "cut_load: action %d, %s\n", (int)a->what, b->session.why);
        die("the session asked for something else", NULL);
    }
}

static void on_timer(uv_timer_t *t)
{
    struct bench *b = t->data;
    struct session_event ev = {.kind = SESSION_EV_TICK};
    step(b, &ev);
}

/* Waiting for a retry is not what is looked at: the session's clock jumps there, after a breath. */
static void arm(struct bench *b)
{
    const struct session *s = &b->session;
    int64_t next = session_next_ms(s), now = now_ms(b);
    bool is_idle = !s->transfer.tag && !s->presence.tag;
    bool is_retrying = !s->transfer.tag && s->retry_at_ms != SESSION_NONE;
    if (next == SESSION_NONE) return;
    if ((is_idle || is_retrying) && next > now) {
        b->skew_ms += next - now;
        next = now + 5;
    }
    uv_timer_start(&b->timer, on_timer, next > now ? (uint64_t)(next - now) : 0, 0);
}

static void step(struct bench *b, const struct session_event *ev)
{
    struct session_actions out;
    session_step(&b->session, ev, now_ms(b), &out);
    for (uint32_t i = 0; i < out.n; i++)
        carry_out(b, &out.a[i]);
    if (b->session.fate == SESSION_FATE_ACCEPTED && !b->is_done) {
        b->is_done = true;
        uv_stop(&b->loop);
    }
    if (b->session.fate == SESSION_FATE_REFUSED)
        die("refused", &(struct err){.what = "see its log"});
    arm(b);
}

static void on_patience(uv_timer_t *t)
{
    const struct session *s = &((struct bench *)t->data)->session;
    fprintf(stderr, "cut_load: state %s, chunk %u, why: %s\n", session_state_name(s->state),
            s->i_chunk, s->why);
    die("a contribution did not arrive", NULL);
}

static void closed(void *ctx)
{
    struct bench *b = ctx;
    b->wire = NULL;
    uv_stop(&b->loop);
}

static void close_wire(struct bench *b)
{
    uv_timer_stop(&b->timer);
    wire_close(b->wire, closed, b);
    while (b->wire)
        uv_run(&b->loop, UV_RUN_ONCE);
}

static void make_key(uint32_t who, struct key *ret)
{
    struct err e = {0};
    const uint8_t seed[KEY_BYTES] = {3, (uint8_t)who, (uint8_t)(who >> 8)};
    if (key_from_seed(seed, ret, &e)) die("a key", &e);
}

/* One contributor's whole contribution, with the cut of b->plan. */
static void contribute(struct bench *b, bool is_restarting)
{
    char path[PATH_CAP];
    make_key(b->who, &b->key);
    b->has_payload = b->is_done = b->is_accepted = b->is_hit = false;
    b->phase = (struct session_phase){0};
    b->note = (struct session_note){0};
    memset(b->n_bytes, 0, sizeof b->n_bytes);
    memset(b->n_records, 0, sizeof b->n_records);
    b->is_armed = true;
    uv_timer_start(&b->patience, on_patience, PATIENCE_S * 1000, 0);
    open_wire(b);
    begin(b);
    while (!b->is_done) {
        uv_run(&b->loop, UV_RUN_ONCE);
        if (!is_restarting || !b->is_hit || b->is_done) continue;
        is_restarting = false; /* the line went, and so did the program */
        b->n_restarts++;
        close_wire(b);
        open_wire(b);
        begin(b);
    }
    close_wire(b);
    uv_timer_stop(&b->patience);
    while (b->tunnels)
        uv_run(&b->loop, UV_RUN_ONCE);
    b->is_armed = false;
    b->n_accepted += b->is_accepted;
    if (work_state_payload(b->dir, &b->payload.hash, path) == 0) unlink(path);
    b->who++;
}

/* ---- one receipt for each? ---- */

static void on_receipts(const struct link_reply *r, void *ctx)
{
    struct bench *b = ctx;
    if (r->code != OK || r->status != 200) die("receipts", &r->err);
    uint32_t n = 0;
    for (size_t i = 0; i < r->n_body; i++)
        n += r->body[i] == '\n';
    b->n_receipts += n;
    b->is_done = true;
}

static void count_receipts(struct bench *b, uint32_t n)
{
    struct err e = {0};
    struct link *l = NULL;
    struct link_config c = {
        .host = "127.0.0.1", .port = b->port, .tls_pin = &b->run.aggregators[0].tls_pin};
    if (link_create(&b->loop, &c, &l, &e)) die("a link", &e);
    for (uint32_t i = 0; i < n; i++) {
        struct key k;
        char path[120], hex[KEY_HEX];
        make_key(i, &k);
        snprintf(path, sizeof path, "/v1/receipts/%s", key_hex(&k.pub, hex));
        struct link_request r = {.method = "GET", .path = path, .done = on_receipts, .ctx = b};
        b->is_done = false;
        link_send(l, &r);
        while (!b->is_done)
            uv_run(&b->loop, UV_RUN_ONCE);
    }
    link_close(l, NULL, NULL);
}

/* ---- campaigns ---- */

struct tally {
    uint32_t n_points, n_hit;
    uint64_t resent_max, resent_sum;
};

static void note(struct bench *b, struct tally *t, uint64_t whole)
{
    uint64_t resent = b->n_bytes[UP] > whole ? b->n_bytes[UP] - whole : 0;
    t->n_points++;
    t->n_hit += b->is_hit;
    t->resent_sum += resent;
    if (resent > t->resent_max) t->resent_max = resent;
}

/* Tens of bytes differ: lengths of numbers, and what is acknowledged how often. The most counts. */
static uint64_t uncut(struct bench *b, uint64_t ret_records[WAYS])
{
    uint64_t most = 0;
    for (int i = 0; i < 3; i++) {
        b->plan = (struct plan){.bytes = NEVER, .records = NEVER};
        contribute(b, false);
        if (b->n_bytes[UP] > most) most = b->n_bytes[UP];
    }
    memcpy(ret_records, b->n_records, sizeof b->n_records);
    return most;
}

static void cut_anywhere(struct bench *b, struct tally *t, uint32_t n_points, uint64_t whole)
{
    uint64_t down = b->n_bytes[DOWN];
    for (uint32_t i = 0; i < n_points; i++) {
        bool is_up = i % 8 != 0; /* what comes back is short, and a lost answer all the same */
        uint64_t of = is_up ? whole : down;
        b->plan = (struct plan){.way = is_up ? UP : DOWN,
                                .bytes = 1 + rng_below(&b->rng, (uint32_t)of),
                                .records = NEVER,
                                .is_reset = i % 2};
        contribute(b, i % 4 == 3);
        note(b, t, whole);
    }
}

static void cut_at_records(struct bench *b, struct tally *t, uint64_t whole,
                           const uint64_t records[WAYS])
{
    for (int way = 0; way < WAYS; way++) {
        for (uint64_t i = 1; i <= records[way] && b->who < MAX_POINTS; i++) {
            b->plan = (struct plan){
                .way = (enum way)way, .bytes = NEVER, .records = i, .is_reset = i % 2};
            contribute(b, i % 4 == 3);
            note(b, t, whole);
        }
    }
}

static void leave_alone(struct bench *b, struct tally *t, uint32_t n_points, uint64_t whole)
{
    for (uint32_t i = 0; i < n_points; i++) {
        b->plan = (struct plan){.bytes = NEVER, .records = NEVER};
        contribute(b, false);
        note(b, t, whole);
    }
}

static void open_run(struct bench *b, const char *path)
{
    struct err e = {0};
    struct buf jws = {0};
    if (file_read(path, 1 << 20, &jws, &e)) die("the run", &e);
    if (rundesc_parse(jws.p, jws.len, NULL, &b->run, &e)) die("the run", &e);
    if (model_table_init(&b->table, &b->run.model, &e)) die("the model", &e);
    buf_deinit(&jws);
}

static int print_keys(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct key k;
        char hex[KEY_HEX];
        make_key(i, &k);
        puts(key_hex(&k.pub, hex));
    }
    return 0;
}

static void campaign(struct bench *b, const char *kind, uint32_t n_points)
{
    struct tally t = {0};
    uint64_t records[WAYS] = {0};
    uint64_t start = uv_hrtime();
    uint64_t whole = uncut(b, records);
    uint32_t n_before = b->n_reconnects;
    if (strcmp(kind, "random") == 0)
        cut_anywhere(b, &t, n_points, whole);
    else if (strcmp(kind, "records") == 0)
        cut_at_records(b, &t, whole, records);
    else
        leave_alone(b, &t, n_points, whole);
    count_receipts(b, b->who);
    printf("{\"kind\":\"%s\",\"points\":%u,\"cut\":%u,\"contributions\":%u,\"accepted\":%u,"
           "\"receipts\":%u,\"payload_bytes\":%" PRIu64 ",\"uncut_bytes\":%" PRIu64
           ",\"chunk_bytes\":%u,\"resent_bytes_max\":%" PRIu64 ",\"resent_bytes_mean\":%.0f,"
           "\"connections\":%u,\"agent_restarts\":%u,\"seconds\":%.1f}\n",
           kind, t.n_points, t.n_hit, b->who, b->n_accepted, b->n_receipts, b->payload.n_bytes,
           whole, MSG_CHUNK_BYTES, t.resent_max, t.n_points ? (double)t.resent_sum / t.n_points : 0,
           b->n_reconnects - n_before, b->n_restarts, (double)(uv_hrtime() - start) / 1e9);
}

int main(int argc, char **argv)
{
    struct bench *b = calloc(1, sizeof *b);
    if (!b || argc < 4) {
        fputs("usage: cut_load RUN_FILE PORT random|records|none POINTS SEED | RUN_FILE keys N\n",
              stderr);
        return 2;
    }
    uint32_t n = (uint32_t)strtoul(argv[argc < 5 ? 3 : 4], NULL, 10);
    if (n > MAX_POINTS) die("too many", NULL);
    if (strcmp(argv[2], "keys") == 0) return print_keys(n);
    if (argc < 6) return 2;
    rng_init(&b->rng, strtoull(argv[5], NULL, 10), 1);
    b->port = (uint16_t)strtoul(argv[2], NULL, 10);
    snprintf(b->dir, sizeof b->dir, "/tmp/pl-cut-XXXXXX");
    if (!mkdtemp(b->dir)) die("a folder", NULL);
    snprintf(b->receipts, sizeof b->receipts, "%s/receipts", b->dir);
    uv_loop_init(&b->loop);
    uv_timer_init(&b->loop, &b->timer);
    uv_timer_init(&b->loop, &b->patience);
    b->timer.data = b->patience.data = b;
    open_run(b, argv[1]);
    struct hash pin = b->run.aggregators[0].tls_pin;
    b->run.aggregators[0] = (struct rundesc_aggregator){.host = "127.0.0.1",
                                                        .port = listen_here(b),
                                                        .key = b->run.aggregators[0].key,
                                                        .tls_pin = pin};
    b->run.n_aggregators = 1;
    campaign(b, argv[3], n);
    char command[96];
    snprintf(command, sizeof command, "rm -r '%s'", b->dir);
    return system(command) == 0 ? 0 : 1;
}
