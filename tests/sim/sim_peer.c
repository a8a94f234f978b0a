/* A contributor's process: carries out what session.c orders, in order, and tells it what became of
 * it. It decides nothing. The power may go after any action.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/sim_oracle.h"
#include "tests/sim/sim_store.h"
#include "tests/sim/sim_world.h"

struct wish {
    bool is_paused, is_finishing;
};

static void keep(struct sim_peer *p, const char *name, const void *bytes, size_t n, bool is_synced)
{
    uint64_t txn = sim_disk_begin(&p->disk);
    sim_disk_put(&p->disk, txn, false, name, bytes, n);
    if (is_synced) sim_disk_sync(&p->disk, txn);
}

/* --- requests ----------------------------------------------------------------------------------- */

static uint32_t chunk_bytes(const struct sim_peer *p, uint32_t i, struct buf *out)
{
    if (i + 1 == p->book.payload.n_chunks) {
        buf_put(out, p->payload.p, p->payload.len);
        if (p->is_liar && p->book.model_round % 2) out->p[out->len - 1] ^= 0x55;
        return (uint32_t)p->payload.len;
    }
    /* Bulk: a few bytes in memory that weigh a MiB on the line. */
    buf_put(out, p->book.payload.hash.b, 16);
    buf_put_u32(out, i);
    return MSG_CHUNK_BYTES;
}

static void sign_manifest(struct sim_world *w, const struct sim_peer *p, const char *id,
                          struct buf *out)
{
    struct msg_manifest *m = alloc_zero(1, sizeof *m);
    struct err e = {0};
    check(m);
    m->run = w->run;
    memcpy(m->id, id, sizeof m->id);
    m->round = p->book.model_round;
    m->base = p->session.base;
    m->payload = p->book.payload.hash;
    m->n_bytes = p->book.payload.n_bytes;
    m->n_chunks = p->book.payload.n_chunks;
    for (uint32_t i = 0; i < m->n_chunks; i++) {
        struct buf b = {0};
        chunk_bytes(p, i, &b);
        m->chunks[i] = hash_of(b.p, b.len);
        buf_deinit(&b);
    }
    m->n_tokens = p->book.phase.n_tokens;
    if (p->is_liar && p->book.model_round % 2 == 0) m->n_tokens *= 1000;
    m->n_steps = p->book.phase.n_steps;
    m->loss = p->book.phase.loss;
    m->tok_per_s = p->book.phase.tok_per_s;
    snprintf(m->engine, sizeof m->engine, "simulated");
    m->created_at_ms = p->book.payload.created_at_ms;
    if (msg_manifest_sign(m, &p->key, out, &e)) sim_world_fail(w, "manifest: %s", e.what);
    free(m);
}

static void sign_body(struct sim_world *w, const struct sim_peer *p, const struct session_action *a,
                      struct sim_request *rq)
{
    struct err e = {0};
    int rc = OK;
    if (a->what == SESSION_DO_JOIN) {
        struct msg_join m = {.run = w->run, .created_at_ms = sim_world_wall(w)};
        snprintf(m.name, sizeof m.name, "peer %u", p->i);
        snprintf(m.client, sizeof m.client, "sim");
        rc = msg_join_sign(&m, &p->key, &rq->body, &e);
    } else if (a->what == SESSION_DO_RESERVE) {
        struct msg_reserve m = {.run = w->run,
                                .round = a->round,
                                .base = a->hash,
                                .max_bytes = a->n_bytes,
                                .created_at_ms = a->created_at_ms};
        rc = msg_reserve_sign(&m, &p->key, &rq->body, &e);
    } else if (a->what == SESSION_DO_MANIFEST) {
        sign_manifest(w, p, a->id, &rq->body);
    }
    if (rc) sim_world_fail(w, "a contributor cannot sign: %s", e.what);
}

static enum sim_verb verb_of(enum session_do what)
{
    switch ((int)what) {
    case SESSION_DO_JOIN: return SIM_JOIN;
    case SESSION_DO_POLL: return SIM_POLL;
    case SESSION_DO_RESERVE: return SIM_RESERVE;
    case SESSION_DO_PUT_CHUNK: return SIM_CHUNK;
    case SESSION_DO_MANIFEST: return SIM_MANIFEST;
    case SESSION_DO_FETCH_UPDATE: return SIM_UPDATE;
    case SESSION_DO_CHECK_RECORD: return SIM_RECORD;
    default: return SIM_CHECKPOINT;
    }
}

static void request(struct sim_world *w, struct sim_peer *p, const struct session_action *a)
{
    struct sim_request *rq = alloc_zero(1, sizeof *rq);
    check(rq && p->n_calls < 8);
    *rq = (struct sim_request){.verb = verb_of(a->what),
                               .peer = p->i,
                               .life = p->life,
                               .tag = a->tag,
                               .round = a->round,
                               .i_chunk = a->i_chunk,
                               .is_long = a->is_long,
                               .is_paused = strcmp(session_wire_state(&p->session), "paused") == 0};
    memcpy(rq->id, a->what == SESSION_DO_POLL ? p->session.token : a->id, sizeof rq->id);
    sign_body(w, p, a, rq);
    if (a->what == SESSION_DO_PUT_CHUNK) {
        rq->n_bytes = chunk_bytes(p, a->i_chunk, &rq->body);
        rq->digest = hash_of(rq->body.p, rq->body.len);
    }
    p->calls[p->n_calls++] = (struct sim_call_out){a->tag, rq->verb};
    sim_net_send(w, a->i_address, rq);
}

static void forget_call(struct sim_peer *p, uint32_t tag)
{
    for (uint32_t i = 0; i < p->n_calls; i++)
        if (p->calls[i].tag == tag) p->calls[i--] = p->calls[--p->n_calls];
}

/* --- actions ------------------------------------------------------------------------------------ */

static void act(struct sim_world *w, struct sim_peer *p, const struct session_action *a)
{
    switch (a->what) {
    case SESSION_DO_JOIN:
    case SESSION_DO_POLL:
    case SESSION_DO_FETCH_UPDATE:
    case SESSION_DO_FETCH_CHECKPOINT:
    case SESSION_DO_RESERVE:
    case SESSION_DO_PUT_CHUNK:
    case SESSION_DO_MANIFEST: request(w, p, a); break;
    case SESSION_DO_CHECK_RECORD:
        p->record_round = a->round;
        request(w, p, a);
        break;
    case SESSION_DO_DROP:
        forget_call(p, a->tag);
        p->dropped[p->n_dropped++ % 16] = a->tag;
        break;
    case SESSION_DO_TRAIN:
    case SESSION_DO_PACK:
    case SESSION_DO_FOLD:
    case SESSION_DO_RETURN:
    case SESSION_DO_APPLY:
    case SESSION_DO_LOAD:
    case SESSION_DO_STOP_WORK: sim_trainer_order(w, p, a); break;
    case SESSION_DO_HALT: sim_trainer_halt(w, p, a->tag); break;
    case SESSION_DO_GATE: sim_trainer_gate(w, p, a->is_long); break;
    case SESSION_DO_NOTE:
        keep(p, "note", &p->session.note, sizeof p->session.note,
             w->opt.plant != SIM_PLANT_FORGET_NOTE);
        break;
    case SESSION_DO_SAY:
        sim_world_say(w, "peer %u says%s: %s", p->i, a->is_long ? " loudly" : "", a->text);
        break;
    }
}

static void plan_tick(struct sim_world *w, struct sim_peer *p)
{
    int64_t at = session_next_ms(&p->session);
    if (at == SESSION_NONE) return;
    int64_t in_ms = at > w->now ? at - w->now : 1;
    sim_world_push(w, in_ms, SIM_EV_PEER_TICK, p->i, p->life)->number = ++p->tick_gen;
}

void sim_peer_event(struct sim_world *w, struct sim_peer *p, const struct session_event *ev)
{
    struct session_actions out;
    session_step(&p->session, ev, w->now, &out);
    for (uint32_t i = 0; i < out.n && !w->has_failed; i++) {
        act(w, p, &out.a[i]);
        sim_world_fold(w, out.a[i].what);
        if (sim_world_accident(w, w->plan.crash_frac)) {
            sim_peer_crash(w, p);
            return;
        }
    }
    sim_oracle_session(w, p);
    if (p->session.state == SESSION_GONE)
        sim_peer_leave(w, p);
    else
        plan_tick(w, p);
}

void sim_peer_tick(struct sim_world *w, struct sim_peer *p)
{
    struct session_event ev = {.kind = SESSION_EV_TICK};
    sim_peer_event(w, p, &ev);
}

/* --- answers ------------------------------------------------------------------------------------ */

static void fail(struct sim_world *w, struct sim_peer *p, const struct sim_reply *rp)
{
    struct session_event ev = {.kind = SESSION_EV_FAILED, .tag = rp->tag};
    ev.failed.code = ERR_IO;
    ev.failed.status = rp->status;
    ev.failed.why = rp->why;
    sim_peer_event(w, p, &ev);
}

static void on_receipt(struct sim_world *w, struct sim_peer *p, const struct sim_reply *rp)
{
    struct msg_receipt m;
    struct err e = {0};
    char name[SIM_DISK_NAME];
    if (msg_receipt_verify(rp->body.p, rp->body.len, &w->host.key.pub, &m, &e)) {
        sim_world_fail(w, "an honest receipt is refused: %s", e.what);
        return;
    }
    sim_store_number_name(name, "receipt", m.seq);
    keep(p, name, rp->body.p, rp->body.len, true);
    sim_oracle_receipt(w, p, &m, &rp->body);
    struct session_event ev = {.kind = SESSION_EV_RECEIPT, .tag = rp->tag, .receipt = &m};
    if (!w->has_failed) sim_peer_event(w, p, &ev);
}

static void on_update(struct sim_world *w, struct sim_peer *p, const struct sim_reply *rp)
{
    struct msg_update m;
    struct err e = {0};
    if (msg_update_verify(rp->head.p, rp->head.len, &w->host.key.pub, &m, &e)) {
        sim_world_fail(w, "an honest update is refused: %s", e.what);
        return;
    }
    struct hash h = hash_of(rp->body.p, rp->body.len);
    if (!hash_equal(&h, &m.update)) sim_world_fail(w, "an update's bytes are not those signed");
    buf_clear(&p->update);
    buf_put(&p->update, rp->body.p, rp->body.len);
    struct session_event ev = {.kind = SESSION_EV_UPDATE, .tag = rp->tag, .update = &m};
    sim_peer_event(w, p, &ev);
}

static void on_plain(struct sim_world *w, struct sim_peer *p, const struct sim_reply *rp)
{
    struct session_event ev = {.tag = rp->tag};
    struct msg_round round;
    struct msg_slot slot;
    struct err e = {0};
    int rc = OK;
    if (rp->verb == SIM_JOIN || rp->verb == SIM_POLL) {
        rc = msg_round_decode(rp->body.p, rp->body.len, &round, &e);
        ev.kind = SESSION_EV_ROUND;
        ev.round = &round;
    } else if (rp->verb == SIM_RESERVE) {
        rc = msg_slot_decode(rp->body.p, rp->body.len, &slot, &e);
        ev.kind = SESSION_EV_SLOT;
        ev.slot = &slot;
    } else if (rp->verb == SIM_CHUNK) {
        ev.kind = SESSION_EV_CHUNK;
    } else {
        buf_clear(&p->checkpoint);
        buf_put(&p->checkpoint, rp->body.p, rp->body.len);
        ev.kind = SESSION_EV_CHECKPOINT;
    }
    if (rc)
        sim_world_fail(w, "an honest answer is refused: %s", e.what);
    else
        sim_peer_event(w, p, &ev);
}

static bool is_dropped(const struct sim_peer *p, uint32_t tag)
{
    for (uint32_t i = 0; i < 16 && i < p->n_dropped; i++)
        if (p->dropped[i] == tag) return true;
    return false;
}

void sim_peer_reply(struct sim_world *w, struct sim_reply *rp)
{
    struct sim_peer *p = &w->peers[rp->peer];
    if (!p->is_up || p->life != rp->life || is_dropped(p, rp->tag)) return;
    forget_call(p, rp->tag);
    sim_world_fold(w, (uint64_t)rp->verb << 16 | (uint64_t)rp->status);
    bool is_fetch = rp->verb == SIM_UPDATE || rp->verb == SIM_CHECKPOINT;
    if (is_fetch && p->session.transfer.tag != rp->tag) return; /* would replace fetched bytes */
    if (rp->verb == SIM_RECORD && p->session.record.tag != rp->tag) return; /* an old one */
    if (rp->status < 200 || rp->status > 299)
        fail(w, p, rp);
    else if (rp->verb == SIM_MANIFEST)
        on_receipt(w, p, rp);
    else if (rp->verb == SIM_UPDATE)
        on_update(w, p, rp);
    else if (rp->verb == SIM_RECORD)
        sim_log_reply(w, p, rp);
    else
        on_plain(w, p, rp);
}

/* --- life --------------------------------------------------------------------------------------- */

void sim_peer_intent(struct sim_world *w, struct sim_peer *p, enum intent_kind intent)
{
    if (!p->is_up) return;
    struct session_event ev = {.kind = SESSION_EV_INTENT, .intent = intent};
    uint32_t life = p->life;
    sim_world_say(w, "peer %u is asked to %s", p->i, intent_name(intent));
    sim_peer_event(w, p, &ev);
    if (!p->is_up || p->life != life) return;
    struct wish wish = {p->session.is_paused, p->session.is_finishing};
    keep(p, "wish", &wish, sizeof wish, true);
}

void sim_peer_start(struct sim_world *w, struct sim_peer *p)
{
    const struct sim_plan *plan = &w->plan;
    struct session_config c = {.run = w->run,
                               .inner_steps = plan->inner_steps,
                               .max_inner_steps = plan->max_inner_steps,
                               .ahead_steps = plan->ahead_steps,
                               .upload_ms = plan->upload_ms,
                               .n_addresses = plan->n_addresses,
                               .seed = w->opt.seed * 64 + p->i};
    struct wish wish = {0};
    p->is_member = true;
    p->is_up = true;
    p->n_calls = 0;
    p->n_dropped = 0;
    p->is_gated = false;
    p->order = (struct session_action){0};
    buf_clear(&p->update);
    buf_clear(&p->checkpoint);
    sim_trainer_open(w, p);
    struct hash base = sim_world_hash(w, p->base);
    struct session_saved saved = {.model_round = p->book.model_round,
                                  .base = base,
                                  .phase = p->book.phase,
                                  .ahead = p->book.ahead,
                                  .is_round_done = p->book.is_round_done,
                                  .has_payload = p->book.has_payload,
                                  .payload = p->book.payload};
    sim_store_row(&p->disk, "note", &saved.note, sizeof saved.note);
    sim_store_row(&p->disk, "wish", &wish, sizeof wish);
    saved.is_paused = wish.is_paused;
    saved.is_finishing = wish.is_finishing;
    session_init(&p->session, &c, &w->initial_hash);
    session_restore(&p->session, &saved);
    sim_world_say(w, "peer %u up (life %u), model of round %" PRIu64, p->i, p->life,
                  p->book.model_round);
    sim_oracle_model(w, p, p->book.model_round, &base);
    struct session_event ev = {.kind = SESSION_EV_START};
    if (!w->has_failed) sim_peer_event(w, p, &ev);
}

void sim_peer_crash(struct sim_world *w, struct sim_peer *p)
{
    if (!p->is_up) return;
    sim_world_say(w, "peer %u crashes (%s)", p->i, session_state_name(p->session.state));
    p->is_up = false;
    p->frozen_until_ms = 0;
    p->life++;
    p->n_crashes++;
    sim_disk_crash(&p->disk, &w->rng);
    sim_world_push(w, sim_world_between(w, 100, 20000), SIM_EV_PEER_START, p->i, p->life);
}

/* The session is gone by wish. After INTENT_LEAVE the state goes too, and the key stays. */
void sim_peer_leave(struct sim_world *w, struct sim_peer *p)
{
    bool forever = p->session.ending == INTENT_LEAVE;
    sim_world_say(w, "peer %u has %s", p->i, forever ? "left" : "stopped");
    p->is_up = false;
    p->life++;
    if (forever) {
        sim_disk_wipe(&p->disk);
        p->is_member = false;
        p->n_left++;
        /* Some never come back, as long as enough others stay. */
        if (p->i >= w->plan.min_contributions && sim_world_chance(w, 0.4)) return;
    }
    sim_world_push(w, sim_world_between(w, 1000, 60000), SIM_EV_PEER_START, p->i, p->life);
}

void sim_peer_deinit(struct sim_peer *p)
{
    sim_disk_deinit(&p->disk);
    free(p->base);
    free(p->local);
    free(p->acc);
    free(p->anchor);
    buf_deinit(&p->payload);
    buf_deinit(&p->update);
    buf_deinit(&p->checkpoint);
}
