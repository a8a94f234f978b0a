#include "client/gears.h"
#include "engine/pool.h"
#include "tests/check.h"

static void gears_scale_with_the_machine_and_never_reach_zero(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    assert_int_equal(gears_now(&c, true, 8).n_cores, 2);
    assert_int_equal(gears_now(&c, false, 8).n_cores, 4);
    assert_int_equal(gears_now(&c, true, 1).n_cores, 1);
    assert_int_equal(gears_most_cores(&c, 8), 4);
    assert_true(gears_now(&c, true, 8).duty_frac < 1);
    assert_true(gears_now(&c, true, 8).is_idle_priority);
    assert_string_equal(gears_word(gears_now(&c, true, 8).kind), "gentle");
}

static void single_settings_stand_above_the_gear(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    assert_int_equal(config_take(&c, CONFIG_GEAR_IDLE, "full", CONFIG_FILE, NULL), OK);
    assert_int_equal(config_take(&c, CONFIG_CORES, "3", CONFIG_FILE, NULL), OK);
    assert_int_equal(config_take(&c, CONFIG_DUTY, "25", CONFIG_FILE, NULL), OK);
    assert_int_equal(config_take(&c, CONFIG_BUSY, "100", CONFIG_FILE, NULL), OK);
    assert_int_equal(config_take(&c, CONFIG_HEAT, "70", CONFIG_FILE, NULL), OK);
    assert_int_equal(config_take(&c, CONFIG_PRIORITY, "idle", CONFIG_FILE, NULL), OK);
    struct gear g = gears_now(&c, false, 16);
    assert_int_equal(g.kind, GEAR_FULL);
    assert_int_equal(g.n_cores, 3);
    assert_true(g.duty_frac == 0.25 && g.busy_frac == 1 && g.heat_c == 70);
    assert_true(g.is_idle_priority);
    assert_int_equal(config_take(&c, CONFIG_PRIORITY, "normal", CONFIG_FILE, NULL), OK);
    assert_false(gears_now(&c, true, 16).is_idle_priority);
}

/* What the agent makes its trainer with and what the doctor reckons with are the same. */
static void what_is_planned_for_is_the_larger_gear(void **state)
{
    (void)state;
    struct config c;
    config_init(&c);
    assert_int_equal(gears_threads(&c, 8), 8);
    assert_int_equal(gears_threads(&c, 100000), POOL_MAX_THREADS);
    double in_use = gears_now(&c, true, 8).memory_frac;
    assert_int_equal(config_take(&c, CONFIG_GEAR_IDLE, "full", CONFIG_FILE, NULL), OK);
    double idle = gears_now(&c, false, 8).memory_frac;
    assert_true(idle > in_use);
    assert_true(gears_memory_frac(&c, 8) == idle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gears_scale_with_the_machine_and_never_reach_zero),
        cmocka_unit_test(single_settings_stand_above_the_gear),
        cmocka_unit_test(what_is_planned_for_is_the_larger_gear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
