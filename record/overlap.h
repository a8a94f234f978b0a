#pragma once
/* Why: a copied contribution with a few values changed has another hash, but still sends the same
 * coordinates with the same signs, which two who trained on different text never do to that
 * extent. A sketch holds the signs of some chunks, drawn after the deadline, so that contributions
 * can be compared in pairs without keeping them.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "engine/delta.h"
#include "engine/model.h"

#define OVERLAP_CHUNKS 48 /* drawn ones; 48 kB a sketch */

struct overlap_sketch {
    uint32_t n_values; /* sent in the drawn chunks */
    uint64_t plus[OVERLAP_CHUNKS][DELTA_MAX_CHUNK / 64];
    uint64_t minus[OVERLAP_CHUNKS][DELTA_MAX_CHUNK / 64];
};

/* Sketch a payload (checked by delta_check). Chunks of two-dimensional tensors are drawn from
 * seed, the same for every payload of this table. ERR_PROTO.
 */
int overlap_take(const struct model_table *t, const struct delta_params *p, const struct hash *seed,
                 const void *payload, size_t n, struct overlap_sketch *ret,
                 struct err *e) MUST_CHECK;

/* Coordinates that both send with the same sign, in millionths of the smaller one's; 0 when either
 * sends nothing in the drawn chunks.
 */
uint32_t overlap_millionths(const struct overlap_sketch *a, const struct overlap_sketch *b);
