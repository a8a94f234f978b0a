#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "engine/bf16.h"
#include "engine/micro.h"
#include "tests/check.h"

enum { MAX_M = 19, MAX_K = 70, LD = 131, ROOM = MAX_K * LD, PACKED = 5 * (MAX_K + 1) * MICRO_NR };

static const char *const set_names[] = {"c", "avx2", "avx512", "avx512-bf16"};

/* Values of very different sizes, now and then a zero or a denormal. */
static float odd_value(struct rng *r)
{
    uint32_t kind = rng_below(r, 24);
    if (kind == 0) return 0;
    if (kind == 1) return 1e-40F * rng_normal(r);
    float scale = kind < 12 ? 1.0F : kind < 18 ? 1e-18F : 1e10F;
    return rng_normal(r) * scale;
}

static void fill(struct rng *r, enum micro_type type, void *dst, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (type == MICRO_F32)
            ((float *)dst)[i] = odd_value(r);
        else
            ((uint16_t *)dst)[i] = bf16_of_float(odd_value(r));
    }
}

static void same_strip(enum micro_set set, enum micro_type type, struct rng *r)
{
    const struct micro *oracle = micro_of(MICRO_C, type);
    const struct micro *m = micro_of(set, type);
    _Alignas(64) static uint32_t b[MAX_K * MICRO_NR];
    static uint32_t a[ROOM];
    static float in[MAX_M * LD];
    static uint32_t want[MAX_M * LD], got[MAX_M * LD];
    struct micro_strip s = {.a = a,
                            .b = b,
                            .in_ld = LD,
                            .out = want,
                            .out_ld = LD,
                            .m = 1 + rng_below(r, MAX_M),
                            .n = 1 + rng_below(r, MICRO_NR),
                            .k = rng_below(r, MAX_K)};
    s.in = rng_below(r, 2) ? in : NULL;
    s.is_out_bf16 = rng_below(r, 2);
    bool is_packed = rng_below(r, 2);
    s.a_row = is_packed ? 1 : MAX_K;
    s.a_step = is_packed ? MICRO_LANES : 1;
    s.a_block = MICRO_LANES * (size_t)MAX_K;
    uint32_t per_unit = type == MICRO_BF16 ? 2 : 1;
    fill(r, type, a, ROOM * per_unit / 2);
    fill(r, type, b, s.k * micro_width(s.n) * per_unit);
    fill(r, MICRO_F32, in, MAX_M * LD);
    memset(want, 7, sizeof want);
    memset(got, 7, sizeof got);
    oracle->strip(&s);
    s.out = got;
    m->strip(&s);
    assert_memory_equal(want, got, sizeof want); /* and nothing beside C was written */
}

/* One thread at work: the slow thread checker need not see all of it. */
#ifdef __SANITIZE_THREAD__
enum { STRIPS = 300 };
#else
enum { STRIPS = 3000 };
#endif

static void each_strip(enum micro_set set)
{
    struct rng r;
    rng_init(&r, 11, set);
    for (int i = 0; i < STRIPS; i++)
        for (int type = MICRO_F32; type <= MICRO_BF16; type++)
            if (micro_of(set, (enum micro_type)type)) same_strip(set, (enum micro_type)type, &r);
}

static void micro_strips_have_the_oracles_bits(void **state)
{
    (void)state;
    for (int set = MICRO_AVX2; set < MICRO_SETS; set++)
        each_strip((enum micro_set)set);
}

static void same_pack(enum micro_set set, enum micro_type type, struct rng *r)
{
    static float data[ROOM];
    _Alignas(64) static uint32_t want[PACKED], got[PACKED];
    struct micro_source s = {.data = data, .is_k_rows = rng_below(r, 2)};
    s.is_bf16 = type == MICRO_BF16 && rng_below(r, 2);
    s.ld = LD;
    uint32_t w = MICRO_LANES * (1 + rng_below(r, 3));
    uint32_t n = rng_below(r, 3) ? 1 + rng_below(r, 60) : w;
    uint32_t k = 1 + rng_below(r, 50);
    uint32_t k0 = 2 * rng_below(r, 8), j0 = rng_below(r, 4);
    if (n + j0 > 60) j0 = 0;
    fill(r, s.is_bf16 ? MICRO_BF16 : MICRO_F32, data, ROOM);
    memset(want, 1, sizeof want);
    memset(got, 1, sizeof got);
    struct micro_panels to = {.dst = want, .w = w, .stride = (size_t)w * MAX_K + MICRO_LANES};
    micro_of(MICRO_C, type)->pack(&s, k0, k, j0, n, &to);
    to.dst = got;
    micro_of(set, type)->pack(&s, k0, k, j0, n, &to);
    assert_memory_equal(want, got, sizeof want);
}

static void micro_packs_like_the_oracle(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 12, 0);
    for (int i = 0; i < 4000; i++)
        for (int set = MICRO_AVX2; set < MICRO_SETS; set++)
            for (int type = MICRO_F32; type <= MICRO_BF16; type++)
                if (micro_of((enum micro_set)set, (enum micro_type)type))
                    same_pack((enum micro_set)set, (enum micro_type)type, &r);
}

/* The oracle itself, against the definition in double: fma of floats is a product and a sum in
 * double, rounded once, wherever the sum is exact enough; 3 x 5 by hand.
 */
static void micro_oracle_multiplies(void **state)
{
    (void)state;
    _Alignas(64) float b[2 * MICRO_LANES] = {0};
    float a[4] = {1, 2, 3, 4};
    float c[2][3] = {
        {0.5F, 0, 0},
        {0,    0, 0}
    };
    for (int j = 0; j < 3; j++) {
        b[j] = (float)(j + 1);
        b[MICRO_LANES + j] = (float)(10 * (j + 1));
    }
    struct micro_strip s = {.a = a,
                            .a_row = 2,
                            .a_step = 1,
                            .b = b,
                            .in = &c[0][0],
                            .in_ld = 3,
                            .out = c,
                            .out_ld = 3,
                            .m = 2,
                            .n = 3,
                            .k = 2};
    micro_of(MICRO_C, MICRO_F32)->strip(&s);
    const float want[2][3] = {
        {21.5F, 42, 63 },
        {43,    86, 129}
    };
    assert_memory_equal(c, want, sizeof want);
}

static void micro_force_chooses_the_set(void **state)
{
    (void)state;
    micro_force(MICRO_C);
    assert_string_equal(micro_best(MICRO_F32)->name, "c");
    assert_string_equal(micro_best(MICRO_BF16)->name, "c");
    micro_force(MICRO_SETS);
    const struct micro *best = micro_best(MICRO_BF16);
    for (int set = MICRO_C; set < MICRO_SETS; set++)
        if (micro_of((enum micro_set)set, MICRO_BF16))
            assert_true(best == micro_of((enum micro_set)set, MICRO_BF16) || set < MICRO_SETS - 1);
    assert_true(!micro_has_bf16() || strcmp(best->name, set_names[MICRO_AVX512_BF16]) == 0);
}

static void bf16_rounds_to_nearest_even(void **state)
{
    (void)state;
    assert_int_equal(bf16_of_float(1.0F), 0x3f80);
    assert_int_equal(bf16_of_float(0x1.01p0F), 0x3f80);     /* a tie, down to even */
    assert_int_equal(bf16_of_float(0x1.03p0F), 0x3f82);     /* a tie, up to even */
    assert_int_equal(bf16_of_float(0x1.010002p0F), 0x3f81); /* just above a tie */
    assert_int_equal(bf16_of_float(-1e-40F), 0x8000);       /* denormals */
    assert_int_equal(bf16_of_float(3.4e38F), 0x7f80);       /* rounds to infinity */
    assert_true(bf16_to_float(0x4049) == 3.140625F);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(micro_oracle_multiplies),
        cmocka_unit_test(micro_strips_have_the_oracles_bits),
        cmocka_unit_test(micro_packs_like_the_oracle),
        cmocka_unit_test(micro_force_chooses_the_set),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
