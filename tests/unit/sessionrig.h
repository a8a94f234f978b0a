#pragma once
/* A session with hands, for test_session*.c: plays the aggregator and the trainer by the shortest
 * honest answers.
 */

#include <stdio.h>
#include <string.h>

#include "client/session.h"
#include "tests/check.h"

#define PAYLOAD_BYTES (MSG_CHUNK_BYTES + 7) /* two chunks */

struct rig {
    struct session s;
    struct session_actions out;
    struct msg_round round;
    int64_t now;
};

static inline struct hash model_of(uint64_t round)
{
    return hash_of(&round, sizeof round);
}

static inline void step(struct rig *r, const struct session_event *ev)
{
    r->now += 10;
    session_step(&r->s, ev, r->now, &r->out);
}

static inline const struct session_action *find(const struct rig *r, enum session_do what)
{
    for (uint32_t i = 0; i < r->out.n; i++)
        if (r->out.a[i].what == what) return &r->out.a[i];
    return NULL;
}

static inline int place(const struct rig *r, enum session_do what)
{
    const struct session_action *a = find(r, what);
    return a ? (int)(a - r->out.a) : -1;
}

static inline void set_round(struct rig *r, uint64_t round, enum msg_round_state state)
{
    r->round.round = round;
    r->round.state = state;
    r->round.base = model_of(round);
}

static inline void init(struct rig *r, uint32_t n_addresses)
{
    memset(r, 0, sizeof *r);
    struct session_config c = {.inner_steps = 5,
                               .max_inner_steps = 9,
                               .upload_ms = 10000,
                               .n_addresses = n_addresses,
                               .seed = 7};
    struct hash base = model_of(0);
    session_init(&r->s, &c, &base);
    r->now = 1000;
    r->round.left_ms = 60000;
    r->round.update_bytes = 1000;
    r->round.checkpoint_bytes = 1000000;
    snprintf(r->round.session, sizeof r->round.session, "%032d", 1);
    set_round(r, 0, MSG_ROUND_OPEN);
}

static inline void send(struct rig *r, enum session_event_kind kind, uint32_t tag)
{
    struct session_event ev = {.kind = kind, .tag = tag};
    step(r, &ev);
}

static inline void start(struct rig *r)
{
    send(r, SESSION_EV_START, 0);
}

static inline void answer_round(struct rig *r)
{
    struct session_event ev = {
        .kind = SESSION_EV_ROUND, .tag = r->s.presence.tag, .round = &r->round};
    step(r, &ev);
}

/* Let a poll come up and answer it. */
static inline void poll(struct rig *r)
{
    if (!r->s.presence.tag) {
        r->now = r->s.poll_at_ms;
        send(r, SESSION_EV_TICK, 0);
    }
    answer_round(r);
}

static inline void intend(struct rig *r, enum intent_kind intent)
{
    struct session_event ev = {.kind = SESSION_EV_INTENT, .intent = intent};
    step(r, &ev);
}

static inline void end_training(struct rig *r, bool is_halted)
{
    struct session_event ev = {
        .kind = SESSION_EV_TRAINED,
        .tag = r->s.work.tag,
        .phase = {.n_steps = 5, .n_tokens = 500, .loss = 3, .is_halted = is_halted}
    };
    step(r, &ev);
}

static inline void end_packing(struct rig *r)
{
    struct session_event ev = {
        .kind = SESSION_EV_PACKED,
        .tag = r->s.work.tag,
        .payload = {
                    .hash = hash_of("p", 1), .n_bytes = PAYLOAD_BYTES, .n_chunks = 2, .created_at_ms = 5}
    };
    step(r, &ev);
}

static inline void answer_slot(struct rig *r)
{
    struct msg_slot slot = {.id = "00112233445566778899aabbccddeeff",
                            .chunk_bytes = MSG_CHUNK_BYTES};
    struct session_event ev = {.kind = SESSION_EV_SLOT, .tag = r->s.transfer.tag, .slot = &slot};
    step(r, &ev);
}

static inline void answer_receipt(struct rig *r, enum msg_verdict verdict)
{
    struct msg_receipt receipt = {.round = r->s.model_round,
                                  .payload = r->s.payload.hash,
                                  .verdict = verdict,
                                  .reason = "because"};
    struct session_event ev = {
        .kind = SESSION_EV_RECEIPT, .tag = r->s.transfer.tag, .receipt = &receipt};
    step(r, &ev);
}

static inline void answer_update(struct rig *r, uint64_t base)
{
    struct msg_update head = {
        .round = r->s.model_round, .base = model_of(base), .result = model_of(base + 1)};
    struct session_event ev = {
        .kind = SESSION_EV_UPDATE, .tag = r->s.transfer.tag, .update = &head};
    step(r, &ev);
}

static inline void end_applying(struct rig *r, uint64_t model)
{
    struct session_event ev = {
        .kind = SESSION_EV_APPLIED, .tag = r->s.work.tag, .applied = model_of(model)};
    step(r, &ev);
}

static inline void fail_it(struct rig *r, uint32_t tag, int status)
{
    struct session_event ev = {.kind = SESSION_EV_FAILED, .tag = tag};
    ev.failed.code = status ? OK : ERR_IO;
    ev.failed.status = status;
    ev.failed.why = "it is a test";
    step(r, &ev);
}

static inline void to_training(struct rig *r)
{
    init(r, 1);
    start(r);
    answer_round(r);
}

static inline void to_exchanging(struct rig *r)
{
    to_training(r);
    end_training(r, false);
    end_packing(r);
}

static inline void to_manifest(struct rig *r)
{
    to_exchanging(r);
    answer_slot(r);
    send(r, SESSION_EV_CHUNK, r->s.transfer.tag);
    send(r, SESSION_EV_CHUNK, r->s.transfer.tag);
}

static inline void to_waiting(struct rig *r)
{
    to_manifest(r);
    answer_receipt(r, MSG_ACCEPTED);
}
