#pragma once
/* Why: the one independent witness a gradient has on the machine itself is the loss: central
 * differences. The tests hold every layer against it, and `gradcheck_self` lets a contributor's
 * machine prove that it computes what it should before it sends anything (failing memory or
 * an overclock can do that silently).
 */

#include <stdint.h>

#include "base/err.h"

/* A scalar function of x; called many times, x may change between calls. */
typedef double (*gradcheck_fn)(void *ctx);

struct gradcheck {
    double worst;     /* largest |analytic - numeric| over the largest |analytic| */
    uint64_t i_worst; /* index of that value */
    double analytic, numeric;
    uint64_t n_checked;
};

/* Compare grad [n] with (f(x + h) - f(x - h)) / 2h at up to max_checked values of x [n], evenly
 * spread, the first included. x is changed in place and restored. step: h, where 5e-3 suits
 * values around 1: the rounding of fp32 enters as 1e-7 / h, the curvature as h^2.
 */
struct gradcheck gradcheck_run(gradcheck_fn f, void *ctx, float *x, const float *grad, uint64_t n,
                               uint64_t max_checked, double step);

/* A small model, forward and backward on n_threads, checked against differences along its own
 * gradient and run again on one thread. OK, ERR_WRONG_STATE when this machine computes wrong
 * numbers, ERR_NOMEM. ret_worst (may be NULL): relative deviation.
 */
int gradcheck_self(uint32_t n_threads, double *ret_worst, struct err *e) MUST_CHECK;
