#include <string.h>

#include "base/rng.h"
#include "base/utf8.h"
#include "base/utf8stream.h"
#include "tests/check.h"

static const char *run(struct utf8stream *s, const char *bytes, size_t n, struct buf *out)
{
    buf_clear(out);
    utf8stream_put(s, bytes, n, out);
    return buf_str(out);
}

static void utf8stream_waits_for_whole_characters(void **state)
{
    (void)state;
    struct utf8stream s = {0};
    struct buf out = {0};
    static const char text[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8D\xB2z"; /* a é € pot z */
    assert_string_equal(run(&s, text, 2, &out), "a");
    assert_string_equal(run(&s, text + 2, 1, &out), "\xC3\xA9");
    assert_string_equal(run(&s, text + 3, 2, &out), "");
    assert_string_equal(run(&s, text + 5, 1, &out), "\xE2\x82\xAC");
    for (int i = 6; i < 9; i++)
        assert_string_equal(run(&s, text + i, 1, &out), "");
    assert_string_equal(run(&s, text + 9, 2, &out), "\xF0\x9F\x8D\xB2z");
    buf_deinit(&out);
}

static void utf8stream_replaces_what_is_no_character(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"\xFFz",            "\xEF\xBF\xBDz"                                   },
        {"\x80",             "\xEF\xBF\xBD"                                    },
        {"\xC3z",            "\xEF\xBF\xBDz"                                   },
        {"\xC3\xC3\xA9",     "\xEF\xBF\xBD\xC3\xA9"                            },
        {"\xE2\x82z",        "\xEF\xBF\xBDz"                                   },
        {"\xE0\x80\x80",     "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"            }, /* overlong */
        {"\xED\xA0\x80",     "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"            }, /* surrogate */
        {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* too high */
        {"\xF0\x9F\x8D",     "\xEF\xBF\xBD"                                    }, /* cut off */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct utf8stream s = {0};
        struct buf out = {0};
        utf8stream_put(&s, cases[i].in, strlen(cases[i].in), &out);
        utf8stream_end(&s, &out);
        assert_string_equal(buf_str(&out), cases[i].out);
        buf_deinit(&out);
    }
}

/* However the bytes are cut into tokens, the same text comes out, and all of it is UTF-8. */
static void utf8stream_does_not_depend_on_the_cuts(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 1, 0);
    for (int i = 0; i < 3000; i++) {
        uint8_t bytes[24];
        static const uint8_t likely[] = {0xC3, 0xE2, 0x82, 0xF0, 0x9F, 0x8D, 0xED, 0xF4, 'a'};
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = rng_below(&r, 4) ? likely[rng_below(&r, sizeof likely)]
                                        : (uint8_t)rng_below(&r, 256);
        struct utf8stream once = {0};
        struct utf8stream cut = {0};
        struct buf a = {0};
        struct buf b = {0};
        utf8stream_put(&once, bytes, sizeof bytes, &a);
        utf8stream_end(&once, &a);
        for (size_t at = 0; at < sizeof bytes;) {
            size_t n = 1 + rng_below(&r, 3);
            if (n > sizeof bytes - at) n = sizeof bytes - at;
            utf8stream_put(&cut, bytes + at, n, &b);
            assert_true(utf8_valid(b.p, b.len));
            at += n;
        }
        utf8stream_end(&cut, &b);
        assert_int_equal(a.len, b.len);
        assert_memory_equal(a.p, b.p, a.len);
        buf_deinit(&a);
        buf_deinit(&b);
    }
}

static void utf8stream_keeps_valid_text_as_it_is(void **state)
{
    (void)state;
    struct utf8stream s = {0};
    struct buf out = {0};
    for (uint32_t cp = 1; cp < 0x110000; cp += cp < 0x3000 ? 1 : 61) {
        uint8_t c[5] = {0};
        if (cp >= 0xD800 && cp < 0xE000) continue;
        size_t n = utf8_encode(cp, c);
        assert_string_equal(run(&s, (const char *)c, n, &out), (const char *)c);
    }
    buf_deinit(&out);
}

static void utf8stream_makes_a_terminal_safe(void **state)
{
    (void)state;
    struct utf8stream s = {.is_harmless = true};
    struct buf out = {0};
    static const char steer[] = "z\x1b[2J\r\n\t\xC2\x9Bz\0z\xE2\x80\xAE";
    assert_string_equal(run(&s, steer, sizeof steer - 1, &out), "z?[2J?\n\t?z?z?");
    s.is_harmless = false;
    buf_clear(&out);
    utf8stream_put(&s, steer, sizeof steer - 1, &out);
    assert_int_equal(out.len, sizeof steer - 1);
    assert_memory_equal(out.p, steer, out.len);
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8stream_waits_for_whole_characters),
        cmocka_unit_test(utf8stream_replaces_what_is_no_character),
        cmocka_unit_test(utf8stream_does_not_depend_on_the_cuts),
        cmocka_unit_test(utf8stream_keeps_valid_text_as_it_is),
        cmocka_unit_test(utf8stream_makes_a_terminal_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
