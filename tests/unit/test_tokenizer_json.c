#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "engine/tokenizer_table.h"
#include "tests/check.h"

static const char TEXT[] =
    "low low low lower lowest newest newest widest \xc3\xa9\xc3\xa9 \xff\n\n";

static void saved(struct buf *json)
{
    struct tokenizer *t = NULL;
    assert_int_equal(tokenizer_train(TEXT, sizeof TEXT - 1, 280, NULL, NULL, &t, NULL), OK);
    assert_int_equal(tokenizer_to_json(t, json, NULL), OK);
    tokenizer_destroy(t);
}

static void what_is_saved_loads_and_saves_the_same(void **state)
{
    (void)state;
    struct buf json = {0};
    struct buf again = {0};
    struct buf ids = {0};
    struct buf back = {0};
    struct tokenizer *t = NULL;
    saved(&json);
    assert_int_equal(tokenizer_from_json(json.p, json.len, &t, NULL), OK);
    assert_int_equal(tokenizer_to_json(t, &again, NULL), OK);
    assert_int_equal(json.len, again.len);
    assert_memory_equal(json.p, again.p, json.len);
    assert_int_equal(tokenizer_encode(t, TEXT, sizeof TEXT - 1, &ids, NULL), OK);
    assert_true(ids.len < 4 * (sizeof TEXT - 1));
    for (size_t i = 0; i < ids.len; i += 4) {
        uint32_t id;
        memcpy(&id, ids.p + i, 4);
        assert_int_equal(tokenizer_decode(t, id, &back, NULL), OK);
    }
    assert_string_equal(buf_str(&back), TEXT);
    tokenizer_destroy(t);
    buf_deinit(&json);
    buf_deinit(&again);
    buf_deinit(&ids);
    buf_deinit(&back);
}

static void the_file_has_the_shape_that_others_read(void **state)
{
    (void)state;
    struct buf json = {0};
    json_t *o = NULL;
    saved(&json);
    assert_int_equal(json_parse(json.p, json.len, &o, NULL), OK);
    assert_string_equal(json_string_value(json_object_get(o, "version")), "1.0");
    const json_t *model = json_object_get(o, "model");
    const json_t *vocab = json_object_get(model, "vocab");
    assert_int_equal(json_integer_value(json_object_get(vocab, "<|endoftext|>")), 0);
    assert_int_equal(json_integer_value(json_object_get(vocab, "!")), 1 + '!');
    assert_int_equal(json_integer_value(json_object_get(vocab, "\u0120")), 1 + ' ');
    assert_int_equal(json_integer_value(json_object_get(vocab, "\u0100")), 1);
    assert_int_equal(json_integer_value(json_object_get(vocab, "\u0143")), 1 + 173);
    const json_t *merges = json_object_get(model, "merges");
    assert_string_equal(json_string_value(json_array_get(merges, 0)), "l o");
    const json_t *pre = json_object_get(o, "pre_tokenizer");
    assert_true(json_is_false(json_object_get(pre, "add_prefix_space")));
    assert_true(json_is_true(json_object_get(pre, "use_regex")));
    json_decref(o);
    buf_deinit(&json);
}

/* What is saved with the first `from` replaced by `to`. */
static int load_edited(const char *from, const char *to, struct tokenizer **ret, struct err *e)
{
    struct buf json = {0};
    struct buf edited = {0};
    saved(&json);
    const char *s = buf_str(&json);
    const char *at = strstr(s, from);
    if (!at) fail_msg("no %s", from);
    buf_put(&edited, s, (size_t)(at - s));
    buf_put_str(&edited, to);
    buf_put_str(&edited, at + strlen(from));
    int rc = tokenizer_from_json(edited.p, edited.len, ret, e);
    buf_deinit(&json);
    buf_deinit(&edited);
    return rc;
}

static void refuses_edit(const char *from, const char *to)
{
    struct err e = {0};
    struct tokenizer *t = NULL;
    int rc = load_edited(from, to, &t, &e);
    if (rc != ERR_PROTO) fail_msg("%s for %s gives %d", to, from, rc);
    assert_null(t);
    assert_int_equal(strncmp(e.what, "tokenizer.json: ", 16), 0);
}

static void reads_edit(const char *from, const char *to)
{
    struct err e = {0};
    struct tokenizer *t = NULL;
    if (load_edited(from, to, &t, &e)) fail_msg("%s: %s", to, e.what);
    tokenizer_destroy(t);
}

static void what_others_write_differently_is_read(void **state)
{
    (void)state;
    reads_edit("\"l o\"", "[\"l\",\"o\"]");
    reads_edit("\"l o\",", ""); /* a token that nothing makes */
    reads_edit("\"post_processor\":null", "\"post_processor\":{\"type\":\"ByteLevel\"}");
    reads_edit("\"truncation\":null", "\"truncation\":{\"max_length\":512}");
    reads_edit("\"unk_token\":null", "\"unk_token\":\"<|endoftext|>\"");
    reads_edit("\"end_of_word_suffix\":null", "\"end_of_word_suffix\":\"\"");
    reads_edit("\"ignore_merges\":false,", "");
    reads_edit("\"<|endoftext|>\":0,", ""); /* named in added_tokens alone */
}

static void what_cannot_be_represented_is_refused(void **state)
{
    (void)state;
    refuses_edit("\"1.0\"", "\"2.0\"");
    refuses_edit("\"BPE\"", "\"WordPiece\"");
    refuses_edit("\"use_regex\":true},\"truncation\"", "\"use_regex\":false},\"truncation\"");
    refuses_edit("\"normalizer\":null", "\"normalizer\":{\"type\":\"NFC\"}");
    refuses_edit("\"post_processor\":null", "\"post_processor\":{}");
    refuses_edit("\"byte_fallback\":false", "\"byte_fallback\":true");
    refuses_edit("\"dropout\":null", "\"dropout\":0.5");
    refuses_edit("\"content\":\"<|endoftext|>\"", "\"content\":\"<s>\"");
    refuses_edit("\"l o\"", "\"lo\"");
    refuses_edit("\"l o\"", "\"l \\u4e00\"");
    refuses_edit("\"l o\"", "\"l zz\"");
    refuses_edit("\"l o\"", "\"l o\",\"l o\"");
    refuses_edit("\"l o\"", "\"l o\\u0000\"");
    refuses_edit("\"low\":", "\"l\xc3\xb6w\":");
    refuses_edit("\"!\":34", "\"!\":35");
    refuses_edit("\"vocab\":{", "\"vocab\":{\"new\":999,");
    refuses_edit("\"vocab\":{", "\"vocab\":[],\"x\":{");
    refuses_edit("\"vocab\":{", "\"vocab\":{\"new\":-1,");
    refuses_edit("\"vocab\":{", "\"vocab\":{\"new\":4294967296,");
    refuses_edit("\"vocab\":{", "\"vocab\":{\"new\":1.5,");
    refuses_edit("\"vocab\":{", "\"vocab\":{\"n\u00adw\":280,"); /* not of the alphabet */
    refuses_edit("\"vocab\":{", "\"vocab\":{\"!\":280,");        /* twice the same member */
    refuses_edit("\"id\":0", "\"id\":1");
    refuses_edit("\"id\":0", "\"id\":281");
    refuses_edit("\"lstrip\":false", "\"lstrip\":true");
    refuses_edit("\"special\":true}", "\"special\":true},{\"id\":0,\"content\":\"<|endoftext|>\"}");
    refuses_edit("\"special\":true}", "\"special\":true},{\"id\":280,\"content\":\"\"}");
    refuses_edit("\"special\":true}", "\"special\":true},{\"id\":280,\"content\":\"low\"}");
    refuses_edit("\"special\":true}", "\"special\":true},7");
    refuses_edit("\"merges\":[", "\"merges\":[[\"l\"],");
    refuses_edit("\"merges\":[", "\"merges\":[[\"l\",\"o\",\"w\"],");
    refuses_edit("\"merges\":[", "\"merges\":[\"l o w\",");
    refuses_edit("\"merges\":[", "\"merges\":[\" lo\",");
    refuses_edit("\"merges\":[", "\"merges\":[\"lo \",");
    refuses_edit("\"merges\":[", "\"merges\":[\"! !\","); /* makes no token */
    refuses_edit("\"merges\":[", "\"merges\":[\"<|endoftext|> l\",");
    refuses_edit("\"merges\":[", "\"merges\":[null,");
}

static void a_name_may_not_be_absurdly_long(void **state)
{
    (void)state;
    char to[400] = "\"content\":\"";
    memset(to + strlen(to), 'x', 300);
    strcat(to, "\"");
    refuses_edit("\"content\":\"<|endoftext|>\"", to);
}

/* ---- other families, small ---- */

#define NO_FLAGS "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"

static void put_bytes(struct buf *b, bool is_sentence)
{
    for (unsigned i = 0; i < 256; i++) {
        if (i) buf_put_u8(b, ',');
        if (is_sentence) {
            buf_printf(b, "\"<0x%02X>\":%u", i, i);
            continue;
        }
        buf_put_u8(b, '"');
        if (i == '"' || i == '\\') buf_put_u8(b, '\\');
        tokenizer_spell_bytes(&(uint8_t){(uint8_t)i}, 1, b);
        buf_printf(b, "\":%u", i);
    }
}

static struct tokenizer *load(struct buf *b)
{
    struct err e = {0};
    struct tokenizer *t = NULL;
    if (tokenizer_from_json(b->p, b->len, &t, &e)) fail_msg("%s", e.what);
    buf_deinit(b);
    return t;
}

/* Llama 2: bytes are 0..255, U+2581 256, and so on. */
static struct tokenizer *sentence(const char *frame, const char *is_normalized)
{
    struct buf b = {0};
    buf_printf(
        &b,
        "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":257,\"content\":\"<s>\"," NO_FLAGS
        "\"normalized\":%s,\"special\":true},{\"id\":258,\"content\":\"</s>\"," NO_FLAGS
        "\"normalized\":false,\"special\":true}],%s,"
        "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\","
        "\"pattern\":{\"String\":\"\u2581\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},"
        "{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]},"
        "\"model\":{\"type\":\"BPE\",\"unk_token\":\"<s>\",\"fuse_unk\":true,"
        "\"byte_fallback\":true,\"vocab\":{\"\u2581\":256,\"<s>\":257,\"</s>\":258,\"a\":259,"
        "\"b\":260,\"\u2581a\":261,\"ab\":262,\"\u2581ab\":263,\"\u2581\u2581\":264,"
        "\"\u00e9\":265,\"a\u2581b\":266,",
        is_normalized, frame);
    put_bytes(&b, true);
    buf_put_str(&b, "},\"merges\":[\"\u2581 a\",[\"a\",\"b\"],\"\u2581 ab\",\"\u2581a b\","
                    "\"\u2581 \u2581\"]}}");
    return load(&b);
}

#define PREPEND                                                                                    \
    "\"pre_tokenizer\":null,\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":"     \
    "\"Prepend\",\"prepend\":\"\u2581\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"    \
    "\"content\":\"\u2581\"}]},\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["   \
    "{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\"}}]}"
#define METASPACE(scheme, split)                                                                   \
    "\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\","    \
    "\"prepend_scheme\":\"" scheme "\",\"split\":" split "}"

static void encodes(struct tokenizer *t, bool with_specials, const char *text, const char *want)
{
    struct tokenizer_encoder *c = NULL;
    struct buf ids = {0};
    struct buf got = {0};
    assert_int_equal(tokenizer_encoder_create(t, with_specials, &c, NULL), OK);
    assert_int_equal(tokenizer_encoder_run(c, text, strlen(text), &ids, NULL), OK);
    for (size_t i = 0; i < ids.len; i += 4) {
        uint32_t id;
        memcpy(&id, ids.p + i, 4);
        buf_printf(&got, i ? " %u" : "%u", id);
    }
    assert_string_equal(buf_str(&got), want);
    buf_deinit(&ids);
    buf_deinit(&got);
    tokenizer_encoder_destroy(c);
}

static void sentences_have_spaces_in_front_and_fall_back_to_bytes(void **state)
{
    (void)state;
    struct tokenizer *t = sentence(PREPEND, "false");
    encodes(t, false, "ab", "263");      /* by way of "_a", which was learned before "ab" */
    encodes(t, false, " ab", "256 263"); /* two spaces: one was put in front */
    encodes(t, false, "bab a", "256 260 262 261");
    encodes(t, false, "\u00e9\u4e00\xff", "256 265 228 184 128 255");
    encodes(t, false, "\u2581a", "256 261"); /* the character that stands for a space */
    encodes(t, false, "", "");
    encodes(t, true, "a<s>a</s>", "261 257 261 258");
    encodes(t, false, "<s>", "256 60 115 62");
    assert_int_equal(tokenizer_bos(t), 257);
    assert_int_equal(tokenizer_eos(t), 258);
    assert_true(tokenizer_adds_bos(t) && !tokenizer_adds_eos(t) && tokenizer_adds_space(t));
    assert_int_equal(tokenizer_id_kind(t, 10), TOKENIZER_BYTE);
    assert_int_equal(tokenizer_id_bytes(t, 263), 3);
    assert_int_equal(tokenizer_id_bytes(t, 257), 0);
    assert_false(tokenizer_is_byte_level(t));
    tokenizer_destroy(t);
    t = sentence(PREPEND, "true"); /* <s> is looked for behind a space that was put in front */
    encodes(t, true, "<s>a a<s>a <s>", "257 259 261 60 115 62 259 257");
    tokenizer_destroy(t);
}

/* Merging must not cost the square of the length: this would take hours. */
static void a_sentence_of_a_megabyte_is_no_trouble(void **state)
{
    (void)state;
    static const char *const units[] = {"a", " ", "ab", "<", "\u2581b"};
    struct tokenizer *t = sentence(PREPEND, "true");
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        struct buf text = {0};
        struct buf ids = {0};
        size_t n_back = 0;
        while (text.len < 1u << 20)
            buf_put_str(&text, units[u]);
        assert_int_equal(tokenizer_encode(t, text.p, text.len, &ids, NULL), OK);
        for (size_t i = 0; i < ids.len; i += 4) {
            uint32_t id;
            memcpy(&id, ids.p + i, 4);
            n_back += tokenizer_id_bytes(t, id);
        }
        size_t n_spaces = strlen(units[u]) == 4 ? text.len / 2 : 0; /* a space is 1 of 3 bytes */
        assert_int_equal(n_back, text.len - n_spaces + 1);
        buf_deinit(&text);
        buf_deinit(&ids);
    }
    tokenizer_destroy(t);
}

static void metaspace_puts_a_space_where_its_scheme_says(void **state)
{
    (void)state;
    struct tokenizer *t = sentence(METASPACE("first", "false"), "false");
    encodes(t, true, "a</s>a", "261 258 259");
    encodes(t, true, " a</s> a", "261 258 261");
    encodes(t, true, "</s>a", "258 259");
    encodes(t, false, "a  a", "261 256 261"); /* "_a" first, then no two spaces are left */
    tokenizer_destroy(t);
    t = sentence(METASPACE("always", "false"), "false");
    encodes(t, true, "a</s>a  ", "261 258 261 264");
    tokenizer_destroy(t);
    t = sentence(METASPACE("always", "true"), "false");
    encodes(t, false, "a  b", "261 256 256 260"); /* each space begins a word */
    tokenizer_destroy(t);
    t = sentence(METASPACE("never", "false"), "false");
    encodes(t, false, "a b", "259 256 260");
    assert_false(tokenizer_adds_space(t));
    tokenizer_destroy(t);
}

static struct tokenizer *llama3(const char *ignore_merges)
{
    struct buf b = {0};
    buf_put_str(&b, "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":260,\"content\":"
                    "\"<|end_of_text|>\"," NO_FLAGS "\"normalized\":false,\"special\":true},"
                    "{\"id\":261,\"content\":\"  \"," NO_FLAGS "\"normalized\":true,\"special\":"
                    "false}],\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"Sequence\","
                    "\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"");
    buf_put_str(&b, "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|"
                    "\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|"
                    "\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+");
    buf_printf(&b,
               "\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\","
               "\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":false}]},"
               "\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":"
               "\"BPE\",\"ignore_merges\":%s,\"vocab\":{\"abc\":256,\"bc\":257,\"12\":258,"
               "\"23\":259,",
               ignore_merges);
    put_bytes(&b, false);
    buf_put_str(&b, "},\"merges\":[\"2 3\",\"1 2\",\"b c\"]}}");
    return load(&b);
}

static void a_word_that_is_a_token_needs_no_merges(void **state)
{
    (void)state;
    struct tokenizer *t = llama3("true");
    encodes(t, false, "abc", "256"); /* which no merge makes */
    encodes(t, false, "xabc 1234", "120 97 257 32 49 259 52");
    encodes(t, false, "abc  abc   bc", "256 261 256 261 32 257");
    encodes(t, true, "<|end_of_text|>", "260");
    assert_int_equal(tokenizer_eos(t), 260);
    assert_int_equal(tokenizer_bos(t), TOKENIZER_NONE);
    assert_int_equal(tokenizer_id_bytes(t, 261), 2);
    assert_int_equal(tokenizer_pretoken_rule(t), PRETOKEN_LLAMA3);
    struct buf json = {0};
    struct err e = {0};
    assert_int_equal(tokenizer_to_json(t, &json, &e), ERR_ARG);
    assert_true(strlen(e.hint) > 0);
    tokenizer_destroy(t);
    t = llama3("false");
    encodes(t, false, "abc", "97 257");
    tokenizer_destroy(t);
}

/* Any allocation may fail: the error says so and nothing is left behind. */
static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct buf json = {0};
    struct tokenizer *t = NULL;
    saved(&json);
    int rc = ERR_NOMEM;
    uint64_t k = 1;
    for (; rc != OK && k < 2000; k++) {
        alloc_fail_nth(k);
        rc = tokenizer_from_json(json.p, json.len, &t, NULL);
        alloc_fail_nth(0);
        assert_true(rc == OK || rc == ERR_NOMEM);
    }
    assert_true(k > 8);
    tokenizer_destroy(t);
    buf_deinit(&json);
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    struct buf json = {0};
    struct tokenizer *t = NULL;
    saved(&json);
    for (size_t n = 0; n < json.len; n += n < 200 ? 1 : 61)
        assert_int_equal(tokenizer_from_json(json.p, n, &t, NULL), ERR_PROTO);
    buf_deinit(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_loads_and_saves_the_same),
        cmocka_unit_test(the_file_has_the_shape_that_others_read),
        cmocka_unit_test(what_cannot_be_represented_is_refused),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(what_others_write_differently_is_read),
        cmocka_unit_test(a_name_may_not_be_absurdly_long),
        cmocka_unit_test(sentences_have_spaces_in_front_and_fall_back_to_bytes),
        cmocka_unit_test(a_sentence_of_a_megabyte_is_no_trouble),
        cmocka_unit_test(metaspace_puts_a_space_where_its_scheme_says),
        cmocka_unit_test(a_word_that_is_a_token_needs_no_merges),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
