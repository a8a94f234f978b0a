#pragma once
/* Why: from accepted contributions to the next weights and a line on the public record, and back
 * to them after a restart. All of it is arithmetic of record/ and files named by hash, so doing it
 * twice gives the same bytes. The order of becoming durable:
 *
 *   update file             publish_merge
 *   receipts, sheet         publish_commit, each under its hash (manifests came with the verdicts)
 *   one transaction         round, entry, settled receipts, ledger (store_record_publish)
 *   tiles, then tree head   publish_log_write, a pure function of the table of entries
 *   announcement            by the round machine, when publish_commit has returned OK
 *
 * A crash between any two leaves either a round that is merged again with the same outcome, or one
 * that is published and whose files are written by publish_open.
 *
 * Checkpoints are kept for late joiners and restarts. Payloads and updates are kept for the run's
 * `retention` of rounds, updates also since the oldest checkpoint kept.
 *
 * Thread: any, one call at a time (made for the libuv pool). Blocks.
 */

#include "aggregator/publish_log.h"
#include "aggregator/scores.h"
#include "aggregator/spool.h"
#include "aggregator/store_round.h"
#include "record/rundesc.h"

#define PUBLISH_KEEP_CHECKPOINTS 2

struct publish {
    const struct rundesc *run;
    const struct model_table *table;
    const struct spool *spool;
    struct store *store;
    const struct key *key; /* signs update heads, entries, receipts and tree heads */
    struct publish_log *log;
    publish_step_fn step; /* NULL but in tests; see publish_log.h */
    void *step_ctx;
    const struct scores *scores; /* NULL: paid by tokens alone */
};

/* Open the log into p->log, begin the record when it is empty, and write whatever files of the
 * record a crash kept from being written. Close with publish_close.
 */
int publish_open(struct publish *p, int64_t at_ms, struct err *e) MUST_CHECK;
void publish_close(struct publish *p); /* accepts zeroed */

/* Merge payloads from the spool into an update, durable under its hash, and into next [n_params] =
 * base - outer_lr * update. ret gets result, update and update_bytes.
 */
int publish_merge(const struct publish *p, const struct round_input *in, uint32_t n,
                  const float *base, float *next, struct msg_update *ret, struct err *e) MUST_CHECK;

/* Everything after the update file, up to the tree head. Again after a failure, and after success
 * it changes nothing. u has run, round, base, result, update, n_merged, n_tokens, train_loss.
 */
int publish_commit(const struct publish *p, const struct msg_update *u,
                   const struct round_input *in, uint32_t n, int64_t at_ms,
                   struct err *e) MUST_CHECK;

/* End the run between two rounds: every receipt is on a sheet already, and result is the model of the
 * last round. Once ended it only writes what files are missing. ERR_WRONG_STATE: there are receipts
 * left to be settled.
 */
int publish_end(const struct publish *p, const struct hash *result, int64_t at_ms,
                struct err *e) MUST_CHECK;

/* Round 0's weights into params [n_params]: made from the seed, or the kept model's, whose hash must
 * be the one that the run was described with. ERR_AUTH when that file is gone or another.
 */
int publish_initial(const struct publish *p, float *params, struct err *e) MUST_CHECK;

/* Store the weights at the start of `round`, durably, and forget older checkpoints, and what is
 * older than the run's retention (files of updates and payloads).
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
