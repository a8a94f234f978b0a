#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "engine/places.h"
#include "tests/check.h"

static struct places put;
static struct places get;
static uint8_t out[1 << 20];

/* n of len places, drawn so that some columns have `times` the chance of others. */
static uint32_t draw(struct rng *r, uint32_t len, uint32_t cols, uint32_t one_in, uint32_t times,
                     uint16_t *pos)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < len; i++) {
        uint32_t odds = i % cols % 7 == 0 && one_in > times ? one_in / times : one_in;
        if (rng_below(r, odds) == 0) pos[n++] = (uint16_t)i;
    }
    return n;
}

static void places_of_every_density_come_back(void **state)
{
    (void)state;
    static const uint32_t cols[] = {1, 3, 64, 100, 256, 4096, 9000, 70000};
    static const uint32_t one_in[] = {1, 2, 3, 9, 64, 1000, 9999};
    struct rng r;
    rng_init(&r, 1, 0);
    places_init(&put);
    places_init(&get);
    for (uint32_t i = 0; i < 8 * 7; i++) {
        struct arith a;
        uint16_t pos[8][4096];
        uint32_t n[8];
        uint32_t len[8];
        places_tensor(&put, cols[i % 8]);
        places_tensor(&get, cols[i % 8]);
        arith_write(&a, out, sizeof out);
        for (uint32_t j = 0; j < 8; j++) {
            len[j] = j == 7 ? 1 + rng_below(&r, 4096) : 4096;
            n[j] = draw(&r, len[j], cols[i % 8], one_in[i / 8], 1 + j % 3, pos[j]);
            places_put(&put, &a, 4096 * (uint64_t)j, len[j], n[j], pos[j]);
        }
        arith_end(&a);
        assert_false(a.bad);
        arith_read(&a, out, a.at);
        for (uint32_t j = 0; j < 8; j++) {
            uint16_t got[4096] = {0};
            places_get(&get, &a, 4096 * (uint64_t)j, len[j], n[j], got);
            assert_memory_equal(got, pos[j], n[j] * sizeof *got);
        }
        assert_true(arith_at_end(&a));
        assert_memory_equal(&put, &get, sizeof put);
    }
}

/* log2(4096 choose 64) / 64: nobody can do better where nothing is to be learnt. */
#define LIMIT 7.364

static double bits_a_place(uint32_t cols, uint32_t times)
{
    struct rng r;
    struct arith a;
    rng_init(&r, 2, 0);
    places_init(&put);
    places_tensor(&put, cols);
    arith_write(&a, out, sizeof out);
    for (uint32_t j = 0; j < 500; j++) {
        uint8_t taken[4096] = {0};
        uint16_t pos[64];
        uint32_t n = 0;
        while (n < 64) { /* exactly 64 */
            uint32_t i = rng_below(&r, 4096);
            if (taken[i] || (i % cols % 7 && rng_below(&r, times))) continue;
            taken[i] = 1;
            n++;
        }
        n = 0;
        for (uint32_t i = 0; i < 4096; i++)
            if (taken[i]) pos[n++] = (uint16_t)i;
        places_put(&put, &a, 4096 * (uint64_t)j, 4096, 64, pos);
    }
    arith_end(&a);
    return 8.0 * (double)a.at / (500 * 64);
}

static void random_places_cost_what_they_must(void **state)
{
    (void)state;
    double bits = bits_a_place(256, 1);
    assert_true(bits > LIMIT && bits < LIMIT * 1.015);
}

static void columns_that_hold_more_are_learnt(void **state)
{
    (void)state;
    /* one column in 7 has ten times the chance: that is worth 0.57 bits */
    assert_true(bits_a_place(256, 10) < LIMIT - 0.4);
}

static void foreign_bytes_give_places_in_range(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 4, 0);
    for (uint32_t round = 0; round < 300; round++) {
        uint8_t in[700];
        uint16_t pos[4096];
        struct arith a;
        uint32_t len = 1 + rng_below(&r, 4096);
        uint32_t n = rng_below(&r, len + 1);
        for (size_t i = 0; i < sizeof in; i++)
            in[i] = (uint8_t)rng_below(&r, 256);
        places_init(&get);
        places_tensor(&get, 1 + rng_below(&r, 5000));
        arith_read(&a, in, rng_below(&r, sizeof in));
        places_get(&get, &a, 0, len, n, pos);
        for (uint32_t i = 0; i < n; i++)
            assert_true(pos[i] < len && (i == 0 || pos[i] > pos[i - 1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_of_every_density_come_back),
        cmocka_unit_test(random_places_cost_what_they_must),
        cmocka_unit_test(columns_that_hold_more_are_learnt),
        cmocka_unit_test(foreign_bytes_give_places_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
