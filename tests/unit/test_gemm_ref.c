#include "engine/gemm_ref.h"
#include "tests/check.h"

/* A = [1 2 3; 4 5 6], B = [1 0; 2 1; 0 3], AB = [5 11; 14 23] */
static const float a[6] = {1, 2, 3, 4, 5, 6};
static const float a_t[6] = {1, 4, 2, 5, 3, 6};
static const float b[6] = {1, 0, 2, 1, 0, 3};
static const float b_t[6] = {1, 2, 0, 0, 1, 3};
static const float ab[4] = {5, 11, 14, 23};

static struct gemm_job job(enum gemm_kind kind, float *c)
{
    struct gemm_job j = {.kind = kind, .m = 2, .n = 2, .k = 3, .c = c, .ldc = 2};
    j.a = kind == GEMM_TN ? a_t : a;
    j.lda = kind == GEMM_TN ? 2 : 3;
    j.b = kind == GEMM_NT ? b_t : b;
    j.ldb = kind == GEMM_NT ? 3 : 2;
    return j;
}

static void gemm_ref_multiplies_in_all_three_kinds(void **state)
{
    (void)state;
    for (int kind = GEMM_NT; kind <= GEMM_TN; kind++) {
        float c[4] = {9, 9, 9, 9};
        struct gemm_job j = job((enum gemm_kind)kind, c);
        gemm_ref(&j);
        assert_memory_equal(c, ab, sizeof ab);
    }
}

static void gemm_ref_adds(void **state)
{
    (void)state;
    for (int kind = GEMM_NT; kind <= GEMM_TN; kind++) {
        float c[4] = {1, 1, 1, 1};
        struct gemm_job j = job((enum gemm_kind)kind, c);
        j.add = true;
        gemm_ref(&j);
        for (int i = 0; i < 4; i++)
            assert_true(c[i] == 1 + ab[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_ref_multiplies_in_all_three_kinds),
        cmocka_unit_test(gemm_ref_adds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
