#pragma once
/* Why: one number that says how well a model knows a text: the cross-entropy of every token but the
 * first, each predicted exactly once. The text goes through in windows of the context's length,
 * one behind the other (stride = length), as in training and in the aggregator's validation.
 *
 * Bits per byte does not depend on the tokenizer, perplexity per token does.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/infer.h"
#include "engine/tokenizer.h"

/* Where the tokens come from. read: tokens [at, at + n) into dst. progress (may be NULL): told how
 * many are done after each window; false ends the evaluation with what was done.
 */
struct eval_text {
    uint64_t n_tokens;
    int (*read)(void *ctx, uint64_t at, uint32_t n, uint32_t *dst, struct err *e);
    bool (*progress)(void *ctx, uint64_t n_done);
    void *ctx;
};

/* Sums: those of several texts may be added. */
struct eval_sum {
    double nats;
    uint64_t n_tokens; /* that were predicted */
    uint64_t n_bytes;  /* that those spell; 0 when there is no tokenizer */
};

/* Add the text to *sum; x is rewound. tk may be NULL. params as in infer.h. ERR_ARG when there is
 * nothing to predict, ERR_NOMEM, ERR_PROTO, ERR_CANCELLED (the pool was cancelled: *sum holds the
 * windows that were complete), or what read says.
 */
int eval_run(struct infer *x, const float *params, const struct eval_text *t,
             const struct tokenizer *tk, struct eval_sum *sum, struct err *e) MUST_CHECK;

/* Of a sum with tokens (and bytes); NaN without. */
double eval_loss(const struct eval_sum *s);          /* nats per token */
double eval_perplexity(const struct eval_sum *s);    /* exp of it */
double eval_bits_per_byte(const struct eval_sum *s); /* of text */
