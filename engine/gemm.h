#pragma once
/* Why: every matrix product of the engine. A product is cut into pieces for the pool and each
 * piece into strips (micro.h). A strip's sums are one chain of fused multiply-adds over the whole
 * reduction, so neither the cut, nor the threads, nor the instruction set changes a bit of the
 * result: docs/decisions/0007.
 *
 * All matrices are row-major. Kinds, with C [m, n] and reduction k:
 *     GEMM_NT  C = A [m, k] * B [n, k]^T     y  = x W^T       (weights are [out, in])
 *     GEMM_NN  C = A [m, k] * B [k, n]       dx = dy W
 *     GEMM_TN  C = A [k, m]^T * B [k, n]     dW = dy^T x
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/micro.h"
#include "engine/pool.h"

enum gemm_kind { GEMM_NT, GEMM_NN, GEMM_TN };

/* Told each finished strip instead of storing it: rows [row, row + m), columns [col, col + n) of C
 * are at tile[i * ld + j]. Called on the worker; every strip lies within one panel, and panels
 * begin at multiples of gemm_panel(n).
 */
typedef void (*gemm_strip_fn)(void *ctx, uint32_t row, uint32_t m, uint32_t col, uint32_t n,
                              const float *tile, uint32_t ld);

/* Columns of a panel, from the width of C alone. */
uint32_t gemm_panel(uint32_t n);

/* One product. lda, ldb, ldc: elements from one row to the next. add: C += instead of C =.
 * type MICRO_F32: all are floats. MICRO_BF16: A is bfloat16, B bfloat16 (is_b_bf16) or floats that
 * are rounded on the way in, C floats, or bfloat16 (is_c_bf16, not with add).
 */
struct gemm_job {
    enum gemm_kind kind;
    enum micro_type type;
    bool add;
    bool is_b_bf16, is_c_bf16;
    uint32_t m, n, k;
    const void *a;
    const void *b;
    void *c;
    uint32_t lda, ldb, ldc;
    void *room; /* GEMM_TN: where B is packed once for all; gemm_room bytes, 64-byte aligned */
    gemm_strip_fn done; /* may be NULL; GEMM_NT only, instead of c */
    void *ctx;
};

/* Bytes of `room` for a product of n columns and reduction k; SIZE_MAX when there is no such size. */
size_t gemm_room(enum micro_type type, uint32_t n, uint32_t k);

/* Run n_jobs (at most GEMM_MAX_JOBS) independent products on the pool; owner thread only. Looks at
 * the gate at least every 10 ms of a slow core's work. Uses the workers' scratch.
 */
#define GEMM_MAX_JOBS 4
void gemm_run(struct pool *p, const struct gemm_job *jobs, uint32_t n_jobs);

/* What a worker's scratch must hold for gemm_run. */
#define GEMM_SCRATCH_BYTES (1024u * 1024)
