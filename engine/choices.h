#pragma once
/* Why: an outside yardstick: questions with choices, one JSON object a line, as the user has them:
 *
 *     {"question": "The capital of France is", "choices": ["Rome", "Paris"], "answer": 1}
 *
 * The model reads the question and is asked how likely it finds each choice as what comes next. Two
 * scores: raw, the log-likelihood of the choice's tokens; and normalised, the same per byte of the
 * choice, so that a long choice is not held against it. The likeliest wins, the first of equals.
 *
 * A space belongs between question and choice; it is added when neither side has white space, and
 * never counted as a byte of the choice. A choice's tokens are those of the whole text that are
 * not the question's own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "engine/infer.h"
#include "engine/tokenizer.h"

#define CHOICES_MAX        26u
#define CHOICES_LINE_BYTES (1u << 20)

/* One line, its texts owned. */
struct choices_item {
    struct buf question;
    struct buf choices[CHOICES_MAX];
    uint32_t n_choices;
    uint32_t answer; /* counted from 0 */
};

/* Read one line [n] (without its end). Other members are left alone. ERR_PROTO with what is wrong,
 * ERR_LIMIT, ERR_NOMEM; *ret is then empty.
 */
int choices_parse(const void *line, size_t n, struct choices_item *ret, struct err *e) MUST_CHECK;
void choices_deinit(struct choices_item *c); /* accepts zeroed */

/* What came of one item. */
struct choices_score {
    double nats[CHOICES_MAX]; /* -log p of each choice */
    uint32_t best_raw, best_normalised;
    bool is_cut; /* the question was too long for the context: its end was used */
};

/* x is rewound. start: the id that a text begins with, or TOKENIZER_NONE. ERR_LIMIT when a choice
 * does not fit the context; ERR_PROTO when nothing stands before it; ERR_CANCELLED; ERR_NOMEM.
 */
int choices_run(struct infer *x, const float *params, const struct tokenizer *tk, uint32_t start,
                const struct choices_item *c, struct choices_score *ret, struct err *e) MUST_CHECK;

/* Counted over items. */
struct choices_tally {
    uint64_t n;
    uint64_t n_right_raw, n_right_normalised;
    uint64_t n_cut;
    double chance; /* sum of 1 / n_choices */
};

void choices_count(struct choices_tally *t, const struct choices_item *c,
                   const struct choices_score *s);

/* The 95 % interval of a share of k in n (Wilson 1927): honest for small n and near 0 and 1. */
void choices_interval(uint64_t k, uint64_t n, double *ret_lo, double *ret_hi);
