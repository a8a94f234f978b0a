#pragma once
/* Why: is the model getting better on text that nobody trains on? A fixed sample of the validation
 * shard is evaluated after every publication, by one thread of lowest priority that never holds
 * up a round: when rounds are faster than evaluation, some are left out, never the first or the
 * newest.
 */

#include <stdint.h>

#include "aggregator/store_round.h"
#include "record/rundesc.h"

/* n_seqs sequences of seq_len + 1 tokens, evenly spread over the shard. All figures are of exactly
 * the n_tokens = n_seqs * seq_len tokens that are predicted.
 */
struct valid_sample {
    uint32_t *tokens; /* [n_seqs][seq_len + 1], owned */
    uint32_t n_seqs;
    uint32_t seq_len;
    uint64_t n_tokens;
    uint64_t n_bytes;    /* of text they spell */
    double unigram_bits; /* their empirical entropy, summed: what counting alone reaches */
};

/* Take at most n_seqs sequences from the tokens of a shard. ERR_ARG when not even one fits. */
struct tokenizer;
int valid_sample_take(const uint32_t *tokens, uint64_t n_tokens, uint32_t seq_len, uint32_t n_seqs,
                      const struct tokenizer *tk, struct valid_sample *ret,
                      struct err *e) MUST_CHECK;
void valid_sample_deinit(struct valid_sample *s);

/* Called on the validation thread with each result. */
typedef void (*valid_done_fn)(const struct store_val *v, void *ctx);

struct valid;

/* sample is taken over on success. */
int valid_create(const struct rundesc *d, struct valid_sample *sample, valid_done_fn done,
                 void *ctx, struct valid **ret, struct err *e) MUST_CHECK;
/* Evaluate these weights (copied) as the base of `round`, soon. Any thread. */
void valid_submit(struct valid *v, uint64_t round, const float *params);
void valid_destroy(struct valid *v); /* stops what is running; accepts NULL */
