/* A contributor's trainer and its state file. "Training" moves the weights towards a fixed target
 * with noise that is a pure function of key, round, base and step, so that a step done again after
 * a crash gives the same weights. Everything after it is real: error feedback, packing, applying.
 *
 * What is durable when follows client/work.h: PACK, FOLD and RETURN save before they are told;
 * APPLY and LOAD do not, since updates can be had again; TRAIN saves now and then; STOP saves.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/outer.h"
#include "tests/sim/sim_oracle.h"
#include "tests/sim/sim_world.h"

#define TOKENS_PER_STEP 64

static size_t size_of(const struct sim_world *w)
{
    return w->table.n_params * sizeof(float);
}

/* --- the state file ----------------------------------------------------------------------------- */

static void write_state(struct sim_world *w, struct sim_peer *p, uint64_t txn)
{
    struct buf b = {0};
    buf_put(&b, &p->book, sizeof p->book);
    buf_put(&b, p->base, size_of(w));
    buf_put(&b, p->local, size_of(w));
    buf_put(&b, p->acc, size_of(w));
    buf_put(&b, p->anchor, size_of(w));
    buf_put(&b, p->payload.p, p->payload.len);
    check(!b.failed);
    sim_disk_put(&p->disk, txn, false, "state", b.p, b.len);
    buf_deinit(&b);
}

void sim_trainer_save(struct sim_world *w, struct sim_peer *p)
{
    uint64_t txn = sim_disk_begin(&p->disk);
    write_state(w, p, txn);
    sim_disk_sync(&p->disk, txn);
}

static void read_state(struct sim_world *w, struct sim_peer *p, const struct buf *b)
{
    size_t n = size_of(w);
    size_t fixed = sizeof p->book + 4 * n;
    check(b->len >= fixed);
    memcpy(&p->book, b->p, sizeof p->book);
    memcpy(p->base, b->p + sizeof p->book, n);
    memcpy(p->local, b->p + sizeof p->book + n, n);
    memcpy(p->acc, b->p + sizeof p->book + 2 * n, n);
    memcpy(p->anchor, b->p + sizeof p->book + 3 * n, n);
    buf_clear(&p->payload);
    buf_put(&p->payload, b->p + fixed, b->len - fixed);
}

void sim_trainer_open(struct sim_world *w, struct sim_peer *p)
{
    size_t n = size_of(w);
    if (!p->base) {
        p->base = alloc_zero(1, n);
        p->local = alloc_zero(1, n);
        p->acc = alloc_zero(1, n);
        p->anchor = alloc_zero(1, n);
        check(p->base && p->local && p->acc && p->anchor);
    }
    const struct buf *b = sim_disk_get(&p->disk, "state");
    if (b) {
        read_state(w, p, b);
        return;
    }
    p->book = (struct sim_book){0};
    memcpy(p->base, w->initial, n);
    memcpy(p->local, w->initial, n);
    memset(p->acc, 0, n);
    buf_clear(&p->payload);
}

/* --- training ----------------------------------------------------------------------------------- */

/* The phase that the order under way works on. */
static struct session_phase *phase_of(struct sim_peer *p)
{
    bool is_ahead = p->book.is_ahead && p->order.round == p->book.model_round + 1;
    return is_ahead ? &p->book.ahead : &p->book.phase;
}

static void plan_step(struct sim_world *w, struct sim_peer *p)
{
    int64_t ms = p->step_ms + sim_world_between(w, 0, p->step_ms / 4);
    sim_world_push(w, ms, SIM_EV_PEER_STEP, p->i, p->life)->number = ++p->work_gen;
}

static void one_step(struct sim_world *w, struct sim_peer *p)
{
    struct rng r;
    uint64_t seed = 0;
    memcpy(&seed, p->key.pub.b, sizeof seed);
    seed += p->n_left; /* who comes back after leaving trains anew, not the same again */
    uint64_t stream = 0;
    struct session_phase *phase = phase_of(p);
    memcpy(&stream, p->session.base.b, sizeof stream);
    rng_init(&r, seed + p->order.round, stream + phase->n_steps);
    for (uint64_t i = 0; i < w->table.n_params; i++) {
        float target = (float)((i * 2654435761U) & 1023U) / 1024.0F - 0.5F;
        uint64_t bits = i % 4 ? 0 : rng_u64(&r);
        float noise = (float)(bits & 255U) / 255.0F - 0.5F;
        p->local[i] += 0.1F * (target - p->local[i]) + 0.05F * noise;
    }
    phase->n_steps++;
    phase->n_tokens += TOKENS_PER_STEP;
    phase->loss = 5.0 / (double)(1 + p->order.round);
    phase->tok_per_s = 1000.0 * TOKENS_PER_STEP / (double)p->step_ms;
}

static void trained(struct sim_world *w, struct sim_peer *p, bool is_halted)
{
    struct session_event ev = {
        .kind = SESSION_EV_TRAINED, .tag = p->order.tag, .phase = *phase_of(p)};
    ev.phase.is_halted = is_halted;
    p->order.tag = 0;
    p->work_gen++;
    sim_peer_event(w, p, &ev);
}

static bool is_phase_over(const struct sim_world *w, struct sim_peer *p)
{
    uint32_t n_steps = phase_of(p)->n_steps;
    if (n_steps >= p->order.n_steps) return true;
    return n_steps > 0 && p->order.until_ms != SESSION_NONE && w->now >= p->order.until_ms;
}

void sim_trainer_step(struct sim_world *w, struct sim_peer *p)
{
    if (p->order.tag == 0) return;
    if (p->is_halted) {
        trained(w, p, true);
        return;
    }
    if (!is_phase_over(w, p)) {
        one_step(w, p);
        if (sim_world_chance(w, 0.2)) sim_trainer_save(w, p);
    }
    if (is_phase_over(w, p))
        trained(w, p, false);
    else
        plan_step(w, p);
}

void sim_trainer_halt(struct sim_world *w, struct sim_peer *p, uint32_t tag)
{
    if (p->order.tag != tag || p->order.what != SESSION_DO_TRAIN) return;
    p->is_halted = true;
    if (!p->is_gated) sim_world_push(w, 5, SIM_EV_PEER_STEP, p->i, p->life)->number = ++p->work_gen;
}

void sim_trainer_gate(struct sim_world *w, struct sim_peer *p, bool is_paused)
{
    p->is_gated = is_paused;
    if (p->order.tag == 0 || p->order.what != SESSION_DO_TRAIN) return;
    p->work_gen++; /* the step under way stands still, and is taken up anew */
    if (is_paused && sim_world_chance(w, 0.5)) sim_trainer_save(w, p);
    if (!is_paused) plan_step(w, p);
}

/* --- the other orders --------------------------------------------------------------------------- */

static void pack(struct sim_world *w, struct sim_peer *p)
{
    struct err e = {0};
    outer_accumulate(SIM_BETA, p->base, p->local, p->acc, w->table.n_params);
    buf_clear(&p->payload);
    if (delta_pack(&w->table, &w->delta, DELTA_CONTRIBUTION, p->acc, p->acc, &p->payload, NULL,
                   &e)) {
        sim_world_fail(w, "packing: %s", e.what);
        return;
    }
    p->book.has_payload = true;
    p->book.payload = (struct session_payload){
        .hash = hash_of(p->payload.p, p->payload.len),
        .n_bytes = p->payload.len + (uint64_t)w->plan.n_bulk * MSG_CHUNK_BYTES,
        .n_chunks = w->plan.n_bulk + 1,
        .created_at_ms = sim_world_wall(w)};
    if (!w->plan.ahead_steps) return;
    p->book.is_ahead = true;
    memcpy(p->anchor, p->local, size_of(w));
}

/* What was learned ahead and cannot land goes into the error feedback (trainer_ahead_fold). */
static void fold_ahead(struct sim_world *w, struct sim_peer *p)
{
    if (!p->book.is_ahead) return;
    for (uint64_t i = 0; i < w->table.n_params; i++)
        p->acc[i] += p->anchor[i] - p->local[i];
}

/* Nothing of the phase is left but what the error feedback holds. */
static void forget_phase(struct sim_world *w, struct sim_peer *p)
{
    memcpy(p->local, p->base, size_of(w));
    p->book.phase = p->book.ahead = (struct session_phase){0};
    p->book.is_ahead = false;
    p->book.has_payload = false;
    p->book.is_round_done = true;
    buf_clear(&p->payload);
}

static void fold(struct sim_world *w, struct sim_peer *p)
{
    if (p->book.phase.n_steps == 0) return; /* already, before a save that failed */
    outer_accumulate(SIM_BETA, p->base, p->local, p->acc, w->table.n_params);
    forget_phase(w, p);
}

static void give_back(struct sim_world *w, struct sim_peer *p)
{
    struct err e = {0};
    if (!p->book.has_payload) return;
    if (outer_return(&w->table, &w->delta, p->payload.p, p->payload.len, p->acc, &e))
        sim_world_fail(w, "returning: %s", e.what);
    sim_oracle_returned(w, p);
    fold_ahead(w, p);
    forget_phase(w, p);
}

/* phase: what was done of it ahead. */
static void next_round(struct sim_world *w, struct sim_peer *p, uint64_t round,
                       struct session_phase phase)
{
    if (p->book.has_payload) sim_oracle_dropped(w, p);
    p->book = (struct sim_book){.model_round = round, .phase = phase};
    buf_clear(&p->payload);
}

static void apply(struct sim_world *w, struct sim_peer *p)
{
    struct err e = {0};
    if (outer_apply(&w->table, &w->delta, (float)SIM_OUTER_LR, p->update.p, p->update.len, p->base,
                    &e))
        sim_world_fail(w, "applying: %s", e.what);
    uint32_t ahead = p->book.ahead.n_steps;
    if (ahead && ahead != w->plan.ahead_steps &&
        p->session.round.round == p->book.model_round + 1 &&
        p->session.round.state != MSG_ROUND_ENDED && !p->session.is_finishing)
        sim_world_fail(w, "peer %u lands an update after %u steps ahead", p->i, ahead);
    if (ahead) sim_world_say(w, "peer %u lands an update after %u steps ahead", p->i, ahead);
    for (uint64_t i = 0; i < w->table.n_params; i++)
        p->local[i] = p->base[i] + (p->book.is_ahead ? p->local[i] - p->anchor[i] : 0);
    next_round(w, p, p->book.model_round + 1, p->book.ahead);
}

static void load(struct sim_world *w, struct sim_peer *p)
{
    check(p->checkpoint.len == size_of(w));
    fold_ahead(w, p);
    memcpy(p->base, p->checkpoint.p, p->checkpoint.len);
    memcpy(p->local, p->base, size_of(w));
    next_round(w, p, p->order.round, (struct session_phase){0});
}

static void told(struct sim_world *w, struct sim_peer *p)
{
    struct session_event ev = {.tag = p->order.tag};
    switch ((int)p->order.what) {
    case SESSION_DO_PACK:
        ev.kind = SESSION_EV_PACKED;
        ev.payload = p->book.payload;
        break;
    case SESSION_DO_FOLD:
    case SESSION_DO_RETURN: ev.kind = SESSION_EV_RETURNED; break;
    case SESSION_DO_STOP_WORK: ev.kind = SESSION_EV_STOPPED; break;
    default:
        ev.kind = SESSION_EV_APPLIED;
        ev.applied = sim_world_hash(w, p->base);
        sim_oracle_model(w, p, p->book.model_round, &ev.applied);
    }
    p->order.tag = 0;
    if (!w->has_failed) sim_peer_event(w, p, &ev);
}

/* Stage 0: the arithmetic; stage 1: the save, where there is one; then tell. */
void sim_trainer_work(struct sim_world *w, struct sim_peer *p)
{
    if (p->order.tag == 0) return;
    enum session_do what = p->order.what;
    if (sim_world_accident(w, 3 * w->plan.crash_frac)) {
        sim_peer_crash(w, p);
        return;
    }
    if (p->stage == 1) {
        bool is_kept = what != SESSION_DO_APPLY && what != SESSION_DO_LOAD;
        if (is_kept) sim_trainer_save(w, p);
        if (sim_world_accident(w, 3 * w->plan.crash_frac)) {
            sim_peer_crash(w, p);
            return;
        }
        told(w, p);
        return;
    }
    if (what == SESSION_DO_PACK)
        pack(w, p);
    else if (what == SESSION_DO_FOLD)
        fold(w, p);
    else if (what == SESSION_DO_RETURN)
        give_back(w, p);
    else if (what == SESSION_DO_APPLY)
        apply(w, p);
    else if (what == SESSION_DO_LOAD)
        load(w, p);
    p->stage = 1;
    sim_world_push(w, sim_world_between(w, 0, 50), SIM_EV_PEER_WORK, p->i, p->life)->number =
        ++p->work_gen;
}

void sim_trainer_order(struct sim_world *w, struct sim_peer *p, const struct session_action *a)
{
    if (p->order.tag && a->what != SESSION_DO_STOP_WORK) {
        sim_world_fail(w, "peer %u is given a second order while one is under way", p->i);
        return;
    }
    p->order = *a;
    p->stage = 0;
    p->is_halted = false;
    if (a->what == SESSION_DO_TRAIN && p->is_gated) return;
    if (a->what == SESSION_DO_TRAIN)
        plan_step(w, p);
    else
        sim_world_push(w, sim_world_between(w, 1, 100), SIM_EV_PEER_WORK, p->i, p->life)->number =
            ++p->work_gen;
}
