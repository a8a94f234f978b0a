#pragma once
/* Why: `potluck key show`, `backup` and `restore`: the identity on paper and back. The words are read
 * from standard input, never from the command line, which every process of the machine can see.
 *
 * Prints the answer; an error is the caller's to tell. *ret_code: enum cmdline_exit.
 */

#include "app/cmdline.h"
#include "client/home.h"

int cmd_key(struct home *h, const struct cmdline *c, int *ret_code, struct err *e) MUST_CHECK;
