#pragma once
/* Why: which stretch of text does the i-th sequence of a training read? A pure function of the seed
 * and i, so that the number of the step is the whole position in the data: nothing else has to be
 * saved, and whoever goes on reads exactly what was not read yet.
 *
 * Each pass over the text cuts the shards into windows of T tokens (and one more, to predict), at
 * an offset of its own, and takes them in an order of its own: a keyed permutation of the window
 * numbers (a Feistel network on the bits, walked until it falls inside; Black and Rogaway 2002),
 * which needs no table. Integers only: the same on every CPU.
 */

#include <stdint.h>

#include "base/err.h"

struct train_walk {
    uint64_t seed;
    uint32_t seq_len; /* T */
    uint32_t n_shards;
    const uint64_t *n_tokens; /* [n_shards] of each, borrowed */
    uint64_t n_windows;       /* of one pass, all shards together */
};

struct train_place {
    uint64_t pass; /* 0 for the first time through the text */
    uint32_t shard;
    uint64_t at; /* first token; T + 1 of them are read */
};

/* ERR_ARG when no shard is as long as two windows. */
int train_walk_init(struct train_walk *w, uint64_t seed, uint32_t seq_len, const uint64_t *n_tokens,
                    uint32_t n_shards, struct err *e) MUST_CHECK;

struct train_place train_walk_place(const struct train_walk *w, uint64_t i_seq);

/* Where i in 0..n-1 goes: a permutation for each key. n > 0. */
uint64_t train_walk_permute(uint64_t key, uint64_t n, uint64_t i);
