#include <math.h>
#include <string.h>

#include "record/msg_json.h"
#include "tests/check.h"

static json_t *object_of(const char *text)
{
    json_t *o = NULL;
    assert_int_equal(json_parse(text, strlen(text), &o, NULL), OK);
    return o;
}

static void a_count_stays_exact_in_any_reader(void **state)
{
    (void)state;
    struct json_reader r = {0};
    json_t *o = object_of("{\"a\":9007199254740991,\"b\":9007199254740992}");
    assert_true(msg_json_count(&r, o, "a", 0) == 9007199254740991ULL);
    assert_false(json_bad(&r));
    msg_json_count(&r, o, "b", 0);
    assert_true(json_bad(&r));
    json_decref(o);
}

static void null_reads_as_not_a_number(void **state)
{
    (void)state;
    struct json_reader r = {0};
    json_t *o = object_of("{\"a\":null,\"b\":2}");
    assert_true(isnan(msg_json_maybe(&r, o, "a", 0, 1)));
    assert_false(json_bad(&r));
    msg_json_maybe(&r, o, "b", 0, 1);
    assert_true(json_bad(&r));
    r = (struct json_reader){0};
    msg_json_maybe(&r, o, "missing", 0, 1);
    assert_true(json_bad(&r));
    json_decref(o);
}

static void an_id_is_32_hex_digits_or_empty_where_allowed(void **state)
{
    (void)state;
    json_t *o = object_of("{\"a\":\"00112233445566778899aabbccddeeff\",\"b\":\"\",\"c\":\"0011\"}");
    char id[33];
    struct json_reader r = {0};
    msg_json_id(&r, o, "a", id, false);
    msg_json_id(&r, o, "b", id, true);
    assert_false(json_bad(&r));
    msg_json_id(&r, o, "b", id, false);
    assert_true(json_bad(&r));
    r = (struct json_reader){0};
    msg_json_id(&r, o, "c", id, true);
    assert_true(json_bad(&r));
    json_decref(o);
}

static void an_unknown_word_is_refused(void **state)
{
    (void)state;
    static const char *const words[] = {NULL, "one", "two"};
    json_t *o = object_of("{\"a\":\"two\",\"b\":\"three\"}");
    struct json_reader r = {0};
    assert_int_equal(msg_json_word(&r, o, "a", words, 3), 2);
    assert_false(json_bad(&r));
    assert_int_equal(msg_json_word(&r, o, "b", words, 3), 0);
    assert_true(json_bad(&r));
    json_decref(o);
}

static void written_and_read_text_is_printable(void **state)
{
    (void)state;
    char text[16];
    struct json_reader r = {0};
    json_t *o = json_object();
    msg_json_set_text(o, "a", "x\x07\xff");
    assert_string_equal(json_string_value(json_object_get(o, "a")), "x??");
    json_object_set_new(o, "b", json_string("y\n"));
    msg_json_text(&r, o, "b", text, sizeof text);
    assert_string_equal(text, "y?");
    assert_false(json_bad(&r));
    json_decref(o);
}

static void more_fields_than_known_are_refused(void **state)
{
    (void)state;
    struct json_reader r = {0};
    json_t *o = object_of("{\"a\":1,\"b\":2}");
    msg_json_only(&r, o, "it", 2);
    assert_false(json_bad(&r));
    msg_json_only(&r, o, "it", 1);
    assert_true(json_bad(&r));
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_count_stays_exact_in_any_reader),
        cmocka_unit_test(null_reads_as_not_a_number),
        cmocka_unit_test(an_id_is_32_hex_digits_or_empty_where_allowed),
        cmocka_unit_test(an_unknown_word_is_refused),
        cmocka_unit_test(written_and_read_text_is_printable),
        cmocka_unit_test(more_fields_than_known_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
