#pragma once
/* Why: one round, checked from the bottom up: every line of its sheet against the signed receipt and
 * the signed manifest behind it, the rewards against the rule, the update against the contributions
 * it was merged from, the model against the update. It is the host's own arithmetic, done again.
 *
 * In memory: the sheet, the contributions of the round (as the host had them when it merged), the
 * update, and the weights (record/audit_model.h).
 */

#include "record/audit_model.h"
#include "record/audit_scores.h"
#include "record/audit_sheet.h"

/* What was looked at, for people. */
struct audit_done {
    uint64_t n_rounds;        /* whose update was recomputed, or was there to be compared */
    uint64_t n_recomputed;    /* whose update was recomputed from its contributions */
    uint64_t n_contributions; /* rows: accepted, late, rejected */
    uint64_t n_merged;
    uint64_t n_rewards; /* lines of more than nothing */
    uint64_t paid;
    uint64_t n_refused; /* late and rejected: their reasons cannot be judged afterwards */
    uint64_t n_scored;
};

/* A contribution that was accepted: none may be counted twice, in whichever round. */
struct audit_counted {
    struct hash payload;
    uint64_t round, seq;
};

struct audit_rounds {
    const struct audit_source *source;
    const struct audit_chain *chain; /* of the whole log */
    const struct model_table *table;
    const struct key_pub *key; /* the aggregator's */
    struct audit_book *book;
    struct audit_model *model; /* NULL: only what is signed is checked, nothing is merged */
    struct audit_done *done;
    struct buf *counted;         /* struct audit_counted, grows with each round; NULL */
    struct audit_scores *scores; /* of the rounds before; advanced by each round that is checked */
};

/* Check one round of which the entry at `index` says m. Findings go into the book; errors are the
 * source's own trouble, ERR_NOMEM.
 */
int audit_round(const struct audit_rounds *a, uint64_t index, const struct entry_round *m,
                struct err *e) MUST_CHECK;

/* After the last round: name what was counted more than once. */
void audit_round_twice(const struct audit_rounds *a);
