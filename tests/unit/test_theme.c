#include "tests/check.h"
#include "tui/theme.h"

static void without_colours_nothing_is_coloured(void **state)
{
    (void)state;
    for (int s = 0; s < STYLE_COUNT; s++) {
        assert_int_equal(theme_look((enum style)s, 0, THEME_DEFAULT).fg, -1);
        assert_true(theme_look((enum style)s, 8, THEME_DEFAULT).fg < 8);
        assert_true(theme_look((enum style)s, 256, THEME_DEFAULT).fg < 256);
    }
}

static void good_and_bad_are_not_red_and_green(void **state)
{
    (void)state;
    assert_int_not_equal(theme_look(STYLE_GOOD, 8, THEME_DEFAULT).fg, 2);
    assert_int_not_equal(theme_look(STYLE_BAD, 8, THEME_DEFAULT).fg, 1);
    assert_true(theme_look(STYLE_BAD, 0, THEME_DEFAULT).is_bold);
}

static void an_unknown_style_is_plain_text(void **state)
{
    (void)state;
    struct look l = theme_look((enum style)99, 256, THEME_DEFAULT);
    assert_true(l.fg == -1 && !l.is_bold && !l.is_dim && !l.is_reverse);
}

static void every_theme_keeps_within_the_terminal_and_differs(void **state)
{
    (void)state;
    for (int t = 0; t < THEME_COUNT; t++) {
        int n_other = 0;
        for (int s = 0; s < STYLE_COUNT; s++) {
            assert_int_equal(theme_look((enum style)s, 0, (enum theme)t).fg, -1);
            assert_true(theme_look((enum style)s, 16, (enum theme)t).fg < 8);
            assert_true(theme_look((enum style)s, 256, (enum theme)t).fg < 256);
            n_other += theme_look((enum style)s, 256, (enum theme)t).fg !=
                       theme_look((enum style)s, 256, THEME_DEFAULT).fg;
            if (t == THEME_MONO)
                assert_int_equal(theme_look((enum style)s, 256, THEME_MONO).fg, -1);
            if (t == THEME_CONTRAST)
                assert_false(theme_look((enum style)s, 8, THEME_CONTRAST).is_dim);
        }
        assert_true(t == THEME_DEFAULT ? n_other == 0 : n_other > 0);
        assert_int_equal(theme_from_name(theme_name(t)), t);
        assert_true(theme_about(t)[0]);
    }
    assert_int_equal(theme_from_name("plaid"), -1);
}

static void levels_are_known_by_name(void **state)
{
    (void)state;
    assert_int_equal(theme_glyphs("braille"), GLYPHS_BRAILLE);
    assert_int_equal(theme_glyphs("blocks"), GLYPHS_BLOCKS);
    assert_int_equal(theme_glyphs("ascii"), GLYPHS_ASCII);
    assert_int_equal(theme_glyphs("emoji"), -1);
    assert_true(theme_rule(GLYPHS_ASCII) < 128 && theme_gauge_full(GLYPHS_ASCII) < 128 &&
                theme_gauge_rest(GLYPHS_ASCII) < 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_colours_nothing_is_coloured),
        cmocka_unit_test(good_and_bad_are_not_red_and_green),
        cmocka_unit_test(an_unknown_style_is_plain_text),
        cmocka_unit_test(every_theme_keeps_within_the_terminal_and_differs),
        cmocka_unit_test(levels_are_known_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
