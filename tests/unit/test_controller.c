#include "record/controller.h"
#include "tests/check.h"

#define BILLION UINT64_C(1000000000)

/* Five million weights on a laptop, eight of them, on an ordinary home link. */
static struct controller_facts home_5m(void)
{
    return (struct controller_facts){.n_params = 5000000,
                                     .step_tokens = 4096,
                                     .n_contributors = 8,
                                     .tok_per_s = controller_home_speed(5000000),
                                     .up_mbit = 20,
                                     .down_mbit = 100,
                                     .rtt_ms = 80,
                                     .host_cores = 1};
}

/* The largest known run: 70 contributors with eight accelerators each. */
static struct controller_facts large_72b(void)
{
    return (struct controller_facts){.n_params = 72 * BILLION,
                                     .step_tokens = UINT64_C(192) * 2048,
                                     .n_contributors = 70,
                                     .tok_per_s = 9830,
                                     .up_mbit = 110,
                                     .down_mbit = 500,
                                     .rtt_ms = 80,
                                     .host_cores = 64};
}

static void a_small_model_at_home_exchanges_nearly_every_step(void **state)
{
    (void)state;
    struct controller_facts f = home_5m();
    struct controller_round r = controller_choose(&f);
    assert_in_range(r.inner_steps, 1, 5);
    assert_true(r.wait_frac <= CONTROLLER_WAIT);
}

static void a_large_model_exchanges_as_seldom_as_is_good_for_it(void **state)
{
    (void)state;
    struct controller_facts f = large_72b();
    struct controller_round r = controller_choose(&f);
    assert_true(r.inner_steps >= CONTROLLER_DRIFT);
    assert_int_equal(r.k, CONTROLLER_K_MIN);
}

static void a_better_link_never_makes_rounds_longer(void **state)
{
    (void)state;
    static const double mbit[] = {0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 300, 1000, 10000};
    struct controller_facts f = home_5m();
    uint32_t before = CONTROLLER_MOST;
    for (size_t i = 0; i < sizeof mbit / sizeof *mbit; i++) {
        f.up_mbit = mbit[i];
        f.down_mbit = 5 * mbit[i];
        struct controller_round r = controller_choose(&f);
        assert_in_range(r.inner_steps, 1, before);
        before = r.inner_steps;
    }
}

static void a_longer_way_never_makes_rounds_shorter(void **state)
{
    (void)state;
    struct controller_facts f = home_5m();
    uint32_t before = 1;
    for (f.rtt_ms = 0; f.rtt_ms < 3000; f.rtt_ms += 50) {
        struct controller_round r = controller_choose(&f);
        assert_in_range(r.inner_steps, before, CONTROLLER_MOST);
        before = r.inner_steps;
    }
}

static void a_faster_machine_takes_more_steps_between_exchanges(void **state)
{
    (void)state;
    struct controller_facts f = home_5m();
    uint32_t before = 1;
    for (f.tok_per_s = 10; f.tok_per_s < 1e6; f.tok_per_s *= 1.5) {
        struct controller_round r = controller_choose(&f);
        assert_in_range(r.inner_steps, before, CONTROLLER_MOST);
        before = r.inner_steps;
    }
}

static void more_contributors_never_make_rounds_shorter(void **state)
{
    (void)state;
    struct controller_facts f = home_5m();
    uint32_t before = 1;
    for (f.n_contributors = 1; f.n_contributors <= 1024; f.n_contributors *= 2) {
        struct controller_round r = controller_choose(&f);
        assert_in_range(r.inner_steps, before, CONTROLLER_MOST);
        before = r.inner_steps;
    }
}

/* Over everything that a run may be: bounds hold, and no denser form would have fitted. */
static void the_choice_is_in_bounds_and_as_dense_as_fits(void **state)
{
    (void)state;
    for (uint64_t n = 1000; n < 1000 * BILLION; n *= 37)
        for (double mbit = 0.01; mbit < 1e5; mbit *= 23)
            for (double speed = 0.1; speed < 1e8; speed *= 190) {
                struct controller_facts f = home_5m();
                f.n_params = n;
                f.up_mbit = f.down_mbit = mbit;
                f.tok_per_s = speed;
                struct controller_round r = controller_choose(&f);
                assert_in_range(r.inner_steps, 1, CONTROLLER_MOST);
                assert_in_range(r.k, CONTROLLER_K_MIN, CONTROLLER_K_MAX);
                assert_true(r.wait_frac >= 0 && r.wait_frac < 1);
                if (r.k == CONTROLLER_K_MAX) continue;
                struct controller_round more = controller_cost(&f, r.inner_steps, 2 * r.k);
                assert_true(more.wait_frac > CONTROLLER_WAIT);
            }
}

/* 504,672 weights were packed by engine/delta: 10,853 and 52,100 bytes a contribution at 64 and 512
 * of 4096, and updates of eight contributors of 90,640 and 362,076 (tests/bench/swarm).
 */
static void sizes_are_those_that_were_measured(void **state)
{
    (void)state;
    struct controller_facts f = home_5m();
    f.n_params = 504672;
    struct controller_round sparse = controller_cost(&f, 5, 64);
    struct controller_round dense = controller_cost(&f, 5, 512);
    assert_in_range(sparse.up_bytes, 9000, 11500);
    assert_in_range(dense.up_bytes, 48000, 55000);
    assert_in_range(sparse.down_bytes, 85000, 100000);
    assert_in_range(dense.down_bytes, 340000, 410000);
}

static void all_values_need_no_positions(void **state)
{
    (void)state;
    struct controller_facts f = home_5m();
    f.n_params = 4096;
    struct controller_round r = controller_cost(&f, 1, CONTROLLER_CHUNK);
    assert_int_equal(r.up_bytes, 4096 * 9 / 32);
    assert_int_equal(r.down_bytes, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_model_at_home_exchanges_nearly_every_step),
        cmocka_unit_test(a_large_model_exchanges_as_seldom_as_is_good_for_it),
        cmocka_unit_test(a_better_link_never_makes_rounds_longer),
        cmocka_unit_test(a_longer_way_never_makes_rounds_shorter),
        cmocka_unit_test(a_faster_machine_takes_more_steps_between_exchanges),
        cmocka_unit_test(more_contributors_never_make_rounds_shorter),
        cmocka_unit_test(the_choice_is_in_bounds_and_as_dense_as_fits),
        cmocka_unit_test(sizes_are_those_that_were_measured),
        cmocka_unit_test(all_values_need_no_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
