#pragma once
/* Why: before anybody agrees to take part, and at any time later, a run is described in plain words
 * from its signed description alone: what is trained, by whom, on what, what it needs and pays, by
 * which rules, and whose key signs. Pure; the same rows for `potluck join --look` and for the screen.
 */

#include "record/rundesc.h"
#include "view/view.h"

/* Fills the rows; returns how many. */
uint32_t about_fill(const struct rundesc *d, struct view_card ret[VIEW_CARD]);

/* Add how it stands now: a round, or that it has ended; why_not when its host could not be asked. n rows
 * are there already; returns how many there are then.
 */
uint32_t about_state(const struct msg_round *m, const struct err *why_not,
                     struct view_card ret[VIEW_CARD], uint32_t n);
