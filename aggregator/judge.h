#pragma once
/* Why: is this upload what its manifest says, and could the packer have written it? The answer is
 * one of the round machine's outcomes with a sentence for the receipt. A good payload is durable
 * under its hash before the answer is given. Decisions about claims and time are the round's.
 *
 * Thread: any (made for the libuv pool). Blocks: reads and writes files.
 */

#include "aggregator/round_event.h"
#include "aggregator/spool.h"
#include "aggregator/store.h"
#include "engine/delta.h"

/* Check bytes alone: OK, or ERR_PROTO with the reason in e. */
int judge_payload(const struct model_table *t, const struct delta_params *p, const void *bytes,
                  size_t n, struct err *e) MUST_CHECK;

/* ROUND_OK, ROUND_BAD (reason and the check that failed), ROUND_MISMATCH, ROUND_FULL or
 * ROUND_FAILED (e tells the host).
 */
enum round_outcome judge_upload(const struct spool *sp, struct store *st,
                                const struct model_table *t, const struct delta_params *p,
                                const struct msg_manifest *m, char reason[MSG_REASON_CAP],
                                enum round_check *failed, struct err *e);

/* How a failed write is told to the round machine. */
enum round_outcome judge_trouble(const struct err *e);
