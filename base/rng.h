#pragma once
/* Why: all randomness that must repeat (weights, data order, simulator) comes from this
 * generator: xoshiro256** (Blackman and Vigna 2018), integer only, so every CPU draws the same.
 * Its state is plain data: save it, load it, and the stream goes on.
 */

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

/* Independent stream for (seed, stream). Splitmix64 fills the state, so any seed is fine. */
void rng_init(struct rng *r, uint64_t seed, uint64_t stream);

uint64_t rng_u64(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n); /* uniform in [0, n); n > 0; no modulo bias */
double rng_unit(struct rng *r);                /* [0, 1), 53 bits */

/* Nearly normal, mean 0, variance 1: the sum of 12 uniform 16-bit draws (Irwin-Hall), computed
 * in integers and one division, so that initial weights are the same bits on every CPU.
 */
float rng_normal(struct rng *r);

/* Bytes from the operating system for keys and identifiers; aborts if there are none. */
void rng_secure(void *p, size_t n);
