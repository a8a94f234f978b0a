#pragma once
/* Why: the oracle for gemm.h in a dozen lines of plain C, straight from the definition in micro.h,
 * with no tiles, panels or strips: gemm_run must give its bits.
 */

#include "engine/gemm.h"

/* C = A B (+ C when add); `done` is ignored. */
void gemm_ref(const struct gemm_job *g);
