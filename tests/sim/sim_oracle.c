#include "tests/sim/sim_oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/merge.h"
#include "tests/sim/sim_store.h"

#define MAX_ACKS   512
#define MAX_CHUNKS 2048
#define REWARD     1000003

struct ack {
    uint32_t peer;
    struct msg_receipt receipt;
    struct hash text;
};

struct chunk_ack {
    uint64_t round;
    char name[SIM_DISK_NAME];
};

struct returned {
    uint32_t peer;
    uint64_t round;
    struct hash payload;
};

struct sim_oracle {
    struct ack acks[MAX_ACKS];
    uint32_t n_acks;
    struct chunk_ack chunks[MAX_CHUNKS];
    uint32_t n_chunks;
    struct returned returned[MAX_ACKS];
    uint32_t n_returned;
    struct hash models[SIM_MAX_ROUNDS + 1]; /* base of each round */
    uint64_t n_models;
};

void sim_oracle_create(struct sim_world *w)
{
    w->oracle = alloc_zero(1, sizeof *w->oracle);
    check(w->oracle && w->plan.n_rounds <= SIM_MAX_ROUNDS);
    w->oracle->models[0] = w->initial_hash;
    w->oracle->n_models = 1;
}

void sim_oracle_destroy(struct sim_world *w)
{
    free(w->oracle);
    w->oracle = NULL;
}

/* --- receipts ----------------------------------------------------------------------------------- */

static const struct ack *find_ack(const struct sim_oracle *o, uint32_t peer, uint64_t round)
{
    for (uint32_t i = 0; i < o->n_acks; i++)
        if (o->acks[i].peer == peer && o->acks[i].receipt.round == round) return &o->acks[i];
    return NULL;
}

void sim_oracle_chunk(struct sim_world *w, uint64_t round, const char *name)
{
    struct sim_oracle *o = w->oracle;
    for (uint32_t i = 0; i < o->n_chunks; i++)
        if (strcmp(o->chunks[i].name, name) == 0) return;
    check(o->n_chunks < MAX_CHUNKS);
    struct chunk_ack *c = &o->chunks[o->n_chunks++];
    c->round = round;
    memcpy(c->name, name, sizeof c->name);
}

static bool was_returned(const struct sim_oracle *o, uint32_t peer, const struct hash *payload)
{
    for (uint32_t i = 0; i < o->n_returned; i++)
        if (o->returned[i].peer == peer && hash_equal(&o->returned[i].payload, payload))
            return true;
    return false;
}

void sim_oracle_receipt(struct sim_world *w, const struct sim_peer *p, const struct msg_receipt *m,
                        const struct buf *jws)
{
    struct sim_oracle *o = w->oracle;
    struct hash text = hash_of(jws->p, jws->len);
    const struct ack *old = find_ack(o, p->i, m->round);
    sim_world_say(w, "peer %u has receipt %" PRIu64 " for round %" PRIu64 ": %s", p->i, m->seq,
                  m->round, m->verdict == MSG_ACCEPTED ? "accepted" : m->reason);
    if (old && !hash_equal(&old->text, &text)) {
        sim_world_fail(w,
                       "peer %u has two different receipts for round %" PRIu64 ": numbers %" PRIu64
                       " and %" PRIu64,
                       p->i, m->round, old->receipt.seq, m->seq);
        return;
    }
    if (m->verdict == MSG_ACCEPTED && was_returned(o, p->i, &m->payload))
        sim_world_fail(w, "peer %u: accepted in round %" PRIu64 ", but already given back", p->i,
                       m->round);
    if (old) return;
    check(o->n_acks < MAX_ACKS);
    o->acks[o->n_acks++] = (struct ack){p->i, *m, text};
    w->n_accepted += m->verdict == MSG_ACCEPTED;
    w->n_late += m->verdict == MSG_LATE;
    w->n_rejected += m->verdict == MSG_REJECTED;
}

/* --- after a crash of the host ------------------------------------------------------------------ */

static void check_acks(struct sim_world *w)
{
    const struct sim_oracle *o = w->oracle;
    for (uint32_t i = 0; i < o->n_acks; i++) {
        const struct ack *a = &o->acks[i];
        struct sim_receipt r;
        if (!sim_store_receipt(&w->host.disk, &a->receipt.contributor, a->receipt.round, &r)) {
            sim_world_fail(w,
                           "an acknowledged contribution is lost: receipt %" PRIu64
                           " of peer %u for round %" PRIu64 " is not on the host's disk",
                           a->receipt.seq, a->peer, a->receipt.round);
            return;
        }
        struct hash text = hash_of(r.text, r.n_text);
        if (!hash_equal(&text, &a->text))
            sim_world_fail(w,
                           "the host's receipt of peer %u for round %" PRIu64
                           " is another one than it signed before",
                           a->peer, a->receipt.round);
    }
}

static void check_lines(struct sim_world *w)
{
    uint64_t n = sim_store_n_rounds(&w->host.disk);
    uint32_t i = 0;
    const char *name = NULL;
    while ((name = sim_disk_next(&w->host.disk, "ledger/", &i))) {
        struct sim_line line;
        check(sim_store_row(&w->host.disk, name, &line, sizeof line));
        if (line.round >= n)
            sim_world_fail(w, "the ledger pays for round %" PRIu64 ", which is not published",
                           line.round);
    }
}

void sim_oracle_host_crashed(struct sim_world *w)
{
    const struct sim_oracle *o = w->oracle;
    uint64_t n = sim_store_n_rounds(&w->host.disk);
    while (o->n_models < n + 1 && !w->has_failed) /* published, and the power went at once */
        sim_oracle_published(w, o->n_models - 1);
    check_acks(w);
    check_lines(w);
    for (uint32_t i = 0; i < o->n_chunks; i++)
        if (!sim_disk_get(&w->host.disk, o->chunks[i].name))
            sim_world_fail(w, "a chunk that was acknowledged is lost: %s", o->chunks[i].name);
    if (n + 1 < o->n_models) sim_world_fail(w, "round %" PRIu64 " was published and is gone", n);
}

void sim_oracle_host_started(struct sim_world *w)
{
    const struct sim_oracle *o = w->oracle;
    uint64_t n = w->host.round.round;
    sim_oracle_host_crashed(w);
    if (!hash_equal(&w->host.round.base, &o->models[n]))
        sim_world_fail(w, "after the crash the host holds another model of round %" PRIu64, n);
}

/* --- rounds ------------------------------------------------------------------------------------- */

/* One ledger line for each accepted receipt of the round, all of them the emission. */
static void check_round(struct sim_world *w, uint64_t round, const struct msg_update *m)
{
    uint64_t paid = 0;
    uint32_t n_lines = 0;
    for (uint32_t i = 0; i < w->plan.n_peers; i++) {
        const struct key_pub *k = &w->peers[i].key.pub;
        struct sim_receipt r;
        struct sim_line line;
        char name[SIM_DISK_NAME];
        sim_store_line_name(name, round, k);
        bool has_line = sim_store_row(&w->host.disk, name, &line, sizeof line);
        bool is_due = sim_store_receipt(&w->host.disk, k, round, &r) && r.verdict == MSG_ACCEPTED;
        if (has_line != is_due || (has_line && line.receipt_seq != r.seq)) {
            sim_world_fail(w, "round %" PRIu64 ": peer %u has %s", round, i,
                           is_due ? "an accepted receipt without its ledger line"
                                  : "a ledger line without an accepted receipt");
            return;
        }
        if (!has_line) continue;
        paid += line.amount;
        n_lines++;
    }
    if (paid != (m->n_merged ? REWARD : 0))
        sim_world_fail(w, "round %" PRIu64 " pays %" PRIu64 " instead of %d", round, paid, REWARD);
    if (n_lines != m->n_merged)
        sim_world_fail(w, "round %" PRIu64 " merged %u but pays %u", round, m->n_merged, n_lines);
}

void sim_oracle_published(struct sim_world *w, uint64_t round)
{
    struct sim_oracle *o = w->oracle;
    struct msg_update m;
    char name[SIM_DISK_NAME];
    sim_store_number_name(name, "round", round);
    if (!sim_store_row(&w->host.disk, name, &m, sizeof m)) return; /* the write had failed */
    check(round + 1 <= SIM_MAX_ROUNDS);
    if (round + 1 < o->n_models) {
        if (!hash_equal(&m.result, &o->models[round + 1]))
            sim_world_fail(w, "round %" PRIu64 " was published twice, with different results",
                           round);
        return;
    }
    if (!hash_equal(&m.base, &o->models[round]))
        sim_world_fail(w, "round %" PRIu64 " is published on another base", round);
    o->models[round + 1] = m.result;
    o->n_models = round + 2;
    sim_world_say(w, "round %" PRIu64 " is published: %u merged", round, m.n_merged);
    for (uint32_t i = 0; i < o->n_acks; i++) {
        const struct ack *a = &o->acks[i];
        if (a->receipt.round != round || a->receipt.verdict != MSG_ACCEPTED) continue;
        sim_store_line_name(name, round, &a->receipt.contributor);
        if (!sim_disk_get(&w->host.disk, name))
            sim_world_fail(w,
                           "round %" PRIu64 " is published without the contribution of peer %u, "
                           "which holds an accepted receipt",
                           round, a->peer);
    }
    check_round(w, round, &m);
}

/* --- contributors ------------------------------------------------------------------------------- */

void sim_oracle_model(struct sim_world *w, const struct sim_peer *p, uint64_t round,
                      const struct hash *model)
{
    const struct sim_oracle *o = w->oracle;
    if (round >= o->n_models)
        sim_world_fail(w, "peer %u holds a model of round %" PRIu64 " that does not exist", p->i,
                       round);
    else if (!hash_equal(model, &o->models[round]))
        sim_world_fail(w, "peer %u holds another model of round %" PRIu64 " than the host", p->i,
                       round);
}

static bool is_accepted(const struct sim_world *w, const struct sim_peer *p)
{
    struct sim_receipt r;
    return sim_store_receipt(&w->host.disk, &p->key.pub, p->book.model_round, &r) &&
           r.verdict == MSG_ACCEPTED && hash_equal(&r.claim.payload, &p->book.payload.hash);
}

void sim_oracle_returned(struct sim_world *w, const struct sim_peer *p)
{
    struct sim_oracle *o = w->oracle;
    if (is_accepted(w, p))
        sim_world_fail(
            w, "peer %u takes back its contribution to round %" PRIu64 ", which was accepted", p->i,
            p->book.model_round);
    if (was_returned(o, p->i, &p->book.payload.hash)) return; /* again after a crash */
    check(o->n_returned < MAX_ACKS);
    o->returned[o->n_returned++] =
        (struct returned){p->i, p->book.model_round, p->book.payload.hash};
}

void sim_oracle_dropped(struct sim_world *w, const struct sim_peer *p)
{
    if (!is_accepted(w, p))
        sim_world_fail(w,
                       "peer %u drops its contribution to round %" PRIu64
                       ", which was neither accepted nor given back",
                       p->i, p->book.model_round);
}

void sim_oracle_session(struct sim_world *w, const struct sim_peer *p)
{
    const struct session *s = &p->session;
    if (s->is_base_wrong)
        sim_world_fail(w, "peer %u believes that its model is wrong, and it is not", p->i);
    if (s->fate == SESSION_FATE_ACCEPTED && p->book.has_payload && !is_accepted(w, p))
        sim_world_fail(w, "peer %u believes to be accepted in round %" PRIu64 " and is not", p->i,
                       s->model_round);
}

/* --- the end ------------------------------------------------------------------------------------ */

void sim_oracle_stuck(struct sim_world *w)
{
    char text[320];
    int n = 0;
    for (uint32_t i = 0; i < w->plan.n_peers && n >= 0 && n < (int)sizeof text; i++) {
        const struct sim_peer *p = &w->peers[i];
        n += snprintf(text + n, sizeof text - (size_t)n, ", peer %u %s of round %" PRIu64, i,
                      !p->is_member ? "away"
                      : p->is_up    ? session_state_name(p->session.state)
                                    : "down",
                      p->session.model_round);
    }
    sim_world_fail(w, "the run does not finish: host %s in round %" PRIu64 " of %" PRIu64 "%s",
                   w->host.is_up ? round_state_word(w->host.round.state) : "down",
                   w->host.round.round, w->plan.n_rounds, text);
}

/* What an auditor does: merge every round again from the receipts and payloads on the disk. */
static void audit_round(struct sim_world *w, uint64_t round, float *base)
{
    struct merge_input in[SIM_MAX_PEERS] = {0};
    struct sim_receipt r;
    struct msg_update m;
    char name[SIM_DISK_NAME];
    struct buf update = {0};
    struct err e = {0};
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->plan.n_peers; i++) {
        if (!sim_store_receipt(&w->host.disk, &w->peers[i].key.pub, round, &r)) continue;
        if (r.verdict != MSG_ACCEPTED) continue;
        sim_store_hash_name(name, "payload", &r.claim.payload);
        const struct buf *b = sim_disk_get(&w->host.disk, name);
        if (!b) {
            sim_world_fail(w, "audit of round %" PRIu64 ": a payload is lost", round);
            return;
        }
        in[n++] = (struct merge_input){w->peers[i].key.pub, b->p, b->len, r.claim.n_tokens};
    }
    sim_store_number_name(name, "round", round);
    check(sim_store_row(&w->host.disk, name, &m, sizeof m));
    if (merge_run(&w->table, &w->delta, 1, in, n, &update, &e) ||
        merge_apply(&w->table, &w->delta, SIM_OUTER_LR, update.p, update.len, base, &e))
        sim_world_fail(w, "audit of round %" PRIu64 ": %s", round, e.what);
    struct hash h = hash_of(update.p, update.len);
    if (!hash_equal(&h, &m.update))
        sim_world_fail(w, "audit: merging round %" PRIu64 " again gives another update", round);
    check_round(w, round, &m);
    buf_deinit(&update);
}

static void check_twice(struct sim_world *w)
{
    struct sim_receipt a;
    struct sim_receipt b;
    uint32_t i = 0;
    while (sim_store_next_receipt(&w->host.disk, &i, &a)) {
        uint32_t k = i;
        while (sim_store_next_receipt(&w->host.disk, &k, &b)) {
            if (a.seq == b.seq) sim_world_fail(w, "two receipts have the number %" PRIu64, a.seq);
            if (a.verdict == MSG_ACCEPTED && b.verdict == MSG_ACCEPTED &&
                hash_equal(&a.claim.payload, &b.claim.payload))
                sim_world_fail(w,
                               "one payload is accepted twice, in rounds %" PRIu64 " and %" PRIu64,
                               a.round, b.round);
        }
    }
}

/* A payload that was given back must not be in any round. */
static void check_returned(struct sim_world *w)
{
    const struct sim_oracle *o = w->oracle;
    for (uint32_t i = 0; i < o->n_returned; i++) {
        const struct returned *x = &o->returned[i];
        struct sim_receipt r;
        if (sim_store_receipt(&w->host.disk, &w->peers[x->peer].key.pub, x->round, &r) &&
            r.verdict == MSG_ACCEPTED && hash_equal(&r.claim.payload, &x->payload))
            sim_world_fail(w, "peer %u took back a contribution that round %" PRIu64 " merged",
                           x->peer, x->round);
    }
}

void sim_oracle_end(struct sim_world *w)
{
    const struct sim_oracle *o = w->oracle;
    if (w->n_queue == 0 && w->host.round.state != ROUND_ENDED) {
        sim_oracle_stuck(w);
        return;
    }
    sim_oracle_host_crashed(w); /* nothing acknowledged is missing, crash or not */
    if (o->n_models != w->plan.n_rounds + 1)
        sim_world_fail(w, "%" PRIu64 " rounds are published instead of %" PRIu64, o->n_models - 1,
                       w->plan.n_rounds);
    for (uint32_t i = 0; i < w->plan.n_peers && !w->has_failed; i++) {
        const struct sim_peer *p = &w->peers[i];
        if (!p->is_member) continue;
        struct hash h = sim_world_hash(w, p->base);
        if (p->book.model_round != w->plan.n_rounds)
            sim_world_fail(w, "peer %u ends with the model of round %" PRIu64, i,
                           p->book.model_round);
        sim_oracle_model(w, p, p->book.model_round, &h);
    }
    size_t size = w->table.n_params * sizeof(float);
    float *base = alloc_zero(1, size);
    check(base);
    memcpy(base, w->initial, size);
    for (uint64_t n = 0; n < w->plan.n_rounds && !w->has_failed; n++)
        audit_round(w, n, base);
    free(base);
    check_twice(w);
    check_returned(w);
}
