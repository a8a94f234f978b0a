#pragma once
/* Why: from what a model finds likely to the one token it says. Pure: the same logits, choices and
 * random stream give the same token, on every CPU (exp is ours, sums go in order).
 *
 * The chain: logits / temperature -> softmax -> the top_k likeliest -> of those, renormalised, the
 * shortest row of likeliest ones whose probabilities reach top_p (Holtzman et al. 2020) -> draw.
 * "Likelier" is a total order: equal probabilities go to the lower id.
 */

#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"

#define SAMPLE_NONE UINT32_MAX

struct sample_choice {
    double temperature; /* 0: always the likeliest; else 0.01 to 100 */
    uint32_t top_k;     /* 0: all */
    double top_p;       /* above 0, at most 1 (all) */
};

/* One candidate; room for one a token is the caller's scratch. */
struct sample_entry {
    float p;
    uint32_t id;
};

/* OK, or ERR_ARG with the rule. */
int sample_check(const struct sample_choice *c, struct err *e) MUST_CHECK;

/* The likeliest of n > 0 logits, lowest id among equals. SAMPLE_NONE when one is not a number. */
uint32_t sample_greedy(const float *logits, uint32_t n);

/* One token. logits [n] are used up, scratch [n] is written. c must have been checked. One draw from
 * r, none at temperature 0. SAMPLE_NONE when the logits are not numbers (a broken model). Allocates
 * nothing.
 */
uint32_t sample_pick(const struct sample_choice *c, float *logits, uint32_t n,
                     struct sample_entry *scratch, struct rng *r);
