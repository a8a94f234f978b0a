#include <math.h>
#include <stdlib.h>

#include "client/history.h"
#include "tests/check.h"

#define T0 INT64_C(1700000000000)

static struct history *fresh(void)
{
    struct history *h = calloc(1, sizeof *h);
    assert_non_null(h);
    history_init(h);
    return h;
}

static void history_comes_back_as_it_was(void **state)
{
    (void)state;
    struct history *a = fresh(), *b = fresh();
    series_push(&a->speed, 1500, T0);
    series_push(&a->loss, 3.5, T0);
    history_val(a, 0, 6.9);
    history_val(a, 1, 6.1);
    a->best_speed = 1500;
    struct buf out = {0};
    assert_int_equal(history_save(a, &out, NULL), OK);
    assert_int_equal(history_load(out.p, out.len, b, NULL), OK);
    assert_true(series_stats(&b->speed, T0, 60000).mean == 1500);
    assert_int_equal(b->n_val, 2);
    assert_int_equal(b->val_round[1], 1);
    assert_true(b->best_speed == 1500);
    assert_true(isnan(b->best_loss));
    buf_deinit(&out);
    free(a);
    free(b);
}

static void history_load_refuses_cuts_and_leaves_the_old_alone(void **state)
{
    (void)state;
    struct history *a = fresh(), *b = fresh();
    history_val(a, 3, 5);
    history_val(b, 9, 4);
    struct buf out = {0};
    assert_int_equal(history_save(a, &out, NULL), OK);
    for (size_t n = 0; n < out.len; n += n < 64 ? 1 : 97)
        assert_int_not_equal(history_load(out.p, n, b, NULL), OK);
    assert_int_equal(b->n_val, 1);
    assert_int_equal(b->val_round[0], 9);
    buf_deinit(&out);
    free(a);
    free(b);
}

static void history_val_takes_each_round_once_and_forgets_the_oldest(void **state)
{
    (void)state;
    struct history *h = fresh();
    for (uint64_t round = 0; round < VIEW_SERIES + 10; round++) {
        history_val(h, round, (double)round);
        history_val(h, round, 99);
        history_val(h, round + 1, (double)NAN);
    }
    assert_int_equal(h->n_val, VIEW_SERIES);
    assert_int_equal(h->val_round[0], 10);
    assert_true(h->val[VIEW_SERIES - 1] == VIEW_SERIES + 9);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_comes_back_as_it_was),
        cmocka_unit_test(history_load_refuses_cuts_and_leaves_the_old_alone),
        cmocka_unit_test(history_val_takes_each_round_once_and_forgets_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
