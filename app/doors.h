#pragma once
/* Why: `potluck-aggregator doors`, `invite` and `allow`: who may take part. They change the run's
 * database, which `serve` looks at for each question: what is said here counts at once.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct doors_words {
    const char *home;
    char *const *rest; /* the words after the command */
    int n_rest;
    bool is_json;
    bool has_uses, has_days;
    uint64_t uses; /* 0: any number */
    double days;   /* 0: for ever */
    const char *note;
};

/* Is this one of the three? */
bool doors_is_command(const char *command);

/* Carry it out; prints to stdout. ERR_ARG for words that make no sense, with a hint. */
int doors_run(const char *command, const struct doors_words *w, struct err *e) MUST_CHECK;
