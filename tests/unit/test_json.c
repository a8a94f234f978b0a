#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "tests/check.h"

static int parse(const char *text, json_t **ret)
{
    *ret = NULL;
    return json_parse(text, strlen(text), ret, NULL);
}

static void parse_refuses_what_two_parsers_could_read_differently(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "{", "{}x", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}", "[1,]", "{'a':1}", "nul", "[01]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *v = NULL;
        assert_int_equal(parse(bad[i], &v), ERR_PROTO);
        assert_null(v);
    }
}

static void parse_refuses_depth_65_and_takes_64(void **state)
{
    (void)state;
    char text[2 * 65 + 1] = "";
    json_t *v = NULL;
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    assert_int_equal(parse(text, &v), OK);
    json_decref(v);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    assert_int_equal(parse(text, &v), ERR_PROTO);
}

static void brackets_inside_strings_are_not_depth(void **state)
{
    (void)state;
    char many[101];
    char text[128];
    json_t *v = NULL;
    memset(many, '[', 100);
    many[100] = 0;
    snprintf(text, sizeof text, "{\"a\":\"\\\"%s\"}", many);
    assert_int_equal(parse(text, &v), OK);
    json_decref(v);
}

static void write_is_canonical(void **state)
{
    (void)state;
    struct buf out = {0};
    json_t *v = NULL;
    assert_int_equal(parse("{ \"b\" : [1, 2.5, true, null], \"a\" : \"x\\u0001\" }", &v), OK);
    assert_int_equal(json_write(v, &out, NULL), OK);
    assert_string_equal(buf_str(&out), "{\"a\":\"x\\u0001\",\"b\":[1,2.5,true,null]}");
    json_decref(v);
    buf_deinit(&out);
}

static void write_of_nothing_fails(void **state)
{
    (void)state;
    struct buf out = {0};
    assert_int_equal(json_write(NULL, &out, NULL), ERR_NOMEM);
    buf_deinit(&out);
}

static void reader_takes_numbers_within_bounds_only(void **state)
{
    (void)state;
    json_t *o = NULL;
    struct err e = {0};
    assert_int_equal(parse("{\"n\":7,\"neg\":-1,\"r\":0.5,\"s\":\"7\"}", &o), OK);
    struct json_reader r = {.e = &e};
    assert_int_equal(json_u32(&r, o, "n", 7, 7), 7);
    assert_int_equal(json_i64(&r, o, "neg", -1, 0), -1);
    assert_true(json_real_in(&r, o, "r", 0, 1) == 0.5);
    assert_true(json_real_in(&r, o, "n", 0, 7) == 7.0);
    assert_false(json_bad(&r));
    assert_int_equal(json_u64(&r, o, "neg", 0, UINT64_MAX), 0);
    assert_true(json_bad(&r));
    assert_non_null(strstr(e.what, "'neg'"));
    static const char *const wrong[] = {"r", "s", "missing"};
    for (size_t i = 0; i < 3; i++) {
        r = (struct json_reader){.e = &e};
        json_u32(&r, o, wrong[i], 0, 100);
        assert_true(json_bad(&r));
    }
    json_decref(o);
}

static void reader_keeps_the_first_mistake(void **state)
{
    (void)state;
    json_t *o = NULL;
    struct err e = {0};
    assert_int_equal(parse("{}", &o), OK);
    struct json_reader r = {.e = &e};
    json_bool(&r, o, "first");
    json_fail(&r, "second");
    assert_string_equal(e.what, "the field 'first' is missing");
    assert_int_equal(e.code, ERR_PROTO);
    json_decref(o);
}

static void reader_refuses_long_text_and_hidden_nul(void **state)
{
    (void)state;
    json_t *o = NULL;
    char text[4];
    assert_int_equal(parse("{\"fits\":\"abc\",\"long\":\"abcd\"}", &o), OK);
    struct json_reader r = {0};
    json_text(&r, o, "fits", text, sizeof text);
    assert_string_equal(text, "abc");
    json_text(&r, o, "long", text, sizeof text);
    assert_true(json_bad(&r));
    json_object_set_new(o, "nul", json_stringn("a\0b", 3));
    r = (struct json_reader){0};
    json_text(&r, o, "nul", text, sizeof text);
    assert_true(json_bad(&r));
    json_decref(o);
}

static void hashes_keys_and_containers_round_trip(void **state)
{
    (void)state;
    json_t *o = json_object();
    struct hash h = hash_of("a", 1);
    struct hash h2 = {0};
    struct key_pub k = {
        {1, 2, 3}
    };
    struct key_pub k2 = {0};
    struct json_reader r = {0};
    json_set_hash(o, "h", &h);
    json_set_key(o, "k", &k);
    json_object_set_new(o, "l", json_pack("[i,i]", 1, 2));
    json_hash(&r, o, "h", &h2);
    json_key(&r, o, "k", &k2);
    assert_non_null(json_array_in(&r, o, "l", 2));
    assert_false(json_bad(&r));
    assert_true(hash_equal(&h, &h2));
    assert_true(key_equal(&k, &k2));
    json_array_in(&r, o, "l", 1);
    assert_true(json_bad(&r));
    r = (struct json_reader){0};
    json_object_in(&r, o, "l");
    assert_true(json_bad(&r));
    json_decref(o);
}

static void writers_make_foreign_text_and_numbers_safe(void **state)
{
    (void)state;
    json_t *o = json_object();
    struct buf out = {0};
    json_set_text(o, "t",
                  "a\xff"
                  "b");
    json_set_real(o, "r", (double)NAN);
    json_set_u64(o, "u", 5);
    json_set_i64(o, "i", -5);
    json_set_bool(o, "b", true);
    assert_int_equal(json_write(o, &out, NULL), OK);
    assert_string_equal(buf_str(&out), "{\"b\":true,\"i\":-5,\"r\":null,\"t\":\"a?b\",\"u\":5}");
    json_decref(o);
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_refuses_what_two_parsers_could_read_differently),
        cmocka_unit_test(parse_refuses_depth_65_and_takes_64),
        cmocka_unit_test(brackets_inside_strings_are_not_depth),
        cmocka_unit_test(write_is_canonical),
        cmocka_unit_test(write_of_nothing_fails),
        cmocka_unit_test(reader_takes_numbers_within_bounds_only),
        cmocka_unit_test(reader_keeps_the_first_mistake),
        cmocka_unit_test(reader_refuses_long_text_and_hidden_nul),
        cmocka_unit_test(hashes_keys_and_containers_round_trip),
        cmocka_unit_test(writers_make_foreign_text_and_numbers_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
