#include <string.h>

#include "base/hex.h"
#include "tests/check.h"

static void hex_round_trips_every_byte(void **state)
{
    (void)state;
    uint8_t all[256];
    uint8_t back[256];
    char text[513];
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    hex_encode(all, sizeof all, text);
    assert_int_equal(strlen(text), 512);
    assert_memory_equal(text + 2 * 0xaf, "af", 2);
    assert_int_equal(hex_decode(text, back, sizeof back), 0);
    assert_memory_equal(all, back, sizeof all);
}

static void hex_decode_wants_exactly_lower_case_digits(void **state)
{
    (void)state;
    uint8_t b[2];
    assert_int_equal(hex_decode("00ff", b, 2), 0);
    assert_int_equal(hex_decode("00FF", b, 2), -1);
    assert_int_equal(hex_decode("00f", b, 2), -1);
    assert_int_equal(hex_decode("00ff0", b, 2), -1);
    assert_int_equal(hex_decode("", b, 2), -1);
    assert_int_equal(hex_decode("0g00", b, 2), -1);
}

/* RFC 4648 section 10, without the padding. */
static void base64url_matches_the_published_examples(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"",       ""        },
        {"f",      "Zg"      },
        {"fo",     "Zm8"     },
        {"foo",    "Zm9v"    },
        {"foob",   "Zm9vYg"  },
        {"fooba",  "Zm9vYmE" },
        {"foobar", "Zm9vYmFy"}
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct buf text = {0};
        struct buf back = {0};
        hex_b64url_encode(&text, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(buf_str(&text), pairs[i][1]);
        assert_int_equal(hex_b64url_decode(&back, pairs[i][1], strlen(pairs[i][1])), 0);
        assert_string_equal(buf_str(&back), pairs[i][0]);
        buf_deinit(&text);
        buf_deinit(&back);
    }
}

static void base64url_uses_minus_and_underscore(void **state)
{
    (void)state;
    struct buf text = {0};
    hex_b64url_encode(&text, "\xfb\xff\xfe", 3);
    assert_string_equal(buf_str(&text), "-__-");
    buf_deinit(&text);
}

static void base64url_decode_refuses_what_has_another_spelling(void **state)
{
    (void)state;
    static const char *const bad[] = {"Zg==", "Zh", "Zm9", "A", "Z g", "Zm9v+", "Zm9v/w", "Zm9vYn"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf out = {0};
        assert_int_equal(hex_b64url_decode(&out, bad[i], strlen(bad[i])), -1);
        buf_deinit(&out);
    }
}

/* RFC 4648 section 10. */
static void base64_matches_the_published_examples(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"",             ""        },
        {"f",            "Zg=="    },
        {"fo",           "Zm8="    },
        {"foo",          "Zm9v"    },
        {"foob",         "Zm9vYg=="},
        {"fooba",        "Zm9vYmE="},
        {"foobar",       "Zm9vYmFy"},
        {"\xfb\xff\xfe", "+//+"    }
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct buf text = {0};
        struct buf back = {0};
        hex_b64_encode(&text, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(buf_str(&text), pairs[i][1]);
        assert_int_equal(hex_b64_decode(&back, pairs[i][1], strlen(pairs[i][1])), 0);
        assert_string_equal(buf_str(&back), pairs[i][0]);
        buf_deinit(&text);
        buf_deinit(&back);
    }
}

static void base64_decode_refuses_what_has_another_spelling(void **state)
{
    (void)state;
    static const char *const bad[] = {"Zg",       "Zg=",  "Zh==",         "Zm9=",
                                      "====",     "Z===", "Zg==\n",       "-__-",
                                      "Zg==Zg==", "A",    "Zm9vYmFy====", "Zm9v=="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf out = {0};
        assert_int_equal(hex_b64_decode(&out, bad[i], strlen(bad[i])), -1);
        buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_round_trips_every_byte),
        cmocka_unit_test(hex_decode_wants_exactly_lower_case_digits),
        cmocka_unit_test(base64url_matches_the_published_examples),
        cmocka_unit_test(base64url_uses_minus_and_underscore),
        cmocka_unit_test(base64url_decode_refuses_what_has_another_spelling),
        cmocka_unit_test(base64_matches_the_published_examples),
        cmocka_unit_test(base64_decode_refuses_what_has_another_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
