#pragma once
/* Why: how often to exchange and how much of each pseudo-gradient to send is no constant: a model of
 * five million weights on a home link can exchange every few steps, one of 72 billion cannot. This
 * says what speeds and links allow. A pure function: host, auditor and planner get the same answer
 * from the same facts.
 *
 * The rule, from the measurements in docs/CONVERGENCE.md: exchanging sooner is worth more than
 * anything else, so inner_steps is the smallest number of steps beside which the wait for an
 * exchange of the sparsest form is at most CONTROLLER_WAIT of the round; then the values sent are
 * made as dense as stay within that. Beyond CONTROLLER_DRIFT steps trajectories run apart: then the
 * wait may take up to half of the round before the rounds get longer still.
 *
 * Sizes are those of the packed form for positions without any pattern (entropy of which values are
 * sent, 2.25 bits a value; the update 8 bits a value and its mask): an upper bound of what real
 * pseudo-gradients need.
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
};

/* What a round costs when `inner_steps` and `k` are chosen. */
struct controller_round {
    uint32_t inner_steps;
    uint32_t k;          /* of CONTROLLER_CHUNK */
    uint64_t up_bytes;   /* one contribution */
    uint64_t down_bytes; /* the update */
    double train_s, up_s, down_s, host_s, trips_s;
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

/* What one core of the host does (two shared Zen 5 cores, contributions of five million weights,
 * 64 to 4096 of 4096 sent): merges 15 to 23 MB of contributions a second; applies the update,
 * hashes the result and compares in 7 to 14 ns a weight.
 */
#define CONTROLLER_MERGE_BYTES_PER_S 15e6
#define CONTROLLER_APPLY_S           14e-9

/* The host's work in a round, in seconds of one core. */
double controller_host_core_s(uint64_t n_params, uint64_t up_bytes, uint32_t n_contributors);
