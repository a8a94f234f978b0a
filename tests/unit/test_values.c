#include <string.h>

#include "base/rng.h"
#include "engine/values.h"
#include "tests/check.h"

static struct values put;
static struct values get;
static uint8_t out[1 << 16];

static void begin(struct arith *a, uint32_t cols)
{
    values_init(&put);
    values_init(&get);
    values_tensor(&put, cols);
    values_tensor(&get, cols);
    arith_write(a, out, sizeof out);
}

static void turn(struct arith *a)
{
    arith_end(a);
    assert_false(a->bad);
    arith_read(a, out, a->at);
}

static void near_numbers_come_back_far_ones_too(void **state)
{
    (void)state;
    static const uint32_t v[] = {0, 4079, 4078, 4056, 4055, 4031, 4031, 0, 23, 47, 24, 23, 4079, 1};
    struct arith a;
    begin(&a, 1);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        assert_int_equal(values_near(&put.scale, &a, true, 4079, v[i]), v[i]);
    turn(&a);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        assert_int_equal(values_near(&get.scale, &a, false, 4079, 0), v[i]);
    assert_true(arith_at_end(&a));
}

/* A far number that is near has another spelling; a near one may not leave its range. */
static void numbers_have_one_spelling(void **state)
{
    (void)state;
    for (uint32_t wrong = 0; wrong < 3; wrong++) {
        struct arith a;
        begin(&a, 1);
        for (uint32_t i = 0; i < VALUES_NEAR; i++)
            (void)arith_bit(&a, true, &put.scale.away[i], 1);
        uint32_t v = wrong == 0 ? VALUES_NEAR - 1 : wrong == 1 ? 101 : VALUES_NEAR;
        for (uint32_t i = 16; i-- > 0;)
            (void)arith_chance(&a, true, 32768, v >> i & 1);
        turn(&a);
        (void)values_near(&get.scale, &a, false, 100, 0);
        assert_int_equal(a.bad, wrong < 2);
    }
    struct arith a;
    begin(&a, 1);
    (void)arith_bit(&a, true, &put.scale.away[0], 1);
    (void)arith_bit(&a, true, &put.scale.away[1], 0);
    (void)arith_bit(&a, true, &put.scale.side, 1); /* one less than 0 */
    turn(&a);
    (void)values_near(&get.scale, &a, false, 100, 0);
    assert_true(a.bad);
}

static uint32_t sign_bytes(uint32_t cols, bool is_product)
{
    struct rng r;
    struct arith a;
    uint8_t of_col[300];
    uint16_t pos[256];
    rng_init(&r, 7, 0);
    begin(&a, cols);
    for (uint32_t i = 0; i < 300; i++)
        of_col[i] = (uint8_t)rng_below(&r, 2);
    static uint8_t all[40][256];
    for (uint32_t j = 0; j < 40; j++) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t at = j * 1024 + 4 * i;
            pos[i] = (uint16_t)(4 * i);
            uint32_t of_row = at / cols * 2654435761u >> 31;
            all[j][i] = (uint8_t)(is_product ? of_row ^ of_col[at % cols] : rng_below(&r, 2));
        }
        values_signs(&put, &a, true, 1024 * (uint64_t)j, 256, pos, all[j]);
    }
    arith_end(&a);
    uint32_t n_bytes = (uint32_t)a.at;
    arith_read(&a, out, n_bytes);
    for (uint32_t j = 0; j < 40; j++) {
        uint8_t got[256];
        values_signs(&get, &a, false, 1024 * (uint64_t)j, 256, pos, got);
        assert_memory_equal(got, all[j], 256);
    }
    assert_true(arith_at_end(&a));
    return n_bytes;
}

static void signs_of_a_product_of_vectors_are_guessed(void **state)
{
    (void)state;
    /* 40 * 256 signs: 1280 bytes where there is nothing to guess */
    assert_true(sign_bytes(300, false) < 1300);
    assert_true(sign_bytes(300, true) < 400);
    assert_true(sign_bytes(1, false) < 1300);
}

static void sizes_levels_and_ratios_come_back(void **state)
{
    (void)state;
    struct arith a;
    uint8_t size[500];
    uint8_t got[500];
    for (uint32_t i = 0; i < 500; i++)
        size[i] = (uint8_t)(i % 3 == 0 ? 127 : 5 * (i % 2));
    begin(&a, 1);
    values_sizes(&put, &a, true, 500, size);
    (void)values_ratio(&put, &a, true, 15);
    for (uint32_t i = 0; i < 500; i++)
        got[i] = i % 9 == 0;
    values_high(&put, &a, true, 15, 500, got);
    assert_false(values_empty(&put, &a, true, false));
    assert_true(values_empty(&put, &a, true, true));
    turn(&a);
    values_sizes(&get, &a, false, 500, got);
    assert_memory_equal(got, size, 500);
    assert_int_equal(values_ratio(&get, &a, false, 0), 15);
    values_high(&get, &a, false, 15, 500, got);
    for (uint32_t i = 0; i < 500; i++)
        assert_int_equal(got[i], i % 9 == 0);
    assert_false(values_empty(&get, &a, false, true));
    assert_true(values_empty(&get, &a, false, false));
    assert_true(arith_at_end(&a));
    assert_true(a.n < 250); /* three sizes of a chunk: below two bits each */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_numbers_come_back_far_ones_too),
        cmocka_unit_test(numbers_have_one_spelling),
        cmocka_unit_test(signs_of_a_product_of_vectors_are_guessed),
        cmocka_unit_test(sizes_levels_and_ratios_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
