#include <string.h>

#include "base/buf.h"
#include "base/rng.h"
#include "engine/pretoken.h"
#include "tests/check.h"

/* Words of text joined by a bar, to compare with one string. */
static void cuts_by(enum pretoken_rule rule, const char *text, const char *want)
{
    struct buf got = {0};
    size_t n = strlen(text);
    size_t at = 0;
    while (at < n) {
        size_t len = pretoken_next(rule, (const uint8_t *)text + at, n - at);
        assert_true(len >= 1 && len <= n - at);
        if (at) buf_put_u8(&got, '|');
        buf_put(&got, text + at, len);
        at += len;
    }
    assert_string_equal(buf_str(&got), want);
    buf_deinit(&got);
}

static void cuts(const char *text, const char *want)
{
    cuts_by(PRETOKEN_GPT2, text, want);
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
    cuts("e\u0301", "e|\u0301");                               /* a combining mark is no letter */
    cuts("a\U000105c0\U00010d401", "a\U000105c0|\U00010d401"); /* new in Unicode 16 */
    cuts("ªº\U0001d7d8\U0001f600", "ªº|\U0001d7d8|\U0001f600");
}

static void broken_bytes_are_characters_of_no_class(void **state)
{
    (void)state;
    cuts("a\xff\xfe!b", "a|\xff\xfe!|b");
    cuts("a\xc3", "a|\xc3");
    cuts("\xe3\x80x", "\xe3\x80|x");
}

static void digits_stand_alone_and_end_a_text(void **state)
{
    (void)state;
    cuts_by(PRETOKEN_DIGITS, "a12 34b", "a|1|2| |3|4|b");
    cuts_by(PRETOKEN_DIGITS, "x   5", "x|   |5"); /* the spaces end their text */
    cuts_by(PRETOKEN_DIGITS, "x   y 6  ", "x|  | y| |6|  ");
    cuts_by(PRETOKEN_DIGITS, "²٣½", "²|٣|½"); /* any number, as the original library has it */
    cuts_by(PRETOKEN_DIGITS, " !5's 's5", " !|5|'s| '|s|5");
    cuts_by(PRETOKEN_DIGITS, "\n\n7", "\n\n|7");
}

static void llama3_keeps_lines_and_what_stands_before_a_word(void **state)
{
    (void)state;
    enum pretoken_rule l = PRETOKEN_LLAMA3;
    cuts_by(l, "the end (of) it", "the| end| (|of|)| it");
    cuts_by(l, "(of", "(of");
    cuts_by(l, "a.b _c\td", "a|.b| _|c|\td");
    cuts_by(l, "1234567 89", "123|456|7| |89");
    cuts_by(l, "x\n\n  y", "x|\n\n| | y");
    cuts_by(l, "x \n \n  y", "x| \n \n| | y");
    cuts_by(l, "x!\r\n\ny", "x|!\r\n\n|y");
    cuts_by(l, " !! \n", " !!| \n");
    cuts_by(l, "x   y", "x|  | y");
    cuts_by(l, "x   ", "x|   ");
    cuts_by(l, "\ny\r", "\n|y|\r");
    cuts_by(l, "  \n", "  \n");
    cuts_by(l, "\u00a0x\u3000\u3000x", "\u00a0x|\u3000|\u3000x");
    cuts_by(l, "e\u0301e", "e|\u0301e");
    cuts_by(l,
            "a \xff\xff"
            "b",
            "a| \xff\xff|b");
    cuts_by(l,
            "\xff"
            "b",
            "\xff"
            "b");
    cuts_by(l, " 5", " |5");
    cuts_by(l, " ", " ");
}

static void llama3_contracts_in_any_case(void **state)
{
    (void)state;
    cuts_by(PRETOKEN_LLAMA3, "IT'S we'Ll I'vE", "IT|'S| we|'Ll| I|'vE");
    cuts_by(PRETOKEN_LLAMA3, "'sample 'x 'r", "'s|ample| '|x| '|r");
    cuts_by(PRETOKEN_LLAMA3, "'\u017ft", "'\u017f|t"); /* the long s folds to s */
    cuts("'\u017ft", "'|\u017ft");
}

static void qwen2_is_llama3_with_single_digits(void **state)
{
    (void)state;
    cuts_by(PRETOKEN_QWEN2, "ab 123\n", "ab| |1|2|3|\n");
    cuts_by(PRETOKEN_QWEN2, "(of) it's\n\n x", "(of|)| it|'s|\n\n| x");
}

static void expressions_are_known_by_their_text(void **state)
{
    (void)state;
    const char *const llama3 =
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
        " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    const char *const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
                             "\\s+(?!\\S)|\\s+";
    assert_int_equal(pretoken_find(llama3), PRETOKEN_LLAMA3);
    assert_int_equal(pretoken_find(gpt2), PRETOKEN_GPT2);
    assert_int_equal(pretoken_find(llama3 + 1), -1);
    assert_int_equal(pretoken_find(""), -1);
}

/* Looking ahead must not cost the square of the length: this would take hours. */
static void a_megabyte_of_anything_is_cut_at_once(void **state)
{
    (void)state;
    static const char *const units[] = {"a",      " ",    "\n ", " \n", "'", "7",
                                        "\u3000", "\xff", "  x", "<",   "\r"};
    size_t n = 1u << 20;
    uint8_t *text = test_malloc(n);
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        for (size_t i = 0; i < n; i++)
            text[i] = (uint8_t)units[u][i % strlen(units[u])];
        for (int rule = PRETOKEN_GPT2; rule <= PRETOKEN_QWEN2; rule++) {
            size_t at = 0;
            while (at < n)
                at += pretoken_next((enum pretoken_rule)rule, text + at, n - at);
            assert_int_equal(at, n);
        }
    }
    test_free(text);
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
            size_t len = pretoken_next((enum pretoken_rule)(round % 4), text + at, n - at);
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
        cmocka_unit_test(digits_stand_alone_and_end_a_text),
        cmocka_unit_test(llama3_keeps_lines_and_what_stands_before_a_word),
        cmocka_unit_test(llama3_contracts_in_any_case),
        cmocka_unit_test(qwen2_is_llama3_with_single_digits),
        cmocka_unit_test(expressions_are_known_by_their_text),
        cmocka_unit_test(a_megabyte_of_anything_is_cut_at_once),
        cmocka_unit_test(any_bytes_are_cut_without_reading_past_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
