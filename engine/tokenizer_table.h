#pragma once
/* Why: how a tokenizer lies in memory. For the tokenizer_*.c files and their tests; everybody else
 * includes tokenizer.h.
 *
 *   ids     what each id spells                       pieces, text; by_text finds it
 *   rules   merge number i makes an id of two others  rules; by_pair finds it
 *
 * Both tables use open addressing with room for twice their entries. In the sentence family a
 * space stands for U+2581 everywhere, so that what a piece holds is what it decodes to.
 */

#include "engine/pretoken.h"
#include "engine/tokenizer.h"
#include "engine/tokenizer_added.h"

/* Sentence family: when a space is put in front of a stretch of text. */
enum tokenizer_prefix {
    TOKENIZER_PREFIX_NEVER,
    TOKENIZER_PREFIX_ALWAYS, /* normalizer Prepend: even before a space */
    TOKENIZER_PREFIX_WORD,   /* Metaspace "always": unless it begins with one */
    TOKENIZER_PREFIX_FIRST,  /* Metaspace "first": and only where the text begins */
};

struct tokenizer_style {
    bool is_sentence;
    enum pretoken_rule rule;      /* byte-level */
    bool ignores_merges;          /* byte-level: a word that is a token is that token */
    enum tokenizer_prefix prefix; /* sentence */
    bool is_split;                /* sentence: every space begins a word (Metaspace "split") */
};

struct tokenizer_piece {
    size_t at; /* of its bytes in `text` */
    uint32_t n;
    enum tokenizer_kind kind;
};

struct tokenizer_rule {
    uint32_t left;
    uint32_t right;
    uint32_t id;
};

struct tokenizer_pair {
    uint32_t left;
    uint32_t right;
    uint32_t rank; /* plus one; 0 is an empty slot */
};

struct tokenizer {
    struct tokenizer_style style;
    uint32_t n_ids;
    uint32_t max_ids;
    uint32_t n_rules;
    uint32_t max_rules;
    struct tokenizer_piece *pieces; /* [max_ids] */
    struct tokenizer_rule *rules;   /* [max_rules] */
    struct buf text;                /* bytes of all pieces */
    uint32_t text_mask;
    uint32_t pair_mask;
    uint32_t *by_text;              /* [text_mask + 1] ids plus one; 0 is an empty slot */
    struct tokenizer_pair *by_pair; /* [pair_mask + 1] */
    uint32_t of_byte[256];          /* sentence: the byte's token; else the piece of this byte */
    uint32_t eos;
    uint32_t bos;
    bool adds_eos;
    bool adds_bos;
    bool is_cut_at_space;              /* sentence: no merge reaches over the beginning of a word */
    struct tokenizer_added added;      /* found in the text as it is */
    struct tokenizer_added normalized; /* sentence: found after spaces were put in front */
};

/* No ids and no rules, with room for so many. ERR_ARG (max_ids is 1 to TOKENIZER_MAX_VOCAB),
 * ERR_NOMEM.
 */
int tokenizer_table_create(const struct tokenizer_style *style, uint32_t max_ids,
                           uint32_t max_rules, struct tokenizer **ret, struct err *e) MUST_CHECK;

/* The next id spells these bytes. ERR_PROTO when it is TOKENIZER_TEXT and another one does so, or
 * when there is no room; ERR_NOMEM.
 */
int tokenizer_add(struct tokenizer *t, const void *bytes, size_t n, enum tokenizer_kind kind,
                  struct err *e) MUST_CHECK;

/* The next merge. ERR_PROTO when the pair has one already or there is no room. */
int tokenizer_add_rule(struct tokenizer *t, uint32_t left, uint32_t right, uint32_t id,
                       struct err *e) MUST_CHECK;

/* Separator and bytes only, as trained here, with room for max_ids ids. ERR_ARG, ERR_NOMEM. */
int tokenizer_create(uint32_t max_ids, struct tokenizer **ret, struct err *e) MUST_CHECK;

/* Add a merge of two ids, and its id, the next one. ERR_PROTO when its bytes exist already or no
 * id is left.
 */
int tokenizer_merge(struct tokenizer *t, uint32_t left, uint32_t right, struct err *e) MUST_CHECK;

/* Bytes of an id (a special one: its name), valid until the next id is added. */
const uint8_t *tokenizer_bytes(const struct tokenizer *t, uint32_t id, uint32_t *ret_n);

/* Id of the TOKENIZER_TEXT of exactly these bytes, or TOKENIZER_NONE. */
uint32_t tokenizer_find(const struct tokenizer *t, const void *bytes, size_t n);

/* Slot of a pair, or the empty one where it would stand. Hot when encoding. */
static inline struct tokenizer_pair *tokenizer_pair_slot(const struct tokenizer *t, uint32_t left,
                                                         uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    for (uint32_t i = (uint32_t)(h >> 32) & t->pair_mask;; i = (i + 1) & t->pair_mask) {
        struct tokenizer_pair *x = &t->by_pair[i];
        if (!x->rank || (x->left == left && x->right == right)) return x;
    }
}

/* Number of the merge of left and right, or TOKENIZER_NONE. */
static inline uint32_t tokenizer_rank(const struct tokenizer *t, uint32_t left, uint32_t right)
{
    return tokenizer_pair_slot(t, left, right)->rank - 1; /* 0 wraps to TOKENIZER_NONE */
}

/* Hash of bytes, for tables in memory only. */
uint64_t tokenizer_hash(const void *bytes, size_t n);

/* tokenizer_spell.c: GPT-2's alphabet. Append how n bytes are spelt; read it back (false on a
 * character that is none of it, or without memory).
 */
void tokenizer_spell_bytes(const uint8_t *p, size_t n, struct buf *out);
bool tokenizer_unspell(const char *s, size_t n, struct buf *out);
