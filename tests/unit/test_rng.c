#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "tests/check.h"

/* xoshiro256** from state {1, 2, 3, 4}: first outputs worked by hand from the definition,
 * rotl(s1 * 5, 7) * 9. s1 = 2 gives rotl(10, 7) * 9 = 11520; after the first step s1 is 0.
 */
static void generator_follows_its_published_definition(void **state)
{
    (void)state;
    struct rng r = {
        {1, 2, 3, 4}
    };
    assert_true(rng_u64(&r) == 11520);
    assert_true(rng_u64(&r) == 0);
    assert_true(rng_u64(&r) == 1509978240);
}

static void same_seed_and_stream_repeat_and_others_differ(void **state)
{
    (void)state;
    struct rng a;
    struct rng b;
    struct rng c;
    struct rng d;
    rng_init(&a, 1, 0);
    rng_init(&b, 1, 0);
    rng_init(&c, 1, 1);
    rng_init(&d, 2, 0);
    uint64_t x = rng_u64(&a);
    assert_true(x == rng_u64(&b));
    assert_true(x != rng_u64(&c));
    assert_true(x != rng_u64(&d));
}

static void saved_state_continues_the_stream(void **state)
{
    (void)state;
    struct rng a;
    rng_init(&a, 7, 7);
    rng_u64(&a);
    struct rng saved = a;
    uint64_t next = rng_u64(&a);
    assert_true(rng_u64(&saved) == next);
}

static void below_stays_below_and_reaches_all(void **state)
{
    (void)state;
    struct rng r;
    unsigned seen[7] = {0};
    rng_init(&r, 3, 0);
    for (int i = 0; i < 7000; i++) {
        uint32_t v = rng_below(&r, 7);
        assert_in_range(v, 0, 6);
        seen[v]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 850, 1150);
    assert_int_equal(rng_below(&r, 1), 0);
}

static void unit_is_in_the_half_open_interval(void **state)
{
    (void)state;
    struct rng r;
    double sum = 0;
    rng_init(&r, 4, 0);
    for (int i = 0; i < 10000; i++) {
        double v = rng_unit(&r);
        assert_true(v >= 0 && v < 1);
        sum += v;
    }
    assert_true(fabs(sum / 10000 - 0.5) < 0.02);
}

static void normal_has_mean_zero_and_variance_one(void **state)
{
    (void)state;
    struct rng r;
    double sum = 0;
    double squares = 0;
    rng_init(&r, 5, 0);
    for (int i = 0; i < 20000; i++) {
        double v = (double)rng_normal(&r);
        sum += v;
        squares += v * v;
    }
    assert_true(fabs(sum / 20000) < 0.03);
    assert_true(fabs(squares / 20000 - 1) < 0.04);
}

static void secure_bytes_fill_the_whole_buffer(void **state)
{
    (void)state;
    uint8_t a[64] = {0};
    uint8_t b[64] = {0};
    static const uint8_t zero[8];
    rng_secure(a, sizeof a);
    rng_secure(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 56, zero, 8);
    rng_secure(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generator_follows_its_published_definition),
        cmocka_unit_test(same_seed_and_stream_repeat_and_others_differ),
        cmocka_unit_test(saved_state_continues_the_stream),
        cmocka_unit_test(below_stays_below_and_reaches_all),
        cmocka_unit_test(unit_is_in_the_half_open_interval),
        cmocka_unit_test(normal_has_mean_zero_and_variance_one),
        cmocka_unit_test(secure_bytes_fill_the_whole_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
