#include <math.h>
#include <string.h>

#include "tests/layer_case.h"

enum { T = 40, W = 6, H = 3, K = 1, B = 2 };

static struct layers_dims dims(void)
{
    return (struct layers_dims){
        .B = B, .T = T, .R = B * T, .H = H, .K = K, .W = W, .S = (H + 2 * K) * W};
}

struct rope_case {
    struct pool *pool;
    struct layers_dims s;
    float *table, *x, *turned, *c;
};

static struct rope_case make(void)
{
    struct rope_case k = {.pool = case_pool(2), .s = dims()};
    uint64_t n = (uint64_t)k.s.R * k.s.S;
    k.table = case_block(rope_table_floats(T, W), 1, 0, 0);
    rope_init(k.table, T, W, 10000);
    k.x = case_block(n, 2, 0, 1);
    k.turned = case_block(n, 3, 0, 0);
    k.c = case_block(n, 4, 0, 1);
    return k;
}

static void unmake(struct rope_case *k)
{
    pool_destroy(k->pool);
    free(k->table);
    free(k->x);
    free(k->turned);
    free(k->c);
}

static double loss(void *ctx)
{
    struct rope_case *k = ctx;
    uint64_t n = (uint64_t)k->s.R * k->s.S;
    memcpy(k->turned, k->x, n * sizeof(float));
    rope_forward(k->pool, &k->s, k->table, k->turned);
    return case_sum(k->c, k->turned, n);
}

static void rope_turns_halves_by_the_angle_of_position_and_frequency(void **state)
{
    (void)state;
    struct rope_case k = make();
    loss(&k);
    for (uint32_t r = 0; r < k.s.R; r++)
        for (uint32_t h = 0; h < H + K; h++)
            for (uint32_t i = 0; i < W / 2; i++) {
                double a = (r % T) * pow(10000, -2.0 * i / W);
                const float *x = k.x + (size_t)r * k.s.S + h * W + i;
                const float *y = k.turned + (size_t)r * k.s.S + h * W + i;
                assert_true(fabs((double)y[0] -
                                 ((double)x[0] * cos(a) - (double)x[W / 2] * sin(a))) < 1e-5);
                assert_true(fabs((double)y[W / 2] -
                                 ((double)x[W / 2] * cos(a) + (double)x[0] * sin(a))) < 1e-5);
            }
    unmake(&k);
}

static void rope_leaves_values_alone(void **state)
{
    (void)state;
    struct rope_case k = make();
    loss(&k);
    for (uint32_t r = 0; r < k.s.R; r++)
        assert_memory_equal(k.x + (size_t)r * k.s.S + (H + K) * W,
                            k.turned + (size_t)r * k.s.S + (H + K) * W, K * W * sizeof(float));
    unmake(&k);
}

static void rope_backward_matches_differences(void **state)
{
    (void)state;
    struct rope_case k = make();
    uint64_t n = (uint64_t)k.s.R * k.s.S;
    float *d_x = case_block(n, 9, 0, 0);
    memcpy(d_x, k.c, n * sizeof(float));
    rope_backward(k.pool, &k.s, k.table, d_x);
    case_gradient("x", loss, &k, k.x, d_x, n);
    free(d_x);
    unmake(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rope_turns_halves_by_the_angle_of_position_and_frequency),
        cmocka_unit_test(rope_leaves_values_alone),
        cmocka_unit_test(rope_backward_matches_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
