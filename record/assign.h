#pragma once
/* Why: which text a contributor trains on is a pure function of run, round and key, so that data
 * need not be handed out, nothing is trained on twice by accident, and an auditor can recompute
 * it. The assignment is an endless list of sequences; a fast machine walks further down it.
 */

#include <stdint.h>

#include "base/hash.h"
#include "base/key.h"

/* The shape of a run's training data: chunks of each shard, and tokens per chunk. */
struct assign_space {
    uint32_t n_chunks;     /* full chunks over all shards, numbered in shard order */
    uint32_t chunk_tokens; /* tokens per full chunk */
    uint32_t seq_len;      /* T; a sequence takes T + 1 tokens */
};

/* Where the i-th sequence starts: chunk number (over all shards) and token offset within it. */
struct assign_place {
    uint32_t chunk;
    uint32_t offset;
};

/* The walk has this many chunks open at a time: it takes all their sequences, shuffled together,
 * before it opens the next ones. Neighbouring text is alike; training on one chunk after another
 * lets contributors drift apart, and cost more than exchange won (docs/CONVERGENCE.md).
 */
#define ASSIGN_WINDOW 16u

/* Sequences per chunk. */
uint32_t assign_seqs_per_chunk(const struct assign_space *s);

struct assign_place assign_sequence(const struct assign_space *s, const struct hash *run,
                                    uint64_t round, const struct key_pub *contributor, uint64_t i);
