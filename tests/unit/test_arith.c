#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "engine/arith.h"
#include "tests/check.h"

static uint8_t out[1 << 16];

/* Decisions of many kinds: by a context, by a given chance, by a tree. */
static void code(struct arith *a, bool is_put, uint64_t seed, uint32_t *v, uint32_t n)
{
    struct rng r;
    struct arith_ctx c[3];
    struct arith_ctx tree[32];
    rng_init(&r, seed, 0);
    arith_fresh(c, 3);
    arith_fresh(tree, 32);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t chance = 1 + rng_below(&r, 65535);
        if (i % 3 == 0)
            v[i] = arith_bit(a, is_put, &c[i % 2], v[i] & 1);
        else if (i % 3 == 1)
            v[i] = arith_chance(a, is_put, chance, v[i] & 1);
        else
            v[i] = arith_tree(a, is_put, tree, 5, v[i] & 31);
    }
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 1, 0);
    for (uint64_t round = 0; round < 400; round++) {
        uint32_t v[300];
        uint32_t got[300] = {0};
        uint32_t n = rng_below(&r, 300);
        uint32_t odds = 1 + rng_below(&r, 20);
        for (uint32_t i = 0; i < n; i++)
            v[i] = rng_below(&r, odds) ? 0 : rng_below(&r, 32);
        struct arith a;
        arith_write(&a, out, sizeof out);
        code(&a, true, round, v, n);
        arith_end(&a);
        assert_false(a.bad);
        struct arith b;
        arith_read(&b, out, a.at);
        code(&b, false, round, got, n);
        assert_memory_equal(v, got, n * sizeof *v);
        assert_true(arith_at_end(&b));
    }
}

/* All streams of up to two bytes, read as five decisions of uneven chances. Each list of decisions
 * whose stream is that short must come from exactly one of them, and from the one that is written.
 */
static void a_list_of_decisions_has_one_stream(void **state)
{
    (void)state;
    static const uint32_t chances[5] = {65000, 32768, 9000, 40000, 300};
    uint32_t seen[32] = {0};
    for (uint32_t s = 0; s < 1 + 256 + 65536; s++) {
        uint32_t len = s == 0 ? 0 : s <= 256 ? 1 : 2;
        uint8_t in[2] = {(uint8_t)(len == 1 ? s - 1 : (s - 257) >> 8), (uint8_t)(s - 257)};
        struct arith a;
        arith_read(&a, in, len);
        uint32_t list = 0;
        for (uint32_t i = 0; i < 5; i++)
            list = 2 * list + arith_chance(&a, false, chances[i], 0);
        if (!arith_at_end(&a)) continue;
        seen[list]++;
        arith_write(&a, out, sizeof out);
        for (uint32_t i = 0; i < 5; i++)
            (void)arith_chance(&a, true, chances[i], list >> (4 - i) & 1);
        arith_end(&a);
        assert_int_equal(a.at, len);
        assert_memory_equal(out, in, len);
    }
    uint32_t n_seen = 0;
    for (uint32_t i = 0; i < 32; i++) {
        assert_true(seen[i] <= 1);
        n_seen += seen[i];
    }
    assert_true(n_seen > 24); /* the others are rare, and need a third byte */
}

static void changed_streams_mean_something_else_or_are_refused(void **state)
{
    (void)state;
    uint32_t v[200];
    uint8_t in[4096];
    for (uint32_t i = 0; i < 200; i++)
        v[i] = i * 7 % 32;
    struct arith a;
    arith_write(&a, out, sizeof out);
    code(&a, true, 5, v, 200);
    arith_end(&a);
    size_t len = a.at;
    uint32_t want[200];
    memcpy(want, v, sizeof v);
    for (size_t n = 0; n <= len + 4; n++) { /* cut, or with zeros behind */
        if (n == len) continue;
        memset(in, 0, sizeof in);
        memcpy(in, out, n < len ? n : len);
        arith_read(&a, in, n);
        code(&a, false, 5, v, 200);
        assert_true(!arith_at_end(&a) || memcmp(v, want, sizeof v) != 0);
        assert_true(n < len || !arith_at_end(&a));
    }
    for (size_t bit = 0; bit < 8 * len; bit++) {
        memcpy(in, out, len);
        in[bit / 8] ^= (uint8_t)(1u << bit % 8);
        arith_read(&a, in, len);
        code(&a, false, 5, v, 200);
        assert_true(!arith_at_end(&a) || memcmp(v, want, sizeof v) != 0);
    }
}

static void carries_run_through_all_that_is_written(void **state)
{
    (void)state;
    /* Always the upper end of what is left: bytes of 255, until the last decision tips them over. */
    struct arith a;
    arith_write(&a, out, sizeof out);
    for (uint32_t i = 0; i < 100; i++)
        (void)arith_chance(&a, true, 65535, 0);
    (void)arith_chance(&a, true, 1, 0);
    arith_end(&a);
    struct arith b;
    arith_read(&b, out, a.at);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(arith_chance(&b, false, 65535, 1), 0);
    assert_int_equal(arith_chance(&b, false, 1, 1), 0);
    assert_true(arith_at_end(&b));
}

static void contexts_learn_what_is_common(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, 0);
    struct arith a;
    struct arith_ctx c = ARITH_FRESH;
    arith_write(&a, out, sizeof out);
    uint32_t ones = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t bit = rng_below(&r, 10) == 0;
        ones += bit;
        (void)arith_bit(&a, true, &c, bit);
    }
    double p = ones / 20000.0;
    double entropy = 20000 * (-p * log2(p) - (1 - p) * log2(1 - p));
    assert_true(fabs(arith_bits(&a) / entropy - 1) < 0.01);
    double bits = arith_bits(&a);
    arith_end(&a);
    assert_true(fabs((double)a.at * 8 - bits) <= 16);
}

static void too_little_room_is_said(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 40; cap++) {
        uint8_t small[48];
        memset(small, 77, sizeof small);
        struct arith a;
        arith_write(&a, small, cap);
        for (uint32_t i = 0; i < 400; i++)
            (void)arith_chance(&a, true, 32768, i % 2);
        arith_end(&a);
        assert_true(a.bad && a.at <= cap);
        assert_int_equal(small[cap], 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_list_of_decisions_has_one_stream),
        cmocka_unit_test(changed_streams_mean_something_else_or_are_refused),
        cmocka_unit_test(carries_run_through_all_that_is_written),
        cmocka_unit_test(contexts_learn_what_is_common),
        cmocka_unit_test(too_little_room_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
