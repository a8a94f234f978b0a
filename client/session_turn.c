#include "client/session_turn.h"

#include <stdio.h>
#include <string.h>

#define BACKOFF_MS      1000
#define BACKOFF_SOON    14
#define BACKOFF_SOON_MS 5000

void session_turn_state(struct session_turn *c, enum session_state state)
{
    if (c->s->state == state) return;
    c->s->state = state;
    c->s->since_ms = c->now;
}

struct session_action *session_turn_add(struct session_turn *c, enum session_do what)
{
    check(c->out->n < SESSION_MAX_ACTIONS);
    struct session_action *a = &c->out->a[c->out->n++];
    a->what = what;
    a->i_address = c->s->i_address;
    a->round = c->s->model_round;
    a->until_ms = SESSION_NONE;
    return a;
}

struct session_action *session_turn_begin(struct session_turn *c, struct session_lane *lane,
                                          enum session_do what, int64_t limit_ms)
{
    if (++c->s->next_tag == 0) c->s->next_tag = 1;
    *lane = (struct session_lane){c->s->next_tag, what, c->now + limit_ms};
    struct session_action *a = session_turn_add(c, what);
    a->tag = lane->tag;
    return a;
}

void session_turn_say(struct session_turn *c, bool is_loud, const char *text)
{
    struct session_action *a = session_turn_add(c, SESSION_DO_SAY);
    a->is_long = is_loud;
    snprintf(a->text, sizeof a->text, "%s", text);
}

void session_turn_why(struct session *s, const char *why)
{
    snprintf(s->why, sizeof s->why, "%s", why ? why : "");
}

void session_turn_drop(struct session_turn *c, struct session_lane *lane)
{
    if (!lane->tag) return;
    session_turn_add(c, SESSION_DO_DROP)->tag = lane->tag;
    *lane = (struct session_lane){0};
}

int64_t session_turn_backoff_ms(struct session *s, uint32_t n)
{
    int64_t ms = n < 2 ? BACKOFF_MS : n == 2 ? 2 * BACKOFF_MS : BACKOFF_SOON_MS;
    if (n > BACKOFF_SOON) ms = SESSION_BACKOFF_CAP_MS;
    return ms * 3 / 4 + (int64_t)rng_below(&s->rng, (uint32_t)(ms / 2) + 1);
}

/* --- facts about the contribution ------------------------------------------------------------ */

void session_turn_forget_payload(struct session *s)
{
    s->fate = SESSION_FATE_NONE;
    s->payload = (struct session_payload){0};
    s->note = (struct session_note){0};
    memset(s->have, 0, sizeof s->have);
    s->is_slot_live = false;
    s->n_slot_tries = 0;
}

void session_turn_forget_phase(struct session *s)
{
    s->phase = (struct session_phase){0};
    s->ahead = (struct session_phase){0};
    s->is_phase_done = false;
}

void session_turn_note(struct session_turn *c)
{
    c->s->note.payload = c->s->payload.hash;
    c->s->note.fate = c->s->fate;
    session_turn_add(c, SESSION_DO_NOTE);
}

void session_turn_refuse(struct session_turn *c, bool is_final, const char *why)
{
    struct session *s = c->s;
    s->fate = SESSION_FATE_REFUSED;
    s->is_judged = is_final;
    session_turn_why(s, why);
    session_turn_note(c);
    char text[MSG_REASON_CAP];
    snprintf(text, sizeof text, "round %llu: contribution not taken: %.90s",
             (unsigned long long)s->model_round, why && *why ? why : "no reason given");
    session_turn_say(c, true, text);
}

void session_turn_halt(struct session_turn *c)
{
    if (c->s->is_halting || c->s->work.what != SESSION_DO_TRAIN) return;
    c->s->is_halting = true;
    session_turn_add(c, SESSION_DO_HALT)->tag = c->s->work.tag;
}
