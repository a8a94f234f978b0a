#include <math.h>
#include <string.h>

#include "engine/gemm_ref.h"
#include "tests/layer_case.h"

/* Shapes around tile edges: one tile, ragged tiles, a reduction in several slices. */
static const uint32_t shapes[][3] = {
    {1,   1,   1   },
    {7,   5,   3   },
    {128, 256, 64  },
    {129, 257, 65  },
    {200, 300, 17  },
    {40,  33,  2500},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes, PAD = 3 };

struct product {
    struct gemm_job j;
    float *a, *b, *c;
};

static struct product make(enum gemm_kind kind, const uint32_t s[3], bool add, uint64_t seed)
{
    uint32_t m = s[0];
    uint32_t n = s[1];
    uint32_t k = s[2];
    struct product p = {
        .j = {.kind = kind, .add = add, .m = m, .n = n, .k = k}
    };
    p.j.lda = (kind == GEMM_TN ? m : k) + PAD;
    p.j.ldb = (kind == GEMM_NT ? k : n) + PAD;
    p.j.ldc = n + PAD;
    p.j.a = p.a = case_block((uint64_t)p.j.lda * (kind == GEMM_TN ? k : m), seed, 0, 1);
    p.j.b = p.b = case_block((uint64_t)p.j.ldb * (kind == GEMM_NT ? n : k), seed + 1, 0, 1);
    p.j.c = p.c = case_block((uint64_t)p.j.ldc * m, seed + 2, 0, 1);
    return p;
}

static void unmake(struct product *p)
{
    free(p->a);
    free(p->b);
    free(p->c);
}

static void compare(const struct gemm_job *got, const struct gemm_job *want)
{
    for (uint32_t i = 0; i < got->m; i++)
        for (uint32_t j = 0; j < got->ldc; j++) {
            double off = fabs((double)got->c[(size_t)i * got->ldc + j] -
                              (double)want->c[(size_t)i * got->ldc + j]);
            if (j >= got->n)
                assert_true(off == 0); /* padding untouched */
            else
                assert_true(off < 2e-6 * sqrt(got->k) * 10);
        }
}

static void gemm_matches_the_oracle_for_every_kind_and_shape(void **state)
{
    (void)state;
    struct pool *pool = case_pool(3);
    for (size_t i = 0; i < N_SHAPES; i++)
        for (int kind = GEMM_NT; kind <= GEMM_TN; kind++)
            for (int add = 0; add < 2; add++) {
                struct product x = make((enum gemm_kind)kind, shapes[i], add, 10 * i + 1);
                struct product y = make((enum gemm_kind)kind, shapes[i], add, 10 * i + 1);
                gemm_run(pool, &x.j, 1);
                gemm_ref_small(&y.j, 1);
                compare(&x.j, &y.j);
                unmake(&x);
                unmake(&y);
            }
    pool_destroy(pool);
}

/* Many concurrent calls. On an idle machine OpenBLAS' serial flavour fails this; see decision 3. */
static void gemm_gives_the_same_bits_on_one_to_four_threads(void **state)
{
    (void)state;
    struct pool *one = case_pool(1);
    const uint32_t s[3] = {260, 520, 96};
    int n_again = strcmp(gemm_library(), "reference") ? 15 : 1; /* the oracle is slow under TSan */
    struct product want[2] = {make(GEMM_NT, s, false, 1), make(GEMM_TN, s, true, 2)};
    struct gemm_job want_jobs[2] = {want[0].j, want[1].j};
    gemm_run(one, want_jobs, 2);
    for (uint32_t n_threads = 2; n_threads <= 4; n_threads++) {
        struct pool *pool = case_pool(n_threads);
        for (int again = 0; again < n_again; again++) {
            struct product x[2] = {make(GEMM_NT, s, false, 1), make(GEMM_TN, s, true, 2)};
            struct gemm_job jobs[2] = {x[0].j, x[1].j};
            gemm_run(pool, jobs, 2);
            for (int i = 0; i < 2; i++) {
                assert_memory_equal(x[i].c, want[i].c,
                                    sizeof(float) * x[i].j.ldc * (size_t)x[i].j.m);
                unmake(&x[i]);
            }
        }
        pool_destroy(pool);
    }
    unmake(&want[0]);
    unmake(&want[1]);
    pool_destroy(one);
}

static void gemm_library_is_named(void **state)
{
    (void)state;
    assert_int_equal(gemm_init(NULL), OK);
    assert_true(strlen(gemm_library()) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_matches_the_oracle_for_every_kind_and_shape),
        cmocka_unit_test(gemm_gives_the_same_bits_on_one_to_four_threads),
        cmocka_unit_test(gemm_library_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
