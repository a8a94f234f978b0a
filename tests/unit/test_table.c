#include "tests/check.h"
#include "tui/table.h"

static const struct table_column col[] = {
    {"NAME",  8, false, true,  0},
    {"SPEED", 6, true,  false, 1},
    {"SEEN",  6, true,  false, 2},
};

static void what_is_left_over_goes_to_the_wide_column(void **state)
{
    (void)state;
    struct table t;
    table_fit(&t, col, 3, 40);
    assert_int_equal(t.w[0], 8 + 40 - 24);
    assert_int_equal(t.x[2] + t.w[2], 40);
}

static void the_least_important_column_leaves_first(void **state)
{
    (void)state;
    struct table t;
    table_fit(&t, col, 3, 20);
    assert_true(t.w[0] > 0 && t.w[1] > 0);
    assert_int_equal(t.w[2], 0);
    table_fit(&t, col, 3, 10);
    assert_true(t.w[0] == 10 && t.w[1] == 0);
}

static void columns_never_overlap_or_pass_the_edge(void **state)
{
    (void)state;
    for (int w = 1; w < 60; w++) {
        struct table t;
        int end = 0;
        table_fit(&t, col, 3, w);
        for (int i = 0; i < 3; i++) {
            if (t.w[i] <= 0) continue;
            assert_true(t.x[i] >= end);
            end = t.x[i] + t.w[i];
        }
        assert_true(end <= w && end > 0);
    }
}

static void cells_are_cut_and_aligned(void **state)
{
    (void)state;
    struct table t;
    struct canvas c;
    struct buf b = {0};
    canvas_init(&c, 24, 2, true);
    table_fit(&t, col, 3, 24);
    table_head(&c, 0, 0, &t);
    table_cell(&c, 0, 1, &t, 0, STYLE_TEXT, "a long name");
    table_cell(&c, 0, 1, &t, 1, STYLE_TEXT, "412");
    canvas_row(&c, 0, &b);
    assert_string_equal(buf_str(&b), "NAME       SPEED    SEEN");
    buf_clear(&b);
    canvas_row(&c, 1, &b);
    assert_string_equal(buf_str(&b), "a long..     412");
    buf_deinit(&b);
    canvas_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_over_goes_to_the_wide_column),
        cmocka_unit_test(the_least_important_column_leaves_first),
        cmocka_unit_test(columns_never_overlap_or_pass_the_edge),
        cmocka_unit_test(cells_are_cut_and_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
