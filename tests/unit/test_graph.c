#include <locale.h>
#include <math.h>
#include <string.h>

#include "tests/check.h"
#include "tui/graph.h"

static struct view_series s;

static void fill(uint32_t step_ms, uint32_t n, const float *v)
{
    memset(&s, 0, sizeof s);
    s.step_ms = step_ms;
    s.n = n;
    for (uint32_t i = 0; i < n; i++)
        s.v[i] = v[i];
}

static void constant(uint32_t n, float v)
{
    memset(&s, 0, sizeof s);
    s.step_ms = 1000;
    s.n = n;
    for (uint32_t i = 0; i < n; i++)
        s.v[i] = v;
}

static void expect(const struct graph *g, int w, int h, const char *const *want)
{
    struct canvas c;
    canvas_init(&c, w, h, false);
    graph_draw(&c, (struct rect){0, 0, w, h}, g);
    for (int y = 0; y < h; y++) {
        struct buf b = {0};
        canvas_row(&c, y, &b);
        assert_string_equal(buf_str(&b), want[y]);
        buf_deinit(&b);
    }
    canvas_deinit(&c);
}

static void a_flat_line_sits_at_mid_height(void **state)
{
    (void)state;
    struct graph g = {.kind = GRAPH_LINE, .s = &s, .is_bare = true};
    constant(30, 3);
    struct graph_scale sc = graph_scale_of(&g);
    assert_true(sc.lo < 3 && sc.hi > 3);
    assert_true(fabs((sc.lo + sc.hi) / 2 - 3) < 1e-9);
    expect(&g, 6, 1, (const char *const[]){"------"});
}

static void speed_starts_at_zero_and_ends_at_a_round_number(void **state)
{
    (void)state;
    struct graph g = {.s = &s};
    constant(10, 530);
    struct graph_scale sc = graph_scale_of(&g);
    assert_true(sc.lo == 0 && sc.hi == 600);
    constant(10, 0);
    sc = graph_scale_of(&g);
    assert_true(sc.lo == 0 && sc.hi == 1);
    constant(10, 1e-5F);
    sc = graph_scale_of(&g);
    assert_true(sc.hi > 0.99e-5 && sc.hi < 2e-5);
}

static void missing_samples_are_a_gap_and_zero_is_a_dot(void **state)
{
    (void)state;
    float v[30];
    struct graph g = {.s = &s, .is_bare = true};
    for (int i = 0; i < 30; i++)
        v[i] = i < 10 ? 6 : i < 20 ? NAN : 0;
    fill(1000, 30, v);
    expect(&g, 30, 2, (const char *const[]){"##########", "##########          .........."});
}

static void the_newest_sample_stands_at_the_right(void **state)
{
    (void)state;
    struct graph g = {.s = &s, .is_bare = true};
    constant(5, 9); /* five of a window of thirty */
    expect(&g, 30, 1, (const char *const[]){"                         #####"});
}

static void each_level_draws_the_same_shape(void **state)
{
    (void)state;
    float v[30];
    struct graph g = {.s = &s, .is_bare = true};
    for (int i = 0; i < 30; i++)
        v[i] = (float)i;
    fill(1000, 30, v);
    g.glyphs = GLYPHS_BRAILLE;
    expect(&g, 6, 2, (const char *const[]){"   ⢀⣠⣶", "⣀⣠⣶⣿⣿⣿"});
    g.glyphs = GLYPHS_BLOCKS;
    expect(&g, 6, 2, (const char *const[]){"    ▄█", "▄▄████"});
    g.glyphs = GLYPHS_ASCII;
    expect(&g, 6, 2, (const char *const[]){"    .:", "..:###"});
}

static void pending_earnings_are_told_apart_without_colour(void **state)
{
    (void)state;
    static struct view_series top;
    const float paid[] = {2, 2, 2, 0};
    const float pending[] = {1, 2};
    fill(0, 4, paid);
    top.n = 2; /* belongs to the newest two */
    top.v[0] = pending[0];
    top.v[1] = pending[1];
    struct graph g = {.kind = GRAPH_BARS, .s = &s, .on_top = &top, .is_bare = true};
    expect(&g, 8, 3, (const char *const[]){"      +", "    ###+", "    ###+"});
}

static void labels_say_what_the_axis_holds(void **state)
{
    (void)state;
    struct canvas c;
    struct buf b = {0};
    struct graph g = {.s = &s};
    constant(240, 900);
    canvas_init(&c, 30, 4, false);
    graph_draw(&c, (struct rect){0, 0, 30, 4}, &g);
    for (int y = 0; y < 4; y++) {
        canvas_row(&c, y, &b);
        buf_put_u8(&b, '\n');
    }
    assert_non_null(strstr(buf_str(&b), "1k "));
    assert_non_null(strstr(buf_str(&b), "\n 0 "));
    assert_non_null(strstr(buf_str(&b), "4 min ago"));
    assert_non_null(strstr(buf_str(&b), "now\n"));
    buf_deinit(&b);
    canvas_deinit(&c);
}

static void without_data_it_says_so(void **state)
{
    (void)state;
    struct graph g = {.s = &s};
    constant(0, 0);
    expect(&g, 13, 1, (const char *const[]){" no data yet"});
    constant(30, NAN);
    assert_true(graph_scale_of(&g).is_empty);
    expect(&g, 5, 1, (const char *const[]){""});
}

static void any_value_at_any_size_is_drawn_without_harm(void **state)
{
    (void)state;
    static const float odd[] = {1e18F, -1e18F, NAN, 0, 1e-30F, -0.0F, 3, 3e18F};
    for (int kind = 0; kind < 3; kind++)
        for (int level = 0; level < 3; level++)
            for (int w = 1; w < 20; w++)
                for (int h = 1; h < 6; h++) {
                    struct canvas c;
                    struct graph g = {.kind = (enum graph_kind)kind,
                                      .glyphs = (enum glyphs)level,
                                      .s = &s,
                                      .on_top = &s};
                    fill((uint32_t)(w % 2), (uint32_t)(w % 9), odd);
                    canvas_init(&c, w, h, false);
                    graph_draw(&c, (struct rect){0, 0, w, h}, &g);
                    canvas_deinit(&c);
                }
}

static void a_line_goes_on_over_a_short_gap_and_stops_at_a_long_one(void **state)
{
    (void)state;
    static const float v[] = {3, NAN, NAN, 3, NAN, NAN, NAN, NAN, NAN, 3};
    struct graph g = {.kind = GRAPH_LINE, .s = &s, .is_bare = true};
    fill(1000, 10, v);
    expect(&g, 30, 1, (const char *const[]){"                    ----     -"});
    fill(0, 10, v); /* rounds, not times: each stands for itself */
    s.n = 5;
    expect(&g, 5, 1, (const char *const[]){"-  -"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flat_line_sits_at_mid_height),
        cmocka_unit_test(speed_starts_at_zero_and_ends_at_a_round_number),
        cmocka_unit_test(missing_samples_are_a_gap_and_zero_is_a_dot),
        cmocka_unit_test(the_newest_sample_stands_at_the_right),
        cmocka_unit_test(each_level_draws_the_same_shape),
        cmocka_unit_test(pending_earnings_are_told_apart_without_colour),
        cmocka_unit_test(labels_say_what_the_axis_holds),
        cmocka_unit_test(without_data_it_says_so),
        cmocka_unit_test(any_value_at_any_size_is_drawn_without_harm),
        cmocka_unit_test(a_line_goes_on_over_a_short_gap_and_stops_at_a_long_one),
    };
    setlocale(LC_CTYPE, "C.UTF-8"); /* NOLINT(concurrency-mt-unsafe): one thread */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
