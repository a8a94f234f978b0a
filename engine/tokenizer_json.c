/* tokenizer.json as Hugging Face's libraries write and read it. Bytes are spelt as characters by
 * GPT-2's alphabet: printable bytes of Latin-1 as themselves, the rest as U+0100 and up.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "engine/tokenizer.h"

static bool is_printable(unsigned b)
{
    return (b >= 33 && b <= 126) || (b >= 161 && b != 173);
}

static void alphabet(uint32_t ret[256])
{
    uint32_t next = 256;
    for (unsigned b = 0; b < 256; b++)
        ret[b] = is_printable(b) ? b : next++;
}

static void spell(const struct tokenizer *t, uint32_t id, const uint32_t letters[256],
                  struct buf *out)
{
    uint32_t n = 0;
    const uint8_t *p = tokenizer_bytes(t, id, &n);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t c[4];
        buf_put(out, c, utf8_encode(letters[p[i]], c));
    }
}

/* ---- writing ---- */

static json_t *byte_level(bool add_prefix_space)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space",
                     (int)add_prefix_space, "trim_offsets", 1, "use_regex", 1);
}

static json_t *vocab_object(const struct tokenizer *t, const uint32_t letters[256])
{
    struct buf b = {0};
    json_t *o = json_object();
    json_set_u64(o, TOKENIZER_EOT_TEXT, TOKENIZER_EOT);
    for (uint32_t id = 1; id < tokenizer_vocab_size(t); id++) {
        buf_clear(&b);
        spell(t, id, letters, &b);
        json_set_u64(o, buf_str(&b), id);
    }
    bool ok = json_object_size(o) == tokenizer_vocab_size(t);
    buf_deinit(&b);
    if (ok) return o;
    json_decref(o);
    return NULL;
}

static json_t *merge_list(const struct tokenizer *t, const uint32_t letters[256])
{
    struct buf b = {0};
    json_t *a = json_array();
    for (uint32_t id = TOKENIZER_FIRST; id < tokenizer_vocab_size(t); id++) {
        uint32_t left = 0;
        uint32_t right = 0;
        tokenizer_halves(t, id, &left, &right);
        buf_clear(&b);
        spell(t, left, letters, &b);
        buf_put_u8(&b, ' ');
        spell(t, right, letters, &b);
        json_array_append_new(a, json_string(buf_str(&b)));
    }
    bool ok = json_array_size(a) == tokenizer_vocab_size(t) - TOKENIZER_FIRST;
    buf_deinit(&b);
    if (ok) return a;
    json_decref(a);
    return NULL;
}

int tokenizer_to_json(const struct tokenizer *t, struct buf *out, struct err *e)
{
    uint32_t letters[256];
    alphabet(letters);
    /* json_pack takes the parts over, and gives NULL when one of them is NULL */
    json_t *model = json_pack(
        "{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:o, s:o}", "type", "BPE", "dropout", "unk_token",
        "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0, "byte_fallback", 0,
        "ignore_merges", 0, "vocab", vocab_object(t, letters), "merges", merge_list(t, letters));
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

/* ---- reading ---- */

static int refuse(struct err *e, const char *what)
{
    err_set(e, ERR_PROTO, 0, "tokenizer.json: %s", what);
    err_hint(e, "potluck reads byte-level BPE tokenizers that potluck made");
    return ERR_PROTO;
}

static bool is_absent(const json_t *o, const char *k)
{
    const json_t *v = json_object_get(o, k);
    return !v || json_is_null(v) || json_is_false(v);
}

static bool is_byte_level(const json_t *o)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    return type && strcmp(type, "ByteLevel") == 0;
}

static const char *frame_fault(const json_t *o)
{
    const char *version = json_string_value(json_object_get(o, "version"));
    if (!version || strcmp(version, "1.0") != 0) return "its version is not 1.0";
    const json_t *pre = json_object_get(o, "pre_tokenizer");
    if (!is_byte_level(pre) || !is_absent(pre, "add_prefix_space") ||
        !json_is_true(json_object_get(pre, "use_regex")))
        return "its pre-tokenizer is not ByteLevel with use_regex and without add_prefix_space";
    if (!is_byte_level(json_object_get(o, "decoder"))) return "its decoder is not ByteLevel";
    static const char *const none[] = {"normalizer", "post_processor", "truncation", "padding"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        if (!is_absent(o, none[i])) return "it changes text before or after the merges";
    const json_t *model = json_object_get(o, "model");
    const char *type = json_string_value(json_object_get(model, "type"));
    if (!type || strcmp(type, "BPE") != 0) return "its model is not BPE";
    static const char *const options[] = {
        "dropout",      "unk_token",     "continuing_subword_prefix",
        "fuse_unk",     "byte_fallback", "end_of_word_suffix",
        "ignore_merges"};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (!is_absent(model, options[i])) return "its model has options that potluck lacks";
    return NULL;
}

static const char *added_fault(const json_t *o)
{
    const json_t *added = json_object_get(o, "added_tokens");
    const json_t *x = json_array_get(added, 0);
    const char *content = json_string_value(json_object_get(x, "content"));
    const json_t *id = json_object_get(x, "id");
    if (json_array_size(added) == 1 && content && strcmp(content, TOKENIZER_EOT_TEXT) == 0 &&
        json_is_integer(id) && json_integer_value(id) == TOKENIZER_EOT)
        return NULL;
    return "its only added token must be " TOKENIZER_EOT_TEXT " with id 0";
}

/* Back from the alphabet: bytes of s[n] appended; false on a character that is none of it. */
static bool unspell(const char *s, size_t n, const int16_t bytes[512], struct buf *out)
{
    size_t len;
    for (size_t i = 0; i < n; i += len) {
        uint32_t cp = 0;
        len = utf8_decode((const uint8_t *)s + i, n - i, &cp);
        if (len == 0 || cp >= 512 || bytes[cp] < 0) return false;
        buf_put_u8(out, (uint8_t)bytes[cp]);
    }
    return !out->failed;
}

/* Half of a merge: the id of the token spelt by s[n]. */
static uint32_t half(const struct tokenizer *t, const char *s, size_t n, const int16_t bytes[512],
                     struct buf *tmp)
{
    buf_clear(tmp);
    return unspell(s, n, bytes, tmp) ? tokenizer_find(t, tmp->p, tmp->len) : TOKENIZER_NONE;
}

static int read_merges(struct tokenizer *t, const json_t *merges, const int16_t bytes[512],
                       struct err *e)
{
    struct buf tmp = {0};
    int rc = OK;
    for (size_t i = 0; rc == OK && i < json_array_size(merges); i++) {
        const json_t *v = json_array_get(merges, i);
        const char *s = json_string_value(v);
        const char *gap = s ? strchr(s, ' ') : NULL;
        size_t n = json_string_length(v);
        if (!gap || strlen(s) != n) {
            rc = refuse(e, "a merge is not a text of two tokens");
            break;
        }
        uint32_t left = half(t, s, (size_t)(gap - s), bytes, &tmp);
        uint32_t right = half(t, gap + 1, n - (size_t)(gap + 1 - s), bytes, &tmp);
        if (left == TOKENIZER_NONE || right == TOKENIZER_NONE)
            rc = refuse(e, "a merge of tokens that do not exist yet");
        else
            rc = tokenizer_merge(t, left, right, e);
    }
    buf_deinit(&tmp);
    return rc;
}

/* The vocabulary must list what the merges made, and each id once. */
static int check_vocab(const struct tokenizer *t, const json_t *vocab, struct err *e)
{
    uint32_t letters[256];
    struct buf b = {0};
    bool ok = json_object_size(vocab) == tokenizer_vocab_size(t);
    alphabet(letters);
    for (uint32_t id = 0; ok && id < tokenizer_vocab_size(t); id++) {
        buf_clear(&b);
        if (id == TOKENIZER_EOT)
            buf_put_str(&b, TOKENIZER_EOT_TEXT);
        else
            spell(t, id, letters, &b);
        const json_t *v = json_object_get(vocab, buf_str(&b));
        ok = json_is_integer(v) && json_integer_value(v) == id;
    }
    buf_deinit(&b);
    return ok ? OK : refuse(e, "its vocabulary is not separator, bytes and merges in this order");
}

static int read_model(const json_t *model, struct tokenizer **ret, struct err *e)
{
    int16_t bytes[512];
    uint32_t letters[256];
    alphabet(letters);
    memset(bytes, 0xff, sizeof bytes);
    for (int b = 0; b < 256; b++)
        bytes[letters[b]] = (int16_t)b;
    const json_t *vocab = json_object_get(model, "vocab");
    const json_t *merges = json_object_get(model, "merges");
    if (!json_is_object(vocab) || !json_is_array(merges))
        return refuse(e, "it lacks a vocabulary or merges");
    size_t n = json_object_size(vocab);
    if (n < TOKENIZER_FIRST || n > TOKENIZER_MAX_VOCAB)
        return refuse(e, "its vocabulary is too small or too large");
    struct tokenizer *t = NULL;
    int rc = tokenizer_create((uint32_t)n, &t, e);
    if (rc == OK) rc = read_merges(t, merges, bytes, e);
    if (rc == OK) rc = check_vocab(t, vocab, e);
    if (rc)
        tokenizer_destroy(t);
    else
        *ret = t;
    return rc;
}

int tokenizer_from_json(const void *json, size_t n, struct tokenizer **ret, struct err *e)
{
    json_t *o = NULL;
    int rc = json_parse(json, n, &o, e);
    if (rc) {
        (void)err_wrap(e, "tokenizer.json");
        return rc;
    }
    const char *fault = frame_fault(o);
    if (!fault) fault = added_fault(o);
    rc = fault ? refuse(e, fault) : read_model(json_object_get(o, "model"), ret, e);
    json_decref(o);
    return rc;
}
