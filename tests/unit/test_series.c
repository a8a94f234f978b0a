#include <math.h>
#include <string.h>

#include "tests/check.h"
#include "view/series.h"

#define T0 INT64_C(1700000000000)

/* 120 KB: too large for a comfortable stack frame. */
static struct series s;
static struct series other;

static void a_fresh_series_shows_nothing(void **state)
{
    (void)state;
    struct view_series v;
    series_init(&s);
    series_view(&s, T0, 1000, &v);
    assert_int_equal(v.n, 0);
    assert_true(isnan(series_stats(&s, T0, 60000).mean));
}

static void the_last_sample_is_now(void **state)
{
    (void)state;
    struct view_series v;
    series_init(&s);
    for (int i = 0; i < 10; i++)
        series_push(&s, i, T0 + i * 1000);
    series_view(&s, T0 + 9000, 1000, &v);
    assert_int_equal(v.n, 10);
    assert_true(v.v[0] == 0.0F && v.v[9] == 9.0F);
    assert_int_equal(v.step_ms, 1000);
}

static void silence_is_a_gap_and_not_a_zero(void **state)
{
    (void)state;
    struct view_series v;
    series_init(&s);
    series_push(&s, 5, T0);
    series_push(&s, 7, T0 + 4000);
    series_view(&s, T0 + 6000, 1000, &v);
    assert_int_equal(v.n, 7);
    assert_true(v.v[0] == 5.0F && v.v[4] == 7.0F);
    assert_true(isnan(v.v[1]) && isnan(v.v[3]) && isnan(v.v[5]) && isnan(v.v[6]));
    series_view(&s, T0 + 5000, 1000, &v); /* the second that has just begun is none yet */
    assert_int_equal(v.n, 5);
}

static void a_bucket_keeps_least_mean_and_greatest(void **state)
{
    (void)state;
    series_init(&s);
    series_push(&s, 1, T0);
    series_push(&s, 2, T0 + 100);
    series_push(&s, 6, T0 + 200);
    series_push(&s, NAN, T0 + 300);
    struct series_bucket b = series_stats(&s, T0 + 500, 60000);
    assert_true(b.min == 1.0F && b.mean == 3.0F && b.max == 6.0F);
}

static void coarser_rings_reach_further_back(void **state)
{
    (void)state;
    struct view_series v;
    series_init(&s);
    for (int64_t t = 0; t < 7200; t++)
        series_push(&s, t < 3600 ? 10 : 20, T0 + t * 1000);
    series_view(&s, T0 + 7199000, 30000, &v);
    assert_int_equal(v.n, VIEW_SERIES);
    assert_true(v.v[0] == 10.0F && v.v[VIEW_SERIES - 1] == 20.0F);
    struct series_bucket b = series_stats(&s, T0 + 7199000, 900000);
    assert_true(b.min == 20.0F && b.max == 20.0F);
    b = series_stats(&s, T0 + 7199000, INT64_C(86400000));
    assert_true(b.min == 10.0F && b.max == 20.0F);
}

static void a_clock_set_back_loses_nothing(void **state)
{
    (void)state;
    struct view_series v;
    series_init(&s);
    series_push(&s, 1, T0);
    series_push(&s, 2, T0 + 1000);
    series_push(&s, 4, T0 - 3600000); /* an hour back: lands beside the newest */
    series_push(&s, 8, T0 - 3600000 + 1000);
    series_view(&s, T0 - 3600000 + 1000, 1000, &v);
    assert_int_equal(v.n, 3);
    assert_true(v.v[0] == 1.0F && v.v[1] == 3.0F && v.v[2] == 8.0F);
}

static void a_month_of_silence_leaves_one_sample(void **state)
{
    (void)state;
    struct view_series v;
    series_init(&s);
    series_push(&s, 1, T0);
    series_push(&s, 9, T0 + SERIES_SPAN_MAX * 2);
    series_view(&s, T0 + SERIES_SPAN_MAX * 2, 300000, &v);
    assert_int_equal(v.n, 1);
    assert_true(v.v[0] == 9.0F);
}

static void history_survives_a_restart(void **state)
{
    (void)state;
    struct buf b = {0};
    struct buf again = {0};
    series_init(&s);
    for (int64_t t = 0; t < 2000; t++)
        series_push(&s, (double)(t % 97), T0 + t * 700);
    assert_int_equal(series_save(&s, &b, NULL), OK);
    assert_int_equal(series_load(b.p, b.len, &other, NULL), OK);
    assert_int_equal(series_save(&other, &again, NULL), OK);
    assert_int_equal(b.len, again.len);
    assert_memory_equal(b.p, again.p, b.len);
    struct view_series v1, v2;
    series_push(&s, 3, T0 + 2000 * 700);
    series_push(&other, 3, T0 + 2000 * 700);
    series_view(&s, T0 + 2000 * 700, 10000, &v1);
    series_view(&other, T0 + 2000 * 700, 10000, &v2);
    assert_memory_equal(&v1, &v2, sizeof v1);
    buf_deinit(&b);
    buf_deinit(&again);
}

static void damaged_history_is_refused_at_every_length(void **state)
{
    (void)state;
    struct buf b = {0};
    struct err e = {0};
    series_init(&s);
    for (int t = 0; t < 20; t++)
        series_push(&s, t, T0 + t * 1000);
    assert_int_equal(series_save(&s, &b, NULL), OK);
    for (size_t n = 0; n < b.len; n++)
        assert_int_equal(series_load(b.p, n, &other, &e), ERR_PROTO);
    b.p[7] = '2';
    assert_int_equal(series_load(b.p, b.len, &other, &e), ERR_VERSION);
    b.p[7] = '1';
    memset(b.p + 24, 0xff, 12);
    assert_int_equal(series_load(b.p, b.len, &other, &e), ERR_PROTO);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_series_shows_nothing),
        cmocka_unit_test(the_last_sample_is_now),
        cmocka_unit_test(silence_is_a_gap_and_not_a_zero),
        cmocka_unit_test(a_bucket_keeps_least_mean_and_greatest),
        cmocka_unit_test(coarser_rings_reach_further_back),
        cmocka_unit_test(a_clock_set_back_loses_nothing),
        cmocka_unit_test(a_month_of_silence_leaves_one_sample),
        cmocka_unit_test(history_survives_a_restart),
        cmocka_unit_test(damaged_history_is_refused_at_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
