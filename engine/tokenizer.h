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

/* ---- for tokenizer_train.c and tokenizer_json.c ---- */

#define TOKENIZER_EOT_TEXT  "<|endoftext|>"
#define TOKENIZER_FIRST     257u /* id of the first merge; merge i makes id 257 + i */
#define TOKENIZER_MAX_VOCAB (1u << 20)
#define TOKENIZER_NONE      UINT32_MAX

/* Separator and bytes only, with room for max_ids ids. ERR_ARG, ERR_NOMEM. */
int tokenizer_create(uint32_t max_ids, struct tokenizer **ret, struct err *e) MUST_CHECK;

/* Add a merge of two ids: the next id. ERR_PROTO when its bytes exist already or no id is left. */
int tokenizer_merge(struct tokenizer *t, uint32_t left, uint32_t right, struct err *e) MUST_CHECK;

/* The halves of an id >= TOKENIZER_FIRST. */
void tokenizer_halves(const struct tokenizer *t, uint32_t id, uint32_t *ret_left,
                      uint32_t *ret_right);

/* Bytes of an id (not the separator), valid until the next tokenizer_merge. */
const uint8_t *tokenizer_bytes(const struct tokenizer *t, uint32_t id, uint32_t *ret_n);

/* Id of exactly these bytes, or TOKENIZER_NONE. */
uint32_t tokenizer_find(const struct tokenizer *t, const void *bytes, size_t n);

/* Id that left and right merge to, or TOKENIZER_NONE. */
uint32_t tokenizer_pair(const struct tokenizer *t, uint32_t left, uint32_t right);

/* Hash of bytes, for tables in memory only. */
uint64_t tokenizer_hash(const void *bytes, size_t n);
