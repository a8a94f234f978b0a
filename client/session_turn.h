#pragma once
/* Why: one call of session_step, and the few ways in which it may change a session and order
 * something. Seen by session.c (what to do next) and session_heard.c (what an event changes)
 * alone.
 */

#include <stdbool.h>
#include <stdint.h>

#include "client/session.h"

#define SESSION_WORK_MS        300000 /* an order to the trainer */
#define SESSION_BACKOFF_CAP_MS 30000

struct session_turn {
    struct session *s;
    struct session_actions *out;
    int64_t now;
};

/* The one place where the state changes. */
void session_turn_state(struct session_turn *c, enum session_state state);

/* One more action; begin: a request or order whose answer the lane waits for. */
struct session_action *session_turn_add(struct session_turn *c, enum session_do what);
struct session_action *session_turn_begin(struct session_turn *c, struct session_lane *lane,
                                          enum session_do what, int64_t limit_ms);
void session_turn_drop(struct session_turn *c, struct session_lane *lane); /* if it waits */
void session_turn_halt(struct session_turn *c); /* training, if it goes on */

void session_turn_say(struct session_turn *c, bool is_loud, const char *text);
void session_turn_why(struct session *s, const char *why);

/* Doubling from one second to five, after a minute of that half a minute; give or take a quarter, so
 * that many contributors do not come back in the same moment. A restarted aggregator is found soon.
 */
int64_t session_turn_backoff_ms(struct session *s, uint32_t n);

/* Facts about the contribution. note: what became of it, to be kept. */
void session_turn_forget_payload(struct session *s);
void session_turn_forget_phase(struct session *s);
void session_turn_note(struct session_turn *c);

/* Say why the model here is not the one of the open round: the host went back, or something is wrong. */
void session_turn_differs(struct session_turn *c);

/* is_final: there is a verdict, or there never will be one for anything this machine can send; then
 * the round is over for us. Otherwise a round that is still open is trained for once more.
 */
void session_turn_refuse(struct session_turn *c, bool is_final, const char *why);

/* session_heard.c: take up the facts of an event. One that does not fit changes nothing. */
void session_turn_hear(struct session_turn *c, const struct session_event *ev);
