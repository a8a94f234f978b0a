#pragma once
/* Why: `potluck-aggregator change` and `rollback`: what the host changes in a run that is under way. */

#include <stdbool.h>

#include "base/err.h"

struct steering_words {
    const char *home;
    const char *round; /* change: --from, may be NULL; rollback: --to */
    const char *reason;
    bool is_sure; /* rollback: --yes */
    char *const *rest;
    int n_rest;
};

/* Without NAME=VALUE: what the record says so far. */
int steering_change(const struct steering_words *w, struct err *e) MUST_CHECK;

/* Asks a person whether that is meant, unless is_sure. */
int steering_rollback(const struct steering_words *w, struct err *e) MUST_CHECK;
