#pragma once
/* Why: the one who sees everything. It remembers what was acknowledged, published, applied and
 * given back, outlives every crash, and says at once what must not be:
 *
 *   - an acknowledged receipt or chunk is not on the disk after a crash of the host
 *   - the verdict about a contribution changes, or a second receipt appears for (key, round)
 *   - an accepted contribution is missing from the merged round, or a refused one is in it
 *   - a round is published twice with different results, or pays more or less than its emission
 *   - a ledger line points to no accepted receipt, or two point to the same
 *   - a contributor's model differs from the aggregator's of the same round
 *   - a payload was merged and also given back to the error feedback, or neither
 *   - the run does not finish after the accidents have ended
 */

#include "tests/sim/sim_world.h"

void sim_oracle_create(struct sim_world *w);
void sim_oracle_destroy(struct sim_world *w);

/* The host answered "stored" for this chunk of an upload in the open round. */
void sim_oracle_chunk(struct sim_world *w, uint64_t round, const char *name);
/* A signed receipt has reached a living contributor. */
void sim_oracle_receipt(struct sim_world *w, const struct sim_peer *p, const struct msg_receipt *m,
                        const struct buf *jws);
/* The host's power went: what is on its disk now is all there is. */
void sim_oracle_host_crashed(struct sim_world *w);
/* The host is up again and has taken up what its disk holds. */
void sim_oracle_host_started(struct sim_world *w);
/* The publication of a round has become durable. */
void sim_oracle_published(struct sim_world *w, uint64_t round);
/* A contributor holds the model of a round; gave its payload back; let go of it. */
void sim_oracle_model(struct sim_world *w, const struct sim_peer *p, uint64_t round,
                      const struct hash *model);
void sim_oracle_returned(struct sim_world *w, const struct sim_peer *p);
void sim_oracle_dropped(struct sim_world *w, const struct sim_peer *p);
/* After each step of a session. */
void sim_oracle_session(struct sim_world *w, const struct sim_peer *p);
/* Time is up. */
void sim_oracle_stuck(struct sim_world *w);
/* The run is over: audit the host's disk, and compare everybody's model. */
void sim_oracle_end(struct sim_world *w);
