#pragma once
/* Why: a slip in an option, a command or a setting is answered with what was probably meant, by one
 * measure everywhere. Pure.
 */

/* The one of `names` (ended by NULL) that was probably meant by text: one or two slips away, or
 * what text begins. NULL when none is near.
 */
const char *near_word(const char *text, const char *const *names);
