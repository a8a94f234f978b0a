#pragma once
/* Why: a host says how well the model knows the held-out text. Whoever has that text can measure it
 * again: the same sample, the same arithmetic, the weights as the record makes them. The text is
 * in an aggregator's home; hosts do not give it out.
 *
 * Owner: verify_scores_open / verify_scores_close. Thread: one.
 */

#include "app/verify_text.h"
#include "client/record_from.h"

#define VERIFY_TOLERANCE 0.001 /* nats per token; the same bits are expected, and told */

struct verify_scores;

/* Find the host's figures and the text. OK with *ret NULL and `why` filled when there is nothing to
 * compare. ERR_NOMEM and trouble with the files otherwise.
 */
int verify_scores_open(struct record_from *f, uint32_t n_threads, struct verify_scores **ret,
                       char *why, size_t cap, struct err *e) MUST_CHECK;
void verify_scores_close(struct verify_scores *s); /* accepts NULL */

/* Weights at the start of a round: measured when the host has said something about them; the
 * finding goes into b.
 */
int verify_scores_take(struct verify_scores *s, uint64_t round, const float *params,
                       struct audit_book *b, struct err *e) MUST_CHECK;

/* What was said and found, at most two. */
uint32_t verify_scores_losses(const struct verify_scores *s, struct verify_loss ret[2]);
