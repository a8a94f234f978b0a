#pragma once
/* What every layer's test needs: a pool, blocks of repeatable numbers, and the comparison of a
 * gradient with central differences. The scalar under test is always sum(c * out) for random c.
 */

#include <stdlib.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "engine/gemm.h"
#include "engine/gradcheck.h"
#include "engine/layers.h"
#include "tests/check.h"

/* n values of spread s around m; freed by the caller. */
static inline float *case_block(uint64_t n, uint64_t seed, float m, float s)
{
    float *x = alloc_aligned(n, sizeof(float));
    struct rng r;
    rng_init(&r, seed, 0);
    for (uint64_t i = 0; i < n; i++)
        x[i] = m + s * rng_normal(&r);
    return x;
}

static inline double case_sum(const float *c, const float *x, uint64_t n)
{
    double s = 0;
    for (uint64_t i = 0; i < n; i++)
        s += (double)c[i] * (double)x[i];
    return s;
}

static inline struct pool *case_pool(uint32_t n_threads)
{
    struct pool *p = NULL;
    assert_int_equal(pool_create(n_threads, &p, NULL), OK);
    return p;
}

/* fp32 forward, h = 5e-3: rounding leaves some 1e-4 of the largest value, a wrong term far more. */
static inline void case_gradient(const char *name, gradcheck_fn f, void *ctx, float *x,
                                 const float *grad, uint64_t n)
{
    struct gradcheck g = gradcheck_run(f, ctx, x, grad, n, 150, 5e-3);
    if (!(g.worst < 1e-3) || g.n_checked == 0)
        fail_msg("%s[%llu]: analytic %g, numeric %g", name, (unsigned long long)g.i_worst,
                 g.analytic, g.numeric);
}
