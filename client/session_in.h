#pragma once
/* Why: what the files of the session share, and explain.c, which says it; nobody else may see. */

#include "client/session.h"

/* Can updates lead from the model held to the open round, more cheaply than a checkpoint? */
bool session_can_update(const struct session *s);

/* What an order to the trainer is called on the screen. */
enum session_state session_state_of_order(enum session_do what);

/* How long to stay away after so many refusals in a row (403, 400): a minute, doubling to an hour. A
 * host that has made up its mind is not asked again and again; the person who brings a new invite
 * (INTENT_JOIN) does not wait for this.
 */
int64_t session_refused_ms(uint32_t n_refusals);

/* Has the host gone back before the open round, or since the model held here? Then back_* say it. */
bool session_is_back(const struct session *s);
/* Must the model held be left behind, with what was learnt on the way to it? */
bool session_is_astray(const struct session *s);
