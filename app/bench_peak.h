#pragma once
/* Why: a speed means something beside what the machine could do at most, measured in the same run,
 * since a shared machine is not the same machine a minute later. Peaks come from loops that touch
 * nothing but registers; bandwidth from STREAM's triad (McCalpin 1995).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/pool.h"

enum bench_precision { BENCH_FP32, BENCH_BF16 };

/* Best Gflop/s of all threads of the pool together, over about 60 ms of each loop that this
 * processor has; 0 when it has none for the precision. *ret_isa (may be NULL): the loop that won.
 * A bf16 product with fp32 sum counts as two flops, as everywhere. Owner thread of the pool.
 */
double bench_peak(struct pool *p, enum bench_precision precision, const char **ret_isa);

/* Best GB/s of a = b + s * c over arrays far larger than any cache (less when memory is short), all
 * threads together, three arrays counted. Allocates and frees 3 * bytes. ERR_NOMEM.
 */
int bench_peak_triad(struct pool *p, size_t bytes, double *ret_gb_per_s, struct err *e) MUST_CHECK;

/* Best GB/s at which all threads together only read `bytes`, in long runs as weights are read.
 * Allocates and frees them. ERR_NOMEM.
 */
int bench_peak_read(struct pool *p, size_t bytes, double *ret_gb_per_s, struct err *e) MUST_CHECK;

/* "AVX2, FMA, AVX-512, AVX-512 BF16" into dst; returns dst. */
char *bench_peak_isas(char *dst, size_t cap);
