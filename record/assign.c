#include "record/assign.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"

#define PASSES 6 /* of the Feistel network */

/* Where the walk of this run, round and contributor begins: everything follows from it. */
static uint64_t walk_seed(const struct hash *run, uint64_t round, const struct key_pub *key)
{
    static const char label[16] = "potluck-assign+1";
    uint8_t m[16 + HASH_BYTES + 8 + KEY_BYTES];
    memcpy(m, label, 16);
    memcpy(m + 16, run->b, HASH_BYTES);
    bytes_put_u64(m + 16 + HASH_BYTES, round);
    memcpy(m + 24 + HASH_BYTES, key->b, KEY_BYTES);
    struct hash h = hash_of(m, sizeof m);
    return bytes_u64(h.b);
}

/* A good mixer of 64 bits (the finisher of splitmix64, Steele et al. 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Image of i under the seed's permutation of [0, n): a Feistel network over the next even power
 * of two, walked until it lands inside (Black and Rogaway 2002). Needs no memory, unlike a
 * shuffle of a list; on the average fewer than four walks.
 */
static uint32_t permuted(uint64_t seed, uint32_t n, uint32_t i)
{
    assert(i < n);
    unsigned half = 1;
    while (half < 16 && ((uint64_t)1 << (2 * half)) < n)
        half++;
    uint32_t mask = (1u << half) - 1;
    do {
        uint32_t left = i >> half;
        uint32_t right = i & mask;
        for (uint64_t pass = 0; pass < PASSES; pass++) {
            uint64_t key = seed + (pass << 32 | right) * 0x9e3779b97f4a7c15u;
            uint32_t next = left ^ ((uint32_t)(mix(key) >> 20) & mask);
            left = right;
            right = next;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}

uint32_t assign_seqs_per_chunk(const struct assign_space *s)
{
    if (s->chunk_tokens == 0 || s->seq_len == 0) return 0;
    return (s->chunk_tokens - 1) / s->seq_len;
}

struct assign_place assign_sequence(const struct assign_space *s, const struct hash *run,
                                    uint64_t round, const struct key_pub *contributor, uint64_t i)
{
    uint64_t per_chunk = assign_seqs_per_chunk(s);
    check(per_chunk > 0 && s->n_chunks > 0);
    uint64_t per_epoch = per_chunk * s->n_chunks;
    uint64_t seed = mix(walk_seed(run, round, contributor) + i / per_epoch);
    uint64_t window = i % per_epoch / (per_chunk * ASSIGN_WINDOW);
    uint32_t first = (uint32_t)window * ASSIGN_WINDOW; /* of its chunks, in walking order */
    uint32_t size = s->n_chunks - first < ASSIGN_WINDOW ? s->n_chunks - first : ASSIGN_WINDOW;
    uint32_t within = (uint32_t)(i % per_epoch - first * per_chunk);
    uint32_t drawn = permuted(mix(seed + 1 + window), size * (uint32_t)per_chunk, within);
    struct assign_place p = {0};
    p.chunk = permuted(seed, s->n_chunks, first + drawn / (uint32_t)per_chunk);
    p.offset = drawn % (uint32_t)per_chunk * s->seq_len;
    return p;
}
