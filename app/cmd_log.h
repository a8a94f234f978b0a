#pragma once
/* Why: `potluck log` and `potluck explain 03:12`: what the agent did, in its own words, without an
 * agent. Prints; with -f until interrupted. *ret_code: enum cmdline_exit.
 */

#include "app/cmdline.h"
#include "client/home.h"

int cmd_log(const struct home *h, const struct cmdline *c, int *ret_code, struct err *e) MUST_CHECK;
int cmd_explain(const struct home *h, const struct cmdline *c, int *ret_code,
                struct err *e) MUST_CHECK;
