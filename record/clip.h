#pragma once
/* Why: whatever a key earns, no key may decide. Loudness is taken away inside the merge (norms are
 * clipped to the median: record/merge.h); here a weight is bounded by a share of all weights. It
 * bounds influence only: rewards follow the weights before the cap.
 */

#include <stdint.h>

#define CLIP_SHARE_MIN 100000 /* millionths: a tenth of the round */
#define CLIP_FAIR      3      /* or three equal shares, when that is more: small swarms */

/* Bound each weight by the largest t with t <= share * sum_i min(w_i, t), where share is the
 * larger of CLIP_SHARE_MIN and CLIP_FAIR / n; share >= 1 bounds nothing. Weights of 0 stay and do
 * not count in n. Weights below 2^53. Integers only.
 */
void clip_weights(uint64_t *w, uint32_t n);
