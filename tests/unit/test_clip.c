#include "base/rng.h"
#include "record/clip.h"
#include "tests/check.h"

static void three_or_fewer_are_left_alone(void **state)
{
    (void)state;
    uint64_t w[] = {1000000, 1, 1, 0};
    clip_weights(w, 4);
    assert_int_equal(w[0], 1000000);
    assert_int_equal(w[1], 1);
    clip_weights(w, 0);
}

static void equal_weights_are_left_alone(void **state)
{
    (void)state;
    uint64_t w[20];
    for (int i = 0; i < 20; i++)
        w[i] = 500;
    clip_weights(w, 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(w[i], 500);
}

static void a_giant_gets_its_share_and_no_more(void **state)
{
    (void)state;
    uint64_t w[10] = {1000000000, 100, 100, 100, 100, 100, 100, 100, 100, 100};
    clip_weights(w, 10); /* three of ten parts: t = 0.3 (t + 900) */
    assert_int_equal(w[0], 385);
    for (int i = 1; i < 10; i++)
        assert_int_equal(w[i], 100);
}

static void nobody_is_above_the_share_and_order_is_kept(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 4, 0);
    for (int k = 0; k < 300; k++) {
        uint64_t w[40], was[40], sum = 0, n_heavy = 0;
        for (int i = 0; i < 40; i++) {
            was[i] = w[i] = rng_below(&r, 4) ? rng_u64(&r) >> (12 + rng_below(&r, 40)) : 0;
            n_heavy += w[i] > 0;
        }
        clip_weights(w, 40);
        for (int i = 0; i < 40; i++)
            sum += w[i];
        double share = 3.0 / (double)n_heavy > 0.1 ? 3.0 / (double)n_heavy : 0.1;
        for (int i = 0; i < 40; i++) {
            assert_true(w[i] <= was[i]);
            assert_true((w[i] > 0) == (was[i] > 0));
            assert_true(n_heavy <= 3 || (double)w[i] <= share * (double)sum + 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_or_fewer_are_left_alone),
        cmocka_unit_test(equal_weights_are_left_alone),
        cmocka_unit_test(a_giant_gets_its_share_and_no_more),
        cmocka_unit_test(nobody_is_above_the_share_and_order_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
