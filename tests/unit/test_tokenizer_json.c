#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "engine/tokenizer.h"
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

/* Replace the first `from` by `to` and expect a refusal. */
static void refuses_edit(const char *from, const char *to)
{
    struct buf json = {0};
    struct buf edited = {0};
    struct err e = {0};
    struct tokenizer *t = NULL;
    saved(&json);
    const char *s = buf_str(&json);
    const char *at = strstr(s, from);
    if (!at) fail_msg("no %s", from);
    buf_put(&edited, s, (size_t)(at - s));
    buf_put_str(&edited, to);
    buf_put_str(&edited, at + strlen(from));
    assert_int_equal(tokenizer_from_json(edited.p, edited.len, &t, &e), ERR_PROTO);
    assert_null(t);
    assert_true(strncmp(e.what, "tokenizer.json", 14) == 0 || strlen(e.what) > 0);
    buf_deinit(&json);
    buf_deinit(&edited);
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
    refuses_edit("\"l o\"", "[\"l\",\"o\"]");
    refuses_edit("\"l o\"", "\"l \\u4e00\"");
    refuses_edit("\"l o\"", "\"l zz\"");
    refuses_edit("\"l o\"", "\"l o\",\"l o\"");
    refuses_edit("\"l o\"", "\"l o\\u0000\"");
    refuses_edit("\"l o\",", "");
    refuses_edit("\"low\":", "\"l\xc3\xb6w\":");
    refuses_edit("\"!\":34", "\"!\":35");
    refuses_edit("\"vocab\":{", "\"vocab\":{\"new\":999,");
    refuses_edit("\"vocab\":{", "\"vocab\":[],\"x\":{");
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
