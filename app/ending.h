#pragma once
/* Why: `potluck-aggregator end`: the host ends the run, after being asked whether that is meant. */

#include <stdbool.h>

#include "base/err.h"

/* Ask on the terminal whether that is meant; ERR_ARG where nobody is there, ERR_WRONG_STATE when the
 * answer is not yes.
 */
int ending_ask(const char *question, struct err *e) MUST_CHECK;

/* is_sure: --yes. Without it a person is asked on the terminal; where there is none, ERR_ARG.
 * ERR_WRONG_STATE when the answer is no. Prints what became of it.
 */
int ending_run(const char *home, bool is_sure, struct err *e) MUST_CHECK;
