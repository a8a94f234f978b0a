#pragma once
/* Why: from accepted contributions to the next weights, and back to them after a restart. All of
 * it is arithmetic of record/merge.h and files named by hash, so doing it twice gives the same
 * bytes. Checkpoints are kept for late joiners and restarts; an update is kept since the oldest
 * checkpoint kept.
 *
 * Thread: any, one call at a time (made for the libuv pool). Blocks.
 */

#include "aggregator/spool.h"
#include "aggregator/store_round.h"
#include "record/rundesc.h"

#define PUBLISH_KEEP_CHECKPOINTS 2

struct publish {
    const struct rundesc *run;
    const struct model_table *table;
    const struct spool *spool;
    struct store *store;
    const struct key *key; /* signs update heads */
};

/* Merge payloads from the spool into an update, durable under its hash, and into next [n_params] =
 * base - outer_lr * update. ret gets result, update and update_bytes.
 */
int publish_merge(const struct publish *p, const struct round_input *in, uint32_t n,
                  const float *base, float *next, struct msg_update *ret, struct err *e) MUST_CHECK;

/* Sign the head; round row and rewards in one transaction. */
int publish_commit(const struct publish *p, const struct msg_update *u,
                   const struct round_input *in, uint32_t n, int64_t at_ms,
                   struct err *e) MUST_CHECK;

/* Round 0's weights into params [n_params]: made from the seed, or the kept model's, whose hash must
 * be the one that the run was described with. ERR_AUTH when that file is gone or another.
 */
int publish_initial(const struct publish *p, float *params, struct err *e) MUST_CHECK;

/* Store the weights at the start of `round`, durably, and forget what only older checkpoints
 * needed (files of updates and payloads included).
 */
int publish_checkpoint(const struct publish *p, uint64_t round, const float *params,
                       struct err *e) MUST_CHECK;

/* The weights after the newest merged round, rebuilt from the newest checkpoint that is whole.
 * params [n_params] and last are written; last->result is their hash, last->round the newest
 * merged round; ERR_NOTFOUND (no text) and the initial weights when no round is merged yet.
 * ERR_AUTH with a sentence when nothing whole leads there.
 */
int publish_restore(const struct publish *p, float *params, struct msg_update *last,
                    struct err *e) MUST_CHECK;
