#pragma once
/* Why: contributions are tried out while the next round is being trained, when a host has little to
 * do: in the pool, within a budget of processor time, one round at a time. When it takes longer
 * than a round, the rounds that are published meanwhile are left out. What comes of it goes to
 * aggregator/scores.h.
 *
 * Thread: the loop's.
 */

#include "aggregator/host.h"

/* Standings from the sheets on record. Errors are for the person who ran serve. */
int scoring_restore(struct host *h, struct err *e) MUST_CHECK;

/* A round was published: try out its contributions. base [n_params] are the weights it began with,
 * copied. */
void scoring_start(struct host *h, uint64_t round, const float *base, const struct round_input *in,
                   uint32_t n);
