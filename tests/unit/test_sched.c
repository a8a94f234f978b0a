#include <math.h>

#include "engine/sched.h"
#include "tests/check.h"

static const struct sched s = {.lr = 0.01, .min_frac = 0.1, .warmup_steps = 10, .total_steps = 110};

static void near(double got, double want)
{
    assert_true(fabs(got - want) < 1e-12);
}

static void sched_warms_up_in_equal_steps(void **state)
{
    (void)state;
    near(sched_lr(&s, 0), 0.001);
    near(sched_lr(&s, 4), 0.005);
    near(sched_lr(&s, 9), 0.01);
}

static void sched_falls_along_half_a_cosine(void **state)
{
    (void)state;
    near(sched_lr(&s, 10), 0.01);
    near(sched_lr(&s, 60), 0.001 + 0.009 / 2);
    near(sched_lr(&s, 35), 0.001 + 0.009 * (0.5 + 0.5 * sqrt(0.5)));
    for (uint64_t i = 10; i < 110; i++)
        assert_true(sched_lr(&s, i + 1) < sched_lr(&s, i));
}

static void sched_stays_at_the_floor_afterwards(void **state)
{
    (void)state;
    near(sched_lr(&s, 110), 0.001);
    near(sched_lr(&s, 1u << 30), 0.001);
}

static void sched_works_without_warmup_and_without_length(void **state)
{
    (void)state;
    struct sched flat = {.lr = 1, .min_frac = 0.5};
    near(sched_lr(&flat, 0), 0.5);
    struct sched all = {.lr = 1, .min_frac = 0.5, .warmup_steps = 4, .total_steps = 4};
    near(sched_lr(&all, 3), 1);
    near(sched_lr(&all, 4), 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sched_warms_up_in_equal_steps),
        cmocka_unit_test(sched_falls_along_half_a_cosine),
        cmocka_unit_test(sched_stays_at_the_floor_afterwards),
        cmocka_unit_test(sched_works_without_warmup_and_without_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
