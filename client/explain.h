#pragma once
/* Why: the state line must say what goes on, why, and what the person can do about it, in the same
 * words everywhere. All those sentences are in one table here.
 */

#include "client/session.h"
#include "view/view.h"

/* What the sentences may need beside the session. */
struct explain_facts {
    uint32_t n_steps;   /* done in this inner phase */
    uint32_t n_planned; /* 0: time decides */
    bool is_waiting_for_text;
    int64_t now_ms;    /* session clock */
    double fetch_frac; /* NaN: none */
};

struct explain_line {
    enum view_state state;
    char reason[VIEW_LINE_CAP];
    char hint[64];      /* what can be pressed or typed */
    int64_t ends_in_ms; /* when it changes by itself; VIEW_NONE */
};

void explain_session(const struct session *s, const struct explain_facts *f,
                     struct explain_line *ret);

/* No session: no run joined, or the trainer could not be started (why). */
void explain_no_run(struct explain_line *ret);
void explain_opening(struct explain_line *ret);
void explain_puzzle(struct explain_line *ret); /* client/pass works it out */
void explain_stopped(const struct err *why, struct explain_line *ret);
