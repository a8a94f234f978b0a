#include "tests/check.h"
#include "tui/layout.h"

static bool is_inside(struct rect r, struct rect of)
{
    return r.w == 0 || r.h == 0 ||
           (r.x >= of.x && r.y >= of.y && r.x + r.w <= of.x + of.w && r.y + r.h <= of.y + of.h);
}

static bool overlap(struct rect a, struct rect b)
{
    return a.w > 0 && a.h > 0 && b.w > 0 && b.h > 0 && a.x < b.x + b.w && b.x < a.x + a.w &&
           a.y < b.y + b.h && b.y < a.y + a.h;
}

static void nothing_overlaps_at_any_size(void **state)
{
    (void)state;
    for (int w = 1; w <= 260; w++)
        for (int h = 1; h <= 90; h++) {
            struct layout l = layout_frame(w, h, 1);
            struct rect all = {0, 0, w, h};
            assert_true(is_inside(l.body, all) && is_inside(l.keys, all) && is_inside(l.tabs, all));
            assert_false(overlap(l.body, l.keys) || overlap(l.body, l.tabs));
            if (l.kind != LAYOUT_GRID) continue;
            struct layout_overview o = layout_overview(l.body);
            const struct rect part[] = {o.graph[0], o.graph[1], o.graph[2], o.graph[3],
                                        o.block[0], o.block[1], o.block[2], o.log};
            for (int i = 0; i < 8; i++) {
                assert_true(is_inside(part[i], l.body));
                for (int k = 0; k < i; k++)
                    assert_false(overlap(part[i], part[k]));
            }
            for (int i = 0; i < 4; i++)
                assert_true(o.graph[i].w >= 28 && o.graph[i].h >= 5);
        }
}

static void the_usual_sizes_get_the_usual_shapes(void **state)
{
    (void)state;
    assert_int_equal(layout_frame(80, 24, 1).kind, LAYOUT_GRID);
    assert_int_equal(layout_frame(60, 16, 3).kind, LAYOUT_GRID);
    assert_int_equal(layout_frame(40, 10, 1).kind, LAYOUT_COMPACT);
    assert_int_equal(layout_frame(200, 10, 1).kind, LAYOUT_COMPACT);
    assert_int_equal(layout_frame(39, 50, 1).kind, LAYOUT_LINE);
    assert_int_equal(layout_frame(80, 9, 1).kind, LAYOUT_LINE);
    assert_int_equal(layout_frame(1, 1, 3).n_state, 1);
}

static void first_the_log_leaves_then_the_blocks(void **state)
{
    (void)state;
    struct layout_overview big = layout_overview(layout_frame(120, 40, 1).body);
    struct layout_overview usual = layout_overview(layout_frame(80, 24, 1).body);
    struct layout_overview low = layout_overview(layout_frame(80, 17, 1).body);
    assert_true(big.log.h > 0 && big.block[0].h > 0);
    assert_true(usual.log.h == 0 && usual.block[0].h > 0);
    assert_true(low.log.h == 0 && low.block[0].h == 0);
}

static void columns_fill_the_width(void **state)
{
    (void)state;
    for (int w = 10; w < 130; w++)
        for (int n = 1; n <= 3; n++) {
            struct rect r = {3, 0, w, 5};
            struct rect last = layout_column(r, n - 1, n);
            assert_int_equal(last.x + last.w, r.x + r.w);
            assert_int_equal(layout_column(r, 0, n).x, r.x);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_overlaps_at_any_size),
        cmocka_unit_test(the_usual_sizes_get_the_usual_shapes),
        cmocka_unit_test(first_the_log_leaves_then_the_blocks),
        cmocka_unit_test(columns_fill_the_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
