#include "engine/gradcheck.h"
#include "tests/check.h"

/* f = sum of x^3 over three values; the gradient is 3 x^2. */
static double cubes(void *ctx)
{
    const float *x = ctx;
    double s = 0;
    for (int i = 0; i < 3; i++)
        s += (double)x[i] * (double)x[i] * (double)x[i];
    return s;
}

static void gradcheck_accepts_a_right_gradient(void **state)
{
    (void)state;
    float x[3] = {1, -2, 0.5F};
    float g[3] = {3, 12, 0.75F};
    struct gradcheck r = gradcheck_run(cubes, x, x, g, 3, 10, 1e-3);
    assert_int_equal(r.n_checked, 3);
    assert_true(r.worst < 1e-5);
    assert_true(x[1] == -2.0F);
}

static void gradcheck_points_at_the_wrong_value(void **state)
{
    (void)state;
    float x[3] = {1, -2, 0.5F};
    float g[3] = {3, 12, 1.5F};
    struct gradcheck r = gradcheck_run(cubes, x, x, g, 3, 10, 1e-3);
    assert_int_equal(r.i_worst, 2);
    assert_true(r.worst > 0.05);
}

static void gradcheck_self_finds_this_machine_sound(void **state)
{
    (void)state;
    double worst = 1;
    struct err e = {0};
    assert_int_equal(gradcheck_self(2, &worst, &e), OK);
    assert_true(worst < 1e-2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradcheck_accepts_a_right_gradient),
        cmocka_unit_test(gradcheck_points_at_the_wrong_value),
        cmocka_unit_test(gradcheck_self_finds_this_machine_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
