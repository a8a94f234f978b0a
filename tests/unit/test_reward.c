#include <string.h>

#include "base/rng.h"
#include "record/reward.h"
#include "tests/check.h"

static struct reward_share share(uint8_t key, uint64_t n_tokens)
{
    struct reward_share s = {.n_tokens = n_tokens, .amount = 99};
    s.contributor.b[0] = key;
    return s;
}

static void shares_follow_tokens(void **state)
{
    (void)state;
    struct reward_share s[] = {share(1, 100), share(2, 300), share(3, 0)};
    reward_split(1000000, s, 3);
    assert_int_equal(s[0].amount, 250000);
    assert_int_equal(s[1].amount, 750000);
    assert_int_equal(s[2].amount, 0);
}

static void last_units_go_to_the_largest_remainders_then_the_lowest_keys(void **state)
{
    (void)state;
    struct reward_share s[] = {share(9, 1), share(4, 1), share(6, 1)};
    reward_split(8, s, 3); /* 2 each, 2 left */
    assert_int_equal(s[0].amount, 2);
    assert_int_equal(s[1].amount, 3);
    assert_int_equal(s[2].amount, 3);
    struct reward_share t[] = {share(1, 10), share(2, 19), share(3, 1)};
    reward_split(10, t, 3); /* 3.33, 6.33, 0.33: the lowest key wins the tie */
    assert_int_equal(t[0].amount, 4);
    assert_int_equal(t[1].amount, 6);
    assert_int_equal(t[2].amount, 0);
    struct reward_share u[] = {share(1, 10), share(2, 28), share(3, 2)};
    reward_split(10, u, 3); /* 2.5, 7, 0.5 */
    assert_int_equal(u[0].amount, 3);
    assert_int_equal(u[1].amount, 7);
    assert_int_equal(u[2].amount, 0);
}

static void nothing_trained_pays_nothing(void **state)
{
    (void)state;
    struct reward_share s[] = {share(1, 0), share(2, 0)};
    reward_split(1000, s, 2);
    assert_int_equal(s[0].amount, 0);
    assert_int_equal(s[1].amount, 0);
    reward_split(1000, s, 0);
}

static void every_unit_is_paid_even_at_the_largest_numbers(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 1, 0);
    for (int round = 0; round < 500; round++) {
        struct reward_share s[40] = {
            {{{0}}, 0, 0}
        };
        uint32_t n = 1 + rng_below(&r, 40);
        uint64_t emission = rng_u64(&r) >> rng_below(&r, 64);
        for (uint32_t i = 0; i < n; i++)
            s[i] = share((uint8_t)(i * 37), rng_u64(&r) >> rng_below(&r, 64));
        s[0].n_tokens |= 1;
        reward_split(emission, s, n);
        uint64_t sum = 0;
        for (uint32_t i = 0; i < n; i++)
            sum += s[i].amount;
        assert_int_equal(sum, emission);
    }
}

static void the_order_of_lines_does_not_matter(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 2, 0);
    for (int round = 0; round < 200; round++) {
        struct reward_share a[7];
        struct reward_share b[7];
        uint64_t emission = rng_below(&r, 100);
        for (uint32_t i = 0; i < 7; i++)
            b[6 - i] = a[i] = share((uint8_t)(i * 37), 1 + rng_below(&r, 5));
        reward_split(emission, a, 7);
        reward_split(emission, b, 7);
        for (uint32_t i = 0; i < 7; i++)
            assert_int_equal(a[i].amount, b[6 - i].amount);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_follow_tokens),
        cmocka_unit_test(last_units_go_to_the_largest_remainders_then_the_lowest_keys),
        cmocka_unit_test(nothing_trained_pays_nothing),
        cmocka_unit_test(every_unit_is_paid_even_at_the_largest_numbers),
        cmocka_unit_test(the_order_of_lines_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
