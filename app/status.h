#pragma once
/* Why: `potluck status` for people and for scripts, and the exit code that says it in one digit.
 * Pure.
 */

#include "base/buf.h"
#include "base/err.h"
#include "view/view.h"

/* Lines for a person. */
void status_text(const struct view *v, struct buf *out);

/* One JSON object; the field names are documented in docs/PROTOCOL.md, "Contributor". */
int status_json(const struct view *v, struct buf *out, struct err *e) MUST_CHECK;

/* enum cmdline_exit */
int status_exit(const struct view *v);
