#pragma once
/* Why: what a merged round becomes on the public record, computed before anything is written: the
 * settled receipts, the sheet that lists them, the round's entry and, after the last round, the
 * end. Arithmetic and signatures only, from rows of the store: no file, no clock.
 */

#include "aggregator/store_record.h"
#include "record/rundesc.h"
#include "record/sheet.h"

/* What a page is made from. */
struct publish_source {
    const struct rundesc *run;
    const struct key *key;
    const uint8_t *seed; /* [32]: the store's secret, for the secrets of rounds */
    const struct msg_update *update;
    const struct round_input *inputs; /* what was merged, with rewards */
    uint32_t n_inputs;
    struct store_tail tail; /* of the record, before this round */
    bool is_last;           /* the host ends the run with this round, whatever its number */
    int64_t at_ms;
    bool is_scored;                  /* the round is weighed by quality: record/score.h */
    const struct score_eval *scores; /* the evaluations that its sheet carries */
    uint32_t n_scores;
};

/* Owner: the caller; publish_page_deinit. Zeroed is empty. */
struct publish_page {
    struct store_row *rows; /* settled in place */
    uint32_t n_rows;
    struct buf sheet;
    struct hash sheet_hash;
    uint64_t paid;
    uint32_t n_entries;
    struct store_entry entries[2];
};

void publish_page_deinit(struct publish_page *p); /* accepts NULL and zeroed */

/* p->rows and n_rows are there: all receipts from tail.next_seq on. Fills the rest.
 * ERR_WRONG_STATE when the accepted ones are not exactly the inputs; ERR_NOMEM, ERR_LIMIT.
 */
int publish_page_make(const struct publish_source *s, struct publish_page *p,
                      struct err *e) MUST_CHECK;

/* Entry 0 of a run's record. *ret is the caller's, also on failure: buf_deinit(&ret->text). */
int publish_page_open(const struct rundesc *run, const struct key *key, const uint8_t seed[32],
                      int64_t at_ms, struct store_entry *ret, struct err *e) MUST_CHECK;

/* The end of a run between two rounds, with the model of the last one. *ret as above. */
int publish_page_end(const struct rundesc *run, const struct key *key,
                     const struct store_tail *tail, const struct hash *result, int64_t at_ms,
                     struct store_entry *ret, struct err *e) MUST_CHECK;

/* The word for a check on the sheet; "?" */
const char *publish_page_check(enum round_check c);
