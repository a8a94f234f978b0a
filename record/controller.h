#pragma once
/* Why: how often to exchange and how much of each pseudo-gradient to send is no constant: a model of
 * five million weights on a home link can exchange every few steps, one of 72 billion cannot. This
 * says what speeds and links allow. A pure function: host, auditor and planner get the same answer
 * from the same facts.
 *
 * The rule, from the measurements in docs/CONVERGENCE.md: exchanging sooner is worth more than
 * anything else, so inner_steps is the smallest number of steps beside which the wait for an
 * exchange of the sparsest form is at most CONTROLLER_WAIT of the round; then the values sent are
 * made as dense as costs no waiting. Beyond CONTROLLER_DRIFT steps trajectories run apart: then the
 * wait may take up to half of the round before the rounds get longer still.
 *
 * A run may take steps of the next round while the update is on its way (ahead_steps, docs/PROTOCOL.md):
 * as many as the exchange lasts, a third of the round at most, since the update lands so many steps late.
 * What they do not hide is the wait above.
 *
 * With k of C values sent, a coordinate waits C / k rounds in a contributor's error feedback (decay b)
 * and then brings A = (1 - b^(C/k)) / (1 - b) rounds' worth, while s = R k / C others send it too:
 * min_senders = s A makes the update as long as the plain mean of all would be. With fewer the model
 * is driven too far (2.79 against 2.58 bits a byte), with R not far enough.
 *
 * Sizes are those of the packed form (engine/delta) for positions without any pattern: an upper bound
 * of what real pseudo-gradients need.
 */

#include <stdint.h>

#define CONTROLLER_CHUNK 4096u
#define CONTROLLER_K_MIN 64u   /* of a chunk: what serves a large model */
#define CONTROLLER_K_MAX 4096u /* more never helped */
#define CONTROLLER_WAIT  0.125 /* of a round's time */
#define CONTROLLER_DRIFT 30u   /* steps */
#define CONTROLLER_MOST  1000u /* steps, on the worst of links */

/* Round trips of an exchange one after the other: reserve, send and close, hear of the update,
 * fetch it.
 */
#define CONTROLLER_TRIPS 4

/* What is known of a run and of those who take part; of speeds and links those of the slower
 * quarter, since a round waits for them.
 */
struct controller_facts {
    uint64_t n_params;         /* > 0 */
    uint64_t step_tokens;      /* of an inner step, > 0 */
    uint32_t n_contributors;   /* > 0 */
    double tok_per_s;          /* a contributor's training, > 0 */
    double up_mbit, down_mbit; /* > 0 */
    double rtt_ms;             /* >= 0 */
    uint32_t host_cores;       /* that merge; > 0 */
    uint32_t most_ahead;       /* steps ahead that the run allows; 0: everybody waits */
    double decode_bytes_per_s; /* of an update, by anybody; > 0 */
};

/* What a round costs when `inner_steps` and `k` are chosen. */
struct controller_round {
    uint32_t inner_steps;
    uint32_t ahead_steps; /* of these, taken while the last update is awaited */
    uint32_t k;           /* of CONTROLLER_CHUNK */
    double min_senders;   /* m of record/merge; 2 at least, the contributors at most */
    uint64_t up_bytes;    /* one contribution */
    uint64_t down_bytes;  /* the update */
    double train_s, up_s, host_s, down_s, decode_s, trips_s;
    double hidden_s; /* of the exchange, behind steps ahead */
    double round_s;
    double wait_frac; /* of round_s during which nobody trains */
};

/* The costs of a given choice; k 1..CONTROLLER_CHUNK. */
struct controller_round controller_cost(const struct controller_facts *f, uint32_t inner_steps,
                                        uint32_t k);

/* The choice itself. */
struct controller_round controller_choose(const struct controller_facts *f);

/* Tokens a second that a computer at home trains a model of n_params with, when nothing is known of
 * it: two cores of a laptop at 60 GFLOP/s (docs/SPEED.md), 6 operations a weight and token.
 */
double controller_home_speed(uint64_t n_params);

/* What one core does (a shared Zen 5 core, eight contributions of five million weights, 64 to 4096 of
 * 4096 sent): merges 2.7 to 4.1 MB of contributions a second, reads and applies 3.9 to 5.9 MB of
 * an update, hashes a weight in 2 ns. One update is one stream and takes one core.
 */
#define CONTROLLER_MERGE_BYTES_PER_S  3e6
#define CONTROLLER_DECODE_BYTES_PER_S 4e6
#define CONTROLLER_HASH_S             2e-9

/* The host's work in a round, in seconds of one core. */
double controller_host_core_s(const struct controller_facts *f, const struct controller_round *r);
