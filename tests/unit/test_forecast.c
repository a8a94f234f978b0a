#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "client/forecast.h"
#include "tests/check.h"

#define HOUR_MS 3600000LL
#define START   (20000LL * 24) /* an hour, some day in 2024; midnight */

static struct msg_credit line(uint64_t seq, int64_t hour, int64_t amount)
{
    return (struct msg_credit){
        .receipt_seq = seq, .at_ms = hour * HOUR_MS + 5, .amount = amount, .is_settled = true};
}

static void earn(struct forecast_book *b, int64_t hour, int64_t amount)
{
    struct msg_credit c = line(b->last_seq + 1, hour, amount);
    forecast_take(b, &c, amount ? 1 : 0, true, hour * HOUR_MS + 10);
}

static struct forecast_now now_at(int64_t hour)
{
    return (struct forecast_now){
        .now_ms = hour * HOUR_MS + 20, .midnight_ms = (hour / 24 + 1) * 24 * HOUR_MS, .gear = 1};
}

/* Work from 18 to 24 o'clock, 10 an hour, for n days. */
static void evenings(struct forecast_book *b, int n)
{
    for (int64_t h = START; h < START + 24 * n; h++)
        earn(b, h, h % 24 >= 18 ? 10 : 0);
    earn(b, START + 24 * n, 0);
}

static void regular_evenings_are_foretold_exactly(void **state)
{
    (void)state;
    struct forecast_book b = {0};
    evenings(&b, 21);
    struct forecast_now now = now_at(START + 24 * 21);
    struct forecast f = forecast_make(&b, FORECAST_DAY, &now);
    assert_true(f.is_known);
    assert_int_equal(f.mid, 60);
    assert_in_range(f.lo, 59, 60);
    assert_in_range(f.hi, 60, 61);
    f = forecast_make(&b, FORECAST_WEEK, &now);
    assert_int_equal(f.mid, 420);
    f = forecast_make(&b, FORECAST_TODAY, &now);
    assert_int_equal(f.mid, 60);
}

static void a_pause_a_gear_and_the_time_of_day_count(void **state)
{
    (void)state;
    struct forecast_book b = {0};
    evenings(&b, 21);
    struct forecast_now now = now_at(START + 24 * 21);
    now.gear = 0.5;
    assert_int_equal(forecast_make(&b, FORECAST_DAY, &now).mid, 30);
    now.gear = 1;
    now.paused_until_ms = now.now_ms + 21 * HOUR_MS;
    assert_int_equal(forecast_make(&b, FORECAST_DAY, &now).mid, 30);
    now.paused_until_ms = now.now_ms + 30 * HOUR_MS;
    assert_int_equal(forecast_make(&b, FORECAST_DAY, &now).hi, 0);
}

static void without_history_nothing_is_promised(void **state)
{
    (void)state;
    struct forecast_book b = {0};
    struct forecast_now now = now_at(START);
    assert_false(forecast_make(&b, FORECAST_DAY, &now).is_known);
    earn(&b, START, 10);
    assert_false(forecast_make(&b, FORECAST_DAY, &now).is_known);
    for (int64_t h = START + 1; h < START + 5; h++)
        earn(&b, h, 10);
    now = now_at(START + 4);
    struct forecast f = forecast_make(&b, FORECAST_DAY, &now);
    assert_true(f.is_known && f.n_days == 1);
    assert_int_equal(f.mid, 240);
}

static void lines_are_counted_once_and_pending_ones_later(void **state)
{
    (void)state;
    struct forecast_book b = {0};
    struct msg_credit c[3] = {line(9, START, 5), line(7, START, 3), line(2, START, 1)};
    c[0].is_settled = false;
    forecast_take(&b, c, 3, true, START * HOUR_MS);
    assert_int_equal(b.earned[START % FORECAST_HOURS], 4);
    c[0].is_settled = true;
    forecast_take(&b, c, 3, true, START * HOUR_MS);
    forecast_take(&b, c, 3, true, START * HOUR_MS);
    assert_int_equal(b.earned[START % FORECAST_HOURS], 9);
    assert_int_equal(b.last_seq, 9);
}

static void hours_nobody_saw_are_not_taken_for_nothing(void **state)
{
    (void)state;
    struct forecast_book b = {0};
    struct msg_credit c = line(50, START + 3, 5);
    earn(&b, START, 1);
    forecast_take(&b, &c, 1, false, (START + 3) * HOUR_MS);
    assert_int_equal(b.earned[(START + 1) % FORECAST_HOURS], -1);
    assert_int_equal(b.earned[(START + 3) % FORECAST_HOURS], 5);
}

static void the_track_record_moves_the_range(void **state)
{
    (void)state;
    struct forecast_book b = {0};
    struct rng r;
    rng_init(&r, 1, 0);
    for (int64_t h = START; h < START + 24 * 14; h++)
        earn(&b, h, 50 + rng_below(&r, 100));
    struct forecast_now now = now_at(b.hour);
    struct forecast before = forecast_make(&b, FORECAST_DAY, &now), wrong = before;
    wrong.lo = wrong.hi = 1;
    forecast_keep(&b, FORECAST_DAY, &wrong, &now);
    forecast_keep(&b, FORECAST_DAY, &wrong, &now); /* one a day */
    assert_int_equal(b.n_kept, 1);
    assert_int_equal(forecast_settle(&b, now.now_ms), 0);
    for (int64_t h = b.hour + 1; h < START + 24 * 15 + 2; h++)
        earn(&b, h, 100);
    assert_int_equal(forecast_settle(&b, b.hour * HOUR_MS), 1);
    assert_int_equal(b.n_of[FORECAST_DAY], 1);
    assert_int_equal(b.n_hit[FORECAST_DAY], 0);
    assert_true(b.level[FORECAST_DAY] < 0);
    b.level[FORECAST_DAY] = -190000;
    now = now_at(b.hour);
    struct forecast wide = forecast_make(&b, FORECAST_DAY, &now);
    b.level[FORECAST_DAY] = 300000;
    struct forecast narrow = forecast_make(&b, FORECAST_DAY, &now);
    assert_true(wide.hi - wide.lo > narrow.hi - narrow.lo);
}

static void it_survives_the_disk_and_damage_is_refused(void **state)
{
    (void)state;
    struct forecast_book b = {0}, back = {0};
    struct buf out = {0}, again = {0};
    evenings(&b, 40);
    struct forecast_now now = now_at(b.hour);
    for (int k = 0; k < FORECAST_KINDS; k++) {
        struct forecast f = forecast_make(&b, (enum forecast_kind)k, &now);
        forecast_keep(&b, (enum forecast_kind)k, &f, &now);
    }
    b.n_of[1] = 5;
    assert_int_equal(forecast_save(&b, &out, NULL), OK);
    assert_int_equal(forecast_load(out.p, out.len, &back, NULL), OK);
    assert_memory_equal(&b, &back, sizeof b);
    for (size_t i = 0; i < out.len; i += 7) { /* must not crash; may be refused */
        uint8_t had = out.p[i];
        out.p[i] = '9';
        struct err e = {0};
        if (forecast_load(out.p, out.len, &back, &e) == OK) {
            struct forecast_now then = now_at(back.hour);
            (void)forecast_make(&back, FORECAST_WEEK, &then);
            (void)forecast_settle(&back, then.now_ms);
        }
        out.p[i] = had;
    }
    assert_int_equal(forecast_load("{}", 2, &back, NULL), ERR_PROTO);
    buf_deinit(&out);
    buf_deinit(&again);
}

static void a_newcomer_shares_with_those_who_are_there(void **state)
{
    (void)state;
    assert_int_equal(forecast_newcomer(1000, 3000, 100000000, 60000), 1500000000);
    assert_int_equal(forecast_newcomer(1000, 0, 100, 3600000), 100);
    assert_int_equal(forecast_newcomer(NAN, 3000, 100, 1000), 0);
}

/* ---- calibration ---------------------------------------------------------------------------- */

/* A person with hours, habits and bad days; the swarm around grows. */
struct person {
    int from, hours; /* of a day */
    double p_off;    /* a day off */
    double jitter;   /* of begin and end */
    double rate;     /* an hour */
    double growth;   /* of the swarm, a day */
    int64_t away_to; /* a longer pause */
    struct rng r;
};

static void make_person(struct person *p, uint64_t seed)
{
    rng_init(&p->r, seed, 9);
    p->from = (int)rng_below(&p->r, 24);
    p->hours = 2 + (int)rng_below(&p->r, 23);
    p->p_off = 0.3 * rng_unit(&p->r);
    p->jitter = 3 * rng_unit(&p->r);
    p->rate = 1e6 * (0.2 + 5 * rng_unit(&p->r));
    p->growth = 0.04 * rng_unit(&p->r) - 0.01;
    p->away_to = 0;
}

static void live_a_day(struct person *p, struct forecast_book *b, int64_t day, int64_t *hours)
{
    int64_t first = day * 24;
    memset(hours, 0, 24 * sizeof *hours);
    if (rng_below(&p->r, 25) == 0) p->away_to = day + 1 + rng_below(&p->r, 6);
    bool is_weekend = day % 7 >= 5;
    if (day < p->away_to || rng_unit(&p->r) < p->p_off * (is_weekend ? 1.5 : 1)) return;
    int from = p->from + (int)(p->jitter * (2 * rng_unit(&p->r) - 1));
    int n = p->hours + (int)(p->jitter * (2 * rng_unit(&p->r) - 1));
    double pay = p->rate * exp(-p->growth * (double)(day - START / 24));
    for (int k = 0; k < n && k < 24; k++)
        hours[((from + k) % 24 + 24) % 24] = (int64_t)(pay * (0.7 + 0.6 * rng_unit(&p->r)));
    (void)first;
    (void)b;
}

/* Half a year of one person; widths of the ranges relative to their middle go into w. */
static void live(uint64_t seed, int days, uint32_t hit[3], uint32_t of[3], double *w, uint32_t *n_w)
{
    struct person p;
    struct forecast_book b = {0};
    int64_t hours[24];
    make_person(&p, seed);
    int ask = (int)rng_below(&p.r, 24);
    for (int64_t d = START / 24; d < START / 24 + days; d++) {
        live_a_day(&p, &b, d, hours);
        for (int h = 0; h < 24; h++) {
            earn(&b, d * 24 + h, hours[h]);
            if (h != ask) continue;
            struct forecast_now now = now_at(d * 24 + h);
            forecast_settle(&b, now.now_ms);
            for (int k = 0; k < FORECAST_KINDS; k++) {
                struct forecast f = forecast_make(&b, (enum forecast_kind)k, &now);
                forecast_keep(&b, (enum forecast_kind)k, &f, &now);
                if (k == FORECAST_WEEK && f.is_known && f.mid > 0 && d > START / 24 + 14)
                    w[(*n_w)++] = (double)(f.hi - f.lo) / (double)f.mid;
            }
        }
    }
    for (int k = 0; k < 3; k++) {
        hit[k] += b.n_hit[k];
        of[k] += b.n_of[k];
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void four_of_five_ranges_hold_over_simulated_months(void **state)
{
    (void)state;
    uint32_t hit[3] = {0}, of[3] = {0}, n_w = 0;
    static double w[20 * 120];
    for (uint64_t seed = 0; seed < 20; seed++)
        live(seed, 120, hit, of, w, &n_w);
    qsort(w, n_w, sizeof *w, by_size);
    for (int k = 0; k < 3; k++)
        print_message("%s: %u of %u held, %.1f %%\n", forecast_word((enum forecast_kind)k), hit[k],
                      of[k], 100.0 * hit[k] / of[k]);
    print_message("median width of a week: %.2f of its middle\n", w[n_w / 2]);
    for (int k = 0; k < 3; k++) {
        assert_true(of[k] > 200);
        assert_in_range(100 * hit[k] / of[k], 75, 85);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regular_evenings_are_foretold_exactly),
        cmocka_unit_test(a_pause_a_gear_and_the_time_of_day_count),
        cmocka_unit_test(without_history_nothing_is_promised),
        cmocka_unit_test(lines_are_counted_once_and_pending_ones_later),
        cmocka_unit_test(hours_nobody_saw_are_not_taken_for_nothing),
        cmocka_unit_test(the_track_record_moves_the_range),
        cmocka_unit_test(it_survives_the_disk_and_damage_is_refused),
        cmocka_unit_test(a_newcomer_shares_with_those_who_are_there),
        cmocka_unit_test(four_of_five_ranges_hold_over_simulated_months),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
