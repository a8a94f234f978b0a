#include "base/alloc.h"
#include "base/buf.h"
#include "base/rng.h"
#include "record/overlap.h"
#include "tests/check.h"

#define N 16384 /* 256 chunks, of which 48 are drawn */

static struct model_tensor tensors[2] = {
    {.name = "n", .rows = 64,  .cols = 1,   .offset = 0,  .n = 64},
    {.name = "a", .rows = 128, .cols = 128, .offset = 64, .n = N },
};
static const struct model_table table = {.n_tensors = 2, .n_params = 64 + N, .tensors = tensors};
static const struct delta_params params = {64, 8};
static const struct hash seed = {
    {3, 1, 4}
};

static void sketch(const float *v, struct overlap_sketch *ret)
{
    struct buf b = {0};
    assert_int_equal(delta_pack(&table, &params, DELTA_CONTRIBUTION, v, NULL, &b, NULL, NULL), OK);
    assert_int_equal(overlap_take(&table, &params, &seed, b.p, b.len, ret, NULL), OK);
    buf_deinit(&b);
}

static void draw(uint64_t s, float *v)
{
    struct rng r;
    rng_init(&r, s, 0);
    for (int i = 0; i < 64 + N; i++)
        v[i] = rng_normal(&r);
}

static float a[64 + N], b[64 + N];
static struct overlap_sketch x, y;

static void the_same_work_overlaps_wholly_and_its_negative_not_at_all(void **state)
{
    (void)state;
    draw(1, a);
    sketch(a, &x);
    assert_int_equal(x.n_values, OVERLAP_CHUNKS * 8);
    assert_int_equal(overlap_millionths(&x, &x), 1000000);
    for (int i = 0; i < 64 + N; i++)
        b[i] = -a[i];
    sketch(b, &y);
    assert_int_equal(overlap_millionths(&x, &y), 0);
}

static void strangers_share_what_chance_gives(void **state)
{
    (void)state;
    draw(1, a);
    draw(2, b);
    sketch(a, &x);
    sketch(b, &y);
    assert_true(overlap_millionths(&x, &y) < 150000); /* 8 of 64, half the signs: 6 % */
}

static void a_few_changed_values_do_not_hide_a_copy(void **state)
{
    (void)state;
    struct rng r;
    draw(1, a);
    rng_init(&r, 9, 0);
    for (int i = 0; i < 64 + N; i++)
        b[i] = (rng_below(&r, 20) ? a[i] : -a[i]) * 1.01F;
    sketch(a, &x);
    sketch(b, &y);
    assert_in_range(overlap_millionths(&x, &y), 900000, 999999);
}

static void nothing_sent_is_like_nothing(void **state)
{
    (void)state;
    static const float none[64 + N];
    draw(1, a);
    sketch(a, &x);
    sketch(none, &y);
    assert_int_equal(y.n_values, 0);
    assert_int_equal(overlap_millionths(&x, &y), 0);
}

static void damage_and_lack_of_memory_are_told(void **state)
{
    (void)state;
    struct buf p = {0};
    struct err e = {0};
    draw(1, a);
    assert_int_equal(delta_pack(&table, &params, DELTA_CONTRIBUTION, a, NULL, &p, NULL, NULL), OK);
    assert_int_equal(overlap_take(&table, &params, &seed, p.p, 40, &x, &e), ERR_PROTO);
    alloc_fail_nth(1);
    assert_int_equal(overlap_take(&table, &params, &seed, p.p, p.len, &x, &e), ERR_NOMEM);
    alloc_fail_nth(0);
    buf_deinit(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_work_overlaps_wholly_and_its_negative_not_at_all),
        cmocka_unit_test(strangers_share_what_chance_gives),
        cmocka_unit_test(a_few_changed_values_do_not_hide_a_copy),
        cmocka_unit_test(nothing_sent_is_like_nothing),
        cmocka_unit_test(damage_and_lack_of_memory_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
