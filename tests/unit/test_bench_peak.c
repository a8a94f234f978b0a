#include <string.h>

#include "app/bench_peak.h"
#include "base/alloc.h"
#include "tests/check.h"

static void bench_peak_measures_what_any_processor_can_do(void **state)
{
    (void)state;
    struct pool *p = NULL;
    const char *isa = NULL;
    assert_int_equal(pool_create(1, &p, NULL), OK);
    double fp32 = bench_peak(p, BENCH_FP32, &isa);
    assert_true(fp32 > 0.01 && fp32 < 1e5);
    assert_non_null(isa);
    double bf16 = bench_peak(p, BENCH_BF16, NULL);
    assert_true(bf16 >= 0 && bf16 < 1e5);
    pool_destroy(p);
}

static void bench_peak_of_bf16_is_nothing_without_the_instruction(void **state)
{
    (void)state;
    char isas[128];
    struct pool *p = NULL;
    const char *isa = "untouched";
    bench_peak_isas(isas, sizeof isas);
    assert_int_equal(pool_create(1, &p, NULL), OK);
    double bf16 = bench_peak(p, BENCH_BF16, &isa);
    if (strstr(isas, "BF16")) {
        assert_true(bf16 > 0);
        assert_string_equal(isa, "512-bit VDPBF16PS");
    } else {
        assert_true(bf16 == 0);
        assert_string_equal(isa, "untouched");
    }
    pool_destroy(p);
}

static void bench_peak_triad_moves_memory(void **state)
{
    (void)state;
    struct pool *p = NULL;
    double rate = 0;
    assert_int_equal(pool_create(2, &p, NULL), OK);
    assert_int_equal(bench_peak_triad(p, 1u << 20, &rate, NULL), OK);
    assert_true(rate > 0.01 && rate < 1e5);
    assert_int_equal(bench_peak_read(p, 1u << 20, &rate, NULL), OK);
    assert_true(rate > 0.01 && rate < 1e5);
    pool_destroy(p);
}

static void bench_peak_triad_without_memory_says_so(void **state)
{
    (void)state;
    struct pool *p = NULL;
    struct err e = {0};
    double rate = 7;
    assert_int_equal(pool_create(1, &p, NULL), OK);
    for (uint64_t k = 1; k <= 3; k++) {
        alloc_fail_nth(k);
        assert_int_equal(bench_peak_triad(p, 1u << 16, &rate, &e), ERR_NOMEM);
    }
    alloc_fail_nth(1);
    assert_int_equal(bench_peak_read(p, 1u << 16, &rate, &e), ERR_NOMEM);
    alloc_fail_nth(0);
    assert_true(rate == 7);
    assert_true(e.what[0] != 0);
    pool_destroy(p);
}

static void bench_peak_isas_never_overruns(void **state)
{
    (void)state;
    char all[128];
    char few[8];
    assert_true(strlen(bench_peak_isas(all, sizeof all)) > 0);
    assert_true(strlen(bench_peak_isas(few, sizeof few)) < sizeof few);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bench_peak_measures_what_any_processor_can_do),
        cmocka_unit_test(bench_peak_of_bf16_is_nothing_without_the_instruction),
        cmocka_unit_test(bench_peak_triad_moves_memory),
        cmocka_unit_test(bench_peak_triad_without_memory_says_so),
        cmocka_unit_test(bench_peak_isas_never_overruns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
