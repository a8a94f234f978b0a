#include <string.h>

#include "base/buf.h"
#include "base/rng.h"
#include "engine/pretoken.h"
#include "tests/check.h"

/* Words of text joined by a bar, to compare with one string. */
static void cuts(const char *text, const char *want)
{
    struct buf got = {0};
    size_t n = strlen(text);
    size_t at = 0;
    while (at < n) {
        size_t len = pretoken_next((const uint8_t *)text + at, n - at);
        assert_true(len >= 1 && len <= n - at);
        if (at) buf_put_u8(&got, '|');
        buf_put(&got, text + at, len);
        at += len;
    }
    assert_string_equal(buf_str(&got), want);
    buf_deinit(&got);
}

static void words_take_the_space_before_them(void **state)
{
    (void)state;
    cuts("the end of it", "the| end| of| it");
    cuts(" a1b 22 !?x", " a|1|b| 22| !?|x");
}

static void contractions_stand_apart(void **state)
{
    (void)state;
    cuts("it's we're I'll", "it|'s| we|'re| I|'ll");
    cuts("d'd 've 'x IT'S", "d|'d| '|ve| '|x| IT|'|S");
    cuts("don't've'", "don|'t|'ve|'");
    cuts("'s", "'s");
    cuts("'r", "'|r");
}

static void spaces_keep_the_last_one_for_the_next_word(void **state)
{
    (void)state;
    cuts("a   b", "a|  | b");
    cuts("a\n\nb", "a|\n|\n|b");
    cuts("a \n  ", "a| \n  ");
    cuts("\tx", "\t|x");
    cuts("\n x", "\n| x");
    cuts(" ", " ");
}

static void classes_are_those_of_unicode(void **state)
{
    (void)state;
    cuts("naïve café", "naïve| café");
    cuts("日本語、字", "日本語|、|字");
    cuts("x²½٣", "x|²½٣");
    cuts("a\u00a0b\u3000\u2003c", "a|\u00a0|b|\u3000|\u2003|c");
    cuts("e\u0301", "e|\u0301"); /* a combining mark is no letter */
    cuts("ªº\U0001d7d8\U0001f600", "ªº|\U0001d7d8|\U0001f600");
}

static void broken_bytes_are_characters_of_no_class(void **state)
{
    (void)state;
    cuts("a\xff\xfe!b", "a|\xff\xfe!|b");
    cuts("a\xc3", "a|\xc3");
    cuts("\xe3\x80x", "\xe3\x80|x");
}

static void any_bytes_are_cut_without_reading_past_them(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 1, 0);
    for (int round = 0; round < 3000; round++) {
        uint8_t *p = test_malloc(32);
        size_t n = 1 + rng_below(&r, 31);
        uint8_t *text = p + 32 - n; /* its end is the block's end */
        for (size_t i = 0; i < n; i++)
            text[i] = (uint8_t)(rng_below(&r, 3) ? rng_u64(&r) : (uint64_t) " '\xc2\xa0"[i % 4]);
        size_t at = 0;
        while (at < n) {
            size_t len = pretoken_next(text + at, n - at);
            assert_true(len >= 1 && len <= n - at);
            at += len;
        }
        test_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_take_the_space_before_them),
        cmocka_unit_test(contractions_stand_apart),
        cmocka_unit_test(spaces_keep_the_last_one_for_the_next_word),
        cmocka_unit_test(classes_are_those_of_unicode),
        cmocka_unit_test(broken_bytes_are_characters_of_no_class),
        cmocka_unit_test(any_bytes_are_cut_without_reading_past_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
