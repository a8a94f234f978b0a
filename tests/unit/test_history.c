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

static void a_still_time_is_one_mark_with_a_beginning_and_an_end(void **state)
{
    (void)state;
    struct history *h = fresh();
    for (int s = 0; s < 5; s++)
        history_still(h, "paused", "by you", T0 + s * 1000);
    assert_int_equal(h->n_marks, 1);
    assert_true(h->marks[0].is_open && h->marks[0].at_ms == T0);
    history_moment(h, "late", "by 40 s", T0 + 4500); /* one does not end the other */
    history_still(h, "", "", T0 + 5000);
    assert_int_equal(h->n_marks, 2);
    assert_false(h->marks[0].is_open);
    assert_int_equal(h->marks[0].until_ms, T0 + 5000);
    assert_string_equal(h->marks[0].why, "by you");
    history_still(h, "paused", "by you", T0 + 6000);
    history_still(h, "no host", "no answer", T0 + 8000); /* another reason is another mark */
    assert_int_equal(h->n_marks, 4);
    history_still(h, NULL, "", T0 + 8500); /* too short to see: none */
    assert_int_equal(h->n_marks, 3);
    free(h);
}

static void the_newest_marks_are_kept_and_repeats_told_once(void **state)
{
    (void)state;
    struct history *h = fresh();
    for (int i = 0; i < VIEW_MARKS + 5; i++) {
        history_moment(h, "rejected", "why", T0 + i * 2000);
        history_moment(h, "rejected", "why", T0 + i * 2000 + 500);
    }
    assert_int_equal(h->n_marks, VIEW_MARKS);
    assert_int_equal(h->marks[0].at_ms, T0 + 5 * 2000);
    free(h);
}

static void a_restart_is_marked_and_closes_what_was_open(void **state)
{
    (void)state;
    struct history *h = fresh();
    history_begin(h, T0); /* the very first start is none */
    assert_int_equal(h->n_marks, 0);
    history_still(h, "paused", "by you", T0);
    history_still(h, "paused", "by you", T0 + 9000);
    history_begin(h, T0 + 60000);
    assert_int_equal(h->n_marks, 2);
    assert_false(h->marks[0].is_open);
    assert_int_equal(h->marks[0].until_ms, T0 + 9000);
    assert_string_equal(h->marks[1].kind, "started");
    free(h);
}

static void days_count_from_the_first_look(void **state)
{
    (void)state;
    struct history *h = fresh();
    struct view_day d[VIEW_DAYS];
    const int64_t day = 86400000;
    history_confirmed(h, 1000, T0); /* earned before anybody looked */
    history_confirmed(h, 1500, T0 + 3600000);
    history_confirmed(h, 4000, T0 + day + 1000);
    history_confirmed(h, 9000, T0 + 3 * day); /* a day without a look is missing, not zero */
    assert_int_equal(history_days(h, d), 3);
    assert_int_equal(d[0].amount, 500);
    assert_int_equal(d[1].amount, 2500);
    assert_int_equal(d[2].amount, 5000);
    for (int i = 4; i < 80; i++)
        history_confirmed(h, 9000 + i, T0 + i * day);
    assert_int_equal(history_days(h, d), VIEW_DAYS);
    assert_int_equal(d[0].amount, 1);
    free(h);
}

static void marks_and_days_come_back_and_old_files_have_none(void **state)
{
    (void)state;
    struct history *a = fresh(), *b = fresh();
    history_moment(a, "late", "by 40 s", T0);
    history_confirmed(a, 7, T0);
    struct buf out = {0};
    assert_int_equal(history_save(a, &out, NULL), OK);
    assert_int_equal(history_load(out.p, out.len, b, NULL), OK);
    assert_int_equal(b->n_marks, 1);
    assert_string_equal(b->marks[0].kind, "late");
    assert_int_equal(b->n_days, 2);
    out.p[4] = 1; /* as the version before wrote it: without the marks at its end */
    size_t tail = 4 + (8 + 8 + 1 + sizeof b->marks[0].kind + sizeof b->marks[0].why) + 4 + 2 * 16;
    assert_int_equal(history_load(out.p, out.len - tail, b, NULL), OK);
    assert_int_equal(b->n_marks, 0);
    buf_deinit(&out);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_comes_back_as_it_was),
        cmocka_unit_test(history_load_refuses_cuts_and_leaves_the_old_alone),
        cmocka_unit_test(a_still_time_is_one_mark_with_a_beginning_and_an_end),
        cmocka_unit_test(the_newest_marks_are_kept_and_repeats_told_once),
        cmocka_unit_test(a_restart_is_marked_and_closes_what_was_open),
        cmocka_unit_test(days_count_from_the_first_look),
        cmocka_unit_test(marks_and_days_come_back_and_old_files_have_none),
        cmocka_unit_test(history_val_takes_each_round_once_and_forgets_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
