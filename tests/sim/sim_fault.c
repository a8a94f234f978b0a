/* The plan of a seed, and its accidents. Seeds differ in everything: number and speed of the
 * contributors, rules of the run, and which accidents come how often. After faults_end_ms nothing
 * goes wrong any more, whoever is away or paused comes back, and the run must finish.
 */
#include <stdio.h>

#include "tests/sim/sim_world.h"

enum { CRASH_HOST, CRASH_PEER, INTENT, CUT, ADDRESS, FREEZE, N_ACCIDENTS };

/* One of three seeds has none of this accident, the others a frequency between lo and hi. */
static int64_t every(struct sim_world *w, int64_t lo, int64_t hi)
{
    return sim_world_chance(w, 0.33) ? 0 : sim_world_between(w, lo, hi);
}

static double frac(struct sim_world *w, double hi)
{
    return sim_world_chance(w, 0.33) ? 0 : hi * rng_unit(&w->rng);
}

void sim_fault_plan(struct sim_world *w)
{
    struct sim_plan *p = &w->plan;
    p->n_peers = 2 + rng_below(&w->rng, SIM_MAX_PEERS - 1);
    p->min_contributions = 1 + rng_below(&w->rng, p->n_peers > 3 ? 3 : p->n_peers);
    p->n_late = rng_below(&w->rng, p->n_peers - p->min_contributions + 1);
    uint32_t n_early = p->n_peers - p->n_late;
    p->wait_for = 1 + rng_below(&w->rng, n_early);
    p->n_addresses = 1 + rng_below(&w->rng, 2);
    p->n_bulk = rng_below(&w->rng, 5);
    p->n_rounds = 3 + rng_below(&w->rng, 6);
    bool by_time = sim_world_chance(w, 0.5);
    p->inner_steps = by_time ? 0 : 2 + rng_below(&w->rng, 5);
    p->inner_ms = by_time ? 2000 + rng_below(&w->rng, 8000) : 0;
    p->max_inner_steps = by_time ? 8 : p->inner_steps + rng_below(&w->rng, 3);
    p->upload_ms = 2000 + rng_below(&w->rng, 8000);
    p->checkpoint_every = 1 + rng_below(&w->rng, 3);
    p->keep_updates = p->checkpoint_every + rng_below(&w->rng, 4);
    p->delay_ms = 10 + rng_below(&w->rng, 400);
    p->faults_end_ms = 20000 + rng_below(&w->rng, 160000);
    p->loss_frac = frac(w, 0.15);
    p->dup_frac = frac(w, 0.15);
    p->flip_frac = frac(w, 0.05);
    p->disk_frac = frac(w, 0.1);
    p->crash_frac = frac(w, 0.01);
    p->crash_every_ms = every(w, 3000, 40000);
    p->intent_every_ms = every(w, 3000, 40000);
    p->cut_every_ms = every(w, 2000, 20000);
    p->down_every_ms = every(w, 10000, 60000);
    p->freeze_every_ms = every(w, 10000, 60000);
    p->door_frac = frac(w, 0.05);
    uint32_t most = by_time ? p->max_inner_steps : p->inner_steps;
    if (sim_world_chance(w, 0.5)) p->ahead_steps = rng_below(&w->rng, most);
}

static void plan_next(struct sim_world *w, uint64_t which, int64_t every_ms)
{
    if (every_ms == 0 || w->is_calm) return;
    int64_t in_ms = sim_world_between(w, 1, 2 * every_ms);
    sim_world_push(w, in_ms, SIM_EV_FAULT, 0, 0)->number = which;
}

static int64_t every_of(const struct sim_world *w, uint64_t which)
{
    const int64_t ms[N_ACCIDENTS] = {
        [CRASH_HOST] = w->plan.crash_every_ms, [CRASH_PEER] = w->plan.crash_every_ms,
        [INTENT] = w->plan.intent_every_ms,    [CUT] = w->plan.cut_every_ms,
        [ADDRESS] = w->plan.down_every_ms,     [FREEZE] = w->plan.freeze_every_ms,
    };
    return which < N_ACCIDENTS ? ms[which] : 0;
}

void sim_fault_begin(struct sim_world *w)
{
    const struct sim_plan *p = &w->plan;
    sim_world_push(w, 0, SIM_EV_HOST_START, 0, 0);
    for (uint32_t i = 0; i < p->n_peers; i++) {
        struct sim_peer *x = &w->peers[i];
        bool is_late = i >= p->n_peers - p->n_late;
        x->step_ms = sim_world_between(w, 50, 800);
        x->mib_ms = sim_world_between(w, 10, 500);
        /* Some are too slow for the deadline, as long as enough others are not. */
        if (i >= p->min_contributions && sim_world_chance(w, 0.3))
            x->mib_ms = sim_world_between(w, 500, 6000);
        x->is_liar = sim_world_chance(w, 0.15);
        int64_t in_ms =
            is_late ? sim_world_between(w, 5000, p->faults_end_ms) : sim_world_between(w, 0, 3000);
        sim_world_push(w, in_ms, SIM_EV_PEER_START, i, 0);
    }
    for (uint64_t k = 0; k < N_ACCIDENTS; k++)
        plan_next(w, k, every_of(w, k));
    sim_world_push(w, p->faults_end_ms, SIM_EV_CALM, 0, 0);
    sim_world_say(w, "%u peers (%u late), %u of them close a round, %u chunks, %s", p->n_peers,
                  p->n_late, p->min_contributions, p->n_bulk + 1,
                  p->inner_ms ? "time decides" : "steps decide");
}

static void ask(struct sim_world *w, struct sim_peer *p)
{
    static const enum intent_kind all[] = {INTENT_PAUSE,  INTENT_RESUME, INTENT_PAUSE,
                                           INTENT_RESUME, INTENT_FINISH, INTENT_STOP,
                                           INTENT_LEAVE};
    sim_peer_intent(w, p, all[rng_below(&w->rng, sizeof all / sizeof *all)]);
}

/* Up to four minutes: longer than every time-out but the one for a big download. */
static void freeze(struct sim_world *w, struct sim_peer *p)
{
    int64_t until = w->now + sim_world_between(w, 500, sim_world_chance(w, 0.5) ? 5000 : 240000);
    if (w->host.is_up && sim_world_chance(w, 0.3)) {
        sim_world_say(w, "host stands still for %.1f s", (double)(until - w->now) / 1000);
        w->host.frozen_until_ms = until;
    } else if (p->is_up) {
        sim_world_say(w, "peer %u stands still for %.1f s", p->i, (double)(until - w->now) / 1000);
        p->frozen_until_ms = until;
    }
}

void sim_fault_next(struct sim_world *w, uint64_t which)
{
    if (w->is_calm) return;
    struct sim_peer *p = &w->peers[rng_below(&w->rng, w->plan.n_peers)];
    switch (which) {
    case CRASH_HOST: sim_host_crash(w); break;
    case CRASH_PEER: sim_peer_crash(w, p); break;
    case INTENT: ask(w, p); break;
    case CUT:
        if (p->is_up) sim_net_cut(w, p);
        break;
    case ADDRESS:
        w->is_down[0] = sim_world_chance(w, 0.5);
        w->is_down[1] = !w->is_down[0] && sim_world_chance(w, 0.5);
        break;
    case FREEZE: freeze(w, p); break;
    default: break;
    }
    plan_next(w, which, every_of(w, which));
}

void sim_fault_calm(struct sim_world *w)
{
    if (!w->is_calm) sim_world_say(w, "no more accidents");
    w->is_calm = true;
    w->is_down[0] = false;
    w->is_down[1] = false;
    for (uint32_t i = 0; i < w->plan.n_peers; i++) {
        struct sim_peer *p = &w->peers[i];
        if (p->is_up && (p->session.is_paused || p->session.is_finishing))
            sim_peer_intent(w, p, INTENT_RESUME);
    }
    sim_world_push(w, 10000, SIM_EV_CALM, 0, 0);
}
