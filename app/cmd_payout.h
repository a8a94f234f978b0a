#pragma once
/* Why: `potluck payout set ADDRESS`, `show` and `clear`: where one's share is to go, should the host pay
 * anything. What is printed says each time what this is not: no value is promised, no chain is asked.
 *
 * Thread: one. Blocks on the network. OK: the answer is printed. *ret_code is the exit code either way.
 */

#include "app/cmdline.h"
#include "client/home.h"

int cmd_payout(const struct home *h, const struct cmdline *c, int *ret_code,
               struct err *e) MUST_CHECK;
