#include "net/backoff.h"
#include "tests/check.h"

static void backoff_doubles_within_half_and_full_delay(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, 1000, 60000, 7);
    uint32_t d = 1000;
    for (int i = 0; i < 20; i++) {
        uint32_t wait = backoff_next_ms(&b, 0);
        assert_in_range(wait, d / 2, d);
        d = d * 2 < 60000 ? d * 2 : 60000;
    }
}

static void backoff_starts_small_again_after_progress(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, 1000, 60000, 7);
    for (int i = 0; i < 10; i++)
        assert_true(backoff_next_ms(&b, 0) > 0);
    backoff_progress(&b);
    assert_in_range(backoff_next_ms(&b, 0), 500, 1000);
}

static void backoff_same_seed_waits_the_same_other_seed_does_not(void **state)
{
    (void)state;
    struct backoff a;
    struct backoff b;
    struct backoff c;
    backoff_init(&a, 1000, 60000, 1);
    backoff_init(&b, 1000, 60000, 1);
    backoff_init(&c, 1000, 60000, 2);
    int n_other = 0;
    for (int i = 0; i < 10; i++) {
        uint32_t wait = backoff_next_ms(&a, 0);
        assert_int_equal(wait, backoff_next_ms(&b, 0));
        n_other += wait != backoff_next_ms(&c, 0);
    }
    assert_true(n_other > 5);
}

static void backoff_retry_after_is_obeyed_within_reason(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, 1000, 60000, 7);
    assert_int_equal(backoff_next_ms(&b, 5000), 5000);
    assert_in_range(backoff_next_ms(&b, 10), 1000, 2000);
    assert_int_equal(backoff_next_ms(&b, UINT32_MAX), 600000);
}

static void backoff_never_overflows(void **state)
{
    (void)state;
    struct backoff b;
    backoff_init(&b, UINT32_MAX, UINT32_MAX, 7);
    for (int i = 0; i < 100; i++)
        assert_true(backoff_next_ms(&b, 0) >= UINT32_MAX / 2);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(backoff_doubles_within_half_and_full_delay),
        cmocka_unit_test(backoff_starts_small_again_after_progress),
        cmocka_unit_test(backoff_same_seed_waits_the_same_other_seed_does_not),
        cmocka_unit_test(backoff_retry_after_is_obeyed_within_reason),
        cmocka_unit_test(backoff_never_overflows),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
