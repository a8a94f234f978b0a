#include "engine/gguf_vocab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

static int refuse(struct err *e, const char *what)
{
    err_set(e, ERR_ARG, 0, "tokenizer.json: %s", what);
    err_hint(e, "this model can leave as a Hugging Face folder: --format hf");
    return ERR_ARG;
}

static int damaged(struct err *e, const char *what)
{
    err_set(e, ERR_PROTO, 0, "tokenizer.json: %s", what);
    err_hint(e, "copy or download the model again");
    return ERR_PROTO;
}

static const char *text_in(const json_t *o, const char *k)
{
    const char *s = json_string_value(json_object_get(o, k));
    return s ? s : "";
}

static bool is_true(const json_t *o, const char *k, bool absent)
{
    const json_t *v = json_object_get(o, k);
    return v && !json_is_null(v) ? json_is_true(v) : absent;
}

/* ---- the rule that cuts text into words ---- */

/* ByteLevel, with or without GPT-2's own regular expression. */
static bool is_byte_level(const json_t *o, bool use_regex)
{
    return strcmp(text_in(o, "type"), "ByteLevel") == 0 && !is_true(o, "add_prefix_space", true) &&
           is_true(o, "use_regex", true) == use_regex;
}

static const char *split_name(const json_t *o)
{
    /* What the formats call a name is the rule itself. */
    static const struct {
        const char *regex, *name;
    } known[] = {
        {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
         " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", "llama-bpe"},
        {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
         " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", "qwen2"    },
    };
    const char *regex = text_in(json_object_get(o, "pattern"), "Regex");
    if (strcmp(text_in(o, "type"), "Split") != 0 || is_true(o, "invert", false) ||
        strcmp(text_in(o, "behavior"), "Isolated") != 0)
        return NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(regex, known[i].regex) == 0) return known[i].name;
    return NULL;
}

static const char *pre_name(const json_t *o)
{
    if (is_byte_level(o, true)) return "gpt-2";
    const json_t *list = json_object_get(o, "pretokenizers");
    const json_t *first = json_array_get(list, 0);
    const json_t *second = json_array_get(list, 1);
    if (strcmp(text_in(o, "type"), "Sequence") != 0 || json_array_size(list) != 2) return NULL;
    if (strcmp(text_in(first, "type"), "Digits") == 0)
        return is_true(first, "individual_digits", false) && is_byte_level(second, true) ? "smollm"
                                                                                         : NULL;
    return is_byte_level(second, false) ? split_name(first) : NULL;
}

/* Does the template begin with a special token? Looks into a sequence of processors as well. */
static bool adds_bos(const json_t *o)
{
    size_t i = 0;
    json_t *v = NULL;
    if (strcmp(text_in(o, "type"), "TemplateProcessing") == 0) {
        const json_t *first = json_array_get(json_object_get(o, "single"), 0);
        return json_object_get(first, "SpecialToken") != NULL;
    }
    json_each (i, v, json_object_get(o, "processors"))
        if (strcmp(text_in(v, "type"), "TemplateProcessing") == 0 && adds_bos(v)) return true;
    return false;
}

/* ---- tokens ---- */

struct token {
    const char *text;
    enum gguf_vocab_kind kind;
};

static int place(struct token *tokens, uint32_t n, const json_t *id, const char *text,
                 enum gguf_vocab_kind kind, struct err *e)
{
    int64_t i = json_is_integer(id) ? json_integer_value(id) : -1;
    if (i < 0 || i >= n) return damaged(e, "an id is outside of the model's vocabulary");
    struct token *t = &tokens[i];
    if (t->text && strcmp(t->text, text) != 0) return damaged(e, "two tokens have one id");
    *t = (struct token){text, kind};
    return OK;
}

static int place_all(const json_t *o, struct token *tokens, uint32_t n, struct err *e)
{
    json_t *vocab = json_object_get(json_object_get(o, "model"), "vocab");
    const json_t *added = json_object_get(o, "added_tokens");
    size_t i = 0;
    json_t *v = NULL;
    int rc = OK;
    for (void *it = json_object_iter(vocab); it && !rc; it = json_object_iter_next(vocab, it))
        rc = place(tokens, n, json_object_iter_value(it), json_object_iter_key(it),
                   GGUF_VOCAB_NORMAL, e);
    json_each (i, v, added) {
        if (rc) break;
        if (!json_is_string(json_object_get(v, "content")))
            return damaged(e, "an added token has no text");
        rc = place(tokens, n, json_object_get(v, "id"), text_in(v, "content"),
                   is_true(v, "special", false) ? GGUF_VOCAB_CONTROL : GGUF_VOCAB_USER, e);
    }
    return rc;
}

static void put_string(struct buf *b, const char *s, size_t n)
{
    buf_put_u64(b, n);
    buf_put(b, s, n);
}

static void put_tokens(const struct token *tokens, uint32_t n, struct gguf_vocab *v)
{
    for (uint32_t i = 0; i < n; i++) {
        char unused[32];
        const char *text = tokens[i].text;
        if (!text) snprintf(unused, sizeof unused, "[PAD%u]", i);
        put_string(&v->tokens, text ? text : unused, strlen(text ? text : unused));
        buf_put_u32(&v->kinds, (uint32_t)(text ? tokens[i].kind : GGUF_VOCAB_UNUSED));
    }
    v->n_tokens = n;
}

/* "left right", or the pair in a list. */
static int put_merge(const json_t *m, struct gguf_vocab *v, struct err *e)
{
    const char *left = json_string_value(json_array_get(m, 0));
    const char *right = json_string_value(json_array_get(m, 1));
    const char *both = json_string_value(m);
    if (both) {
        const char *gap = strchr(both, ' ');
        if (!gap || gap == both || !gap[1] || strchr(gap + 1, ' '))
            return damaged(e, "a merge is not a text of two tokens");
        put_string(&v->merges, both, strlen(both));
        return OK;
    }
    if (json_array_size(m) != 2 || !left || !right || !*left || !*right || strchr(left, ' ') ||
        strchr(right, ' '))
        return damaged(e, "a merge is not a pair of tokens");
    buf_put_u64(&v->merges, strlen(left) + 1 + strlen(right));
    buf_put_str(&v->merges, left);
    buf_put_u8(&v->merges, ' ');
    buf_put_str(&v->merges, right);
    return OK;
}

/* What would make other ids of the same text there. */
static int check_frame(const json_t *o, struct gguf_vocab *v, struct err *e)
{
    const json_t *model = json_object_get(o, "model");
    if (!json_is_object(json_object_get(model, "vocab")) ||
        !json_is_array(json_object_get(model, "merges")))
        return refuse(e, "it is not a BPE tokenizer");
    if (strcmp(text_in(model, "type"), "BPE") != 0) return refuse(e, "its model is not BPE");
    if (is_true(model, "byte_fallback", false))
        return refuse(e, "it falls back to bytes, which a GGUF of this kind does not");
    const json_t *norm = json_object_get(o, "normalizer");
    if (norm && !json_is_null(norm)) return refuse(e, "it rewrites text before the merges");
    v->pre = pre_name(json_object_get(o, "pre_tokenizer"));
    if (!v->pre)
        return refuse(e, "it cuts text into words by a rule that has no name in llama.cpp");
    /* llama.cpp takes whole words before the merges for this rule, and for this rule only. */
    if (is_true(model, "ignore_merges", false) != (strcmp(v->pre, "llama-bpe") == 0))
        return refuse(e, "it takes whole words where llama.cpp does not, or the other way round");
    v->adds_bos = adds_bos(json_object_get(o, "post_processor"));
    return OK;
}

static int read_all(const json_t *o, uint32_t vocab_size, struct gguf_vocab *v, struct err *e)
{
    size_t i = 0;
    json_t *m = NULL;
    int rc = check_frame(o, v, e);
    if (rc) return rc;
    struct token *tokens = alloc_zero(vocab_size, sizeof *tokens);
    if (!tokens) return err_set(e, ERR_NOMEM, 0, "out of memory for a vocabulary");
    rc = place_all(o, tokens, vocab_size, e);
    if (!rc) put_tokens(tokens, vocab_size, v);
    free(tokens);
    json_each (i, m, json_object_get(json_object_get(o, "model"), "merges")) {
        if (rc) break;
        rc = put_merge(m, v, e);
        v->n_merges++;
    }
    if (!rc) rc = buf_ok(&v->tokens, e);
    if (!rc) rc = buf_ok(&v->kinds, e);
    return rc ? rc : buf_ok(&v->merges, e);
}

int gguf_vocab_read(const void *json, size_t n, uint32_t vocab_size, struct gguf_vocab *ret,
                    struct err *e)
{
    json_t *o = NULL;
    struct gguf_vocab v = {0};
    int rc = json_parse(json, n, &o, e);
    if (rc) {
        (void)err_wrap(e, "tokenizer.json");
        return rc;
    }
    rc = read_all(o, vocab_size, &v, e);
    json_decref(o);
    if (rc)
        gguf_vocab_deinit(&v);
    else
        *ret = v;
    return rc;
}

void gguf_vocab_deinit(struct gguf_vocab *v)
{
    if (!v) return;
    buf_deinit(&v->tokens);
    buf_deinit(&v->kinds);
    buf_deinit(&v->merges);
    *v = (struct gguf_vocab){0};
}
