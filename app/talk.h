#pragma once
/* Why: the short conversations of the command line with the agent: one question, one answer.
 *
 * Thread: any; each call runs its own loop and blocks up to 10 s.
 * Errors: ERR_NOTFOUND when no agent listens; else what went wrong, with the agent's hint.
 */

#include <stdbool.h>

#include "base/err.h"
#include "view/intent.h"
#include "view/view.h"

bool talk_is_there(const char *socket);
int talk_view(const char *socket, struct view *ret, struct err *e) MUST_CHECK;
/* The settings as JSON, appended to out; and one changed (value NULL: the default). */
int talk_settings(const char *socket, struct buf *out, struct err *e) MUST_CHECK;
int talk_set(const char *socket, const char *key, const char *value, struct err *e) MUST_CHECK;
int talk_intent(const char *socket, const struct intent *it, struct err *e) MUST_CHECK;
