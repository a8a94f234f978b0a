#include <math.h>
#include <string.h>

#include "client/holds.h"
#include "tests/check.h"

#define MIB (UINT64_C(1) << 20)

/* A quiet computer, and limits of all kinds. */
static struct holds_seen quiet(void)
{
    return (struct holds_seen){.input_ms_ago = VIEW_NONE,
                               .others_frac = 0.05,
                               .battery_frac = (double)NAN,
                               .heat_c = 50,
                               .disk_free_bytes = 9000 * MIB,
                               .memory_free_bytes = 9000 * MIB,
                               .memory_stall_frac = 0,
                               .minute = 60};
}

static struct holds_limits limits(void)
{
    return (struct holds_limits){.idle_after_ms = 120000,
                                 .is_off_in_use = true,
                                 .busy_frac = 0.5,
                                 .heat_c = 80,
                                 .disk_free_bytes = 1000 * MIB,
                                 .memory_free_bytes = 200 * MIB,
                                 .month_bytes = 1000};
}

/* Seconds of the same until the hold is as wanted; -1: not within ten minutes. */
static int until(struct holds *h, enum hold k, bool wanted, const struct holds_seen *s,
                 const struct holds_limits *l)
{
    for (int i = 0; i <= 600; i++) {
        holds_step(h, s, l, h->now_ms + 1000);
        if (h->one[k].stands == wanted) return i;
    }
    return -1;
}

/* Every hold: what provokes it, how fast it comes, how fast it goes. */
static void each_hold_comes_and_goes_in_its_time(void **state)
{
    (void)state;
    struct holds_limits l = limits();
    assert_int_equal(hours_parse("00:00-12:00", &l.hours, NULL), OK);
    struct holds_seen bad[HOLDS];
    for (int k = 0; k < HOLDS; k++)
        bad[k] = quiet();
    bad[HOLD_HEAT].heat_c = 80;
    bad[HOLD_DISK].disk_free_bytes = 999 * MIB;
    bad[HOLD_MEMORY].memory_free_bytes = 100 * MIB;
    bad[HOLD_BATTERY].is_on_battery = true;
    bad[HOLD_IN_USE].input_ms_ago = 500;
    strcpy(bad[HOLD_APP].app, "steam");
    bad[HOLD_BUSY].others_frac = 0.7;
    bad[HOLD_HOURS].minute = 13 * 60;
    bad[HOLD_NETWORK_CAP].month_bytes = 1000;
    static const int comes_s[HOLDS] = {5, 0, 10, 5, 0, 0, 10, 0, 0};
    static const int goes_s[HOLDS] = {30, 30, 120, 30, 0, 20, 60, 0, 0};
    for (int k = 0; k < HOLDS; k++) {
        struct holds h = {.now_ms = 1000};
        struct holds_seen good = quiet();
        assert_int_equal(until(&h, (enum hold)k, true, &bad[k], &l), comes_s[k]);
        assert_int_equal(holds_top(&h), k);
        struct view_hold row;
        holds_row(&h, (enum hold)k, 5000, &row);
        assert_true(row.name[0] && row.reason[0] && strncmp(row.end, "goes on", 7) == 0);
        assert_int_equal(until(&h, (enum hold)k, false, &good, &l), goes_s[k]);
        assert_false(holds_stop(&h));
    }
}

static void what_is_between_the_thresholds_changes_nothing(void **state)
{
    (void)state;
    struct holds h = {.now_ms = 1000};
    struct holds_limits l = limits();
    struct holds_seen s = quiet();
    s.others_frac = 0.45; /* under the limit, not calm */
    assert_int_equal(until(&h, HOLD_BUSY, true, &s, &l), -1);
    s.others_frac = 0.6;
    assert_int_equal(until(&h, HOLD_BUSY, true, &s, &l), 10);
    s.others_frac = 0.45;
    assert_int_equal(until(&h, HOLD_BUSY, false, &s, &l), -1);
    s.heat_c = 75;
    assert_int_equal(until(&h, HOLD_HEAT, true, &s, &l), -1);
}

static void a_short_burst_is_no_reason_and_a_short_calm_no_end(void **state)
{
    (void)state;
    struct holds h = {.now_ms = 1000};
    struct holds_limits l = limits();
    struct holds_seen calm = quiet(), busy = quiet();
    busy.others_frac = 0.9;
    for (int i = 0; i < 300; i++) /* nine seconds of ten */
        holds_step(&h, i % 10 == 9 ? &calm : &busy, &l, h.now_ms + 1000);
    assert_false(h.one[HOLD_BUSY].stands);
    assert_int_equal(until(&h, HOLD_BUSY, true, &busy, &l), 10);
    for (int i = 0; i < 600; i++)
        holds_step(&h, i % 50 == 49 ? &busy : &calm, &l, h.now_ms + 1000);
    assert_true(h.one[HOLD_BUSY].stands);
}

static void what_is_not_known_holds_nothing(void **state)
{
    (void)state;
    struct holds h = {.now_ms = 1000};
    struct holds_limits l = limits();
    struct holds_seen s = {.input_ms_ago = VIEW_NONE,
                           .others_frac = (double)NAN,
                           .battery_frac = (double)NAN,
                           .heat_c = (double)NAN,
                           .disk_free_bytes = UINT64_MAX,
                           .memory_free_bytes = UINT64_MAX,
                           .memory_stall_frac = (double)NAN};
    for (int i = 0; i < 300; i++)
        assert_false(holds_step(&h, &s, &l, h.now_ms + 1000));
    assert_false(holds_stop(&h));
}

static void a_limit_that_is_taken_away_ends_its_hold_at_once(void **state)
{
    (void)state;
    struct holds h = {.now_ms = 1000};
    struct holds_limits l = limits();
    struct holds_seen s = quiet();
    s.others_frac = 0.9;
    s.is_on_battery = true;
    assert_int_equal(until(&h, HOLD_BUSY, true, &s, &l), 10);
    assert_int_equal(holds_top(&h), HOLD_BATTERY);
    l.busy_frac = 1;
    l.is_battery_fine = true;
    assert_true(holds_step(&h, &s, &l, h.now_ms + 1000));
    assert_false(holds_stop(&h));
}

static void an_override_lasts_until_the_hold_ends_or_an_hour(void **state)
{
    (void)state;
    struct holds h = {.now_ms = 1000};
    struct holds_limits l = limits();
    struct holds_seen s = quiet(), good = quiet();
    assert_false(holds_override(&h, 1000));
    s.is_on_battery = true;
    assert_int_equal(until(&h, HOLD_BATTERY, true, &s, &l), 5);
    assert_true(holds_override(&h, h.now_ms));
    assert_false(holds_stop(&h));
    holds_step(&h, &s, &l, h.now_ms + HOLDS_OVERRIDE_MS - 1000);
    assert_false(holds_stop(&h));
    assert_true(holds_step(&h, &s, &l, h.now_ms + 1000));
    assert_true(holds_stop(&h));
    assert_true(holds_override(&h, h.now_ms));
    assert_int_equal(until(&h, HOLD_BATTERY, false, &good, &l), 30);
    assert_int_equal(until(&h, HOLD_BATTERY, true, &s, &l), 5);
    assert_true(holds_stop(&h)); /* a new one: the old word does not count for it */
}

static void heat_disk_and_memory_cannot_be_passed_over(void **state)
{
    (void)state;
    struct holds h = {.now_ms = 1000};
    struct holds_limits l = limits();
    struct holds_seen s = quiet();
    s.heat_c = 90;
    s.disk_free_bytes = s.memory_free_bytes = 1;
    s.is_on_battery = true;
    assert_int_equal(until(&h, HOLD_MEMORY, true, &s, &l), 10);
    assert_true(holds_override(&h, h.now_ms));
    assert_true(h.one[HOLD_BATTERY].override_until != 0);
    assert_int_equal(holds_top(&h), HOLD_HEAT);
}

static void memory_comes_back_only_when_the_trainer_fits_again(void **state)
{
    (void)state;
    struct holds h = {.now_ms = 1000};
    struct holds_limits l = limits();
    struct holds_seen s = quiet();
    s.memory_stall_frac = 0.5;
    assert_int_equal(until(&h, HOLD_MEMORY, true, &s, &l), 10);
    l.memory_needed_bytes = 1000 * MIB; /* it was given back meanwhile */
    s.memory_stall_frac = 0;
    s.memory_free_bytes = 1300 * MIB;
    assert_int_equal(until(&h, HOLD_MEMORY, false, &s, &l), -1);
    s.memory_free_bytes = 1400 * MIB;
    assert_int_equal(until(&h, HOLD_MEMORY, false, &s, &l), 120);
}

static void the_line_tells_why_and_until_when(void **state)
{
    (void)state;
    struct holds h = {.now_ms = 1000};
    struct holds_limits l = limits();
    struct holds_seen s = quiet();
    struct view_hold row;
    s.input_ms_ago = 20000;
    holds_step(&h, &s, &l, 2000);
    holds_row(&h, HOLD_IN_USE, 1000000, &row);
    assert_string_equal(row.reason, "you are using this computer");
    assert_string_equal(row.end, "goes on 2 min after you stop");
    assert_int_equal(row.ends_at_ms, 1100000);
    assert_true(row.can_override && !row.is_overridden);
    assert_int_equal(hours_parse("20:00-08:00", &l.hours, NULL), OK);
    s.minute = 19 * 60;
    holds_step(&h, &s, &l, 3000);
    holds_row(&h, HOLD_HOURS, 0, &row);
    assert_int_equal(row.ends_at_ms, 3600000);
    assert_int_equal(holds_top(&h), HOLD_IN_USE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_hold_comes_and_goes_in_its_time),
        cmocka_unit_test(what_is_between_the_thresholds_changes_nothing),
        cmocka_unit_test(a_short_burst_is_no_reason_and_a_short_calm_no_end),
        cmocka_unit_test(what_is_not_known_holds_nothing),
        cmocka_unit_test(a_limit_that_is_taken_away_ends_its_hold_at_once),
        cmocka_unit_test(an_override_lasts_until_the_hold_ends_or_an_hour),
        cmocka_unit_test(heat_disk_and_memory_cannot_be_passed_over),
        cmocka_unit_test(memory_comes_back_only_when_the_trainer_fits_again),
        cmocka_unit_test(the_line_tells_why_and_until_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
