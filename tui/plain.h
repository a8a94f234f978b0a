#pragma once
/* Why: where there is no screen (a pipe, a log file, a screen reader) the same facts come as
 * lines: label before value, no drawing, no cursor.
 */

#include "base/buf.h"
#include "view/view.h"

/* Append "14:32 RUNNING: round 7, step 12 of 30; speed 412 tok/s; ..." and a newline. is_gone: there is
 * no agent, rather than a silent one.
 */
void plain_line(const struct view *v, bool is_gone, int64_t now_ms, struct buf *out);
