#pragma once
/* Why: `potluck receipts` (did my work count?) and `potluck rewards` (what was it worth?). They ask
 * and look up; nothing is computed, so they belong to `potluck` itself.
 *
 * Thread: one. Blocks on the network. OK: the answer is printed. *ret_code is the exit code either way.
 */

#include <stdbool.h>

#include "app/cmdline.h"
#include "client/home.h"

int cmd_books_receipts(const struct home *h, const struct cmdline *c, int *ret_code,
                       struct err *e) MUST_CHECK;
int cmd_books_rewards(const struct home *h, const struct cmdline *c, int *ret_code,
                      struct err *e) MUST_CHECK;
