#include <string.h>

#include "app/bench_blas.h"
#include "tests/check.h"

static void bench_blas_of_a_missing_library_is_an_error(void **state)
{
    (void)state;
    struct bench_preset p;
    struct bench_blas_try t = {.library = "/nowhere/libopenblas.so.0", .n_threads = 1};
    struct err e = {0};
    assert_int_equal(bench_preset_find("demo", &p), 0);
    assert_int_equal(bench_blas_measure(&p, &t, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.what, "/nowhere"));
    assert_true(t.gflops == 0);
    assert_string_equal(t.flavour, "");
}

/* Any library that is there but has no sgemm. */
static void bench_blas_of_another_library_is_an_error(void **state)
{
    (void)state;
    struct bench_preset p;
    struct bench_blas_try t = {.library = "libm.so.6", .n_threads = 1};
    assert_int_equal(bench_preset_find("demo", &p), 0);
    assert_int_equal(bench_blas_measure(&p, &t, NULL), ERR_NOTFOUND);
}

static void bench_blas_again_without_a_result_does_nothing(void **state)
{
    (void)state;
    struct bench_preset p;
    struct bench_blas b = {0};
    assert_int_equal(bench_preset_find("demo", &p), 0);
    bench_blas_again(&p, &b);
    assert_int_equal(b.n_tries, 0);
    b.n_tries = 1;
    bench_blas_again(&p, &b);
    assert_true(b.tries[0].gflops == 0);
    assert_string_equal(b.tries[0].fault, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bench_blas_of_a_missing_library_is_an_error),
        cmocka_unit_test(bench_blas_of_another_library_is_an_error),
        cmocka_unit_test(bench_blas_again_without_a_result_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
