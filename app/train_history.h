#pragma once
/* Why: what was measured at which step, one JSON object a line, appended: a graph can be drawn from
 * it while training runs. After a crash the file may know steps that the saved state does not:
 * going on cuts it back to the state's step, so that no step is told twice.
 */

#include <stdint.h>

#include "app/train_show.h"
#include "base/err.h"

struct train_row {
    struct train_progress p; /* steps and left_ms are not kept */
    uint64_t n_tokens;       /* predicted so far */
    double lr, grad_norm;
    int64_t wall_ms;
};

/* Append and flush; no fsync, since a lost line costs nothing. ERR_IO, ERR_NOMEM. */
int train_history_add(const char *path, const struct train_row *row, struct err *e) MUST_CHECK;

/* Keep rows up to `step` and drop the rest, and what is no row. *ret_ms: training time at the last
 * one kept, 0 without any. OK when there is no file.
 */
int train_history_cut(const char *path, uint64_t step, int64_t *ret_ms, struct err *e) MUST_CHECK;
