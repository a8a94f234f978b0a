#include <math.h>

#include "app/bench_preset.h"
#include "engine/budget.h"
#include "tests/check.h"

static void bench_preset_knows_the_sizes_by_name(void **state)
{
    (void)state;
    struct bench_preset p = {0};
    assert_int_equal(bench_preset_find("M", &p), 0);
    assert_string_equal(p.name, "M");
    assert_int_equal(p.model.hidden_size, 512);
    assert_int_equal(p.model.vocab_size, 32768);
    assert_int_equal(p.train.seq_len, 512);
    assert_int_equal(p.train.batch_seqs, 4);
    p.name = "kept";
    assert_int_equal(bench_preset_find("m", &p), -1);
    assert_int_equal(bench_preset_find("", &p), -1);
    assert_string_equal(p.name, "kept");
}

static void bench_preset_sizes_are_all_models_that_can_be_made(void **state)
{
    (void)state;
    for (size_t i = 0; i < bench_preset_count(); i++) {
        struct bench_preset p = bench_preset_at(i);
        struct err e = {0};
        assert_int_equal(model_config_check(&p.model, &e), OK);
        assert_true(p.train.seq_len <= p.model.max_position_embeddings);
    }
}

/* Three products of 2 flops for each weight that multiplies: budget.h's count without attention. */
static void bench_preset_products_are_the_flops_of_the_budget(void **state)
{
    (void)state;
    for (size_t i = 0; i < bench_preset_count(); i++) {
        struct bench_preset p = bench_preset_at(i);
        struct bench_product list[BENCH_PRODUCTS];
        struct budget b;
        double flops = 0;
        bench_preset_products(&p, list);
        for (int k = 0; k < BENCH_PRODUCTS; k++)
            flops += list[k].flops;
        budget_plan(&p.model, &p.train, &(struct trainer_options){.n_threads = 1}, &b);
        double attention = 6.0 * p.model.num_hidden_layers * p.train.seq_len * p.model.hidden_size;
        assert_true(flops == (double)b.flops_per_token - attention);
    }
}

static void bench_preset_products_fit_together(void **state)
{
    (void)state;
    struct bench_preset p;
    struct bench_product list[BENCH_PRODUCTS];
    assert_int_equal(bench_preset_find("demo", &p), 0);
    bench_preset_products(&p, list);
    assert_int_equal(list[0].m, 512); /* 4 x 128 rows, fewer than BENCH_ROWS */
    assert_int_equal(list[0].n, 512); /* q 256, k 128, v 128 */
    assert_int_equal(list[0].k, 256);
    for (int i = 0; i < BENCH_PRODUCTS; i += 3) {
        assert_int_equal(list[i].kind, BENCH_NT);
        assert_int_equal(list[i + 1].kind, BENCH_NN);
        assert_int_equal(list[i + 2].kind, BENCH_TN);
        for (int k = 1; k < 3; k++) /* the same three sides, so the same work */
            assert_true((double)list[i].m * list[i].n * list[i].k ==
                        (double)list[i + k].m * list[i + k].n * list[i + k].k);
    }
}

static void bench_preset_rate_is_flops_over_time(void **state)
{
    (void)state;
    struct bench_product list[BENCH_PRODUCTS] = {{0}};
    double rates[BENCH_PRODUCTS];
    for (int i = 0; i < BENCH_PRODUCTS; i++) {
        list[i].flops = i ? 0 : 100;
        rates[i] = 50;
    }
    assert_true(bench_preset_rate(list, rates) == 50);
    list[1].flops = 100;
    rates[1] = 100; /* 2 s for 100, 1 s for 100 */
    assert_true(fabs(bench_preset_rate(list, rates) - 200.0 / 3) < 1e-9);
    rates[7] = 0;
    assert_true(bench_preset_rate(list, rates) == 0);
}

static void bench_preset_median_is_the_one_in_the_middle(void **state)
{
    (void)state;
    double x[] = {5, 1, 9};
    double y[] = {4, 3, 2, 1};
    double z[] = {7};
    assert_true(bench_preset_median(x, 3) == 5);
    assert_true(x[2] == 9);
    assert_true(bench_preset_median(y, 4) == 2);
    assert_true(bench_preset_median(z, 1) == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bench_preset_knows_the_sizes_by_name),
        cmocka_unit_test(bench_preset_sizes_are_all_models_that_can_be_made),
        cmocka_unit_test(bench_preset_products_are_the_flops_of_the_budget),
        cmocka_unit_test(bench_preset_products_fit_together),
        cmocka_unit_test(bench_preset_rate_is_flops_over_time),
        cmocka_unit_test(bench_preset_median_is_the_one_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
