#pragma once
/* Why: an exit code is a number that somebody meets in a script's log at night. Each has a page:
 * what it means, when it comes, what to do. Pure.
 */

#include "base/buf.h"

/* `potluck help 5`. false when no command ends with this code. */
bool exit_pages_put(const char *number, struct buf *out);

/* "0 training or done; 1 error; ...": for the end of `potluck help`. */
void exit_pages_list(struct buf *out);
