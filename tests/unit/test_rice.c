#include <string.h>

#include "base/rng.h"
#include "engine/rice.h"
#include "tests/check.h"

static struct rice_sink sink;

static struct rice_source written(void)
{
    rice_pad(&sink);
    return (struct rice_source){.p = sink.bytes, .n = sink.len};
}

static void bits_come_back_in_the_order_they_were_put(void **state)
{
    (void)state;
    memset(&sink, 0, sizeof sink);
    rice_put(&sink, 5, 3);
    rice_put(&sink, 0xdeadbeefu, 32);
    rice_put(&sink, 0, 0);
    rice_put(&sink, 0xfff, 7);
    struct rice_source s = written();
    assert_int_equal(s.n, 6);
    assert_int_equal(rice_get(&s, 3), 5);
    assert_int_equal(rice_get(&s, 32), 0xdeadbeefu);
    assert_int_equal(rice_get(&s, 7), 0x7f);
    assert_true(rice_at_end(&s));
    assert_int_equal(rice_get(&s, 7), 0);
    assert_true(s.bad);
}

/* Each place below len is taken with the chance p_in_64k. */
static uint32_t draw(struct rng *r, uint32_t len, uint32_t p_in_64k, uint16_t *pos)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < len; i++)
        if (rng_below(r, 65536) < p_in_64k) pos[n++] = (uint16_t)i;
    if (n == 0) pos[n++] = (uint16_t)rng_below(r, len);
    return n;
}

static void positions_of_any_density_come_back(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 1, 0);
    for (int round = 0; round < 400; round++) {
        uint16_t pos[4096];
        uint16_t got[4096];
        uint32_t len = 1 + rng_below(&r, 4096);
        uint32_t n = draw(&r, len, 1u << rng_below(&r, 17), pos);
        memset(&sink, 0, sizeof sink);
        rice_put(&sink, 1, 1 + rng_below(&r, 9));
        unsigned skip = sink.n_acc;
        uint64_t bits = rice_put_positions(&sink, pos, n);
        assert_int_equal(sink.len * 8 + sink.n_acc, skip + bits);
        assert_true(bits <= len + 4); /* never longer than a bitmap and the parameter */
        struct rice_source s = written();
        (void)rice_get(&s, skip);
        assert_int_equal(rice_get_positions(&s, n, len, got, NULL), OK);
        assert_memory_equal(pos, got, n * sizeof *pos);
        assert_true(rice_at_end(&s));
    }
}

static void the_parameter_is_the_cheapest_of_all(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 7, 0);
    for (int round = 0; round < 300; round++) {
        uint16_t pos[4096];
        uint32_t n = draw(&r, 4096, 1u << rng_below(&r, 17), pos);
        uint64_t bits = 0;
        unsigned best = rice_best(pos, n, &bits);
        for (unsigned k = 0; k <= RICE_MAX_PARAM; k++) {
            uint64_t cost = 0;
            for (uint32_t i = 0; i < n; i++)
                cost += ((pos[i] - (i ? pos[i - 1] + 1u : 0u)) >> k) + k + 1;
            assert_true(k < best ? cost > bits : k == best ? cost == bits : cost >= bits);
        }
    }
}

static void far_lonely_positions_cost_few_bits(void **state)
{
    (void)state;
    uint16_t pos[1] = {4095};
    uint64_t bits = 0;
    (void)rice_best(pos, 1, &bits);
    assert_true(bits <= 13);
}

static void worse_parameters_are_refused(void **state)
{
    (void)state;
    uint16_t pos[1] = {7};
    uint16_t got[1];
    uint64_t bits = 0;
    unsigned best = rice_best(pos, 1, &bits);
    for (unsigned k = 0; k <= 15; k++) {
        memset(&sink, 0, sizeof sink);
        rice_put(&sink, k, 4);
        for (uint32_t q = 7u >> k; q > 0; q--)
            rice_put(&sink, 1, 1);
        rice_put(&sink, 0, 1);
        rice_put(&sink, 7, k);
        struct rice_source s = written();
        int rc = rice_get_positions(&s, 1, 4096, got, NULL);
        assert_int_equal(rc, k == best ? OK : ERR_PROTO);
    }
}

static void positions_past_the_end_are_refused(void **state)
{
    (void)state;
    uint16_t pos[3] = {1, 5, 99};
    uint16_t got[3];
    memset(&sink, 0, sizeof sink);
    (void)rice_put_positions(&sink, pos, 3);
    struct rice_source s = written();
    assert_int_equal(rice_get_positions(&s, 3, 99, got, NULL), ERR_PROTO);
    s.at = 0;
    assert_int_equal(rice_get_positions(&s, 3, 100, got, NULL), OK);
}

static void bytes_of_ones_end_with_an_error_not_a_loop(void **state)
{
    (void)state;
    uint8_t ones[600];
    uint16_t got[64];
    memset(ones, 0xff, sizeof ones);
    for (unsigned k = 0; k < 16; k++) {
        ones[0] = (uint8_t)(0xf0 | k);
        struct rice_source s = {.p = ones, .n = sizeof ones};
        assert_int_equal(rice_get_positions(&s, 64, 4096, got, NULL), ERR_PROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_come_back_in_the_order_they_were_put),
        cmocka_unit_test(positions_of_any_density_come_back),
        cmocka_unit_test(the_parameter_is_the_cheapest_of_all),
        cmocka_unit_test(far_lonely_positions_cost_few_bits),
        cmocka_unit_test(worse_parameters_are_refused),
        cmocka_unit_test(positions_past_the_end_are_refused),
        cmocka_unit_test(bytes_of_ones_end_with_an_error_not_a_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
