#pragma once
/* Why: the agent's settings as the screen shows them: what `potluck config list --json` says, nothing
 * known beforehand, so that a newer agent's settings are shown and changed by an older screen.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define OPTIONS_MAX     32
#define OPTIONS_CHOICES 6
#define OPTIONS_VALUE   128

struct option_row {
    char key[32];
    char value[OPTIONS_VALUE];
    char unit[12];
    char source[16]; /* "default", "file", "environment", "flag" */
    char standard[48];
    char help[160];
    char in_effect[160]; /* what comes of it now; "" */
    char applies[24];    /* "at once" */
    char zero[32];       /* what 0 means; "" */
    bool is_number;
    int64_t least, most;
    uint32_t n_choices;
    char choices[OPTIONS_CHOICES][16];
};

struct options {
    uint32_t n;
    struct option_row at[OPTIONS_MAX];
};

/* ERR_PROTO when it is no such list; *ret is left alone then. Text is made printable and cut. */
int options_parse(const char *json, size_t n, struct options *ret, struct err *e) MUST_CHECK;

/* The value next to (by 1) or before (by -1) the present one: the next choice, or a number by a step
 * that fits its size. False when it is a text, or at its end.
 */
bool options_next(const struct option_row *o, int by, char dst[OPTIONS_VALUE]);
