#pragma once
/* Why: every matrix product of the engine. A product is cut into a fixed partition of output
 * tiles (a function of its shape alone), each tile is one chain of single-threaded sgemm calls
 * over the whole reduction, and the pool runs tiles in any order: the bits do not depend on the
 * number of threads. gemm.c is the only file that knows OpenBLAS; gemm_ref.h is the plain oracle.
 *
 * All matrices are row-major. Kinds, with C [m, n] and reduction k:
 *     GEMM_NT  C = A [m, k] * B [n, k]^T     y  = x W^T       (weights are [out, in])
 *     GEMM_NN  C = A [m, k] * B [k, n]       dx = dy W
 *     GEMM_TN  C = A [k, m]^T * B [k, n]     dW = dy^T x
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/pool.h"

enum gemm_kind { GEMM_NT, GEMM_NN, GEMM_TN };

/* One product. lda, ldb, ldc: floats from one row to the next. add: C += instead of C =. */
struct gemm_job {
    enum gemm_kind kind;
    bool add;
    uint32_t m, n, k;
    const float *a;
    const float *b;
    float *c;
    uint32_t lda, ldb, ldc;
};

/* Find and prepare the BLAS library; call before any product, as often as you like. The first call
 * sets environment variables for the library, so a program with threads makes it early in main,
 * before the others start (trainer_create calls it too). Chooses OpenBLAS' core type when the
 * library does not know this processor: docs/decisions/0003-blas.md. ERR_NOTFOUND or ERR_VERSION,
 * with the package to install.
 */
int gemm_init(struct err *e) MUST_CHECK;

/* Library, configuration and core type as one string; after gemm_init. */
const char *gemm_library(void);

/* Run n_jobs (at most GEMM_MAX_JOBS) independent products on the pool; owner thread only. */
#define GEMM_MAX_JOBS 4
void gemm_run(struct pool *p, const struct gemm_job *jobs, uint32_t n_jobs);

/* One small product on the calling thread: C = alpha * A B (+ C when add). */
void gemm_small(const struct gemm_job *j, float alpha);
