#pragma once
/* Why: the outer step's arithmetic: error feedback before packing, the update after. Plain fp32
 * operations in a fixed order, each rounded once, so that every party computes the same bits.
 * Source: SparseLoCo, arXiv 2508.15706 eq. 1-2.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/delta.h"
#include "engine/model.h"

/* Called between blocks of some hundred thousand values, with ctx; may sleep. fn NULL: never. */
struct outer_wait {
    void (*fn)(void *ctx);
    void *ctx;
};

/* acc[i] = beta * acc[i] + (base[i] - local[i]) for i in [0, n): error feedback in, a_r out. */
void outer_accumulate(float beta, const float *base, const float *local, float *acc, uint64_t n);

/* acc += what the packed contribution carried: a payload that was not accepted comes back. */
int outer_return(const struct model_table *t, const struct delta_params *p, const void *bytes,
                 size_t n, float *acc, struct err *e) MUST_CHECK;

int outer_return_waiting(const struct model_table *t, const struct delta_params *p,
                         const void *bytes, size_t n, const struct outer_wait *wait, float *acc,
                         struct err *e) MUST_CHECK;

/* base -= outer_lr * update; the whole update is checked before the first value changes. */
int outer_apply(const struct model_table *t, const struct delta_params *p, float outer_lr,
                const void *update, size_t n, float *base, struct err *e) MUST_CHECK;
int outer_apply_waiting(const struct model_table *t, const struct delta_params *p, float outer_lr,
                        const void *update, size_t n, const struct outer_wait *wait, float *base,
                        struct err *e) MUST_CHECK;
