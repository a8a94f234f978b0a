#include <string.h>

#include "client/session_in.h"

/* A session's beginning, and looking at one without changing it. */

void session_init(struct session *s, const struct session_config *c, const struct hash *base)
{
    memset(s, 0, sizeof *s);
    s->config = *c;
    s->base = *base;
    s->retry_at_ms = SESSION_NONE;
    rng_init(&s->rng, c->seed, 0);
}

void session_restore(struct session *s, const struct session_saved *v)
{
    s->model_round = v->model_round;
    s->base = v->base;
    s->phase = v->phase;
    s->ahead = v->ahead;
    s->is_round_done = v->is_round_done;
    s->is_paused = v->is_paused;
    s->is_finishing = v->is_finishing;
    s->is_held = v->is_held;
    s->is_base_wrong = s->is_empty = v->is_empty;
    if (!v->has_payload) return;
    s->payload = v->payload;
    s->fate = SESSION_FATE_UNSENT;
    if (!hash_equal(&v->note.payload, &v->payload.hash)) return;
    s->note = v->note;
    if (v->note.fate != SESSION_FATE_NONE) s->fate = v->note.fate;
    s->is_judged = s->fate == SESSION_FATE_REFUSED; /* not known any more: the safe side */
}

bool session_can_update(const struct session *s)
{
    const struct msg_round *r = &s->round;
    if (s->is_base_wrong || s->is_update_gone || s->model_round >= r->round) return false;
    if (s->model_round < r->oldest_update_round) return false;
    if (!r->checkpoint_bytes || r->checkpoint_round <= s->model_round) return true;
    /* Many small updates may cost more than one checkpoint and the few updates after it. */
    uint64_t saved = r->checkpoint_round - s->model_round;
    return !r->update_bytes || saved < r->checkpoint_bytes / r->update_bytes + 1;
}

enum session_state session_state_of_order(enum session_do what)
{
    if (what == SESSION_DO_TRAIN) return SESSION_TRAINING;
    if (what == SESSION_DO_RETURN) return SESSION_RETURNING;
    if (what == SESSION_DO_APPLY || what == SESSION_DO_LOAD) return SESSION_APPLYING;
    return SESSION_PACKING;
}

int64_t session_refused_ms(uint32_t n_refusals)
{
    int64_t ms = 60000;
    for (uint32_t i = 0; i < n_refusals && ms < 3600000; i++)
        ms *= 2;
    return ms < 3600000 ? ms : 3600000;
}

bool session_stands(const struct session *s)
{
    return s->is_paused || s->is_held;
}

static int64_t earlier(int64_t a, int64_t b)
{
    if (a == SESSION_NONE) return b;
    return b == SESSION_NONE || a < b ? a : b;
}

int64_t session_next_ms(const struct session *s)
{
    if (s->state == SESSION_IDLE || s->state == SESSION_GONE) return SESSION_NONE;
    int64_t t = SESSION_NONE;
    if (s->presence.tag) t = earlier(t, s->presence.deadline_ms);
    if (s->transfer.tag) t = earlier(t, s->transfer.deadline_ms);
    if (s->work.tag && (!session_stands(s) || s->state == SESSION_LEAVING))
        t = earlier(t, s->work.deadline_ms);
    if (s->record.tag) t = earlier(t, s->record.deadline_ms);
    if (s->state == SESSION_DISTRUST) return t;
    if (s->is_record_due && !s->record.tag && s->state != SESSION_LEAVING)
        t = earlier(t, s->record_at_ms);
    if (s->state == SESSION_RETRYING) t = earlier(t, s->retry_at_ms);
    if (!s->presence.tag && s->state != SESSION_LEAVING) t = earlier(t, s->poll_at_ms);
    return t;
}

const char *session_state_name(enum session_state s)
{
    static const char *const names[SESSION_STATE_COUNT] = {
        "idle",       "joining",   "fetching", "training", "packing",
        "exchanging", "returning", "waiting",  "applying", "paused",
        "retrying",   "distrust",  "ended",    "leaving",  "gone"};
    return s >= 0 && s < SESSION_STATE_COUNT ? names[s] : "unknown";
}

const char *session_wire_state(const struct session *s)
{
    if (session_stands(s)) return "paused";
    if (s->state == SESSION_TRAINING) return "training";
    if (s->state == SESSION_EXCHANGING || s->state == SESSION_PACKING) return "uploading";
    return "waiting";
}
