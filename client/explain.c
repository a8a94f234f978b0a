#include "client/explain.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* One sentence for each state; %r round, %s steps, %d pieces, %w why, %o who is waited for, %p fetch percentage. */
struct sentence {
    enum view_state state;
    const char *text;
    const char *hint;
};

static const struct sentence sentences[SESSION_STATE_COUNT] = {
    [SESSION_IDLE] = {VIEW_IDLE,     "no run joined yet",                                             "potluck join FILE"                },
    [SESSION_JOINING] = {VIEW_JOINING,  "asking %a to take part",                                        "p: pause"                         },
    [SESSION_FETCHING] = {VIEW_FETCHING, "the model of round %n is on its way%p",                         "p: pause"                         },
    [SESSION_TRAINING] = {VIEW_RUNNING,  "round %r, %s",                                                  "p: pause"                         },
    [SESSION_PACKING] = {VIEW_SENDING,  "round %r, packing what was learned",                            "p: pause"                         },
    [SESSION_EXCHANGING] = {VIEW_SENDING,  "round %r, sending piece %d",                                    "p: pause"                         },
    [SESSION_RETURNING] = {VIEW_WAITING,  "round %r was not taken; keeping its worth for the next",
                      "p: pause"                                                                                                         },
    [SESSION_WAITING] = {VIEW_WAITING,  "round %r is done here; waiting for %o",                         "p: pause"                         },
    [SESSION_APPLYING] = {VIEW_FETCHING, "round %r, applying the update",                                 "p: pause"                         },
    [SESSION_PAUSED] = {VIEW_PAUSED,   "by you",                                                        "p: resume"                        },
    [SESSION_RETRYING] = {VIEW_RETRYING, "%w",                                                            "p: pause"                         },
    [SESSION_DISTRUST] = {VIEW_STOPPED,  "%w",                                                            "potluck leave; see what.txt there"},
    [SESSION_ENDED] = {VIEW_DONE,     "run ended after %r rounds; this machine holds the final model",
                      "potluck leave"                                                                                                    },
    [SESSION_LEAVING] = {VIEW_LEAVING,  "saving, then the run is left",                                  ""                                 },
    [SESSION_GONE] = {VIEW_STOPPED,  "this run was left",                                             "potluck join FILE"                },
};

#define STALE_MS 15000 /* a poll comes sooner */

struct out {
    char *p;
    size_t left;
};

static void put(struct out *o, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void put(struct out *o, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(o->p, o->left, fmt, ap);
    va_end(ap);
    size_t used = n < 0 ? 0 : (size_t)n;
    if (used >= o->left) used = o->left - 1;
    o->p += used;
    o->left -= used;
}

static void put_steps(struct out *o, const struct explain_facts *f)
{
    if (f->is_waiting_for_text)
        put(o, "waiting for text to train on");
    else if (f->n_planned)
        put(o, "step %u of %u", f->n_steps + 1 > f->n_planned ? f->n_planned : f->n_steps + 1,
            f->n_planned);
    else
        put(o, "step %u, until the round's time is up", f->n_steps + 1);
}

/* Who has yet to send: everybody here but those who have, and neither counts this machine. A
 * number that is old, or from before the own contribution was counted, is not said.
 */
static void put_others(struct out *o, const struct session *s, const struct explain_facts *f)
{
    const struct msg_round *r = &s->round;
    bool is_in = s->fate == SESSION_FATE_ACCEPTED;
    bool is_stale = f->now_ms - s->round_at_ms > STALE_MS || (is_in && r->n_received == 0);
    uint32_t here = r->n_contributors ? r->n_contributors - 1 : 0;
    uint32_t sent = is_in && r->n_received ? r->n_received - 1 : r->n_received;
    if (is_stale || here <= sent)
        put(o, "the round to close");
    else
        put(o, "%u other%s", here - sent, here - sent == 1 ? "" : "s");
}

static void put_field(struct out *o, char field, const struct session *s,
                      const struct explain_facts *f)
{
    switch (field) {
    case 'a': put(o, "the aggregator"); break;
    case 'r': put(o, "%llu", (unsigned long long)s->model_round); break;
    case 'n': put(o, "%llu", (unsigned long long)s->round.round); break;
    case 's': put_steps(o, f); break;
    case 'd': put(o, "%u of %u", s->i_chunk + 1, s->payload.n_chunks); break;
    case 'o': put_others(o, s, f); break;
    case 'w': put(o, "%s", s->why[0] ? s->why : "the aggregator cannot be reached"); break;
    case 'p':
        if (!isnan(f->fetch_frac)) put(o, " (%.0f%%)", 100 * f->fetch_frac);
        break;
    default: break;
    }
}

static void fill(char *dst, size_t cap, const char *text, const struct session *s,
                 const struct explain_facts *f)
{
    struct out o = {dst, cap};
    dst[0] = 0;
    for (const char *p = text; *p; p++) {
        if (*p == '%' && p[1])
            put_field(&o, *++p, s, f);
        else
            put(&o, "%c", *p);
    }
}

static int64_t ends_in(const struct session *s, const struct explain_facts *f)
{
    int64_t at = SESSION_NONE;
    if (s->state == SESSION_RETRYING)
        at = s->retry_at_ms != SESSION_NONE && !s->is_shut_out ? s->retry_at_ms : s->poll_at_ms;
    bool is_ahead = s->fate != SESSION_FATE_NONE;
    if (s->state == SESSION_TRAINING && !s->config.inner_steps && !is_ahead) at = s->train_until_ms;
    if (s->state == SESSION_WAITING) at = s->round_at_ms + s->round.left_ms;
    if (at == SESSION_NONE) return VIEW_NONE;
    return at > f->now_ms ? at - f->now_ms : 0;
}

void explain_session(const struct session *s, const struct explain_facts *f,
                     struct explain_line *ret)
{
    const struct sentence *x = &sentences[s->state];
    *ret = (struct explain_line){.state = x->state, .ends_in_ms = ends_in(s, f)};
    const char *text = x->text;
    if (s->state == SESSION_WAITING && s->round.state == MSG_ROUND_MERGING)
        text = "round %r closed; the aggregator merges it";
    else if (s->state == SESSION_WAITING && s->has_diverged)
        text = "training diverged in round %r; waiting for the next one";
    else if (s->state == SESSION_WAITING && s->is_round_done)
        text = "waiting for the next round";
    else if (s->state == SESSION_TRAINING && s->fate == SESSION_FATE_UNSENT)
        text = "ahead of the next round while round %r is sent";
    else if (s->state == SESSION_TRAINING && s->fate == SESSION_FATE_ACCEPTED)
        text = "ahead of the next round while round %r is merged";
    else if (s->state == SESSION_LEAVING && s->ending == INTENT_STOP)
        text = "saving, then the agent ends";
    else if (s->state == SESSION_RETRYING && s->is_shut_out)
        text = "not let in: %w";
    if (s->state == SESSION_LEAVING && s->ending == INTENT_STOP) ret->state = VIEW_ENDING;
    fill(ret->reason, sizeof ret->reason, text, s, f);
    snprintf(ret->hint, sizeof ret->hint, "%s", x->hint);
    if (s->state == SESSION_TRAINING && f->is_waiting_for_text) ret->state = VIEW_FETCHING;
    bool is_busy = ret->state == VIEW_RUNNING || ret->state == VIEW_SENDING;
    if (s->is_finishing && is_busy) {
        ret->state = VIEW_FINISHING;
        snprintf(ret->reason, sizeof ret->reason, "round %llu, then pause",
                 (unsigned long long)s->model_round);
        snprintf(ret->hint, sizeof ret->hint, "p: pause now");
    }
}

static void plain(struct explain_line *ret, enum view_state state, const char *hint)
{
    *ret = (struct explain_line){.state = state, .ends_in_ms = VIEW_NONE};
    snprintf(ret->hint, sizeof ret->hint, "%s", hint);
}

void explain_no_run(struct explain_line *ret)
{
    plain(ret, VIEW_IDLE, "potluck join FILE");
    snprintf(ret->reason, sizeof ret->reason, "%s", sentences[SESSION_IDLE].text);
}

void explain_opening(struct explain_line *ret)
{
    plain(ret, VIEW_FETCHING, "");
    snprintf(ret->reason, sizeof ret->reason, "getting the model and the saved state ready");
}

void explain_puzzle(struct explain_line *ret)
{
    plain(ret, VIEW_JOINING, "potluck stop: goes on from there");
    snprintf(ret->reason, sizeof ret->reason,
             "solving the puzzle this run asks of new keys; once, some seconds to minutes");
}

void explain_stopped(const struct err *why, struct explain_line *ret)
{
    char line[VIEW_LINE_CAP];
    plain(ret, VIEW_STOPPED, "potluck stop, then start again");
    err_line(why, line, sizeof line);
    snprintf(ret->reason, sizeof ret->reason, "%s", line);
}
