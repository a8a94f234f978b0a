#pragma once
/* Why: the text of the benches that compare swarms: tokens to train on, and whole sequences that
 * are held out of it, with what is needed to speak of their loss in bits per byte.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct heldout {
    uint32_t vocab;     /* of the tokenizer that was trained on the training part */
    struct buf tokens;  /* uint32_t, training */
    struct buf val;     /* uint32_t, validation: whole sequences of seq + 1 */
    uint32_t n_val;     /* sequences */
    double val_bytes;   /* bytes that the predicted validation tokens spell */
    double unigram_bpb; /* entropy of those tokens, bits per byte */
};

/* Read the text at path, train a tokenizer of at most `vocab` on 19 of every 20 pieces and turn all
 * into tokens; val_seqs sequences are kept of the rest. ERR_ARG when the text is shorter than
 * min_tokens or than one sequence. *ret (zeroed before) is for heldout_deinit in any case.
 */
int heldout_load(const char *path, uint32_t vocab, uint32_t seq, uint32_t val_seqs,
                 uint64_t min_tokens, struct heldout *ret, struct err *e) MUST_CHECK;
void heldout_deinit(struct heldout *h);

/* Nats a token on the validation text as bits a byte. */
double heldout_bits(const struct heldout *h, uint32_t seq, double nats);
