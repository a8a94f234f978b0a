#pragma once
/* Why: writing text computes one row at a time, and then every weight is read once for one multiply
 * and one add: the speed of memory is the speed of the model. A matrix-vector product here walks the
 * weights in one direction, as they lie, and asks for them ahead.
 *
 * Sums have a fixed shape (64 interleaved partial sums, folded in one tree; no fused multiply-add)
 * and a row is one worker's: every instruction set, any number of threads and any partition give
 * the same bits.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/pool.h"

/* y [rows] = w [rows, cols] x [cols], or += when add. w is row-major without gaps; any length and
 * alignment; y does not overlap the others. On the calling thread.
 */
void matvec_rows(float *y, const float *w, const float *x, uint32_t rows, uint32_t cols, bool add);

/* The same with rows split over the pool, 128 KiB of weights a piece; owner thread only. Allocates
 * nothing. When the pool is cancelled y is unspecified.
 */
void matvec_run(struct pool *p, float *y, const float *w, const float *x, uint32_t rows,
                uint32_t cols, bool add);
