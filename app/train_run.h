#pragma once
/* Why: a model trained alone, from options to the end: text, memory, trainer, steps, measurements,
 * saving. The number of the step is the whole position; equal options and text give equal files,
 * stopped or not.
 *
 *   loop   step -> (smoothed loss) -> measure? -> history? -> save? -> show -> sleep (--duty)
 *   ends   at --steps or --stop-at, at the first signal (after saving), at an error (after saving,
 *          unless the model itself has gone wrong)
 */

#include "app/train_options.h"
#include "base/err.h"

/* o is taken over. Prints to stdout. OK also when a signal ended it and all is saved. */
int train_run(const struct train_options *o, struct err *e) MUST_CHECK;
