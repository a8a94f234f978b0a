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
                                     .most_ahead = UINT32_MAX,
                                     .host_cores = 1,
                                     .decode_bytes_per_s = CONTROLLER_DECODE_BYTES_PER_S};
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
                                     .most_ahead = UINT32_MAX,
                                     .host_cores = 64,
                                     .decode_bytes_per_s = CONTROLLER_DECODE_BYTES_PER_S};
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
                assert_true(more.wait_frac > r.wait_frac);
            }
}

/* engine/delta on 4,877,568 weights of heavy-tailed noise, eight contributors: 83,548, 412,195 and
 * 1,076,719 bytes a contribution at 64, 512 and 4096 of 4096; updates of 495,690, 1,719,851 and
 * 3,268,843 bytes.
 */
static void sizes_are_those_that_were_measured(void **state)
{
    (void)state;
    static const struct {
        uint32_t k;
        double up, down;
    } seen[] = {
        {64,   83548,   495690 },
        {512,  412195,  1719851},
        {4096, 1076719, 3268843}
    };
    struct controller_facts f = home_5m();
    f.n_params = 4877568;
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
        struct controller_round r = controller_cost(&f, 5, seen[i].k);
        assert_true((double)r.up_bytes > seen[i].up * 0.97 &&
                    (double)r.up_bytes < seen[i].up * 1.1);
        assert_true((double)r.down_bytes > seen[i].down * 0.97 &&
                    (double)r.down_bytes < seen[i].down * 1.1);
    }
}

/* What a coordinate moves in a round when each contributor's own moves by 1: senders times what they
 * kept, over the denominator. 1 is the plain mean.
 */
static void sparse_updates_are_as_long_as_the_mean(void **state)
{
    (void)state;
    struct controller_facts f = home_5m();
    for (f.n_contributors = 8; f.n_contributors <= 256; f.n_contributors *= 2)
        for (uint32_t k = 64; k <= 4096; k *= 2) {
            double p = k / 4096.0;
            double kept = 0;
            for (double one = 1, i = 0; i < 1 / p; i++, one *= 0.95)
                kept += one;
            double m = controller_cost(&f, 5, k).min_senders;
            double gain = f.n_contributors * p * kept / m;
            assert_true(m >= 2 && m <= f.n_contributors);
            assert_true(gain > 0.99 && gain < 1.01);
        }
    f.n_contributors = 1;
    assert_true(controller_cost(&f, 5, 64).min_senders >= 1);
}

static void steps_ahead_hide_the_exchange(void **state)
{
    (void)state;
    struct controller_facts f = home_5m();
    struct controller_round ahead = controller_choose(&f);
    f.most_ahead = 0;
    struct controller_round waiting = controller_choose(&f);
    assert_true(ahead.ahead_steps > 0);
    assert_true(ahead.ahead_steps <= ahead.inner_steps / 3);
    assert_int_equal(waiting.ahead_steps, 0);
    assert_true(ahead.hidden_s > 0 && waiting.hidden_s == 0);
    assert_true(ahead.inner_steps < waiting.inner_steps);
}

/* Whoever reads updates slowly is waited for as one with a slow link. */
static void a_slow_reader_makes_rounds_longer(void **state)
{
    (void)state;
    struct controller_facts f = home_5m();
    struct controller_round fast = controller_choose(&f);
    f.decode_bytes_per_s = 1e4;
    struct controller_round slow = controller_choose(&f);
    assert_true(slow.inner_steps > fast.inner_steps);
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
        cmocka_unit_test(sparse_updates_are_as_long_as_the_mean),
        cmocka_unit_test(steps_ahead_hide_the_exchange),
        cmocka_unit_test(a_slow_reader_makes_rounds_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
