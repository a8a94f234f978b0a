#pragma once
/* Why: `potluck-aggregator list`: keep a signed list of runs, for `potluck runs`. */

#include "base/err.h"

struct listing_words {
    const char *home;
    const char *file;  /* NULL: HOME/runs.potluck, which `serve` hands out */
    char *const *rest; /* nothing: put this home's run in; add FILE...; remove NAME|ID */
    int n_rest;
};

/* Read the list (a missing one is empty), change it, sign it with the home's host key, replace it.
 * ERR_AUTH when somebody else signed what is there. Prints where it lies.
 */
int listing_run(const struct listing_words *w, struct err *e) MUST_CHECK;
