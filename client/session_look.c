#include "client/session.h"

/* Looking at a session without changing it. */

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
    if (s->work.tag && !s->is_paused) t = earlier(t, s->work.deadline_ms);
    if (s->state == SESSION_RETRYING) t = earlier(t, s->retry_at_ms);
    if (!s->presence.tag && s->state != SESSION_LEAVING) t = earlier(t, s->poll_at_ms);
    return t;
}

const char *session_state_name(enum session_state s)
{
    static const char *const names[SESSION_STATE_COUNT] = {
        "idle",    "joining",  "fetching", "training", "packing", "exchanging", "returning",
        "waiting", "applying", "paused",   "retrying", "ended",   "leaving",    "gone"};
    return s >= 0 && s < SESSION_STATE_COUNT ? names[s] : "unknown";
}

const char *session_wire_state(const struct session *s)
{
    if (s->is_paused) return "paused";
    if (s->state == SESSION_TRAINING) return "training";
    if (s->state == SESSION_EXCHANGING || s->state == SESSION_PACKING) return "uploading";
    return "waiting";
}
