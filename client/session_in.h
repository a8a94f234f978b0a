#pragma once
/* Why: what session.c and session_look.c share, and nobody else may see. */

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
