#include <math.h>
#include <string.h>

#include "engine/matvec.h"
#include "engine/micro.h"
#include "tests/layer_case.h"

enum { MAX_ROWS = 1500, MAX_COLS = 301 };

struct case_ {
    float *w, *x, *y, *again;
};

static struct case_ make(void)
{
    return (struct case_){
        .w = case_block((uint64_t)MAX_ROWS * MAX_COLS, 1, 0, 1),
        .x = case_block(MAX_COLS, 2, 0, 1),
        .y = case_block(MAX_ROWS, 3, 0, 1),
        .again = case_block(MAX_ROWS, 3, 0, 1),
    };
}

static void unmake(struct case_ *k)
{
    free(k->w);
    free(k->x);
    free(k->y);
    free(k->again);
}

static void matvec_rows_agrees_with_plain_double_arithmetic(void **state)
{
    (void)state;
    static const uint32_t cols[] = {1, 2, 15, 16, 17, 31, 33, 64, 301};
    struct case_ k = make();
    for (size_t c = 0; c < sizeof cols / sizeof *cols; c++) {
        for (uint32_t rows = 0; rows < 11; rows++) {
            matvec_rows(k.y, k.w, k.x, rows, cols[c], false);
            for (uint32_t r = 0; r < rows; r++) {
                double sum = case_sum(k.w + (size_t)r * cols[c], k.x, cols[c]);
                assert_true(fabs(sum - (double)k.y[r]) < 1e-6 * (cols[c] + 1));
            }
        }
    }
    unmake(&k);
}

static void matvec_rows_writes_its_rows_and_no_more(void **state)
{
    (void)state;
    struct case_ k = make();
    k.y[7] = 42;
    matvec_rows(k.y, k.w, k.x, 7, 33, false);
    assert_true(k.y[7] == 42);
    unmake(&k);
}

static void matvec_rows_adds_when_asked(void **state)
{
    (void)state;
    struct case_ k = make();
    matvec_rows(k.y, k.w, k.x, 9, 33, false);
    memset(k.again, 0, 9 * sizeof(float));
    k.again[8] = 1000;
    matvec_rows(k.again, k.w, k.x, 9, 33, true);
    assert_memory_equal(k.y, k.again, 8 * sizeof(float));
    assert_true(k.again[8] == 1000 + k.y[8]);
    unmake(&k);
}

/* A row's bits do not depend on its neighbours: alone, in a group of four, and at any alignment. */
static void matvec_rows_gives_a_row_the_same_bits_everywhere(void **state)
{
    (void)state;
    struct case_ k = make();
    for (uint32_t cols = 1; cols <= MAX_COLS; cols += 37) {
        matvec_rows(k.y, k.w, k.x, 23, cols, false);
        for (uint32_t r = 0; r < 23; r++) {
            matvec_rows(k.again, k.w + (size_t)r * cols, k.x, 1, cols, false);
            assert_memory_equal(&k.y[r], k.again, sizeof(float));
        }
    }
    unmake(&k);
}

/* The sums as documented, element by element: what every instruction set must give. */
static float by_hand(const float *w, const float *x, uint32_t n)
{
    float s[64] = {0};
    uint32_t wide = n / 64 * 64; /* in 64 sums; the rest in the first 16 of them */
    for (uint32_t i = 0; i < n / 16 * 16; i++)
        s[i < wide ? i % 64 : i % 16] += w[i] * x[i];
    for (int i = 0; i < 16; i++)
        s[i] = (s[i] + s[32 + i]) + (s[16 + i] + s[48 + i]);
    for (uint32_t i = n / 16 * 16; i < n; i++) /* what is less than 16 comes last */
        s[i % 16] += w[i] * x[i];
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++)
            s[i] += s[i + half];
    return s[0];
}

static void matvec_rows_gives_the_documented_bits(void **state)
{
    (void)state;
    struct case_ k = make();
    for (uint32_t i = 0; i < 11 * MICRO_SETS; i++) {
        uint32_t cols = 1 + i / MICRO_SETS * 30;
        micro_force((enum micro_set)(i % MICRO_SETS));
        matvec_rows(k.y, k.w, k.x, 6, cols, false);
        micro_force(MICRO_SETS);
        for (uint32_t r = 0; r < 6; r++) {
            float want = by_hand(k.w + (size_t)r * cols, k.x, cols);
            assert_memory_equal(&k.y[r], &want, sizeof want);
        }
    }
    unmake(&k);
}

static void matvec_run_gives_the_same_bits_on_any_number_of_threads(void **state)
{
    (void)state;
    struct case_ k = make();
    matvec_rows(k.y, k.w, k.x, MAX_ROWS, MAX_COLS, false);
    for (uint32_t n_threads = 1; n_threads <= 4; n_threads++) {
        struct pool *p = case_pool(n_threads);
        memset(k.again, 0, MAX_ROWS * sizeof(float));
        assert_int_equal(pool_begin(p), OK);
        matvec_run(p, k.again, k.w, k.x, MAX_ROWS, MAX_COLS, true);
        assert_memory_equal(k.y, k.again, MAX_ROWS * sizeof(float));
        pool_destroy(p);
    }
    unmake(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matvec_rows_agrees_with_plain_double_arithmetic),
        cmocka_unit_test(matvec_rows_writes_its_rows_and_no_more),
        cmocka_unit_test(matvec_rows_adds_when_asked),
        cmocka_unit_test(matvec_rows_gives_a_row_the_same_bits_everywhere),
        cmocka_unit_test(matvec_rows_gives_the_documented_bits),
        cmocka_unit_test(matvec_run_gives_the_same_bits_on_any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
