#pragma once
/* A round with hands, for test_round*.c: sends what contributors send and does the work at once,
 * unless a test holds an op back to look at what happens in between.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/round.h"
#include "tests/check.h"

#define RIG_TOKENS_A_STEP 100
#define RIG_ROUND_MS      60000

struct rig {
    struct round r;
    struct round_actions out;
    int64_t now;
    uint64_t req;
    uint64_t seq;
};

static inline struct key_pub rig_key(uint8_t i)
{
    struct key_pub k = {{i}};
    return k;
}

static inline struct hash rig_hash(uint8_t i)
{
    return hash_of(&i, 1);
}

static inline struct round_config rig_config(void)
{
    return (struct round_config){.run = rig_hash(200),
                                 .wait_for = 2,
                                 .min_contributions = 1,
                                 .n_rounds = 3,
                                 .round_ms = RIG_ROUND_MS,
                                 .inner_ms = 30000,
                                 .upload_ms = 30000,
                                 .max_inner_steps = 50,
                                 .tokens_per_step = RIG_TOKENS_A_STEP,
                                 .max_bytes = 3 * MSG_CHUNK_BYTES,
                                 .keep_free_bytes = 1000,
                                 .reward_per_round = 1000};
}

static inline void rig_start_with(struct rig *g, const struct round_config *c)
{
    struct err e = {0};
    struct hash base = rig_hash(100), none = {0};
    *g = (struct rig){.now = 1000};
    assert_int_equal(round_init(&g->r, c, &e), OK);
    assert_int_equal(round_restore(&g->r, 0, &base, &none, 0, NULL, 0, g->now, &g->out, &e), OK);
}

static inline void rig_start(struct rig *g)
{
    struct round_config c = rig_config();
    rig_start_with(g, &c);
}

static inline void rig_step(struct rig *g, const struct round_event *ev)
{
    round_step(&g->r, ev, g->now, &g->out);
}

static inline void rig_see(struct rig *g, uint8_t who)
{
    rig_step(g, &(struct round_event){.kind = ROUND_EV_SEEN, .contributor = rig_key(who)});
}

static inline void rig_tick(struct rig *g, int64_t ms)
{
    g->now += ms;
    rig_step(g, &(struct round_event){.kind = ROUND_EV_TICK});
}

/* The only action of this kind in the last step; fails the test when there is none. */
static inline const struct round_action *rig_action(const struct rig *g,
                                                    enum round_action_kind kind)
{
    for (uint32_t i = 0; i < g->out.n; i++)
        if (g->out.a[i].kind == kind) return &g->out.a[i];
    fail_msg("no action of kind %d among %u", (int)kind, g->out.n);
    abort();
}

static inline bool rig_has(const struct rig *g, enum round_action_kind kind)
{
    for (uint32_t i = 0; i < g->out.n; i++)
        if (g->out.a[i].kind == kind) return true;
    return false;
}

/* Status of the refusal in the last step. */
static inline int rig_status(const struct rig *g)
{
    const struct round_action *a = rig_action(g, ROUND_DO_REPLY_ERROR);
    assert_true(a->detail[0] && a->hint[0]);
    return a->status;
}

static inline void rig_done(struct rig *g, enum round_action_kind work, const struct round_op *op,
                            enum round_outcome outcome)
{
    struct round_event ev = {
        .kind = ROUND_EV_DONE, .work = work, .op = *op, .outcome = outcome, .verdict = op->verdict};
    if (work == ROUND_DO_STORE_RECEIPT && outcome == ROUND_OK) ev.seq = ++g->seq;
    if (work == ROUND_DO_MERGE) {
        ev.result = rig_hash((uint8_t)(101 + g->r.round));
        ev.update = rig_hash((uint8_t)(150 + g->r.round));
        ev.update_bytes = 77;
    }
    snprintf(ev.reason, sizeof ev.reason, "because");
    rig_step(g, &ev);
}

/* End the one piece of work of the last step. */
static inline void rig_end(struct rig *g, enum round_action_kind work, enum round_outcome outcome)
{
    struct round_op op = rig_action(g, work)->op;
    rig_done(g, work, &op, outcome);
}

static inline struct msg_reserve rig_reserve(const struct rig *g, uint8_t who)
{
    return (struct msg_reserve){.run = g->r.cfg.run,
                                .contributor = rig_key(who),
                                .round = g->r.round,
                                .base = g->r.base,
                                .max_bytes = MSG_CHUNK_BYTES + 10};
}

static inline void rig_send_reserve(struct rig *g, const struct msg_reserve *m)
{
    rig_step(g,
             &(struct round_event){
                 .kind = ROUND_EV_RESERVE, .req = ++g->req, .reserve = m, .room_bytes = 1u << 30});
}

static inline void rig_send_chunk(struct rig *g, const char *id, uint32_t i, uint64_t n)
{
    rig_step(g, &(struct round_event){
                    .kind = ROUND_EV_CHUNK, .req = ++g->req, .id = id, .i_chunk = i, .n_bytes = n});
}

static inline void rig_send_manifest(struct rig *g, const struct msg_manifest *m)
{
    rig_step(g, &(struct round_event){.kind = ROUND_EV_MANIFEST, .req = ++g->req, .manifest = m});
}

/* Reserve and store both chunks; the manifest that would follow. */
static inline void rig_upload(struct rig *g, uint8_t who, struct msg_manifest *ret)
{
    struct msg_reserve m = rig_reserve(g, who);
    rig_send_reserve(g, &m);
    rig_end(g, ROUND_DO_STORE_SLOT, ROUND_OK);
    memset(ret, 0, sizeof *ret);
    memcpy(ret->id, rig_action(g, ROUND_DO_REPLY_SLOT)->slot.id, MSG_ID_HEX);
    rig_send_chunk(g, ret->id, 0, MSG_CHUNK_BYTES);
    rig_end(g, ROUND_DO_STORE_CHUNK, ROUND_OK);
    rig_send_chunk(g, ret->id, 1, 10);
    rig_end(g, ROUND_DO_STORE_CHUNK, ROUND_OK);
    ret->run = g->r.cfg.run;
    ret->contributor = rig_key(who);
    ret->round = g->r.round;
    ret->base = g->r.base;
    ret->payload = rig_hash(who);
    ret->n_bytes = MSG_CHUNK_BYTES + 10;
    ret->n_chunks = 2;
    ret->n_steps = 10;
    ret->n_tokens = 10 * RIG_TOKENS_A_STEP;
    ret->loss = 2.5;
}

/* The whole way to an accepted receipt. */
static inline void rig_contribute(struct rig *g, uint8_t who)
{
    static struct msg_manifest m; /* 32 kB of chunk hashes */
    rig_upload(g, who, &m);
    rig_send_manifest(g, &m);
    rig_end(g, ROUND_DO_JUDGE, ROUND_OK);
    rig_end(g, ROUND_DO_STORE_RECEIPT, ROUND_OK);
}
