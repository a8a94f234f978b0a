#pragma once
/* Why: the agent is an executable of its own beside `potluck` (docs/decisions, two executables).
 * Here it is found, started in the background, or become.
 */

#include "base/err.h"
#include "base/path.h"
#include "client/home.h"

/* Where potluck-agent lies: beside this program, or in ../libexec/potluck. ERR_NOTFOUND. */
int spawn_find(char dst[PATH_CAP], struct err *e) MUST_CHECK;

/* Start the agent in the background and wait until its socket answers (at most 10 s). When it ends
 * instead, the error is the sentence it left. threads, name and home may be NULL.
 */
int spawn_agent(const struct home *h, const char *home, const char *threads, const char *name,
                struct err *e) MUST_CHECK;

/* Wait until the agent that was asked to end has ended, at most 15 s. ERR_IO with a sentence. */
int spawn_await_end(const struct home *h, struct err *e) MUST_CHECK;

/* Replace this process by the agent with these arguments; returns only on failure. word and home
 * may be NULL: a command of the agent's (engine_cmd.h), then --home, go first.
 */
int spawn_become(const char *word, const char *home, char **args, struct err *e) MUST_CHECK;
