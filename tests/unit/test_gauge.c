#include <locale.h>
#include <math.h>

#include "tests/check.h"
#include "tui/gauge.h"

static void expect(int w, double frac, enum glyphs level, const char *want)
{
    struct canvas c;
    struct buf b = {0};
    canvas_init(&c, 30, 1, false);
    int used = gauge_draw(&c, 0, 0, w, frac, level, STYLE_TEXT);
    canvas_row(&c, 0, &b);
    assert_string_equal(buf_str(&b), want);
    assert_true(used <= w);
    buf_deinit(&b);
    canvas_deinit(&c);
}

static void a_bar_has_its_number_beside_it(void **state)
{
    (void)state;
    expect(17, 0.5, GLYPHS_ASCII, "[#####-----] 50%");
    expect(15, 0.5, GLYPHS_BLOCKS, "█████░░░░░ 50%");
    expect(15, 1, GLYPHS_BRAILLE, "⣿⣿⣿⣿⣿⣿⣿⣿⣿⣿ 100%");
}

static void fractions_outside_the_bar_stay_inside(void **state)
{
    (void)state;
    expect(12, -3, GLYPHS_ASCII, "[-----] 0%");
    expect(12, 7, GLYPHS_ASCII, "[#####] 100%");
    expect(12, NAN, GLYPHS_ASCII, "-");
    expect(12, INFINITY, GLYPHS_ASCII, "-");
}

static void a_narrow_gauge_is_its_number_alone(void **state)
{
    (void)state;
    expect(6, 0.62, GLYPHS_ASCII, "62%");
    expect(2, 0.62, GLYPHS_ASCII, "62");
    expect(0, 0.62, GLYPHS_ASCII, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bar_has_its_number_beside_it),
        cmocka_unit_test(fractions_outside_the_bar_stay_inside),
        cmocka_unit_test(a_narrow_gauge_is_its_number_alone),
    };
    setlocale(LC_CTYPE, "C.UTF-8"); /* NOLINT(concurrency-mt-unsafe): one thread */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
