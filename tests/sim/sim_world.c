#include "tests/sim/sim_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/sim_oracle.h"

const char *sim_plant_name(enum sim_plant p)
{
    static const char *const names[] = {"none",          "ack-before-sync", "forget-receipts",
                                        "split-publish", "forget-note",     "fork"};
    return p >= 0 && p < SIM_PLANT_COUNT ? names[p] : "unknown";
}

const char *sim_plant_failure(enum sim_plant p)
{
    static const char *const words[] = {"",
                                        "an acknowledged contribution is lost",
                                        "which holds an accepted receipt",
                                        "the ledger pays for round",
                                        "which was accepted",
                                        "a rewritten history was noticed"};
    return p >= 0 && p < SIM_PLANT_COUNT ? words[p] : "";
}

void sim_world_fold(struct sim_world *w, uint64_t v)
{
    w->trace = (w->trace ^ v) * 0x9e3779b97f4a7c15ULL;
    w->trace ^= w->trace >> 29;
}

void sim_world_fail(struct sim_world *w, const char *fmt, ...)
{
    if (w->has_failed) return; /* what follows is mostly its consequence */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(w->failure, sizeof w->failure, fmt, ap);
    va_end(ap);
    w->has_failed = true;
    sim_world_say(w, "FAILED: %s", w->failure);
}

void sim_world_say(const struct sim_world *w, const char *fmt, ...)
{
    if (!w->opt.is_verbose) return;
    printf("%9.3f ", (double)w->now / 1000);
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

bool sim_world_chance(struct sim_world *w, double frac)
{
    return rng_unit(&w->rng) < frac;
}

bool sim_world_accident(struct sim_world *w, double frac)
{
    return !w->is_calm && frac > 0 && sim_world_chance(w, frac);
}

int64_t sim_world_between(struct sim_world *w, int64_t lo, int64_t hi)
{
    return lo + (int64_t)rng_below(&w->rng, (uint32_t)(hi - lo) + 1);
}

struct hash sim_world_hash(const struct sim_world *w, const float *params)
{
    return model_hash(&w->table, params);
}

int64_t sim_world_wall(const struct sim_world *w)
{
    return 1760000000000 + w->now;
}

/* --- the queue ---------------------------------------------------------------------------------- */

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->seq < b->seq;
}

static void swap(struct sim_event *a, struct sim_event *b)
{
    struct sim_event t = *a;
    *a = *b;
    *b = t;
}

/* Returns where the event came to rest: valid until the next push, to fill in what is special. */
struct sim_event *sim_world_push(struct sim_world *w, int64_t in_ms, enum sim_kind kind,
                                 uint32_t who, uint32_t life)
{
    if (w->n_queue == w->cap_queue) {
        w->cap_queue = w->cap_queue ? 2 * w->cap_queue : 256;
        w->queue = alloc_resize(w->queue, w->cap_queue, sizeof *w->queue);
        check(w->queue);
    }
    uint32_t i = w->n_queue++;
    w->queue[i] = (struct sim_event){.at_ms = w->now + (in_ms > 0 ? in_ms : 0),
                                     .seq = ++w->next_seq,
                                     .kind = kind,
                                     .who = who,
                                     .life = life};
    while (i > 0 && is_before(&w->queue[i], &w->queue[(i - 1) / 2])) {
        swap(&w->queue[i], &w->queue[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    return &w->queue[i];
}

static struct sim_event pop(struct sim_world *w)
{
    struct sim_event top = w->queue[0];
    w->queue[0] = w->queue[--w->n_queue];
    for (uint32_t i = 0;;) {
        uint32_t least = i;
        for (uint32_t c = 2 * i + 1; c <= 2 * i + 2; c++)
            if (c < w->n_queue && is_before(&w->queue[c], &w->queue[least])) least = c;
        if (least == i) break;
        swap(&w->queue[i], &w->queue[least]);
        i = least;
    }
    return top;
}

void sim_world_free(struct sim_event *ev)
{
    if (!ev->data) return;
    if (ev->kind == SIM_EV_REQUEST)
        sim_net_free_request(ev->data);
    else if (ev->kind == SIM_EV_REPLY)
        sim_net_free_reply(ev->data);
    else if (ev->kind == SIM_EV_HOST_WORK)
        sim_host_work_free(ev->data);
    ev->data = NULL;
}

/* --- one event ---------------------------------------------------------------------------------- */

static bool is_for_living(const struct sim_world *w, const struct sim_event *ev)
{
    const struct sim_peer *p = &w->peers[ev->who];
    switch (ev->kind) {
    case SIM_EV_HOLD:
    case SIM_EV_HOST_WORK: return w->host.is_up && ev->life == w->host.life;
    case SIM_EV_HOST_TICK:
        return w->host.is_up && ev->life == w->host.life && ev->number == w->host.tick_gen;
    case SIM_EV_HOST_START: return !w->host.is_up && ev->life == w->host.life;
    case SIM_EV_PEER_TICK: return p->is_up && ev->life == p->life && ev->number == p->tick_gen;
    case SIM_EV_PEER_START: return !p->is_up && ev->life == p->life;
    case SIM_EV_PEER_STEP:
    case SIM_EV_PEER_WORK: return p->is_up && ev->life == p->life && ev->number == p->work_gen;
    case SIM_EV_REQUEST:
    case SIM_EV_REPLY:
    case SIM_EV_FAULT:
    case SIM_EV_CALM: return true;
    }
    return false;
}

/* A process that stands still finds everything later, in the order in which it came. */
static bool is_frozen(struct sim_world *w, struct sim_event *ev)
{
    int64_t until = 0;
    switch (ev->kind) {
    case SIM_EV_REQUEST:
    case SIM_EV_HOLD:
    case SIM_EV_HOST_WORK:
    case SIM_EV_HOST_TICK: until = w->host.frozen_until_ms; break;
    case SIM_EV_REPLY:
    case SIM_EV_PEER_TICK:
    case SIM_EV_PEER_STEP:
    case SIM_EV_PEER_WORK: until = w->peers[ev->who].frozen_until_ms; break;
    case SIM_EV_HOST_START:
    case SIM_EV_PEER_START:
    case SIM_EV_FAULT:
    case SIM_EV_CALM: break;
    }
    if (until <= w->now) return false;
    struct sim_event *later = sim_world_push(w, until - w->now, ev->kind, ev->who, ev->life);
    later->number = ev->number;
    later->data = ev->data;
    ev->data = NULL;
    return true;
}

static void happen(struct sim_world *w, struct sim_event *ev)
{
    struct sim_peer *p = &w->peers[ev->who];
    switch (ev->kind) {
    case SIM_EV_REQUEST: sim_host_request(w, ev->data); break;
    case SIM_EV_REPLY: sim_peer_reply(w, ev->data); break;
    case SIM_EV_HOLD: sim_host_hold_over(w, ev->number); break;
    case SIM_EV_HOST_WORK: sim_host_work_go_on(w, ev); break;
    case SIM_EV_HOST_TICK: sim_host_tick(w); break;
    case SIM_EV_HOST_START: sim_host_start(w); break;
    case SIM_EV_PEER_TICK: sim_peer_tick(w, p); break;
    case SIM_EV_PEER_START: sim_peer_start(w, p); break;
    case SIM_EV_PEER_STEP: sim_trainer_step(w, p); break;
    case SIM_EV_PEER_WORK: sim_trainer_work(w, p); break;
    case SIM_EV_FAULT: sim_fault_next(w, ev->number); break;
    case SIM_EV_CALM: sim_fault_calm(w); break;
    }
}

static void fold_states(struct sim_world *w, const struct sim_event *ev)
{
    sim_world_fold(w, (uint64_t)ev->at_ms);
    sim_world_fold(w, (uint64_t)ev->kind << 32 | ev->who);
    sim_world_fold(w, w->host.round.round << 8 | w->host.round.state);
    for (uint32_t i = 0; i < w->plan.n_peers; i++)
        sim_world_fold(w, w->peers[i].session.model_round << 8 | w->peers[i].session.state);
}

/* --- the experiment ----------------------------------------------------------------------------- */

/* A small model: two matrices that chunks do not divide evenly, and norms. */
static void make_table(struct sim_world *w)
{
    static const struct {
        const char *name;
        uint32_t rows, cols;
    } shape[] = {
        {"embed",  40, 64},
        {"norm_1", 64, 1 },
        {"up",     48, 64},
        {"down",   64, 48},
        {"norm_2", 64, 1 }
    };
    uint32_t n = sizeof shape / sizeof *shape;
    w->table = (struct model_table){.n_tensors = n};
    w->table.tensors = alloc_zero(n, sizeof *w->table.tensors);
    check(w->table.tensors);
    for (uint32_t i = 0; i < n; i++) {
        struct model_tensor *t = &w->table.tensors[i];
        snprintf(t->name, sizeof t->name, "%s", shape[i].name);
        t->rows = shape[i].rows;
        t->cols = shape[i].cols;
        t->offset = w->table.n_params;
        t->n = (uint64_t)t->rows * t->cols;
        w->table.n_params += t->n;
    }
    w->delta = (struct delta_params){.chunk = 512, .k = 32};
    w->initial = alloc_zero(w->table.n_params, sizeof *w->initial);
    check(w->initial);
    struct rng r;
    rng_init(&r, 7, 7);
    for (uint64_t i = 0; i < w->table.n_params; i++)
        w->initial[i] = 0.02F * rng_normal(&r);
    w->initial_hash = sim_world_hash(w, w->initial);
    w->run = hash_of("simulated run", 13);
}

static void make_key(struct key *k, uint64_t seed, uint32_t who)
{
    uint8_t bytes[KEY_BYTES];
    struct rng r;
    rng_init(&r, seed, 1000 + who);
    for (int i = 0; i < KEY_BYTES; i++)
        bytes[i] = (uint8_t)rng_below(&r, 256);
    check(key_from_seed(bytes, k, NULL) == OK);
}

static bool is_over(const struct sim_world *w)
{
    if (!w->is_calm || !w->host.is_up || w->host.round.state != ROUND_ENDED) return false;
    for (uint32_t i = 0; i < w->plan.n_peers; i++) {
        const struct sim_peer *p = &w->peers[i];
        if (!p->is_member) continue;
        if (!p->is_up || p->session.state != SESSION_ENDED) return false;
    }
    return true;
}

bool sim_world_run(struct sim_world *w, const struct sim_options *o)
{
    *w = (struct sim_world){.opt = *o, .trace = o->seed};
    rng_init(&w->rng, o->seed, 0);
    make_table(w);
    sim_fault_plan(w);
    make_key(&w->host.key, o->seed, 0);
    for (uint32_t i = 0; i < w->plan.n_peers; i++) {
        w->peers[i].i = i;
        make_key(&w->peers[i].key, o->seed, 1 + i);
    }
    sim_oracle_create(w);
    sim_fault_begin(w);
    while (!w->has_failed && w->n_queue > 0 && !is_over(w)) {
        struct sim_event ev = pop(w);
        if (ev.at_ms > SIM_END_MS) {
            sim_oracle_stuck(w);
            sim_world_free(&ev);
            break;
        }
        w->now = ev.at_ms;
        if (is_for_living(w, &ev) && !is_frozen(w, &ev)) {
            w->n_events++;
            happen(w, &ev);
            fold_states(w, &ev);
        }
        sim_world_free(&ev);
    }
    if (!w->has_failed) sim_oracle_end(w);
    return !w->has_failed;
}

void sim_world_deinit(struct sim_world *w)
{
    for (uint32_t i = 0; i < w->n_queue; i++)
        sim_world_free(&w->queue[i]);
    free(w->queue);
    sim_host_deinit(w);
    for (uint32_t i = 0; i < SIM_MAX_PEERS; i++)
        sim_peer_deinit(&w->peers[i]);
    sim_oracle_destroy(w);
    free(w->table.tensors);
    free(w->initial);
    *w = (struct sim_world){0};
}
