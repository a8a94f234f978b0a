#pragma once
/* Why: how each command of `potluck` is typed, for its help and, by way of that, its manual page. Commands
 * that read their own options (app/engine_cmd.h) have theirs beside those. Pure.
 */

/* Lines, each indented by two spaces; NULL when there are none. */
const char *examples_of(const char *command);
