/* The aggregator's process: turns requests into events of round.c, carries out its actions in
 * order, answers. It decides nothing. The power may go after any action.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hex.h"
#include "engine/outer.h"
#include "record/merge.h"
#include "tests/sim/sim_oracle.h"
#include "tests/sim/sim_store.h"
#include "tests/sim/sim_world.h"

#define SIM_REWARD 1000003 /* not a multiple of anything */

/* --- calls that wait for an answer -------------------------------------------------------------- */

static uint64_t open_call(struct sim_world *w, const struct sim_request *rq, bool is_held)
{
    struct sim_host *h = &w->host;
    check(h->n_calls < SIM_MAX_CALLS);
    h->calls[h->n_calls++] = (struct sim_call){.req = ++h->next_req,
                                               .verb = rq->verb,
                                               .peer = rq->peer,
                                               .life = rq->life,
                                               .tag = rq->tag,
                                               .is_held = is_held};
    return h->next_req;
}

static bool close_call(struct sim_world *w, uint64_t req, struct sim_call *ret)
{
    struct sim_host *h = &w->host;
    for (uint32_t i = 0; i < h->n_calls; i++) {
        if (h->calls[i].req != req) continue;
        *ret = h->calls[i];
        h->calls[i] = h->calls[--h->n_calls];
        return true;
    }
    return false; /* the contributor went away */
}

static uint64_t newest_checkpoint(const struct sim_world *w)
{
    char name[SIM_DISK_NAME];
    uint64_t n = w->host.round.round;
    for (; n > 0; n--) {
        sim_store_number_name(name, "weights", n);
        if (sim_disk_get(&w->host.disk, name)) break;
    }
    return n;
}

static void describe(const struct sim_world *w, uint32_t peer, bool is_join, struct buf *out)
{
    const struct sim_host *h = &w->host;
    struct msg_round m = {.val_loss = NAN, .val_bits_per_byte = NAN, .swarm_tok_per_s = NAN};
    char name[SIM_DISK_NAME];
    round_describe(&h->round, w->now, &m);
    m.checkpoint_round = newest_checkpoint(w);
    sim_store_number_name(name, "weights", m.checkpoint_round);
    const struct buf *b = sim_disk_get(&h->disk, name);
    m.checkpoint = b ? hash_of(b->p, b->len) : w->initial_hash;
    m.checkpoint_bytes = w->table.n_params * sizeof(float);
    if (h->round.round > w->plan.keep_updates)
        m.oldest_update_round = h->round.round - w->plan.keep_updates;
    if (is_join) memcpy(m.session, h->tokens[peer], sizeof m.session);
    struct err e = {0};
    if (msg_round_encode(&m, out, &e)) check(!"a round that cannot be written");
}

static void reply_round(struct sim_world *w, const struct sim_call *c)
{
    struct buf b = {0};
    describe(w, c->peer, c->verb == SIM_JOIN, &b);
    sim_net_reply(w, c, 200, "", NULL, &b);
    buf_deinit(&b);
}

void sim_host_hold_over(struct sim_world *w, uint64_t req)
{
    struct sim_call c;
    if (close_call(w, req, &c)) reply_round(w, &c);
}

static void announce(struct sim_world *w)
{
    struct sim_host *h = &w->host;
    for (uint32_t i = h->n_calls; i-- > 0;) {
        struct sim_call c = h->calls[i];
        if (!c.is_held) continue;
        h->calls[i] = h->calls[--h->n_calls];
        reply_round(w, &c);
    }
}

/* --- actions ------------------------------------------------------------------------------------ */

static void reply_receipt(struct sim_world *w, const struct sim_call *c, const struct round_op *op)
{
    struct sim_receipt r;
    if (!sim_store_receipt(&w->host.disk, &op->contributor, op->round, &r)) {
        sim_world_fail(w, "the host answers with a receipt it does not have (round %" PRIu64 ")",
                       op->round);
        return;
    }
    struct buf b = {0};
    buf_put(&b, r.text, r.n_text);
    sim_net_reply(w, c, 200, "", NULL, &b);
    buf_deinit(&b);
}

static void reply(struct sim_world *w, const struct round_action *a)
{
    struct sim_call c;
    struct buf b = {0};
    struct err e = {0};
    if (!close_call(w, a->req, &c)) return;
    switch ((int)a->kind) {
    case ROUND_DO_REPLY_SLOT:
        if (msg_slot_encode(&a->slot, &b, &e)) sim_world_fail(w, "slot: %s", e.what);
        sim_net_reply(w, &c, 201, "", NULL, &b);
        break;
    case ROUND_DO_REPLY_STORED: sim_net_reply(w, &c, 204, "", NULL, NULL); break;
    case ROUND_DO_REPLY_RECEIPT: reply_receipt(w, &c, &a->op); break;
    case ROUND_DO_REPLY_ERROR: sim_net_reply(w, &c, a->status, a->detail, NULL, NULL); break;
    default: check(!"not a reply");
    }
    buf_deinit(&b);
}

/* Returns false when the power went. */
static bool perform(struct sim_world *w, const struct round_actions *out,
                    const struct sim_request *rq, const struct msg_manifest *m)
{
    for (uint32_t i = 0; i < out->n && !w->has_failed; i++) {
        const struct round_action *a = &out->a[i];
        if (a->kind <= ROUND_DO_PUBLISH)
            sim_host_work_begin(w, a, rq, m);
        else if (a->kind == ROUND_DO_ANNOUNCE)
            announce(w);
        else
            reply(w, a);
        if (sim_world_accident(w, w->plan.crash_frac)) {
            sim_host_crash(w);
            return false;
        }
    }
    return true;
}

static void plan_tick(struct sim_world *w)
{
    int64_t at = round_next_ms(&w->host.round, w->now);
    if (at == INT64_MAX) return;
    int64_t in_ms = at > w->now ? at - w->now : 1;
    sim_world_push(w, in_ms, SIM_EV_HOST_TICK, 0, w->host.life)->number = ++w->host.tick_gen;
}

void sim_host_step(struct sim_world *w, const struct round_event *ev, const struct sim_request *rq,
                   const struct msg_manifest *m)
{
    struct round_actions out;
    round_step(&w->host.round, ev, w->now, &out);
    if (perform(w, &out, rq, m)) plan_tick(w);
}

void sim_host_tick(struct sim_world *w)
{
    struct round_event ev = {.kind = ROUND_EV_TICK};
    sim_host_step(w, &ev, NULL, NULL);
}

/* --- requests ----------------------------------------------------------------------------------- */

static void answer_error(struct sim_world *w, const struct sim_request *rq, int status,
                         const char *why)
{
    struct sim_call c = {.verb = rq->verb, .peer = rq->peer, .life = rq->life, .tag = rq->tag};
    sim_net_reply(w, &c, status, why, NULL, NULL);
}

static bool see(struct sim_world *w, const struct sim_request *rq)
{
    uint32_t life = w->host.life;
    struct round_event ev = {.kind = ROUND_EV_SEEN,
                             .contributor = w->peers[rq->peer].key.pub,
                             .is_paused = rq->is_paused};
    sim_host_step(w, &ev, rq, NULL);
    return w->host.is_up && w->host.life == life;
}

/* The host's person takes somebody off the list, and thinks better of it later. */
static bool is_shut_out(struct sim_world *w, const struct sim_request *rq)
{
    if (!sim_world_accident(w, w->plan.door_frac)) return false;
    w->host.tokens[rq->peer][0] = '\0';
    answer_error(w, rq, 403, "the host has taken your key off the list");
    return true;
}

static void on_join(struct sim_world *w, const struct sim_request *rq)
{
    struct msg_join m;
    struct err e = {0};
    if (msg_join_verify(rq->body.p, rq->body.len, &w->peers[rq->peer].key.pub, &m, &e)) {
        sim_world_fail(w, "an honest join is refused: %s", e.what);
        return;
    }
    if (is_shut_out(w, rq)) return;
    uint8_t token[16];
    for (int i = 0; i < 16; i++)
        token[i] = (uint8_t)rng_below(&w->rng, 256);
    hex_encode(token, sizeof token, w->host.tokens[rq->peer]);
    if (!see(w, rq)) return;
    struct sim_call c = {.verb = rq->verb, .peer = rq->peer, .life = rq->life, .tag = rq->tag};
    reply_round(w, &c);
}

static void on_poll(struct sim_world *w, const struct sim_request *rq)
{
    struct sim_host *h = &w->host;
    if (!h->tokens[rq->peer][0] || strcmp(h->tokens[rq->peer], rq->id) != 0) {
        answer_error(w, rq, 401, "the session is unknown: join again");
        return;
    }
    if (is_shut_out(w, rq)) return;
    if (!see(w, rq)) return;
    bool is_news = rq->round != h->round.round || h->round.state == ROUND_ENDED || !rq->is_long;
    uint64_t req = open_call(w, rq, true);
    if (is_news)
        sim_host_hold_over(w, req);
    else
        sim_world_push(w, SIM_HOLD_MS, SIM_EV_HOLD, 0, h->life)->number = req;
}

static void on_reserve(struct sim_world *w, const struct sim_request *rq)
{
    struct msg_reserve m;
    struct err e = {0};
    if (msg_reserve_verify(rq->body.p, rq->body.len, &w->peers[rq->peer].key.pub, &m, &e)) {
        sim_world_fail(w, "an honest reservation is refused: %s", e.what);
        return;
    }
    bool is_full = sim_world_accident(w, w->plan.disk_frac);
    struct round_event ev = {.kind = ROUND_EV_RESERVE,
                             .req = open_call(w, rq, false),
                             .reserve = &m,
                             .room_bytes = is_full ? 0 : UINT64_C(1) << 50};
    sim_host_step(w, &ev, rq, NULL);
}

static void on_chunk(struct sim_world *w, const struct sim_request *rq)
{
    struct round_event ev = {.kind = ROUND_EV_CHUNK,
                             .req = open_call(w, rq, false),
                             .id = rq->id,
                             .i_chunk = rq->i_chunk,
                             .n_bytes = rq->n_bytes};
    sim_host_step(w, &ev, rq, NULL);
}

static void on_manifest(struct sim_world *w, const struct sim_request *rq)
{
    struct msg_manifest *m = alloc_zero(1, sizeof *m);
    struct err e = {0};
    check(m);
    if (msg_manifest_verify(rq->body.p, rq->body.len, &w->peers[rq->peer].key.pub, m, &e)) {
        sim_world_fail(w, "an honest manifest is refused: %s", e.what);
    } else {
        struct round_event ev = {
            .kind = ROUND_EV_MANIFEST, .req = open_call(w, rq, false), .manifest = m};
        sim_host_step(w, &ev, rq, m);
    }
    free(m);
}

static void on_update(struct sim_world *w, const struct sim_request *rq)
{
    char name[SIM_DISK_NAME];
    struct msg_update m;
    sim_store_number_name(name, "round", rq->round);
    bool is_gone = rq->round + w->plan.keep_updates < w->host.round.round;
    if (is_gone || rq->round >= w->host.round.round ||
        !sim_store_row(&w->host.disk, name, &m, sizeof m)) {
        answer_error(w, rq, 404, "that update is not kept");
        return;
    }
    struct sim_call c = {.verb = rq->verb, .peer = rq->peer, .life = rq->life, .tag = rq->tag};
    sim_store_number_name(name, "head", rq->round);
    const struct buf *head = sim_disk_get(&w->host.disk, name);
    sim_store_hash_name(name, "update", &m.update);
    const struct buf *bytes = sim_disk_get(&w->host.disk, name);
    if (!head || !bytes)
        sim_world_fail(w, "round %" PRIu64 " is published but its update is not there", rq->round);
    else
        sim_net_reply(w, &c, 200, "", head, bytes);
}

static void on_checkpoint(struct sim_world *w, const struct sim_request *rq)
{
    char name[SIM_DISK_NAME];
    struct sim_call c = {.verb = rq->verb, .peer = rq->peer, .life = rq->life, .tag = rq->tag};
    sim_store_number_name(name, "weights", rq->round);
    const struct buf *b = sim_disk_get(&w->host.disk, name);
    if (b && rq->round == newest_checkpoint(w))
        sim_net_reply(w, &c, 200, "", NULL, b);
    else
        answer_error(w, rq, 404, "that checkpoint is not kept");
}

void sim_host_request(struct sim_world *w, struct sim_request *rq)
{
    if (!w->host.is_up || rq->host_life != w->host.life) return; /* sim_host_crash told them */
    switch (rq->verb) {
    case SIM_JOIN: on_join(w, rq); break;
    case SIM_POLL: on_poll(w, rq); break;
    case SIM_RESERVE: on_reserve(w, rq); break;
    case SIM_CHUNK: on_chunk(w, rq); break;
    case SIM_MANIFEST: on_manifest(w, rq); break;
    case SIM_UPDATE: on_update(w, rq); break;
    case SIM_CHECKPOINT: on_checkpoint(w, rq); break;
    case SIM_RECORD: sim_log_request(w, rq); break;
    }
}

/* --- life --------------------------------------------------------------------------------------- */

static struct round_config config_of(const struct sim_world *w)
{
    const struct sim_plan *p = &w->plan;
    size_t packed = delta_max_bytes(&w->table, &w->delta, DELTA_CONTRIBUTION);
    struct round_config c = {.run = w->run,
                             .wait_for = p->wait_for,
                             .min_contributions = p->min_contributions,
                             .n_rounds = p->n_rounds,
                             .inner_ms = p->inner_ms,
                             .upload_ms = p->upload_ms,
                             .max_inner_steps = p->max_inner_steps,
                             .tokens_per_step = 64,
                             .max_bytes = packed + (uint64_t)p->n_bulk * MSG_CHUNK_BYTES,
                             .keep_free_bytes = 1 << 20,
                             .reward_per_round = SIM_REWARD};
    c.round_ms = (p->inner_ms ? p->inner_ms : 4 * p->upload_ms) + p->upload_ms;
    memset(c.secret, 42, sizeof c.secret);
    return c;
}

/* The base weights of the open round: the newest checkpoint, and the updates since. */
static void load_base(struct sim_world *w)
{
    struct sim_host *h = &w->host;
    char name[SIM_DISK_NAME];
    struct msg_update m;
    struct err e = {0};
    uint64_t n = sim_store_n_rounds(&h->disk);
    uint64_t from = n;
    for (; from > 0; from--) {
        sim_store_number_name(name, "weights", from);
        if (sim_disk_get(&h->disk, name)) break;
    }
    size_t size = w->table.n_params * sizeof(float);
    sim_store_number_name(name, "weights", from);
    const struct buf *b = sim_disk_get(&h->disk, name);
    memcpy(h->base, b ? (const void *)b->p : (const void *)w->initial, size);
    for (; from < n; from++) {
        sim_store_number_name(name, "round", from);
        check(sim_store_row(&h->disk, name, &m, sizeof m));
        sim_store_hash_name(name, "update", &m.update);
        b = sim_disk_get(&h->disk, name);
        if (!b || merge_apply(&w->table, &w->delta, SIM_OUTER_LR, b->p, b->len, h->base, &e)) {
            sim_world_fail(w, "after a crash, the update of published round %" PRIu64 " is lost",
                           from);
            return;
        }
    }
    h->base_round = n;
}

/* Who took part in the open round or the one before, from the rows of the store. */
static uint32_t load_stored(const struct sim_world *w, uint64_t round, struct round_stored *ret)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->plan.n_peers; i++) {
        const struct key_pub *k = &w->peers[i].key.pub;
        const struct sim_disk *d = &w->host.disk;
        struct round_stored s = {.contributor = *k};
        struct round_op slot;
        struct sim_receipt r;
        char name[SIM_DISK_NAME];
        sim_store_slot_name(name, round, k);
        s.has_slot = sim_store_row(d, name, &slot, sizeof slot);
        if (s.has_slot) {
            memcpy(s.id, slot.id, sizeof s.id);
            s.max_bytes = slot.max_bytes;
            for (uint32_t c = 0; c < MSG_MAX_CHUNKS; c++) {
                sim_store_chunk_name(name, slot.id, c);
                if (c <= w->plan.n_bulk && sim_disk_get(d, name))
                    s.have[c / 8] = (uint8_t)(s.have[c / 8] | 1U << (c % 8));
            }
        }
        s.has_receipt =
            w->opt.plant != SIM_PLANT_FORGET_RECEIPTS && sim_store_receipt(d, k, round, &r);
        if (s.has_receipt) {
            s.verdict = r.verdict;
            s.seq = r.seq;
            s.claim = r.claim;
        }
        struct sim_receipt before;
        bool was_here = round > 0 && sim_store_receipt(d, k, round - 1, &before);
        if (s.has_slot || s.has_receipt || was_here) ret[n++] = s;
    }
    return n;
}

void sim_host_start(struct sim_world *w)
{
    struct sim_host *h = &w->host;
    struct round_config c = config_of(w);
    struct round_stored *stored = alloc_zero(SIM_MAX_PEERS, sizeof *stored);
    struct round_actions out;
    struct msg_update last = {0};
    struct err e = {0};
    char name[SIM_DISK_NAME];
    if (!h->base) h->base = alloc_zero(w->table.n_params, sizeof *h->base);
    check(h->base && stored);
    h->is_up = true;
    memset(h->tokens, 0, sizeof h->tokens);
    h->n_calls = 0;
    load_base(w);
    if (w->has_failed) {
        free(stored);
        return;
    }
    uint64_t n = sim_store_n_rounds(&h->disk);
    struct hash base = sim_world_hash(w, h->base);
    sim_store_number_name(name, "round", n - 1);
    if (n > 0) check(sim_store_row(&h->disk, name, &last, sizeof last));
    uint32_t n_stored = load_stored(w, n, stored);
    check(round_init(&h->round, &c, &e) == OK);
    check(round_restore(&h->round, n, &base, &last.update, last.update_bytes, stored, n_stored,
                        w->now, &out, &e) == OK);
    free(stored);
    sim_world_say(w, "host up (life %u), round %" PRIu64 ", %u stored", h->life, n, n_stored);
    sim_oracle_host_started(w);
    if (!w->has_failed && perform(w, &out, NULL, NULL)) plan_tick(w);
}

void sim_host_crash(struct sim_world *w)
{
    struct sim_host *h = &w->host;
    if (!h->is_up) return;
    sim_world_say(w, "host crashes in round %" PRIu64 " (%s)", h->round.round,
                  round_state_word(h->round.state));
    h->is_up = false;
    h->frozen_until_ms = 0;
    h->life++;
    h->n_crashes++;
    h->n_calls = 0;
    round_deinit(&h->round);
    sim_disk_crash(&h->disk, &w->rng);
    sim_oracle_host_crashed(w);
    for (uint32_t i = 0; i < w->plan.n_peers; i++)
        if (w->peers[i].is_up) sim_net_cut(w, &w->peers[i]);
    sim_world_push(w, sim_world_between(w, 100, 8000), SIM_EV_HOST_START, 0, h->life);
}

void sim_host_deinit(struct sim_world *w)
{
    round_deinit(&w->host.round);
    sim_disk_deinit(&w->host.disk);
    free(w->host.base);
}
