#pragma once
/* Why: a model card tells what the whole run has done: who took part, how many tokens, how the loss
 * fell. Only the run's host has these books. They are asked for as its status (docs/OPERATING.md,
 * "status --json"): over the network from a contributor's home, or through potluck-aggregator from
 * the host's own, whether it serves or not.
 *
 * Thread: any one; blocks: a host that does not answer costs up to 5 s an address.
 */

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "engine/model_card.h"
#include "record/rundesc.h"

/* Append the status JSON. Errors: there is nobody to ask, or no potluck-aggregator here. */
int run_facts_ask(const struct rundesc *run, struct buf *out, struct err *e) MUST_CHECK;
int run_facts_ask_home(const char *home, struct buf *out, struct err *e) MUST_CHECK;

/* Put what a status of run c->run says into the card. Totals only when they are of the very round
 * that the card is about. ERR_PROTO when it is not a status, or of another run; c is untouched then.
 */
int run_facts_read(const void *json, size_t n, struct model_card *c, struct err *e) MUST_CHECK;
