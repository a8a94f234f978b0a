#pragma once
/* Why: what a round pays. Integers only; the emission of a round is conserved to the last unit.
 * Rule 1 ("tokens"): each accepted contribution earns emission * tokens / all tokens, rounded
 * down; what is left goes one unit each to the largest remainders (ties: lowest key).
 */

#include <stdint.h>

#include "base/key.h"

struct reward_share {
    struct key_pub contributor;
    uint64_t n_tokens;
    uint64_t amount; /* written, micro-credits */
};

/* Fill amounts; their sum is exactly emission when any n_tokens > 0, else all are 0. */
void reward_split(uint64_t emission, struct reward_share *shares, uint32_t n);
