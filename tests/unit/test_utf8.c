#include <string.h>

#include "base/utf8.h"
#include "tests/check.h"

static void every_scalar_value_round_trips(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        uint8_t b[4];
        uint32_t back = 0;
        if (cp >= 0xd800 && cp <= 0xdfff) continue;
        size_t n = utf8_encode(cp, b);
        if (utf8_decode(b, n, &back) != n || back != cp) fail_msg("U+%04X does not", (unsigned)cp);
    }
}

static void broken_sequences_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",             /* continuation alone */
        "\xc0\x80",         /* overlong NUL */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xe2\x82",
        "\xc3(",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t cp = 0;
        assert_int_equal(utf8_decode((const uint8_t *)bad[i], strlen(bad[i]), &cp), 0);
        assert_false(utf8_valid(bad[i], strlen(bad[i])));
    }
    assert_int_equal(utf8_decode((const uint8_t *)"a", 0, &(uint32_t){0}), 0);
}

static void first_bad_gives_the_offset(void **state)
{
    (void)state;
    assert_int_equal(utf8_first_bad("h\xc3\xa9\xff!", 5), 3);
    assert_int_equal(utf8_first_bad("h\xc3\xa9", 3), 3);
    assert_int_equal(utf8_first_bad("", 0), 0);
    assert_true(utf8_valid("h\xc3\xa9", 3));
}

static void printable_replaces_what_could_steer_a_terminal(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(utf8_printable("\x1b[31m\a\r\n\x7f", out, sizeof out), "?[31m????");
    assert_string_equal(utf8_printable("a\xe2\x80\xae"
                                       "b",
                                       out, sizeof out),
                        "a?b");
    assert_string_equal(utf8_printable("a\xe2\x80\x8b"
                                       "b",
                                       out, sizeof out),
                        "a?b");
    assert_string_equal(utf8_printable("\xc2\x9b"
                                       "x",
                                       out, sizeof out),
                        "?x");
    assert_string_equal(utf8_printable("\xf3\xa0\x81\x81", out, sizeof out), "?");
    assert_string_equal(utf8_printable("\xff\xfe", out, sizeof out), "??");
    assert_string_equal(utf8_printable("h\xc3\xa9llo", out, sizeof out), "h\xc3\xa9llo");
}

static void printable_cuts_at_a_character(void **state)
{
    (void)state;
    char out[4];
    assert_string_equal(utf8_printable("ab\xc3\xa9", out, sizeof out), "ab");
    assert_string_equal(utf8_printable("a\xc3\xa9z", out, sizeof out), "a\xc3\xa9");
    assert_string_equal(utf8_printable("abc", out, 1), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scalar_value_round_trips),
        cmocka_unit_test(broken_sequences_are_refused),
        cmocka_unit_test(first_bad_gives_the_offset),
        cmocka_unit_test(printable_replaces_what_could_steer_a_terminal),
        cmocka_unit_test(printable_cuts_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
