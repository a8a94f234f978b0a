#include <math.h>
#include <string.h>

#include "tests/layer_case.h"

enum { R = 50, D = 9, V = 40 };

static struct layers_dims dims(void)
{
    return (struct layers_dims){.B = 1, .T = R, .R = R, .D = D, .V = V};
}

static void draw(uint32_t *tokens)
{
    struct rng r;
    rng_init(&r, 7, 0);
    for (int i = 0; i < R; i++)
        tokens[i] = rng_below(&r, V / 4) * 4; /* several rows share an id, most ids are absent */
}

static void embed_forward_copies_the_row_of_each_token(void **state)
{
    (void)state;
    struct pool *p = case_pool(2);
    struct layers_dims s = dims();
    uint32_t tokens[R];
    draw(tokens);
    float *table = case_block((uint64_t)V * D, 1, 0, 1);
    float *x = case_block((uint64_t)R * D, 2, 0, 1);
    embed_forward(p, &s, tokens, table, x);
    for (int i = 0; i < R; i++)
        assert_memory_equal(x + i * D, table + tokens[i] * D, D * sizeof(float));
    pool_destroy(p);
    free(table);
    free(x);
}

static void embed_backward_adds_each_row_to_its_token(void **state)
{
    (void)state;
    struct pool *p = case_pool(2);
    struct layers_dims s = dims();
    uint32_t tokens[R];
    draw(tokens);
    float *d_x = case_block((uint64_t)R * D, 1, 0, 1);
    float *got = case_block((uint64_t)V * D, 2, 0, 1);
    float *want = case_block((uint64_t)V * D, 2, 0, 1);
    embed_backward(p, &s, tokens, d_x, got);
    for (int i = 0; i < R; i++)
        for (int k = 0; k < D; k++)
            want[tokens[i] * D + (uint32_t)k] += d_x[i * D + k];
    assert_memory_equal(got, want, sizeof(float) * V * D);
    pool_destroy(p);
    free(d_x);
    free(got);
    free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embed_forward_copies_the_row_of_each_token),
        cmocka_unit_test(embed_backward_adds_each_row_to_its_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
