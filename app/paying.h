#pragma once
/* Why: `potluck-aggregator payouts`: a settlement for a period, to be paid by whatever means. */

#include <stdbool.h>

#include "base/err.h"

struct paying_words {
    const char *home;
    const char *from, *to; /* a round or a day; NULL: what is not settled yet */
    const char *out;       /* NULL: to standard output */
    bool is_csv;
};

/* Make the settlement, put it on record, write it out; what came of it goes to standard error. */
int paying_run(const struct paying_words *w, struct err *e) MUST_CHECK;
