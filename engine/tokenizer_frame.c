#include "engine/tokenizer_frame.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define META "\xe2\x96\x81" /* U+2581, which stands for a space */

int tokenizer_refuse(struct err *e, const char *fmt, ...)
{
    char text[176];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    err_set(e, ERR_PROTO, 0, "tokenizer.json: %s", text);
    err_hint(e, "potluck reads byte-level and SentencePiece-style BPE as LLaMA models use it");
    return ERR_PROTO;
}

const char *tokenizer_show(const char *s, char dst[64])
{
    return utf8_printable(s, dst, 64);
}

static bool is_listed(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; n && (at = strstr(at, word)); at += n)
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0)) return true;
    return false;
}

int tokenizer_members(const json_t *o, const char *what, const char *known, struct err *e)
{
    char name[64];
    if (!json_is_object(o)) return tokenizer_refuse(e, "%s is missing or no object", what);
    const char *k;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, k, v) /* it only reads */
        if (!is_listed(known, k)) return tokenizer_refuse(
            e, "%s has '%s', which potluck does not know", what, tokenizer_show(k, name));
    return OK;
}

static const char *text_of(const json_t *o, const char *k)
{
    const char *s = json_string_value(json_object_get(o, k));
    return s ? s : "";
}

static bool is_type(const json_t *o, const char *type)
{
    return strcmp(text_of(o, "type"), type) == 0;
}

/* Missing, null, false, 0 or "": the option is off. */
static bool is_off(const json_t *o, const char *k)
{
    const json_t *v = json_object_get(o, k);
    const char *s = json_string_value(v);
    return !v || json_is_null(v) || json_is_false(v) || (s && !*s) ||
           (json_is_number(v) && json_number_value(v) == 0);
}

/* The i-th step of a part that may be a Sequence of steps, or the one step that it is. */
static const json_t *step(const json_t *part, const char *list, size_t i)
{
    if (is_type(part, "Sequence")) return json_array_get(json_object_get(part, list), i);
    return i == 0 && !json_is_null(part) ? part : NULL;
}

static int unknown_step(const char *part, const json_t *x, struct err *e)
{
    char name[64];
    const char *type = text_of(x, "type");
    if (strcmp(type, "NFC") == 0 || strcmp(type, "NFKC") == 0 || strcmp(type, "NFD") == 0 ||
        strcmp(type, "NFKD") == 0)
        return tokenizer_refuse(
            e, "its %s is %s, and potluck has no tables to normalise Unicode with", part, type);
    return tokenizer_refuse(e, "its %s '%s' is not one that potluck knows, or not in this place",
                            part, tokenizer_show(*type ? type : "without a type", name));
}

/* ---- normalizer: none, or Prepend U+2581 and Replace of spaces by it ---- */

static bool replaces(const json_t *x, const char *from, const char *to)
{
    const json_t *pattern = json_object_get(x, "pattern");
    return is_type(x, "Replace") && strcmp(text_of(pattern, "String"), from) == 0 &&
           strcmp(text_of(x, "content"), to) == 0;
}

static int read_normalizer(const json_t *part, struct tokenizer_style *s, bool *ret_replaces,
                           struct err *e)
{
    const json_t *x;
    for (size_t i = 0; (x = step(part, "normalizers", i)); i++) {
        bool prepends = is_type(x, "Prepend") && strcmp(text_of(x, "prepend"), META) == 0 &&
                        s->prefix == TOKENIZER_PREFIX_NEVER;
        if (prepends)
            s->prefix = TOKENIZER_PREFIX_ALWAYS;
        else if (replaces(x, " ", META) && !*ret_replaces)
            *ret_replaces = true;
        else
            return unknown_step("normalizer", x, e);
    }
    if (s->prefix == TOKENIZER_PREFIX_NEVER || *ret_replaces) return OK;
    return tokenizer_refuse(e, "its normalizer prepends U+2581 without replacing spaces by it");
}

/* ---- pre-tokenizer ---- */

static int read_split(const json_t *x, struct tokenizer_style *s, struct err *e)
{
    char name[64];
    const char *regex = text_of(json_object_get(x, "pattern"), "Regex");
    int rc = tokenizer_members(x, "its pre_tokenizer Split", "type pattern behavior invert", e);
    if (rc) return rc;
    bool isolates = strcmp(text_of(x, "behavior"), "Isolated") == 0 && is_off(x, "invert");
    bool keeps = strcmp(text_of(x, "behavior"), "Removed") == 0 &&
                 json_is_true(json_object_get(x, "invert")); /* the same, since all is matched */
    if (!isolates && !keeps)
        return tokenizer_refuse(e, "its pre_tokenizer Split has a behavior that is not Isolated");
    int rule = pretoken_find(regex);
    if (rule < 0)
        return tokenizer_refuse(e, "its pre_tokenizer splits by an unknown expression: %s",
                                tokenizer_show(regex, name));
    s->rule = (enum pretoken_rule)rule;
    return OK;
}

/* ByteLevel is the last step; a Split before it has cut the words already, Digits only some. */
static int read_byte_level(const json_t *x, bool was_split, struct err *e)
{
    int rc = tokenizer_members(x, "its pre_tokenizer ByteLevel",
                               "type add_prefix_space trim_offsets use_regex", e);
    if (rc) return rc;
    const json_t *regex = json_object_get(x, "use_regex");
    bool cuts = !regex || json_is_true(regex);
    if (!is_off(x, "add_prefix_space"))
        return tokenizer_refuse(e, "its pre_tokenizer ByteLevel has add_prefix_space");
    if (cuts == was_split)
        return tokenizer_refuse(e, "its pre_tokenizer ByteLevel has use_regex %s a Split",
                                cuts ? "behind" : "off without");
    return OK;
}

static int read_metaspace(const json_t *x, struct tokenizer_style *s, struct err *e)
{
    char name[64];
    int rc = tokenizer_members(x, "its pre_tokenizer Metaspace",
                               "type replacement str_rep add_prefix_space prepend_scheme split", e);
    if (rc) return rc;
    const json_t *split = json_object_get(x, "split");
    const char *scheme = text_of(x, "prepend_scheme");
    if (!*scheme) /* older files */
        scheme = json_is_false(json_object_get(x, "add_prefix_space")) ? "never" : "always";
    s->is_split = !split || json_is_true(split);
    if (strcmp(text_of(x, "replacement"), META) != 0)
        return tokenizer_refuse(e, "its pre_tokenizer Metaspace has a replacement that is not "
                                   "U+2581");
    if (strcmp(scheme, "never") == 0)
        s->prefix = TOKENIZER_PREFIX_NEVER;
    else if (strcmp(scheme, "always") == 0)
        s->prefix = TOKENIZER_PREFIX_WORD;
    else if (strcmp(scheme, "first") == 0)
        s->prefix = TOKENIZER_PREFIX_FIRST;
    else
        return tokenizer_refuse(e, "its pre_tokenizer Metaspace has the prepend_scheme '%s'",
                                tokenizer_show(scheme, name));
    return OK;
}

static int read_pre_tokenizer(const json_t *part, bool is_replaced, struct tokenizer_style *s,
                              struct err *e)
{
    const json_t *first = step(part, "pretokenizers", 0);
    bool is_bytes = false, was_split = false;
    int rc = OK;
    s->is_sentence = !first || is_type(first, "Metaspace");
    const json_t *x;
    for (size_t i = 0; rc == OK && (x = step(part, "pretokenizers", i)); i++) {
        if (is_type(x, "Metaspace") && i == 0 && !is_replaced) {
            rc = read_metaspace(x, s, e);
        } else if (is_type(x, "Split") && i == 0) {
            was_split = true;
            rc = read_split(x, s, e);
        } else if (is_type(x, "Digits") && i == 0) {
            s->rule = PRETOKEN_DIGITS;
            if (!json_is_true(json_object_get(x, "individual_digits")))
                rc = tokenizer_refuse(e, "its pre_tokenizer Digits lacks individual_digits");
        } else if (is_type(x, "ByteLevel") && !is_bytes && !s->is_sentence) {
            is_bytes = true;
            rc = read_byte_level(x, was_split, e);
        } else {
            rc = unknown_step("pre_tokenizer", x, e);
        }
    }
    if (rc) return rc;
    if (!s->is_sentence && !is_bytes)
        return tokenizer_refuse(e, "its pre_tokenizer does not end with ByteLevel");
    if (s->is_sentence && !first && !is_replaced)
        return tokenizer_refuse(e, "it has neither a pre_tokenizer nor a normalizer");
    if (!s->is_sentence && is_replaced)
        return tokenizer_refuse(e, "its normalizer replaces spaces, but it is byte-level");
    return OK;
}

/* ---- decoder: what undoes the above; it must be the one that belongs to it ---- */

static int read_decoder(const json_t *part, const struct tokenizer_style *s, struct err *e)
{
    const json_t *x;
    size_t i = 0;
    for (; (x = step(part, "decoders", i)); i++) {
        bool fits = s->is_sentence ? replaces(x, META, " ") || is_type(x, "ByteFallback") ||
                                         is_type(x, "Fuse") || is_type(x, "Metaspace") ||
                                         (is_type(x, "Strip") && *text_of(x, "content") == ' ')
                                   : is_type(x, "ByteLevel");
        if (!fits) return unknown_step("decoder", x, e);
    }
    return i ? OK : tokenizer_refuse(e, "it has no decoder");
}

/* ---- post-processor: what is put around a text; recorded, not done ---- */

static int read_template(const json_t *x, struct tokenizer_frame *f, struct err *e)
{
    const json_t *single = json_object_get(x, "single");
    size_t i;
    json_t *v;
    bool has_text = false;
    if (!json_is_array(single))
        return tokenizer_refuse(e, "its post_processor TemplateProcessing lacks 'single'");
    json_each (i, v, single) {
        const char *name =
            json_string_value(json_object_get(json_object_get(v, "SpecialToken"), "id"));
        const char **end = has_text ? &f->eos : &f->bos;
        if (json_object_get(v, "Sequence") && !has_text)
            has_text = true;
        else if (name && !*end)
            *end = name;
        else
            return tokenizer_refuse(e, "its post_processor adds more than one token at an end of "
                                       "a text");
    }
    return has_text ? OK : tokenizer_refuse(e, "its post_processor drops the text");
}

static int read_post_processor(const json_t *part, struct tokenizer_frame *f, struct err *e)
{
    const json_t *x;
    int rc = OK;
    for (size_t i = 0; rc == OK && (x = step(part, "processors", i)); i++) {
        if (is_type(x, "TemplateProcessing") && !f->bos && !f->eos)
            rc = read_template(x, f, e);
        else if (!is_type(x, "ByteLevel")) /* which moves offsets, not ids */
            rc = unknown_step("post_processor", x, e);
    }
    return rc;
}

/* ---- model ---- */

static int read_model(const json_t *m, struct tokenizer_style *s, struct err *e)
{
    static const char *const off[] = {"dropout", "continuing_subword_prefix", "end_of_word_suffix"};
    int rc = tokenizer_members(m, "its model",
                               "type dropout unk_token continuing_subword_prefix "
                               "end_of_word_suffix fuse_unk byte_fallback ignore_merges vocab "
                               "merges",
                               e);
    if (rc) return rc;
    if (!is_type(m, "BPE")) return tokenizer_refuse(e, "its model is not BPE");
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++)
        if (!is_off(m, off[i]))
            return tokenizer_refuse(e, "its model has %s, which potluck lacks", off[i]);
    s->ignores_merges = !is_off(m, "ignore_merges");
    if (s->is_sentence && is_off(m, "byte_fallback"))
        return tokenizer_refuse(e, "its model has no byte_fallback, so some text would be lost");
    if (!s->is_sentence && !is_off(m, "byte_fallback"))
        return tokenizer_refuse(e, "its model has byte_fallback, but it is byte-level already");
    if (s->is_sentence && s->ignores_merges)
        return tokenizer_refuse(e, "its model has ignore_merges without words");
    return OK;
}

int tokenizer_frame_read(const json_t *o, struct tokenizer_frame *ret, struct err *e)
{
    struct tokenizer_frame f = {0};
    /* truncation and padding say how batches are filled, not what the ids of a text are */
    int rc = tokenizer_members(o, "it",
                               "version truncation padding added_tokens normalizer pre_tokenizer "
                               "post_processor decoder model",
                               e);
    if (rc) return rc;
    if (strcmp(text_of(o, "version"), "1.0") != 0)
        return tokenizer_refuse(e, "its version is not 1.0");
    rc = read_normalizer(json_object_get(o, "normalizer"), &f.style, &f.is_normalized, e);
    if (rc == OK)
        rc = read_pre_tokenizer(json_object_get(o, "pre_tokenizer"), f.is_normalized, &f.style, e);
    if (rc == OK) rc = read_decoder(json_object_get(o, "decoder"), &f.style, e);
    if (rc == OK) rc = read_post_processor(json_object_get(o, "post_processor"), &f, e);
    if (rc == OK) rc = read_model(json_object_get(o, "model"), &f.style, e);
    if (rc == OK) *ret = f;
    return rc;
}
