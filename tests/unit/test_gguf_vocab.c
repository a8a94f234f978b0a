#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/gguf_vocab.h"
#include "engine/tokenizer.h"
#include "tests/check.h"

#define GPT2   "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"
#define PLAIN  "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}"
#define TOKENS "{\"a\":0,\"b\":1,\"ab\":3}"

static struct gguf_vocab v;

static int read_with(const char *pre, const char *more, const char *model, uint32_t n,
                     struct err *e)
{
    char json[4000];
    snprintf(json, sizeof json,
             "{\"version\":\"1.0\",\"pre_tokenizer\":%s,%s\"model\":{\"type\":\"BPE\",%s}}", pre,
             more, model);
    gguf_vocab_deinit(&v);
    return gguf_vocab_read(json, strlen(json), n, &v, e);
}

static const char *text_at(const struct buf *b, uint32_t i, char dst[64])
{
    struct cursor c = {.p = b->p, .n = b->len};
    uint64_t n = 0;
    const uint8_t *p = NULL;
    for (uint32_t k = 0; k <= i; k++) {
        n = cursor_u64(&c);
        p = cursor_take(&c, (size_t)n);
    }
    assert_non_null(p);
    snprintf(dst, 64, "%.*s", (int)n, (const char *)p);
    return dst;
}

static void gguf_vocab_reads_both_forms_of_merges_and_fills_gaps(void **state)
{
    (void)state;
    static const char *const merges[] = {"[\"a b\"]", "[[\"a\",\"b\"]]"};
    char text[64];
    for (int i = 0; i < 2; i++) {
        char model[200];
        snprintf(model, sizeof model, "\"vocab\":" TOKENS ",\"merges\":%s", merges[i]);
        assert_int_equal(read_with(GPT2,
                                   "\"added_tokens\":[{\"id\":4,\"content\":\"<end>\",\"special\":"
                                   "true},{\"id\":5,\"content\":\"<x>\"}],",
                                   model, 6, NULL),
                         OK);
        assert_int_equal(v.n_tokens, 6);
        assert_int_equal(v.n_merges, 1);
        assert_string_equal(v.pre, "gpt-2");
        assert_false(v.adds_bos);
        assert_string_equal(text_at(&v.tokens, 0, text), "a");
        assert_string_equal(text_at(&v.tokens, 2, text), "[PAD2]");
        assert_string_equal(text_at(&v.tokens, 3, text), "ab");
        assert_string_equal(text_at(&v.merges, 0, text), "a b");
        static const uint32_t kinds[6] = {GGUF_VOCAB_NORMAL, GGUF_VOCAB_NORMAL,  GGUF_VOCAB_UNUSED,
                                          GGUF_VOCAB_NORMAL, GGUF_VOCAB_CONTROL, GGUF_VOCAB_USER};
        for (int k = 0; k < 6; k++)
            assert_int_equal(bytes_u32(v.kinds.p + 4 * k), kinds[k]);
    }
}

static void gguf_vocab_reads_what_potluck_writes(void **state)
{
    (void)state;
    static const char text[] =
        "the cat and the hat and the rat sat on the mat, they say. they say.";
    struct tokenizer *t = NULL;
    struct buf json = {0};
    char token[64];
    assert_int_equal(tokenizer_train(text, sizeof text - 1, 280, NULL, NULL, &t, NULL), OK);
    assert_int_equal(tokenizer_to_json(t, &json, NULL), OK);
    uint32_t n = tokenizer_vocab_size(t);
    gguf_vocab_deinit(&v);
    assert_int_equal(gguf_vocab_read(json.p, json.len, n, &v, NULL), OK);
    assert_int_equal(v.n_tokens, n);
    assert_int_equal(v.n_merges, n - TOKENIZER_FIRST);
    assert_string_equal(text_at(&v.tokens, 0, token), "<|endoftext|>");
    assert_int_equal(bytes_u32(v.kinds.p), GGUF_VOCAB_CONTROL);
    for (uint32_t k = 1; k < n; k++)
        assert_int_equal(bytes_u32(v.kinds.p + (size_t)4 * k), GGUF_VOCAB_NORMAL);
    buf_deinit(&json);
    tokenizer_destroy(t);
}

#define MODEL "\"vocab\":" TOKENS ",\"merges\":[\"a b\"]"
#define SPLIT(regex)                                                                               \
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"        \
    "\"" regex "\"},\"behavior\":\"Isolated\",\"invert\":false}," PLAIN "]}"
#define DIGITS                                                                                     \
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true}"   \
    "," GPT2 "]}"
#define LLAMA3(digits)                                                                             \
    SPLIT("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|" digits           \
          "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+")

static void gguf_vocab_knows_rules_by_their_names(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(read_with(DIGITS, "", MODEL, 4, &e), OK);
    assert_string_equal(v.pre, "smollm");
    if (read_with(LLAMA3("\\\\p{N}{1,3}"), "", MODEL ",\"ignore_merges\":true", 4, &e))
        fail_msg("%s", e.what);
    assert_string_equal(v.pre, "llama-bpe");
    assert_int_equal(read_with(LLAMA3("\\\\p{N}"), "", MODEL, 4, &e), OK);
    assert_string_equal(v.pre, "qwen2");
    assert_int_equal(
        read_with(GPT2,
                  "\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":"
                  "\"ByteLevel\"},{\"type\":\"TemplateProcessing\",\"single\":[{"
                  "\"SpecialToken\":{\"id\":\"x\"}},{\"Sequence\":{\"id\":\"A\"}}]}]},",
                  MODEL, 4, &e),
        OK);
    assert_true(v.adds_bos);
}

static void gguf_vocab_refuses_what_would_give_other_ids(void **state)
{
    (void)state;
    static const struct {
        const char *pre, *more, *model;
        int code;
    } bad[] = {
        {"null",                     "",                                   MODEL,                                        ERR_ARG  },
        {"{\"type\":\"Metaspace\"}", "",                                   MODEL,                                        ERR_ARG  },
        {"{\"type\":\"ByteLevel\"}", "",                                   MODEL,                                        ERR_ARG  }, /* adds a space */
        {SPLIT("x+"),                "",                                   MODEL,                                        ERR_ARG  },
        {LLAMA3("\\\\p{N}{1,3}"),    "",                                   MODEL,                                        ERR_ARG  }, /* without ignore_merges */
        {GPT2,                       "\"normalizer\":{\"type\":\"NFC\"},", MODEL,                                        ERR_ARG  },
        {GPT2,                       "",                                   MODEL ",\"byte_fallback\":true",              ERR_ARG  },
        {GPT2,                       "",                                   MODEL ",\"ignore_merges\":true",              ERR_ARG  },
        {GPT2,                       "",                                   "\"vocab\":[[\"a\",-1.5]],\"merges\":[]",     ERR_ARG  },
        {GPT2,                       "",                                   "\"vocab\":{\"a\":0}",                        ERR_ARG  },
        {GPT2,                       "",                                   "\"vocab\":{\"a\":4},\"merges\":[]",          ERR_PROTO},
        {GPT2,                       "",                                   "\"vocab\":{\"a\":-1},\"merges\":[]",         ERR_PROTO},
        {GPT2,                       "",                                   "\"vocab\":{\"a\":\"0\"},\"merges\":[]",      ERR_PROTO},
        {GPT2,                       "",                                   "\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]",  ERR_PROTO},
        {GPT2,                       "",                                   "\"vocab\":{\"a\":0},\"merges\":[\"ab\"]",    ERR_PROTO},
        {GPT2,                       "",                                   "\"vocab\":{\"a\":0},\"merges\":[\"a b c\"]", ERR_PROTO},
        {GPT2,                       "",                                   "\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]",   ERR_PROTO},
        {GPT2,                       "",                                   "\"vocab\":{\"a\":0},\"merges\":[7]",         ERR_PROTO},
        {GPT2,                       "\"added_tokens\":[{\"id\":0}],",     MODEL,                                        ERR_PROTO},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = {0};
        int rc = read_with(bad[i].pre, bad[i].more, bad[i].model, 4, &e);
        if (rc != bad[i].code) fail_msg("%zu gives %d: %s", i, rc, e.what);
        assert_true(e.hint[0]);
    }
    struct err e = {0};
    assert_int_equal(gguf_vocab_read("{", 1, 4, &v, &e), ERR_PROTO);
    assert_int_equal(gguf_vocab_read("{}", 2, 4, &v, &e), ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gguf_vocab_reads_both_forms_of_merges_and_fills_gaps),
        cmocka_unit_test(gguf_vocab_reads_what_potluck_writes),
        cmocka_unit_test(gguf_vocab_knows_rules_by_their_names),
        cmocka_unit_test(gguf_vocab_refuses_what_would_give_other_ids),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    gguf_vocab_deinit(&v);
    return rc;
}
