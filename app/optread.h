#pragma once
/* Why: every program and command reads numbers from its command line and tells a slip; they do it
 * in the same words from here: which option it was, what it wants, and what may have been meant.
 * Thread: before any other.
 */

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The whole text is a number in [lo, hi]. On false *ret is as it was. */
bool optread_whole(const char *text, uint64_t lo, uint64_t hi, uint64_t *ret);
bool optread_whole32(const char *text, uint32_t lo, uint32_t hi, uint32_t *ret);
bool optread_real(const char *text, double *ret); /* any finite one */

/* Processors of this machine, 1 to most. */
uint32_t optread_cores(uint32_t most);

/* getopt_long said c, '?' or ':' (opterr 0, the short options begin with ':'): ERR_ARG with the
 * option's name, and as a hint what was meant or where help is. command: "potluck sample".
 */
int optread_fault(int c, char *const *argv, const struct option *longs, const char *command,
                  struct err *e);

/* Run through the options of a command; take gets each (its value in optarg) and returns NULL or what
 * is wrong with it. `help` is told with usage_text. 0: go on, the rest begins at argv[optind]; 1:
 * done (help); 2: a slip, told.
 */
struct optread {
    const char *command;
    const char *usage_text;
    const struct option *longs;
    int help;
    const char *(*take)(int c, void *ctx);
};
int optread_each(const struct optread *r, int argc, char **argv, void *ctx);

/* The one of `names` (ended by NULL) that was probably meant by text: one or two slips away, or
 * what text begins. NULL when none is near.
 */
const char *optread_nearest(const char *text, const char *const *names);

/* Tell a slip on stderr, as "command: what (hint)"; exit code 2. Without a hint it says where
 * help is. The last one tells a failure; exit code 1.
 */
int optread_usage(const char *command, const char *what);
int optread_told(const char *command, struct err *e);
int optread_fail(const char *command, const struct err *e);
