#pragma once
/* Why: `potluck-aggregator backup DIR` and `restore DIR` (aggregator/backup.h), and what they say. */

#include <stdbool.h>

#include "base/err.h"

struct backing_words {
    const char *home;
    char *const *rest; /* one folder */
    int n_rest;
    bool is_json;
};

bool backing_is_command(const char *command);
int backing_run(const char *command, const struct backing_words *w, struct err *e) MUST_CHECK;
