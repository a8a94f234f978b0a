#pragma once
/* Why: text becomes ids and ids become text, the same way as in everybody's tools. Two families of
 * byte pair encoding (Sennrich et al. 2016) are read from a Hugging Face tokenizer.json:
 *
 *   byte-level     text is cut into words (pretoken.h), a word's bytes are merged. GPT-2, Llama 3,
 *                  SmolLM, and what is trained here. Any bytes come back as they were.
 *   sentence       spaces become U+2581 and one is put in front, characters are merged, those
 *                  without a token fall back to bytes. SentencePiece's way: Llama 2, Mistral,
 *                  TinyLlama. Text comes back with that one space in front.
 *
 * A tokenizer that potluck trains is byte-level: id 0 is the separator "<|endoftext|>", ids 1..256
 * are the bytes, then one id for each merge in the order learned.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define TOKENIZER_NONE      UINT32_MAX
#define TOKENIZER_MAX_VOCAB (1u << 20)

/* Of a tokenizer trained here. */
#define TOKENIZER_EOT      0u
#define TOKENIZER_EOT_TEXT "<|endoftext|>"
#define TOKENIZER_FIRST    257u /* id of the first merge; merge i makes id 257 + i */

struct tokenizer;

/* What an id is. */
enum tokenizer_kind {
    TOKENIZER_TEXT,    /* a piece of text, found by merging */
    TOKENIZER_BYTE,    /* sentence family: one byte of a character that has no token */
    TOKENIZER_ADDED,   /* a piece of text that is found before anything is merged */
    TOKENIZER_SPECIAL, /* a mark, such as the separator: stands for no text */
};

/* Learn merges from text until vocab_size ids exist (or no pair occurs twice). Deterministic.
 * text may be a sample; progress (may be NULL) is told ids learned so far.
 */
typedef void (*tokenizer_progress_fn)(uint32_t n_ids, uint32_t vocab_size, void *ctx);
int tokenizer_train(const void *text, size_t n, uint32_t vocab_size, tokenizer_progress_fn progress,
                    void *ctx, struct tokenizer **ret, struct err *e) MUST_CHECK;
void tokenizer_destroy(struct tokenizer *t);

/* tokenizer_from_json - read a Hugging Face tokenizer.json of either family.
 *
 * Read: model BPE (merges as "a b" or ["a", "b"], ignore_merges, byte_fallback); added tokens;
 * pre-tokenizers ByteLevel, Split with one of pretoken.h's expressions, Digits, Metaspace;
 * normalizers Prepend and Replace of a space by U+2581; post-processors ByteLevel and
 * TemplateProcessing. Ids may be in any order, but each from 0 up is there once.
 *
 * Errors: ERR_PROTO with a sentence that names the field which cannot be represented; a text that
 * would be encoded differently from the original library is never accepted. ERR_NOMEM.
 */
int tokenizer_from_json(const void *json, size_t n, struct tokenizer **ret,
                        struct err *e) MUST_CHECK;

/* Write one that was trained here. ERR_ARG for any other: keep the file that it was read from. */
int tokenizer_to_json(const struct tokenizer *t, struct buf *out, struct err *e) MUST_CHECK;

uint32_t tokenizer_vocab_size(const struct tokenizer *t);

/* The id that ends a document, and the one that begins it: those that the post-processor adds,
 * else the known names ("<|endoftext|>", "</s>", ...). TOKENIZER_NONE when there is none; a bos
 * is never guessed to be the eos. Neither is put into encoded text; `adds` tells whether the
 * tokenizer's own library would.
 */
uint32_t tokenizer_eos(const struct tokenizer *t);
uint32_t tokenizer_bos(const struct tokenizer *t);
bool tokenizer_adds_eos(const struct tokenizer *t);
bool tokenizer_adds_bos(const struct tokenizer *t);

/* Where a config.json says otherwise. Each is a special id or TOKENIZER_NONE; else ERR_ARG. */
int tokenizer_set_ends(struct tokenizer *t, uint32_t bos, uint32_t eos, struct err *e) MUST_CHECK;

/* Append ids of n bytes to *ids (uint32_t each, in a buf). The names of special tokens are plain
 * text. Allocates; any thread, t is read only. Many short texts: keep a tokenizer_encoder.
 */
int tokenizer_encode(const struct tokenizer *t, const void *text, size_t n, struct buf *ids,
                     struct err *e) MUST_CHECK;

/* tokenizer_encoder - remembers words, so that the next text is encoded faster.
 *
 * with_specials: the names of special tokens in the text become their ids, as Hugging Face's
 * libraries do; without it a stranger's text can spell no separator.
 * Owner: the caller. Valid: as long as t. Thread: one at a time. Errors: ERR_NOMEM, ERR_LIMIT (a
 * word of 4 GiB). The ids do not depend on what was encoded before.
 */
struct tokenizer_encoder;
int tokenizer_encoder_create(const struct tokenizer *t, bool with_specials,
                             struct tokenizer_encoder **ret, struct err *e) MUST_CHECK;
int tokenizer_encoder_run(struct tokenizer_encoder *c, const void *text, size_t n, struct buf *ids,
                          struct err *e) MUST_CHECK;
void tokenizer_encoder_destroy(struct tokenizer_encoder *c);

/* Append the bytes an id stands for (nothing for a special one). ERR_PROTO outside the vocabulary.
 */
int tokenizer_decode(const struct tokenizer *t, uint32_t id, struct buf *out,
                     struct err *e) MUST_CHECK;

/* How many bytes the id stands for; 0 for a special one. id < vocab size. */
uint32_t tokenizer_id_bytes(const struct tokenizer *t, uint32_t id);

/* Whether decoded text begins with a space that the text did not have. */
bool tokenizer_adds_space(const struct tokenizer *t);

/* How many byte values have no token (byte-level only): text that holds them loses them. Those of
 * trained vocabularies are never part of UTF-8.
 */
uint32_t tokenizer_lost_bytes(const struct tokenizer *t);

/* ---- for those who write the vocabulary in another form ---- */

enum tokenizer_kind tokenizer_id_kind(const struct tokenizer *t, uint32_t id);

/* Append the id's name as a vocabulary spells it: GPT-2's alphabet of bytes, U+2581 for a space,
 * <0x41> for a byte, an added token's content.
 */
void tokenizer_spell(const struct tokenizer *t, uint32_t id, struct buf *out);

bool tokenizer_is_byte_level(const struct tokenizer *t);
int tokenizer_pretoken_rule(const struct tokenizer *t); /* enum pretoken_rule; byte-level only */

/* Merges in their order: merge i < tokenizer_n_merges makes *ret_id of left and right. */
uint32_t tokenizer_n_merges(const struct tokenizer *t);
void tokenizer_merge_at(const struct tokenizer *t, uint32_t i, uint32_t *ret_left,
                        uint32_t *ret_right, uint32_t *ret_id);
