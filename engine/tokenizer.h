#pragma once
/* Why: byte-level BPE (Sennrich et al. 2016; GPT-2's byte alphabet), trained here and saved as a
 * Hugging Face tokenizer.json, so that the run's text and every reader's tools agree on the ids.
 * Bytes in, ids out: any byte string encodes and decodes back to itself.
 * Id 0 is the document separator "<|endoftext|>", ids 1..256 are the bytes.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define TOKENIZER_EOT 0u

struct tokenizer;

/* Learn merges from text until vocab_size ids exist (or no pair occurs twice). Deterministic.
 * text may be a sample; progress (may be NULL) is told ids learned so far.
 */
typedef void (*tokenizer_progress_fn)(uint32_t n_ids, uint32_t vocab_size, void *ctx);
int tokenizer_train(const void *text, size_t n, uint32_t vocab_size, tokenizer_progress_fn progress,
                    void *ctx, struct tokenizer **ret, struct err *e) MUST_CHECK;
void tokenizer_destroy(struct tokenizer *t);

/* Hugging Face tokenizer.json (BPE model, ByteLevel pre-tokenizer and decoder). Parsing checks
 * everything and refuses what it cannot represent with a sentence.
 */
int tokenizer_to_json(const struct tokenizer *t, struct buf *out, struct err *e) MUST_CHECK;
int tokenizer_from_json(const void *json, size_t n, struct tokenizer **ret,
                        struct err *e) MUST_CHECK;

uint32_t tokenizer_vocab_size(const struct tokenizer *t);

/* Append ids of n bytes to *ids (uint32_t each, in a buf). Allocates; any thread, t is read only. */
int tokenizer_encode(const struct tokenizer *t, const void *text, size_t n, struct buf *ids,
                     struct err *e) MUST_CHECK;

/* Append the bytes an id stands for (nothing for the separator). ERR_PROTO outside the vocabulary.
 */
int tokenizer_decode(const struct tokenizer *t, uint32_t id, struct buf *out,
                     struct err *e) MUST_CHECK;

/* How many bytes the id spells; 0 for the separator. id < vocab size. */
uint32_t tokenizer_id_bytes(const struct tokenizer *t, uint32_t id);
