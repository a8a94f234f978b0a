#include <locale.h>
#include <string.h>

#include "tests/check.h"
#include "tui/canvas.h"

static struct canvas c;

static int setup(void **state)
{
    (void)state;
    setlocale(LC_CTYPE, "C.UTF-8"); /* NOLINT(concurrency-mt-unsafe): one thread */
    canvas_init(&c, 10, 2, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    canvas_deinit(&c);
    return 0;
}

static void expect_row(int y, const char *want)
{
    struct buf b = {0};
    canvas_row(&c, y, &b);
    assert_string_equal(buf_str(&b), want);
    buf_deinit(&b);
}

static void text_lands_where_it_was_put(void **state)
{
    (void)state;
    assert_int_equal(canvas_text(&c, 2, 0, 8, STYLE_TEXT, "hello"), 5);
    expect_row(0, "  hello");
    expect_row(1, "");
}

static void text_that_does_not_fit_ends_in_dots(void **state)
{
    (void)state;
    assert_int_equal(canvas_text(&c, 0, 0, 6, STYLE_TEXT, "contribution"), 6);
    expect_row(0, "cont..");
    canvas_clear(&c);
    assert_int_equal(canvas_text(&c, 0, 0, 3, STYLE_TEXT, "contribution"), 3);
    expect_row(0, "con");
    assert_int_equal(canvas_text(&c, 0, 0, 0, STYLE_TEXT, "x"), 0);
}

static void drawing_outside_changes_nothing(void **state)
{
    (void)state;
    canvas_text(&c, 8, 0, 50, STYLE_TEXT, "abcdef");
    canvas_text(&c, -3, 1, 50, STYLE_TEXT, "abcdef");
    canvas_put(&c, 0, 99, 'x', STYLE_TEXT);
    canvas_put(&c, 0, -1, 'x', STYLE_TEXT);
    expect_row(0, "        ab");
    expect_row(1, "def");
}

static void wide_characters_take_two_cells_and_are_never_halved(void **state)
{
    (void)state;
    assert_int_equal(canvas_width(&c, "桜a"), 3);
    canvas_text(&c, 0, 0, 3, STYLE_TEXT, "桜桜");
    expect_row(0, "桜");
    canvas_clear(&c);
    canvas_text(&c, 0, 0, 10, STYLE_TEXT, "桜桜");
    canvas_put(&c, 1, 0, 'x', STYLE_TEXT); /* over the right half of the first */
    expect_row(0, " x桜");
    canvas_put(&c, 2, 0, 'y', STYLE_TEXT);
    expect_row(0, " xy");
    canvas_text(&c, 9, 1, 10, STYLE_TEXT, "桜");
    expect_row(1, "");
}

static void what_the_terminal_cannot_show_is_a_question_mark(void **state)
{
    (void)state;
    struct canvas a;
    struct buf b = {0};
    canvas_init(&a, 10, 1, true);
    canvas_text(&a, 0, 0, 10, STYLE_TEXT, "Köln");
    canvas_put(&a, 5, 0, 0x2588, STYLE_TEXT);
    canvas_row(&a, 0, &b);
    assert_string_equal(buf_str(&b), "K?ln ?");
    buf_deinit(&b);
    canvas_deinit(&a);
    canvas_text(&c, 0, 0, 10, STYLE_TEXT, "a\x1b[31m\xff\n");
    expect_row(0, "a?[31m??");
}

static void accents_that_stand_alone_take_no_cell(void **state)
{
    (void)state;
    assert_int_equal(canvas_text(&c, 0, 0, 10, STYLE_TEXT, "e\xcc\x81x"), 2);
    expect_row(0, "ex");
}

static void numbers_are_aligned_at_the_right(void **state)
{
    (void)state;
    canvas_text_right(&c, 0, 0, 10, STYLE_TEXT, "412");
    canvas_text_right(&c, 0, 1, 4, STYLE_TEXT, "too long");
    expect_row(0, "       412");
    expect_row(1, "to..");
}

static void lines_break_at_a_space(void **state)
{
    (void)state;
    const char *s = "one two three";
    assert_int_equal(canvas_break(&c, s, 8), 7);
    assert_int_equal(canvas_break(&c, s, 13), 13);
    assert_int_equal(canvas_break(&c, "abcdef", 3), 3);
    assert_int_equal(canvas_break(&c, "桜", 1), 3); /* always moves on */
    assert_int_equal(canvas_break(&c, "", 3), 0);
}

static void any_size_is_brought_into_bounds(void **state)
{
    (void)state;
    struct canvas a;
    canvas_init(&a, -5, 0, false);
    assert_true(a.w == 1 && a.h == 1);
    canvas_deinit(&a);
    canvas_init(&a, 1 << 30, 1 << 30, false);
    assert_true(a.w == CANVAS_MAX_W && a.h == CANVAS_MAX_H);
    canvas_deinit(&a);
    canvas_deinit(NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(text_lands_where_it_was_put),
        T(text_that_does_not_fit_ends_in_dots),
        T(drawing_outside_changes_nothing),
        T(wide_characters_take_two_cells_and_are_never_halved),
        T(what_the_terminal_cannot_show_is_a_question_mark),
        T(accents_that_stand_alone_take_no_cell),
        T(numbers_are_aligned_at_the_right),
        T(lines_break_at_a_space),
        T(any_size_is_brought_into_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
