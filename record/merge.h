#pragma once
/* Why: the one place where contributions become an update. Host, contributor, auditor and
 * simulator call the same function and get the same bytes, on any CPU: inputs in a fixed order,
 * plain double arithmetic without fused operations, no threads.
 *
 *   a_r   = sqrt(w_r / max_r(w_r))                             more steps go further
 *   c_r,t = min(1, a_r median_r(norm_r,t / a_r) / norm_r,t)    per tensor t, lower median
 *   U[i]  = sum_r w_r c_r,t v_r[i] / max(sum over senders of i of w_r, m * W / R)
 * w_r = tokens of contribution r, W = sum of all w_r, R contributions, m = merge_min_senders but
 * at most R: what all of them agree on is never shrunk.
 * Sources: SparseLoCo arXiv 2508.15706 (sparse averaging), Covenant-72B arXiv 2603.08163 section
 * 2.2 (median-norm clip); the denominator is ours: docs/decisions.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/key.h"
#include "engine/delta.h"
#include "engine/model.h"

#define MERGE_MAX_INPUTS 1024

struct merge_input {
    struct key_pub contributor; /* the order of merging */
    const void *payload;        /* checked by delta_check before */
    size_t n_bytes;
    uint64_t n_tokens; /* weight, > 0 */
};

/* Merge n inputs (any order; sorted inside by key, no key twice: ERR_PROTO). Appends the packed
 * update; of no inputs it is the one that changes nothing. scratch: NULL. ERR_PROTO names the input that is malformed.
 */
int merge_run(const struct model_table *t, const struct delta_params *p, double min_senders,
              const struct merge_input *inputs, uint32_t n, struct buf *update,
              struct err *e) MUST_CHECK;

/* base [n_params] -= outer_lr * update; the same arithmetic as trainer_apply_update. */
int merge_apply(const struct model_table *t, const struct delta_params *p, double outer_lr,
                const void *update, size_t n, float *base, struct err *e) MUST_CHECK;
