#include <string.h>

#include "base/rng.h"
#include "engine/outer.h"
#include "tests/check.h"

static struct model_tensor tensors[2] = {
    {.name = "a", .rows = 20, .cols = 20, .offset = 0,   .n = 400},
    {.name = "n", .rows = 20, .cols = 1,  .offset = 400, .n = 20 },
};
static const struct model_table table = {.n_tensors = 2, .n_params = 420, .tensors = tensors};
static const struct delta_params params = {64, 8};
#define N 420

static void draw(uint64_t seed, float *v)
{
    struct rng r;
    rng_init(&r, seed, 0);
    for (int i = 0; i < N; i++)
        v[i] = rng_normal(&r);
}

static void accumulate_decays_and_adds_the_way_from_base_to_local(void **state)
{
    (void)state;
    const float base[3] = {1, 2, 3};
    const float local[3] = {0.5F, 2.5F, 3};
    float acc[3] = {10, 20, 40};
    outer_accumulate(0.5F, base, local, acc, 3);
    assert_true(acc[0] == 5.5F && acc[1] == 9.5F && acc[2] == 20);
}

static void a_returned_payload_restores_the_error_feedback(void **state)
{
    (void)state;
    float v[N];
    float residual[N];
    struct buf b = {0};
    draw(1, v);
    assert_int_equal(delta_pack(&table, &params, DELTA_CONTRIBUTION, v, residual, &b, NULL, NULL),
                     OK);
    assert_int_equal(outer_return(&table, &params, b.p, b.len, residual, NULL), OK);
    for (int i = 0; i < N; i++)
        assert_true(residual[i] - v[i] < 1e-6F && v[i] - residual[i] < 1e-6F);
    buf_deinit(&b);
}

static void apply_moves_base_against_the_update_with_one_rounding_each(void **state)
{
    (void)state;
    float v[N];
    float base[N];
    float want[N];
    struct buf b = {0};
    struct delta_reader r;
    struct delta_chunk c;
    draw(2, v);
    draw(3, base);
    memcpy(want, base, sizeof want);
    assert_int_equal(delta_pack(&table, &params, DELTA_UPDATE, v, NULL, &b, NULL, NULL), OK);
    assert_int_equal(delta_reader_init(&r, &table, &params, DELTA_UPDATE, b.p, b.len, NULL), OK);
    while (delta_reader_next(&r, &c, NULL) == OK)
        for (uint32_t i = 0; i < c.n; i++) {
            volatile float step = 0.65F * c.value[i];
            want[c.start + c.pos[i]] = want[c.start + c.pos[i]] - step;
        }
    assert_int_equal(outer_apply(&table, &params, 0.65F, b.p, b.len, base, NULL), OK);
    assert_memory_equal(base, want, sizeof base);
    buf_deinit(&b);
}

static void a_broken_update_changes_no_weight(void **state)
{
    (void)state;
    float v[N];
    float base[N];
    float before[N];
    struct buf b = {0};
    struct err e = {0};
    draw(2, v);
    draw(3, base);
    memcpy(before, base, sizeof before);
    assert_int_equal(delta_pack(&table, &params, DELTA_UPDATE, v, NULL, &b, NULL, NULL), OK);
    assert_int_equal(outer_apply(&table, &params, 1, b.p, b.len - 1, base, &e), ERR_PROTO);
    assert_memory_equal(base, before, sizeof base);
    assert_int_equal(outer_return(&table, &params, b.p, b.len, base, &e), ERR_PROTO);
    assert_memory_equal(base, before, sizeof base);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accumulate_decays_and_adds_the_way_from_base_to_local),
        cmocka_unit_test(a_returned_payload_restores_the_error_feedback),
        cmocka_unit_test(apply_moves_base_against_the_update_with_one_rounding_each),
        cmocka_unit_test(a_broken_update_changes_no_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
