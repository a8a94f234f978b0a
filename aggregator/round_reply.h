#pragma once
/* Why: the round machine's actions, filled in one place, so that every refusal has words and a
 * hint. For aggregator/round*.c only. A request number 0 means that nobody waits: no reply.
 */

#include "aggregator/round_event.h"
#include "base/err.h"

/* Append a zeroed action; aborts when the bound of a step's actions were wrong. */
struct round_action *round_reply_add(struct round_actions *out, enum round_action_kind kind);

void round_reply_refuse(struct round_actions *out, uint64_t req, int status, const char *hint,
                        const char *fmt, ...) PRINTF_LIKE(5, 6);

/* The host's disk refused: the same words for every kind of work. */
void round_reply_storage(struct round_actions *out, uint64_t req, enum round_outcome why);

void round_reply_receipt(struct round_actions *out, uint64_t req, const struct key_pub *who,
                         uint64_t round);
