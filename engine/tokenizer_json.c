/* tokenizer.json as Hugging Face's libraries write and read it: the part that writes, and the
 * vocabulary, merges and added tokens of the part that reads (tokenizer_frame.c reads the rest).
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/utf8.h"
#include "engine/tokenizer_frame.h"

/* ---- writing ---- */

static json_t *byte_level(bool add_prefix_space)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space",
                     (int)add_prefix_space, "trim_offsets", 1, "use_regex", 1);
}

static json_t *vocab_object(const struct tokenizer *t)
{
    struct buf b = {0};
    json_t *o = json_object();
    for (uint32_t id = 0; id < t->n_ids; id++) {
        buf_clear(&b);
        tokenizer_spell(t, id, &b);
        json_set_u64(o, buf_str(&b), id);
    }
    bool ok = json_object_size(o) == t->n_ids;
    buf_deinit(&b);
    if (ok) return o;
    json_decref(o);
    return NULL;
}

static json_t *merge_list(const struct tokenizer *t)
{
    struct buf b = {0};
    json_t *a = json_array();
    for (uint32_t i = 0; i < t->n_rules; i++) {
        buf_clear(&b);
        tokenizer_spell(t, t->rules[i].left, &b);
        buf_put_u8(&b, ' ');
        tokenizer_spell(t, t->rules[i].right, &b);
        json_array_append_new(a, json_string(buf_str(&b)));
    }
    bool ok = json_array_size(a) == t->n_rules;
    buf_deinit(&b);
    if (ok) return a;
    json_decref(a);
    return NULL;
}

/* Separator, bytes and merges in this order, and nothing else. */
static bool is_ours(const struct tokenizer *t)
{
    const struct tokenizer_style *s = &t->style;
    uint32_t n = 0;
    bool ok = !s->is_sentence && s->rule == PRETOKEN_GPT2 && !s->ignores_merges &&
              t->added.n_items == 1 && t->added.items[0].id == TOKENIZER_EOT &&
              t->n_ids == TOKENIZER_FIRST + t->n_rules &&
              t->pieces[TOKENIZER_EOT].kind == TOKENIZER_SPECIAL && t->eos == TOKENIZER_EOT &&
              t->bos == TOKENIZER_NONE && !t->adds_bos && !t->adds_eos;
    const uint8_t *p = tokenizer_bytes(t, TOKENIZER_EOT, &n);
    ok = ok && n == strlen(TOKENIZER_EOT_TEXT) && memcmp(p, TOKENIZER_EOT_TEXT, n) == 0;
    for (unsigned b = 0; ok && b < 256; b++)
        ok = t->of_byte[b] == b + 1;
    for (uint32_t i = 0; ok && i < t->n_rules; i++)
        ok = t->rules[i].id == TOKENIZER_FIRST + i;
    return ok;
}

int tokenizer_to_json(const struct tokenizer *t, struct buf *out, struct err *e)
{
    if (!is_ours(t)) {
        err_set(e, ERR_ARG, 0, "only a tokenizer that was trained here is written anew");
        err_hint(e, "keep the tokenizer.json that it was read from");
        return ERR_ARG;
    }
    /* json_pack takes the parts over, and gives NULL when one of them is NULL */
    json_t *model = json_pack(
        "{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:o, s:o}", "type", "BPE", "dropout", "unk_token",
        "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0, "byte_fallback", 0,
        "ignore_merges", 0, "vocab", vocab_object(t), "merges", merge_list(t));
    json_t *added = json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", (int)TOKENIZER_EOT,
                              "content", TOKENIZER_EOT_TEXT, "single_word", 0, "lstrip", 0,
                              "rstrip", 0, "normalized", 0, "special", 1);
    json_t *o =
        json_pack("{s:s, s:n, s:n, s:[o], s:n, s:o, s:n, s:o, s:o}", "version", "1.0", "truncation",
                  "padding", "added_tokens", added, "normalizer", "pre_tokenizer",
                  byte_level(false), "post_processor", "decoder", byte_level(true), "model", model);
    if (!o) return err_set(e, ERR_NOMEM, 0, "no memory to write the tokenizer");
    int rc = json_write(o, out, e);
    json_decref(o);
    return rc;
}

/* ---- reading: which name has which id ---- */

/* The strings belong to the JSON. */
struct name {
    const char *s; /* NULL: no token has this id */
    enum tokenizer_kind kind;
    bool is_normalized;
};

struct reader {
    const json_t *vocab;
    const json_t *added;
    const json_t *merges;
    struct tokenizer_frame frame;
    struct name *names; /* [cap] by id */
    uint32_t cap;
    uint32_t n_ids;
    struct buf tmp;
    struct tokenizer *t;
};

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, 0, "no memory to read the tokenizer");
}

/* Ids have no holes, so that none is above the number of names. */
static int read_id(const struct reader *r, const json_t *v, const char *s, uint32_t *ret,
                   struct err *e)
{
    char name[64];
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) >= r->cap)
        return tokenizer_refuse(e, "the id of '%s' is not 0 to %u", tokenizer_show(s, name),
                                r->cap - 1);
    *ret = (uint32_t)json_integer_value(v);
    return OK;
}

static int read_vocab(struct reader *r, struct err *e)
{
    const char *s;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)r->vocab, s, v)
    { /* it only reads */
        uint32_t id = 0;
        int rc = read_id(r, v, s, &id, e);
        if (rc) return rc;
        if (r->names[id].s) return tokenizer_refuse(e, "two tokens have the id %u", id);
        r->names[id] = (struct name){.s = s, .kind = TOKENIZER_TEXT};
    }
    return OK;
}

static int read_added_item(struct reader *r, const json_t *x, struct err *e)
{
    static const char *const off[] = {"single_word", "lstrip", "rstrip"};
    char name[64];
    uint32_t id = 0;
    const char *s = json_string_value(json_object_get(x, "content"));
    int rc = tokenizer_members(x, "an added token",
                               "id content single_word lstrip rstrip normalized special", e);
    if (rc) return rc;
    size_t n = s ? strlen(s) : 0;
    if (n < 1 || n >= TOKENIZER_ADDED_MAX)
        return tokenizer_refuse(e, "an added token's content has %zu bytes; 1 to %u are possible",
                                n, TOKENIZER_ADDED_MAX - 1);
    rc = read_id(r, json_object_get(x, "id"), s, &id, e);
    if (rc) return rc;
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++)
        if (json_is_true(json_object_get(x, off[i])))
            return tokenizer_refuse(e, "its added token '%s' has %s, which potluck lacks",
                                    tokenizer_show(s, name), off[i]);
    const json_t *known = json_object_get(r->vocab, s);
    struct name *at = &r->names[id];
    if (at->s ? at->kind != TOKENIZER_TEXT || strcmp(at->s, s) != 0 : known != NULL)
        return tokenizer_refuse(e, "its added token '%s' and another one share an id or a name",
                                tokenizer_show(s, name));
    bool is_special = json_is_true(json_object_get(x, "special"));
    const json_t *normalized = json_object_get(x, "normalized");
    at->s = s;
    at->kind = is_special ? TOKENIZER_SPECIAL : TOKENIZER_ADDED;
    at->is_normalized = normalized ? json_is_true(normalized) : !is_special;
    return OK;
}

static int read_names(struct reader *r, struct err *e)
{
    size_t n = json_object_size(r->vocab) + json_array_size(r->added);
    size_t i;
    json_t *x;
    if (n < 1 || n > TOKENIZER_MAX_VOCAB)
        return tokenizer_refuse(e, "its vocabulary has %zu tokens; 1 to %u are possible", n,
                                TOKENIZER_MAX_VOCAB);
    r->cap = (uint32_t)n;
    r->names = alloc_zero(n, sizeof *r->names);
    if (!r->names) return no_memory(e);
    int rc = read_vocab(r, e);
    json_each (i, x, r->added) {
        if (rc) break;
        rc = read_added_item(r, x, e);
    }
    if (rc) return rc;
    while (r->n_ids < r->cap && r->names[r->n_ids].s)
        r->n_ids++;
    for (uint32_t id = r->n_ids; id < r->cap; id++)
        if (r->names[id].s) return tokenizer_refuse(e, "no token has the id %u", r->n_ids);
    return OK;
}

/* ---- reading: names to bytes ---- */

/* Append s with a space for each U+2581. */
static void put_spaced(const char *s, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n;) {
        bool is_meta = n - i >= 3 && memcmp(s + i, "\xe2\x96\x81", 3) == 0;
        buf_put_u8(out, is_meta ? ' ' : (uint8_t)s[i]);
        i += is_meta ? 3 : 1;
    }
}

static int hex_digit(char c)
{
    const char *digits = "0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* The byte that "<0x41>" stands for, or -1. */
static int byte_named(const char *s, size_t n)
{
    if (n != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>') return -1;
    int hi = hex_digit(s[3]);
    int lo = hex_digit(s[4]);
    return hi < 0 || lo < 0 ? -1 : hi * 16 + lo;
}

/* The bytes of a piece into tmp. In the sentence family, where no text has a space, a piece with
 * one is never found: it only stands for itself.
 */
static int piece_bytes(struct reader *r, const char *s, enum tokenizer_kind *kind, struct err *e)
{
    char name[64];
    size_t n = strlen(s);
    buf_clear(&r->tmp);
    if (!r->frame.style.is_sentence && *kind == TOKENIZER_TEXT) {
        if (!tokenizer_unspell(s, n, &r->tmp))
            return r->tmp.failed ? no_memory(e)
                                 : tokenizer_refuse(e,
                                                    "its token '%s' is not spelt in GPT-2's "
                                                    "alphabet of bytes",
                                                    tokenizer_show(s, name));
    } else if (*kind == TOKENIZER_TEXT && byte_named(s, n) >= 0) {
        *kind = TOKENIZER_BYTE;
        buf_put_u8(&r->tmp, (uint8_t)byte_named(s, n));
    } else if (*kind == TOKENIZER_TEXT && !memchr(s, ' ', n)) {
        put_spaced(s, n, &r->tmp);
    } else {
        if (*kind == TOKENIZER_TEXT) *kind = TOKENIZER_ADDED;
        buf_put(&r->tmp, s, n);
    }
    return r->tmp.failed ? no_memory(e) : OK;
}

/* An added token is looked for in the text, or in what the normalizer made of it. */
static int put_name(struct reader *r, uint32_t id, struct err *e)
{
    const struct name *x = &r->names[id];
    bool is_special = x->kind == TOKENIZER_SPECIAL;
    if (x->kind == TOKENIZER_TEXT) return OK;
    if (!x->is_normalized || !r->frame.is_normalized)
        return tokenizer_added_put(&r->t->added, x->s, strlen(x->s), id, is_special, e);
    buf_clear(&r->tmp);
    if (r->frame.style.prefix == TOKENIZER_PREFIX_ALWAYS) buf_put_u8(&r->tmp, ' ');
    put_spaced(x->s, strlen(x->s), &r->tmp);
    if (r->tmp.failed) return no_memory(e);
    return tokenizer_added_put(&r->t->normalized, r->tmp.p, r->tmp.len, id, is_special, e);
}

static int add_pieces(struct reader *r, struct err *e)
{
    int rc = OK;
    for (uint32_t id = 0; rc == OK && id < r->n_ids; id++) {
        enum tokenizer_kind kind = r->names[id].kind;
        rc = piece_bytes(r, r->names[id].s, &kind, e);
        if (rc == OK) rc = tokenizer_add(r->t, r->tmp.p, r->tmp.len, kind, e);
        if (rc == ERR_PROTO) return tokenizer_refuse(e, "two tokens stand for the same text");
        if (rc == OK) rc = put_name(r, id, e);
    }
    if (rc) return rc;
    uint32_t n = r->t->added.n_items;
    tokenizer_added_sort(&r->t->added);
    tokenizer_added_sort(&r->t->normalized);
    if (r->t->added.n_items != n) return tokenizer_refuse(e, "two added tokens have one name");
    return OK;
}

/* ---- reading: merges ---- */

/* The id of a half of a merge; its bytes are appended to tmp. */
static uint32_t half(struct reader *r, const char *s, size_t n)
{
    size_t at = r->tmp.len;
    if (!r->frame.style.is_sentence) {
        if (!tokenizer_unspell(s, n, &r->tmp)) return TOKENIZER_NONE;
    } else {
        put_spaced(s, n, &r->tmp);
        if (r->tmp.failed || memchr(s, ' ', n)) return TOKENIZER_NONE;
    }
    return r->tmp.len > at ? tokenizer_find(r->t, r->tmp.p + at, r->tmp.len - at) : TOKENIZER_NONE;
}

static int read_merge(struct reader *r, const json_t *v, struct err *e)
{
    char left_name[64], right_name[64];
    const char *s = json_string_value(v);
    const char *left = s ? s : json_string_value(json_array_get(v, 0));
    const char *gap = s ? strchr(s, ' ') : NULL;
    const char *right = s ? (gap ? gap + 1 : NULL) : json_string_value(json_array_get(v, 1));
    if (!left || !right || (s && strchr(right, ' ')) || (!s && json_array_size(v) != 2))
        return tokenizer_refuse(e, "a merge is not two tokens");
    buf_clear(&r->tmp);
    size_t n_left = gap ? (size_t)(gap - left) : strlen(left);
    uint32_t a = half(r, left, n_left);
    uint32_t b = half(r, right, strlen(right));
    if (r->tmp.failed) return no_memory(e);
    if (a == TOKENIZER_NONE || b == TOKENIZER_NONE)
        return tokenizer_refuse(e, "a merge of '%s' and '%s', which are not both in the vocabulary",
                                tokenizer_show(left, left_name), tokenizer_show(right, right_name));
    uint32_t id = tokenizer_find(r->t, r->tmp.p, r->tmp.len);
    if (id == TOKENIZER_NONE)
        return tokenizer_refuse(e, "a merge that makes no token of the vocabulary: '%s'",
                                tokenizer_show(left, left_name));
    int rc = tokenizer_add_rule(r->t, a, b, id, e);
    if (rc != ERR_PROTO) return rc;
    return tokenizer_refuse(e, "two merges of '%s' and '%s'", tokenizer_show(left, left_name),
                            tokenizer_show(right, right_name));
}

/* Whether a space within what a merge makes only follows spaces: then words can be cut there. */
static bool keeps_words(const struct tokenizer *t)
{
    for (uint32_t i = 0; i < t->n_rules; i++) {
        uint32_t n = 0;
        const uint8_t *p = tokenizer_bytes(t, t->rules[i].id, &n);
        for (uint32_t j = 1; j < n; j++)
            if (p[j] == ' ' && p[j - 1] != ' ') return false;
    }
    return true;
}

static int read_merges(struct reader *r, struct err *e)
{
    size_t i;
    json_t *v;
    json_each (i, v, r->merges) {
        int rc = read_merge(r, v, e);
        if (rc) return rc;
    }
    r->t->is_cut_at_space = keeps_words(r->t);
    return OK;
}

/* ---- reading: what begins and ends a document ---- */

static uint32_t special_named(const struct tokenizer *t, const char *s)
{
    for (uint32_t id = 0; id < t->n_ids; id++) {
        const struct tokenizer_piece *x = &t->pieces[id];
        if (x->kind == TOKENIZER_SPECIAL && x->n == strlen(s) &&
            memcmp(t->text.p + x->at, s, x->n) == 0)
            return id;
    }
    return TOKENIZER_NONE;
}

static int find_end(const struct tokenizer *t, const char *added, const char *const *known,
                    uint32_t *ret, struct err *e)
{
    char name[64];
    *ret = added ? special_named(t, added) : TOKENIZER_NONE;
    if (added && *ret == TOKENIZER_NONE)
        return tokenizer_refuse(e, "its post_processor adds '%s', which is no special token",
                                tokenizer_show(added, name));
    for (; *ret == TOKENIZER_NONE && *known; known++)
        *ret = special_named(t, *known);
    return OK;
}

static int find_ends(struct tokenizer *t, const struct tokenizer_frame *f, struct err *e)
{
    static const char *const eos[] = {
        TOKENIZER_EOT_TEXT, "</s>", "<|end_of_text|>", "<eos>", "<|im_end|>", "<|eot_id|>", NULL};
    static const char *const bos[] = {"<s>", "<|begin_of_text|>", "<bos>", NULL};
    t->adds_bos = f->bos != NULL;
    t->adds_eos = f->eos != NULL;
    int rc = find_end(t, f->eos, eos, &t->eos, e);
    return rc == OK ? find_end(t, f->bos, bos, &t->bos, e) : rc;
}

static int check_bytes(const struct tokenizer *t, const json_t *model, struct err *e)
{
    for (unsigned b = 0; t->style.is_sentence && b < 256; b++)
        if (t->of_byte[b] == TOKENIZER_NONE)
            return tokenizer_refuse(e, "its model has byte_fallback, but no token <0x%02X>", b);
    if (tokenizer_lost_bytes(t) && json_is_string(json_object_get(model, "unk_token")))
        return tokenizer_refuse(e, "its model has an unk_token and lacks bytes");
    return OK;
}

static int read_all(struct reader *r, const json_t *o, struct err *e)
{
    int rc = tokenizer_frame_read(o, &r->frame, e);
    if (rc) return rc;
    const json_t *model = json_object_get(o, "model");
    r->vocab = json_object_get(model, "vocab");
    r->merges = json_object_get(model, "merges");
    r->added = json_object_get(o, "added_tokens");
    if (!json_is_object(r->vocab) || !json_is_array(r->merges) || !json_is_array(r->added))
        return tokenizer_refuse(e, "it lacks a vocabulary, merges or added_tokens");
    size_t n_merges = json_array_size(r->merges);
    if (n_merges > 8 * TOKENIZER_MAX_VOCAB)
        return tokenizer_refuse(e, "it has %zu merges, too many", n_merges);
    rc = read_names(r, e);
    if (rc == OK)
        rc = tokenizer_table_create(&r->frame.style, r->n_ids, (uint32_t)n_merges, &r->t, e);
    if (rc == OK) rc = add_pieces(r, e);
    if (rc == OK) rc = read_merges(r, e);
    if (rc == OK) rc = check_bytes(r->t, model, e);
    return rc == OK ? find_ends(r->t, &r->frame, e) : rc;
}

int tokenizer_from_json(const void *json, size_t n, struct tokenizer **ret, struct err *e)
{
    json_t *o = NULL;
    struct reader r = {0};
    int rc = json_parse(json, n, &o, e);
    if (rc) {
        (void)err_wrap(e, "tokenizer.json");
        return rc;
    }
    rc = read_all(&r, o, e);
    json_decref(o);
    free(r.names);
    buf_deinit(&r.tmp);
    if (rc)
        tokenizer_destroy(r.t);
    else
        *ret = r.t;
    return rc;
}
