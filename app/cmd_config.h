#pragma once
/* Why: `potluck config`: the settings as a person reads and changes them. A running agent is asked,
 * for only it knows its flags and its environment; without one the file is read and written here.
 */

#include "app/cmdline.h"
#include "base/err.h"
#include "client/home.h"

/* ret_code: enum cmdline_exit. Prints the answer; an error is the caller's to tell. */
int cmd_config(const struct home *h, const struct cmdline *c, int *ret_code,
               struct err *e) MUST_CHECK;
