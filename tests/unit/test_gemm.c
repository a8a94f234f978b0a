#include <string.h>

#include "base/alloc.h"
#include "engine/bf16.h"
#include "engine/gemm_ref.h"
#include "tests/layer_case.h"

/* Shapes around the edges of strips, panels, slices and pieces. */
static const uint32_t shapes[][3] = {
    {1,   1,   1   },
    {7,   5,   3   },
    {8,   48,  2   },
    {17,  49,  33  },
    {66,  97,  64  },
    {129, 32,  65  },
    {40,  33,  2500},
    {300, 200, 18  },
    {280, 70,  500 },
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes, PAD = 3 };

struct product {
    struct gemm_job j;
    void *a, *b, *c, *room;
    size_t c_bytes;
};

/* n numbers as floats or bfloat16. */
static void *numbers(uint64_t n, uint64_t seed, bool is_bf16)
{
    float *x = case_block(n, seed, 0, 1);
    for (uint64_t i = 0; is_bf16 && i < n; i++)
        ((uint16_t *)(void *)x)[i] = bf16_of_float(x[i]);
    return x;
}

/* what: 0 to 3, bits of add (or a bfloat16 C) and a bfloat16 B. */
static struct product make(enum gemm_kind kind, enum micro_type type, const uint32_t s[3], int what,
                           uint64_t seed)
{
    uint32_t m = s[0], n = s[1], k = s[2];
    bool is_bf16 = type == MICRO_BF16;
    struct product p = {
        .j = {.kind = kind, .type = type, .m = m, .n = n, .k = k}
    };
    p.j.is_c_bf16 = is_bf16 && kind != GEMM_TN && !(what & 1);
    p.j.is_b_bf16 = is_bf16 && what & 2;
    p.j.add = what & 1;
    uint32_t pad = seed % 2 ? PAD : PAD + 1;
    p.j.lda = (kind == GEMM_TN ? m : k) + pad;
    p.j.ldb = (kind == GEMM_NT ? k : n) + pad;
    p.j.ldc = n + pad;
    p.j.a = p.a = numbers((uint64_t)p.j.lda * (kind == GEMM_TN ? k : m), seed, is_bf16);
    p.j.b = p.b = numbers((uint64_t)p.j.ldb * (kind == GEMM_NT ? n : k), seed + 1, p.j.is_b_bf16);
    p.j.c = p.c = numbers((uint64_t)p.j.ldc * m, seed + 2, p.j.is_c_bf16);
    p.j.room = p.room = alloc_aligned(gemm_room(type, n, k), 1);
    p.c_bytes = (size_t)p.j.ldc * m * (p.j.is_c_bf16 ? 2 : 4);
    return p;
}

static void unmake(struct product *p)
{
    free(p->a);
    free(p->b);
    free(p->c);
    free(p->room);
}

static void same_as_oracle(struct pool *pool, enum gemm_kind kind, enum micro_type type,
                           const uint32_t s[3], int what, uint64_t seed)
{
    struct product x = make(kind, type, s, what, seed);
    struct product y = make(kind, type, s, what, seed);
    gemm_run(pool, &x.j, 1);
    gemm_ref(&y.j);
    assert_memory_equal(x.c, y.c, x.c_bytes); /* bits, and the padding untouched */
    unmake(&x);
    unmake(&y);
}

static void gemm_has_the_oracles_bits_for_every_kind_type_and_shape(void **state)
{
    (void)state;
    for (uint32_t n_threads = 1; n_threads <= 4; n_threads += 3) {
        struct pool *pool = case_pool(n_threads);
        for (size_t i = 0; i < N_SHAPES; i++)
            for (int kind = GEMM_NT; kind <= GEMM_TN; kind++)
                for (int type = MICRO_F32; type <= MICRO_BF16; type++)
                    for (int what = 0; what < 4; what++)
                        same_as_oracle(pool, (enum gemm_kind)kind, (enum micro_type)type, shapes[i],
                                       what, 10 * i + (uint64_t)what);
        pool_destroy(pool);
    }
}

static void gemm_has_the_oracles_bits_with_every_instruction_set(void **state)
{
    (void)state;
    struct pool *pool = case_pool(2);
    const uint32_t s[3] = {50, 70, 90};
    for (int set = MICRO_C; set < MICRO_SETS; set++) {
        micro_force((enum micro_set)set);
        for (int kind = GEMM_NT; kind <= GEMM_TN; kind++)
            for (int type = MICRO_F32; type <= MICRO_BF16; type++)
                same_as_oracle(pool, (enum gemm_kind)kind, (enum micro_type)type, s, 1, 5);
    }
    micro_force(MICRO_SETS);
    pool_destroy(pool);
}

/* Many jobs at once, again and again: threads decide nothing but who takes which piece. */
static void gemm_gives_the_same_bits_on_one_to_four_threads(void **state)
{
    (void)state;
    const uint32_t s[3] = {260, 520, 96};
    struct product want[2] = {make(GEMM_NT, MICRO_F32, s, 0, 1),
                              make(GEMM_TN, MICRO_BF16, s, 1, 2)};
    for (uint32_t n_threads = 1; n_threads <= 4; n_threads++) {
        struct pool *pool = case_pool(n_threads);
        for (int again = 0; again < 5; again++) {
            struct product x[2] = {make(GEMM_NT, MICRO_F32, s, 0, 1),
                                   make(GEMM_TN, MICRO_BF16, s, 1, 2)};
            struct gemm_job jobs[2] = {x[0].j, x[1].j};
            gemm_run(pool, jobs, 2);
            for (int i = 0; i < 2; i++) {
                if (n_threads == 1 && again == 0) memcpy(want[i].c, x[i].c, x[i].c_bytes);
                assert_memory_equal(x[i].c, want[i].c, x[i].c_bytes);
                unmake(&x[i]);
            }
        }
        pool_destroy(pool);
    }
    unmake(&want[0]);
    unmake(&want[1]);
}

struct seen {
    float *c;
    uint32_t ldc, panel;
};

static void see(void *ctx, uint32_t row, uint32_t m, uint32_t col, uint32_t n, const float *tile,
                uint32_t ld)
{
    const struct seen *s = ctx;
    assert_true(col / s->panel == (col + n - 1) / s->panel);
    for (uint32_t i = 0; i < m; i++)
        memcpy(s->c + (size_t)(row + i) * s->ldc + col, tile + (size_t)i * ld, n * sizeof(float));
}

static void gemm_hands_every_strip_to_who_asks_instead_of_storing_it(void **state)
{
    (void)state;
    struct pool *pool = case_pool(3);
    const uint32_t s[3] = {75, 110, 900};
    for (int type = MICRO_F32; type <= MICRO_BF16; type++) {
        struct product x = make(GEMM_NT, (enum micro_type)type, s, 0, 4);
        struct product y = make(GEMM_NT, (enum micro_type)type, s, 0, 4);
        struct seen seen = {.c = case_block((uint64_t)x.j.ldc * x.j.m, 1, 0, 1), .ldc = x.j.ldc};
        seen.panel = gemm_panel(x.j.n);
        y.j.is_c_bf16 = false;
        y.j.c = case_block((uint64_t)x.j.ldc * x.j.m, 1, 0, 1);
        gemm_ref(&y.j);
        x.j.is_c_bf16 = false;
        x.j.c = NULL;
        x.j.done = see;
        x.j.ctx = &seen;
        gemm_run(pool, &x.j, 1);
        assert_memory_equal(seen.c, y.j.c, sizeof(float) * x.j.ldc * x.j.m);
        free(y.j.c);
        free(seen.c);
        unmake(&x);
        unmake(&y);
    }
    pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_has_the_oracles_bits_for_every_kind_type_and_shape),
        cmocka_unit_test(gemm_has_the_oracles_bits_with_every_instruction_set),
        cmocka_unit_test(gemm_gives_the_same_bits_on_one_to_four_threads),
        cmocka_unit_test(gemm_hands_every_strip_to_who_asks_instead_of_storing_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
