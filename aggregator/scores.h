#pragma once
/* Why: what the host knows of the keys, and what a round is weighed by. Evaluations of one round
 * are found while the next is being trained; the next merge puts all that were found by then on
 * its sheet, and its weights follow from them. Decisions only: aggregator/scoring.h finds them.
 *
 *   found ----> fresh ---- weigh(N): shown on the sheet of N, book + shown = next
 *                          published(N): next becomes the book
 *
 * Between weigh and published nothing of that changes, however often the merge is tried, so that
 * the same bytes come out; what is found meanwhile waits for N + 1. Thread: the loop's, but that
 * the publication reads shown in the pool.
 */

#include <stdbool.h>
#include <stdint.h>

#include "aggregator/round.h"
#include "record/score.h"

struct scores {
    bool is_on;
    struct score_book book; /* as of the newest sheet */
    uint32_t n_fresh;
    struct score_eval *fresh; /* [RATING_MAX], by key; found, and on no sheet yet */
    bool is_frozen;
    uint64_t round; /* that is being merged */
    uint32_t n_shown;
    struct score_eval *shown; /* [RATING_MAX] */
    struct score_book next;
};

int scores_init(struct scores *s, struct err *e) MUST_CHECK; /* ERR_NOMEM; is_on */
void scores_deinit(struct scores *s);                        /* accepts NULL and zeroed */

/* The sheet of a published round, from the first that scored on, in order: after a restart. */
struct sheet;
int scores_restore(struct scores *s, const struct sheet *sheet, struct err *e) MUST_CHECK;

/* Evaluations, ascending by key; of a key that is waiting already the newer one counts, and a
 * slash is kept. */
void scores_found(struct scores *s, const struct score_eval *evals, uint32_t n);

/* Weights, scores, rewards and their reasons of a round's contributions. The same again until it is
 * published. ERR_NOMEM.
 */
int scores_weigh(struct scores *s, uint64_t round, uint64_t emission, struct round_input *in,
                 uint32_t n, struct err *e) MUST_CHECK;
void scores_published(struct scores *s, uint64_t round);
