#include <string.h>

#include "tests/check.h"
#include "view/intent.h"

static void every_request_survives_its_name(void **state)
{
    (void)state;
    for (int i = INTENT_NONE + 1; i < INTENT_COUNT; i++) {
        const char *name = intent_name((enum intent_kind)i);
        assert_non_null(name);
        assert_int_equal(intent_from_name(name), i);
    }
    assert_null(intent_name(INTENT_NONE));
    assert_null(intent_name(INTENT_COUNT));
    assert_int_equal(intent_from_name("dance"), INTENT_NONE);
    assert_int_equal(intent_from_name(""), INTENT_NONE);
}

static void a_request_survives_the_socket(void **state)
{
    (void)state;
    struct intent it = {.kind = INTENT_JOIN, .text = "line one\n\"two\""};
    struct intent back = {0};
    struct buf b = {0};
    struct err e = {0};
    assert_int_equal(intent_encode(&it, &b, &e), OK);
    assert_int_equal(intent_decode(b.p, b.len, &back, &e), OK);
    assert_int_equal(back.kind, INTENT_JOIN);
    assert_string_equal(back.text, it.text);
    buf_deinit(&b);
}

static void pause_is_the_one_word_a_script_needs(void **state)
{
    (void)state;
    struct buf b = {0};
    struct intent it = {.kind = INTENT_PAUSE};
    assert_int_equal(intent_encode(&it, &b, NULL), OK);
    assert_string_equal(buf_str(&b), "{\"intent\":\"pause\"}");
    buf_deinit(&b);
}

static void foreign_requests_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "pause",
                                      "{}",
                                      "{\"intent\":1}",
                                      "{\"intent\":\"dance\"}",
                                      "[\"pause\"]",
                                      "{\"intent\":\"join\",\"text\":7}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err e = {0};
        struct intent it = {.kind = INTENT_STOP};
        assert_int_equal(intent_decode(bad[i], strlen(bad[i]), &it, &e), ERR_PROTO);
        assert_true(e.what[0]);
        assert_int_equal(it.kind, INTENT_STOP);
    }
    struct intent none = {0};
    struct buf b = {0};
    assert_int_equal(intent_encode(&none, &b, NULL), ERR_ARG);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_survives_its_name),
        cmocka_unit_test(a_request_survives_the_socket),
        cmocka_unit_test(pause_is_the_one_word_a_script_needs),
        cmocka_unit_test(foreign_requests_are_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
