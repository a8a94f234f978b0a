#include <math.h>

#include "tests/layer_case.h"

struct norm_case {
    struct pool *pool;
    struct layers_dims s;
    float *x, *w, *unit, *y, *rstd, *c;
};

static struct norm_case make(void)
{
    struct norm_case k = {
        .pool = case_pool(2), .s = {.B = 1, .T = 70, .R = 70, .D = 37}
    };
    uint64_t n = (uint64_t)k.s.R * k.s.D;
    k.x = case_block(n, 1, 0, 1);
    k.w = case_block(k.s.D, 2, 1, 0.3F);
    k.unit = case_block(n, 3, 0, 0);
    k.y = case_block(n, 3, 0, 0);
    k.rstd = case_block(k.s.R, 4, 0, 0);
    k.c = case_block(n, 5, 0, 1);
    return k;
}

static void unmake(struct norm_case *k)
{
    pool_destroy(k->pool);
    free(k->x);
    free(k->w);
    free(k->unit);
    free(k->y);
    free(k->rstd);
    free(k->c);
}

static double loss(void *ctx)
{
    struct norm_case *k = ctx;
    norm_forward(k->pool, &k->s, 1e-5F, k->x, k->w, k->unit, k->y, k->rstd);
    return case_sum(k->c, k->y, (uint64_t)k->s.R * k->s.D);
}

static void norm_gives_rows_of_unit_mean_square(void **state)
{
    (void)state;
    struct norm_case k = make();
    for (uint32_t i = 0; i < k.s.D; i++)
        k.w[i] = 1;
    loss(&k);
    for (uint32_t r = 0; r < k.s.R; r++) {
        double s = case_sum(k.y + r * k.s.D, k.y + r * k.s.D, k.s.D) / k.s.D;
        assert_true(fabs(s - 1) < 1e-3);
    }
    unmake(&k);
}

static void norm_backward_matches_differences_and_adds(void **state)
{
    (void)state;
    struct norm_case k = make();
    uint64_t n = (uint64_t)k.s.R * k.s.D;
    float *d_x = case_block(n, 6, 0, 0);
    float *d_w = case_block(k.s.D, 6, 0, 0);
    float *part = case_block(norm_scratch(&k.s), 6, 0, 0);
    loss(&k);
    norm_backward(k.pool, &k.s, k.unit, k.w, k.rstd, k.c, d_x, NULL, d_w, part);
    case_gradient("x", loss, &k, k.x, d_x, n);
    case_gradient("w", loss, &k, k.w, d_w, k.s.D);
    float before = d_x[5];
    float before_w = d_w[5];
    loss(&k);
    norm_backward(k.pool, &k.s, k.unit, k.w, k.rstd, k.c, d_x, NULL, d_w, part);
    assert_true(fabsf(d_x[5] - 2 * before) <= 1e-6F);
    assert_true(fabsf(d_w[5] - 2 * before_w) <= 1e-4F);
    free(d_x);
    free(d_w);
    free(part);
    unmake(&k);
}

static void norm_again_repeats_the_forward_bits(void **state)
{
    (void)state;
    struct norm_case k = make();
    size_t n = (size_t)k.s.R * k.s.D;
    float *again = case_block(n, 9, 0, 1);
    loss(&k);
    norm_again(k.pool, &k.s, k.unit, k.w, again);
    assert_memory_equal(again, k.y, n * sizeof(float));
    free(again);
    unmake(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norm_gives_rows_of_unit_mean_square),
        cmocka_unit_test(norm_backward_matches_differences_and_adds),
        cmocka_unit_test(norm_again_repeats_the_forward_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
