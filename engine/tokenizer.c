#include "engine/tokenizer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/tokenizer_table.h"

static uint64_t mixed(uint64_t h, uint64_t x)
{
    h = (h ^ x) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 32);
}

uint64_t tokenizer_hash(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t h = n;
    uint64_t x;
    for (; n > 8; p += 8, n -= 8) {
        memcpy(&x, p, 8);
        h = mixed(h, x);
    }
    x = 0;
    if (n >= 4) { /* two fours that may overlap */
        uint32_t y[2];
        memcpy(&y[0], p, 4);
        memcpy(&y[1], p + n - 4, 4);
        x = (uint64_t)y[0] << 32 | y[1];
    } else if (n) {
        x = (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1];
    }
    return mixed(mixed(h, x), n);
}

static uint32_t text_slot(const struct tokenizer *t, const void *bytes, size_t n)
{
    uint32_t slot = (uint32_t)tokenizer_hash(bytes, n) & t->text_mask;
    for (;; slot = (slot + 1) & t->text_mask) {
        if (!t->by_text[slot]) return slot;
        const struct tokenizer_piece *x = &t->pieces[t->by_text[slot] - 1];
        if (x->n == n && memcmp(t->text.p + x->at, bytes, n) == 0) return slot;
    }
}

uint32_t tokenizer_find(const struct tokenizer *t, const void *bytes, size_t n)
{
    return n ? t->by_text[text_slot(t, bytes, n)] - 1 : TOKENIZER_NONE; /* 0 wraps to NONE */
}

void tokenizer_destroy(struct tokenizer *t)
{
    if (!t) return;
    free(t->pieces);
    free(t->rules);
    free(t->by_pair);
    free(t->by_text);
    buf_deinit(&t->text);
    tokenizer_added_deinit(&t->added);
    tokenizer_added_deinit(&t->normalized);
    free(t);
}

static uint32_t slots_for(uint32_t n)
{
    uint32_t slots = 1024;
    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

int tokenizer_table_create(const struct tokenizer_style *style, uint32_t max_ids,
                           uint32_t max_rules, struct tokenizer **ret, struct err *e)
{
    if (max_ids < 1 || max_ids > TOKENIZER_MAX_VOCAB || max_rules > 8 * TOKENIZER_MAX_VOCAB) {
        err_set(e, ERR_ARG, 0, "a vocabulary of %u tokens and %u merges is not possible", max_ids,
                max_rules);
        err_hint(e, "at most %u tokens", TOKENIZER_MAX_VOCAB);
        return ERR_ARG;
    }
    struct tokenizer *t = alloc_zero(1, sizeof *t);
    if (!t) return err_set(e, ERR_NOMEM, 0, "no memory for a tokenizer");
    t->style = *style;
    t->eos = t->bos = TOKENIZER_NONE;
    t->max_ids = max_ids;
    t->max_rules = max_rules;
    t->text_mask = slots_for(max_ids) - 1;
    t->pair_mask = slots_for(max_rules) - 1;
    t->pieces = alloc_zero(max_ids, sizeof *t->pieces);
    t->rules = alloc_zero((size_t)max_rules + 1, sizeof *t->rules);
    t->by_text = alloc_zero((size_t)t->text_mask + 1, sizeof *t->by_text);
    t->by_pair = alloc_zero((size_t)t->pair_mask + 1, sizeof *t->by_pair);
    memset(t->of_byte, 0xff, sizeof t->of_byte);
    if (!t->pieces || !t->rules || !t->by_text || !t->by_pair) {
        tokenizer_destroy(t);
        return err_set(e, ERR_NOMEM, 0, "no memory for a vocabulary of %u tokens", max_ids);
    }
    *ret = t;
    return OK;
}

/* Merges may make an added token too, when a vocabulary spells it the way text does. */
static bool is_plain(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] <= ' ' || p[i] > '~') return false;
    return true;
}

/* The next id gets the last n bytes of `text`, or they are taken back. */
static int take_id(struct tokenizer *t, size_t n, enum tokenizer_kind kind, struct err *e)
{
    uint32_t id = t->n_ids;
    size_t at = t->text.len - n;
    const uint8_t *p = t->text.p + at;
    bool is_text = kind == TOKENIZER_TEXT && n > 0;
    bool is_found = is_text || (kind == TOKENIZER_ADDED && is_plain(p, n));
    uint32_t slot = is_found ? text_slot(t, p, n) : 0;
    uint32_t other = is_found ? t->by_text[slot] : 0;
    bool is_double = is_text && other && t->pieces[other - 1].kind == TOKENIZER_TEXT;
    const char *fault = id >= t->max_ids ? "more merges than tokens"
                        : n > UINT32_MAX ? "a token that is too long"
                        : is_double      ? "two merges that make the same token"
                                         : NULL;
    if (fault) {
        t->text.len = at;
        return err_set(e, ERR_PROTO, 0, "%s", fault);
    }
    t->pieces[id] = (struct tokenizer_piece){.at = at, .n = (uint32_t)n, .kind = kind};
    t->n_ids++;
    if (is_text || (is_found && !other)) t->by_text[slot] = id + 1;
    bool is_byte = n == 1 && kind == (t->style.is_sentence ? TOKENIZER_BYTE : TOKENIZER_TEXT);
    if (is_byte) t->of_byte[*p] = id;
    return OK;
}

static int no_room(struct tokenizer *t, struct err *e)
{
    t->text.failed = false; /* what is in it is whole */
    return err_set(e, ERR_NOMEM, 0, "no memory for another token");
}

int tokenizer_add(struct tokenizer *t, const void *bytes, size_t n, enum tokenizer_kind kind,
                  struct err *e)
{
    buf_put(&t->text, bytes, n);
    return t->text.failed ? no_room(t, e) : take_id(t, n, kind, e);
}

int tokenizer_add_rule(struct tokenizer *t, uint32_t left, uint32_t right, uint32_t id,
                       struct err *e)
{
    struct tokenizer_pair *x = tokenizer_pair_slot(t, left, right);
    if (x->rank) return err_set(e, ERR_PROTO, 0, "two merges of the same tokens");
    if (t->n_rules >= t->max_rules) return err_set(e, ERR_PROTO, 0, "more merges than tokens");
    t->rules[t->n_rules++] = (struct tokenizer_rule){left, right, id};
    *x = (struct tokenizer_pair){left, right, t->n_rules};
    return OK;
}

int tokenizer_create(uint32_t max_ids, struct tokenizer **ret, struct err *e)
{
    static const struct tokenizer_style style = {.rule = PRETOKEN_GPT2};
    struct tokenizer *t = NULL;
    if (max_ids < TOKENIZER_FIRST || max_ids > TOKENIZER_MAX_VOCAB) {
        err_set(e, ERR_ARG, 0, "a vocabulary of %u tokens is not possible", max_ids);
        err_hint(e, "choose %u to %u", TOKENIZER_FIRST, TOKENIZER_MAX_VOCAB);
        return ERR_ARG;
    }
    int rc = tokenizer_table_create(&style, max_ids, max_ids - TOKENIZER_FIRST, &t, e);
    if (rc) return rc;
    size_t n = strlen(TOKENIZER_EOT_TEXT);
    rc = tokenizer_add(t, TOKENIZER_EOT_TEXT, n, TOKENIZER_SPECIAL, e);
    for (unsigned b = 0; rc == OK && b < 256; b++)
        rc = tokenizer_add(t, &(uint8_t){(uint8_t)b}, 1, TOKENIZER_TEXT, e);
    if (rc == OK)
        rc = tokenizer_added_put(&t->added, TOKENIZER_EOT_TEXT, n, TOKENIZER_EOT, true, e);
    if (rc) {
        tokenizer_destroy(t);
        return rc;
    }
    tokenizer_added_sort(&t->added);
    t->eos = TOKENIZER_EOT;
    *ret = t;
    return OK;
}

int tokenizer_merge(struct tokenizer *t, uint32_t left, uint32_t right, struct err *e)
{
    if (left >= t->n_ids || right >= t->n_ids || t->pieces[left].kind != TOKENIZER_TEXT ||
        t->pieces[right].kind != TOKENIZER_TEXT)
        return err_set(e, ERR_PROTO, 0, "a merge of tokens that do not exist yet");
    const struct tokenizer_piece a = t->pieces[left];
    const struct tokenizer_piece b = t->pieces[right];
    size_t n = (size_t)a.n + b.n;
    uint8_t *p = buf_grow(&t->text, n);
    if (!p) return no_room(t, e);
    memcpy(p, t->text.p + a.at, a.n);
    memcpy(p + a.n, t->text.p + b.at, b.n);
    int rc = take_id(t, n, TOKENIZER_TEXT, e);
    return rc == OK ? tokenizer_add_rule(t, left, right, t->n_ids - 1, e) : rc;
}

/* ---- what others ask ---- */

const uint8_t *tokenizer_bytes(const struct tokenizer *t, uint32_t id, uint32_t *ret_n)
{
    assert(id < t->n_ids);
    *ret_n = t->pieces[id].n;
    return t->text.p + t->pieces[id].at;
}

uint32_t tokenizer_vocab_size(const struct tokenizer *t)
{
    return t->n_ids;
}

uint32_t tokenizer_id_bytes(const struct tokenizer *t, uint32_t id)
{
    assert(id < t->n_ids);
    return t->pieces[id].kind == TOKENIZER_SPECIAL ? 0 : t->pieces[id].n;
}

enum tokenizer_kind tokenizer_id_kind(const struct tokenizer *t, uint32_t id)
{
    assert(id < t->n_ids);
    return t->pieces[id].kind;
}

int tokenizer_decode(const struct tokenizer *t, uint32_t id, struct buf *out, struct err *e)
{
    if (id >= t->n_ids)
        return err_set(e, ERR_PROTO, 0, "token %u is outside the vocabulary of %u", id, t->n_ids);
    buf_put(out, t->text.p + t->pieces[id].at, tokenizer_id_bytes(t, id));
    return buf_ok(out, e);
}

uint32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}

uint32_t tokenizer_bos(const struct tokenizer *t)
{
    return t->bos;
}

bool tokenizer_adds_eos(const struct tokenizer *t)
{
    return t->adds_eos;
}

bool tokenizer_adds_bos(const struct tokenizer *t)
{
    return t->adds_bos;
}

int tokenizer_set_ends(struct tokenizer *t, uint32_t bos, uint32_t eos, struct err *e)
{
    const uint32_t ids[] = {bos, eos};
    for (int i = 0; i < 2; i++)
        if (ids[i] != TOKENIZER_NONE &&
            (ids[i] >= t->n_ids || t->pieces[ids[i]].kind != TOKENIZER_SPECIAL))
            return err_set(e, ERR_ARG, 0, "the id %u is no special token of the tokenizer", ids[i]);
    t->bos = bos;
    t->eos = eos;
    return OK;
}

bool tokenizer_adds_space(const struct tokenizer *t)
{
    return t->style.is_sentence && t->style.prefix != TOKENIZER_PREFIX_NEVER;
}

uint32_t tokenizer_lost_bytes(const struct tokenizer *t)
{
    uint32_t n = 0;
    for (int b = 0; b < 256; b++)
        n += t->of_byte[b] == TOKENIZER_NONE;
    return n;
}

bool tokenizer_is_byte_level(const struct tokenizer *t)
{
    return !t->style.is_sentence;
}

int tokenizer_pretoken_rule(const struct tokenizer *t)
{
    return (int)t->style.rule;
}

uint32_t tokenizer_n_merges(const struct tokenizer *t)
{
    return t->n_rules;
}

void tokenizer_merge_at(const struct tokenizer *t, uint32_t i, uint32_t *ret_left,
                        uint32_t *ret_right, uint32_t *ret_id)
{
    assert(i < t->n_rules);
    *ret_left = t->rules[i].left;
    *ret_right = t->rules[i].right;
    *ret_id = t->rules[i].id;
}
