#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/train_stop.h"
#include "base/clock.h"
#include "tests/unit/tinyrun.h"

static struct rundesc d;
static struct model_table table;
static struct trainer *trainer;
static struct train_stop *s;

static int set_up(void **state)
{
    (void)state;
    tinyrun_make(&d, &table);
    train_stop_hold();
    assert_int_equal(trainer_create(&d.model, &d.train, &(struct trainer_options){.n_threads = 2},
                                    &trainer, NULL),
                     OK);
    assert_int_equal(train_stop_create(trainer, &s, NULL), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    train_stop_destroy(s);
    trainer_destroy(trainer);
    model_table_deinit(&table);
    return 0;
}

static void nobody_asked(void **state)
{
    (void)state;
    int64_t began = clock_mono_ms();
    assert_false(train_stop_asked(s));
    assert_false(train_stop_sleep(s, 20));
    assert_false(train_stop_sleep(s, -5)); /* and comes back at all */
    assert_true(clock_mono_ms() - began >= 20);
    assert_int_equal(train_stop_suspended_ns(s), 0);
}

static void a_signal_ends_sleep_and_step(void **state)
{
    (void)state;
    struct trainer_step_result r;
    uint32_t tokens[2 * 17] = {0};
    int64_t began = clock_mono_ms();
    assert_int_equal(trainer_step(trainer, tokens, 0, &r, NULL), OK);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_true(train_stop_sleep(s, 60000));
    assert_true(train_stop_asked(s));
    assert_true(clock_mono_ms() - began < 30000);
    assert_int_equal(trainer_step(trainer, tokens, 1, &r, NULL), ERR_CANCELLED);
}

/* Held signals are those of the time before the thread, too. */
static void a_signal_that_came_early_is_not_lost(void **state)
{
    (void)state;
    train_stop_destroy(s);
    s = NULL;
    assert_int_equal(kill(getpid(), SIGINT), 0);
    assert_int_equal(train_stop_create(trainer, &s, NULL), OK);
    assert_true(train_stop_sleep(s, 60000));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nobody_asked),
        CASE(a_signal_ends_sleep_and_step),
        CASE(a_signal_that_came_early_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
