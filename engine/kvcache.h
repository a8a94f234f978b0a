#pragma once
/* Why: keys and values of what was already read, so that the next token costs one row and not the
 * whole text again; and causal grouped-query attention over them.
 *
 * One cache is one layer's. Values lie [K, n_ctx, W], row by row. Keys lie in blocks of 16
 * positions, [K, n_ctx / 16, W, 16]: a query then meets 16 keys at once, without a sum across a
 * register, and memory is still walked in one direction. Letters as in layers.h.
 *
 * Every score and every output is one worker's sum in order of W or of positions: the bits do not
 * depend on threads or on how many rows are asked at a time.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/pool.h"

/* What attention needs to know; scratch is filled by the caller: kvcache_scratch floats. */
struct kvcache_shape {
    uint32_t H, K, W; /* heads, key/value heads, width of a head */
    uint32_t n_ctx;   /* positions a cache holds */
};

/* Floats of one layer's cache, and of the scratch for n_threads workers. SIZE_MAX: too many. */
size_t kvcache_floats(const struct kvcache_shape *s);
size_t kvcache_scratch(const struct kvcache_shape *s, uint32_t n_threads);

/* Put n rows of rotated qkv [n, (H + 2 K) W] in at positions pos .. pos + n - 1 < n_ctx. Calling
 * thread.
 */
void kvcache_put(const struct kvcache_shape *s, float *cache, uint32_t pos, const float *qkv,
                 uint32_t n);

/* out [n, H W]: query row i of qkv, at position pos + i, over positions 0 .. pos + i, which are
 * all in. Scores are divided by sqrt(W). On the pool; owner thread only; allocates nothing.
 */
void kvcache_attend(struct pool *p, const struct kvcache_shape *s, const float *cache, uint32_t pos,
                    const float *qkv, uint32_t n, float *out, float *scratch);
