#include <math.h>

#include "tests/layer_case.h"

struct mlp_case {
    struct pool *pool;
    struct layers_dims s;
    float *gu, *act, *c;
};

static struct mlp_case make(void)
{
    struct mlp_case k = {
        .pool = case_pool(2), .s = {.B = 1, .T = 40, .R = 40, .F = 21}
    };
    uint64_t n = (uint64_t)k.s.R * k.s.F;
    k.gu = case_block(2 * n, 1, 0, 2);
    k.act = case_block(n, 2, 0, 0);
    k.c = case_block(n, 3, 0, 1);
    return k;
}

static void unmake(struct mlp_case *k)
{
    pool_destroy(k->pool);
    free(k->gu);
    free(k->act);
    free(k->c);
}

static double loss(void *ctx)
{
    struct mlp_case *k = ctx;
    mlp_forward(k->pool, &k->s, k->gu, k->act);
    return case_sum(k->c, k->act, (uint64_t)k->s.R * k->s.F);
}

static void mlp_is_silu_of_gate_times_up(void **state)
{
    (void)state;
    struct mlp_case k = make();
    loss(&k);
    for (uint32_t r = 0; r < k.s.R; r++)
        for (uint32_t i = 0; i < k.s.F; i++) {
            double g = (double)k.gu[(size_t)r * 2 * k.s.F + i];
            double u = (double)k.gu[(size_t)r * 2 * k.s.F + k.s.F + i];
            assert_true(fabs((double)k.act[r * k.s.F + i] - g / (1 + exp(-g)) * u) < 5e-6);
        }
    unmake(&k);
}

static void mlp_backward_matches_differences(void **state)
{
    (void)state;
    struct mlp_case k = make();
    uint64_t n = (uint64_t)2 * k.s.R * k.s.F;
    float *d_gu = case_block(n, 9, 0, 1);
    float *act = case_block(n / 2, 8, 0, 1);
    mlp_backward(k.pool, &k.s, k.gu, k.c, act, d_gu);
    loss(&k);
    assert_memory_equal(act, k.act, n / 2 * sizeof(float));
    case_gradient("gu", loss, &k, k.gu, d_gu, n);
    free(act);
    free(d_gu);
    unmake(&k);
}

static void mlp_survives_huge_gates(void **state)
{
    (void)state;
    struct mlp_case k = make();
    for (uint32_t i = 0; i < 2 * k.s.F; i++)
        k.gu[i] = i % 2 ? 1e4F : -1e4F;
    loss(&k);
    for (uint32_t i = 0; i < k.s.F; i++)
        assert_true(isfinite(k.act[i]));
    unmake(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mlp_is_silu_of_gate_times_up),
        cmocka_unit_test(mlp_backward_matches_differences),
        cmocka_unit_test(mlp_survives_huge_gates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
