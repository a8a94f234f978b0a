#pragma once
/* Why: the oracle for gemm.h, in plain C, and its stand-in where BLAS would be a blind spot
 * (ThreadSanitizer) or is not there (`-Dblas=reference`). Slow on purpose-built hardware, right
 * everywhere.
 */

#include "engine/gemm.h"

/* C = alpha * A B (+ C when add), each element summed in order of k in fp32. */
void gemm_ref_small(const struct gemm_job *g, float alpha);
