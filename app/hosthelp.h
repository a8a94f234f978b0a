#pragma once
/* Why: what `potluck-aggregator` says about itself: one short page, and one for each command with
 * its options and an example; and which option belongs to which command, from the same table, so
 * that an option which would do nothing is refused. Pure.
 */

#include "base/buf.h"
#include "base/err.h"

/* The page of a command; of all of them for NULL and for a command without a page of its own. */
void hosthelp_write(const char *command, struct buf *out);

/* ERR_ARG when the option is another command's ("--vocab belongs to prepare"). An option without a
 * row here may stand anywhere.
 */
int hosthelp_check(const char *command, const char *option, struct err *e) MUST_CHECK;
