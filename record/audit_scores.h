#pragma once
/* Why: under the scored rule a weight follows from every evaluation on record before it. The
 * auditor keeps the same book as the host (record/score.h) and goes through the sheets in the same
 * order; of rounds that nobody asked about only the evaluations are read.
 */

#include "record/audit.h"
#include "record/entry.h"
#include "record/score.h"
#include "record/sheet.h"

struct audit_scores {
    struct score_book book;
    bool is_lost; /* a sheet was missing: weights after it cannot be known */
};

void audit_scores_deinit(struct audit_scores *s); /* accepts NULL and zeroed */

/* The evaluations of one round's sheet; NULL: there is none to be trusted. ERR_NOMEM. */
int audit_scores_take(struct audit_scores *s, const struct sheet *sheet, struct err *e) MUST_CHECK;

/* A round that is not asked about: read its sheet for the evaluations alone. The source's errors.
 * */
int audit_scores_skip(struct audit_scores *s, const struct audit_source *from,
                      const struct entry_round *m, struct err *e) MUST_CHECK;
