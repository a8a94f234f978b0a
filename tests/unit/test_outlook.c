#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "client/outlook.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

#define HOUR_MS 3600000LL
#define START   (20000LL * 24)

/* A page of lines of 10 credits each hour, newest first, the newest at `hour`. */
static struct msg_credits *page(int64_t hour, uint32_t n)
{
    struct msg_credits *m = test_calloc(1, sizeof *m);
    m->n = n;
    for (uint32_t i = 0; i < n; i++)
        m->lines[i] = (struct msg_credit){.receipt_seq = 1000 + (uint64_t)(hour - START) - i,
                                          .at_ms = (hour - i) * HOUR_MS + 5,
                                          .amount = 10000000,
                                          .is_settled = true};
    return m;
}

static void the_view_shows_what_is_to_come(void **state)
{
    (void)state;
    static struct outlook o;
    static struct view v;
    struct rundesc run = {
        .reward_per_round = 100000000,
    };
    o = (struct outlook){0};
    view_init(&v);
    outlook_fill(&o, &run, &v);
    assert_int_equal(v.day_lo, VIEW_NONE);
    assert_int_equal(v.credits_per_hour, VIEW_NONE);
    struct msg_credits *m = page(START + 100, 100);
    for (uint32_t i = 0; i < 2; i++) /* the newest two rounds, a minute apart */
        m->lines[i].round = 9 - i;
    m->lines[1].at_ms = m->lines[0].at_ms - 60000;
    outlook_credits(&o, m, (START + 100) * HOUR_MS + 10, 0);
    v.tok_per_s_avg = 1000;
    v.swarm_tok_per_s = 4000;
    outlook_fill(&o, &run, &v);
    assert_int_equal(v.day_lo, 240000000);
    assert_int_equal(v.day_hi, 240000000);
    assert_int_equal(v.week_hi, 7 * 240000000LL);
    assert_true(v.today_lo > 0 && v.today_hi <= 240000000);
    assert_int_equal(v.credits_per_hour, 60 * 25000000LL);
    assert_int_equal(v.n_forecasts, 0);
    test_free(m);
}

static void forecasts_that_held_are_counted(void **state)
{
    (void)state;
    static struct outlook o;
    static struct view v;
    struct rundesc run = {0};
    o = (struct outlook){0};
    for (int64_t h = START + 50; h < START + 110; h += 5) {
        struct msg_credits *m = page(h, 50);
        outlook_credits(&o, m, h * HOUR_MS + 10, 0);
        test_free(m);
    }
    view_init(&v);
    outlook_fill(&o, &run, &v);
    assert_true(v.n_forecasts > 0);
    assert_int_equal(v.n_forecasts_held, v.n_forecasts);
}

static void a_damaged_file_begins_anew(void **state)
{
    (void)state;
    static struct outlook o;
    struct err e = {0};
    char dir[PATH_CAP], path[PATH_CAP];
    scratch_make(dir);
    assert_int_equal(path_format(path, "%s/forecast.json", dir), 0);
    assert_int_equal(outlook_load(path, &o, &e), OK);
    assert_int_equal(file_replace(path, "{}", 2, 0600, &e), OK);
    assert_int_equal(outlook_load(path, &o, &e), ERR_PROTO);
    assert_int_equal(o.book.n, 0);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_view_shows_what_is_to_come),
        cmocka_unit_test(forecasts_that_held_are_counted),
        cmocka_unit_test(a_damaged_file_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
