#include <string.h>

#include "engine/budget.h"
#include "engine/model_pass.h"
#include "tests/check.h"

static const struct model_config config = {
    .vocab_size = 4096,
    .hidden_size = 256,
    .intermediate_size = 688,
    .num_hidden_layers = 6,
    .num_attention_heads = 8,
    .num_key_value_heads = 4,
    .max_position_embeddings = 256,
    .rms_norm_eps = 1e-5,
    .rope_theta = 10000,
    .initializer_range = 0.02,
    .tie_word_embeddings = true,
};
static const struct train_params params = {.seq_len = 256, .batch_seqs = 8};

static void budget_counts_the_same_parameters_as_the_table(void **state)
{
    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        struct model_table t = {0};
        struct model_config c = config;
        struct budget b;
        c.tie_word_embeddings = tied;
        assert_int_equal(model_table_init(&t, &c, NULL), OK);
        budget_plan(&c, &params, &(struct trainer_options){.n_threads = 2}, &b);
        assert_int_equal(b.bytes[BUDGET_WEIGHTS], 2 * 4 * t.n_params);
        assert_int_equal(b.bytes[BUDGET_GRADIENTS], 4 * t.n_params);
        assert_int_equal(b.bytes[BUDGET_MOMENTS], 8 * t.n_params);
        assert_int_equal(b.bytes[BUDGET_FEEDBACK], 4 * t.n_params);
        model_table_deinit(&t);
    }
}

static void budget_for_evaluation_holds_weights_and_activations_only(void **state)
{
    (void)state;
    struct budget train;
    struct budget eval;
    budget_plan(&config, &params, &(struct trainer_options){.n_threads = 2}, &train);
    budget_plan(&config, &params, &(struct trainer_options){.n_threads = 2, .eval_only = true},
                &eval);
    assert_int_equal(eval.bytes[BUDGET_WEIGHTS] * 2, train.bytes[BUDGET_WEIGHTS]);
    assert_int_equal(eval.bytes[BUDGET_MOMENTS] + eval.bytes[BUDGET_GRADIENTS], 0);
    assert_true(eval.bytes[BUDGET_ACTIVATIONS] < train.bytes[BUDGET_ACTIVATIONS] / 2);
}

/* 6 flops for each of the weights that multiply, and 6 * 6 * 256 * 256 for attention. */
static void budget_counts_flops_as_the_speed_figures_do(void **state)
{
    (void)state;
    struct budget b;
    budget_plan(&config, &params, &(struct trainer_options){.n_threads = 1}, &b);
    uint64_t layer = 2 * 256 * 256 + 2 * 128 * 256 + 3 * 688 * 256;
    assert_int_equal(b.flops_per_token, 6 * (6 * layer + 4096 * 256) + 6ull * 6 * 256 * 256);
}

static void budget_text_names_each_kind_and_the_sum(void **state)
{
    (void)state;
    struct budget b;
    char text[200];
    char small[20];
    budget_plan(&config, &params, &(struct trainer_options){.n_threads = 1}, &b);
    budget_text(&b, text, sizeof text);
    assert_non_null(strstr(text, "weights 41."));
    assert_non_null(strstr(text, "moments"));
    assert_non_null(strstr(text, "MiB in all"));
    assert_true(strlen(budget_text(&b, small, sizeof small)) < sizeof small);
}

static void budget_that_does_not_fit_is_refused_with_both_figures(void **state)
{
    (void)state;
    struct budget b;
    struct err e = {0};
    budget_plan(&config, &params, &(struct trainer_options){.n_threads = 1}, &b);
    assert_int_equal(budget_check(&b, b.total_bytes + (64u << 20), &e), OK);
    assert_int_equal(budget_check(&b, 0, &e), OK); /* not known */
    assert_int_equal(budget_check(&b, b.total_bytes - 1, &e), ERR_NOMEM);
    assert_non_null(strstr(e.what, "MiB of memory, "));
    assert_non_null(strstr(e.what, "MiB is available"));
    assert_non_null(strstr(e.what, "(weights 41.2 MiB, "));
    assert_non_null(strstr(e.hint, "smaller"));
    b.total_bytes = UINT64_MAX;
    assert_int_equal(budget_check(&b, UINT64_MAX - 1, &e), ERR_NOMEM);
}

static void budget_bytes_are_said_in_their_unit(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(budget_bytes(0, text, sizeof text), "0.0 MiB");
    assert_string_equal(budget_bytes(1u << 29, text, sizeof text), "512.0 MiB");
    assert_string_equal(budget_bytes(7ull << 29, text, sizeof text), "3.5 GiB");
}

static void budget_of_an_absurd_model_does_not_wrap(void **state)
{
    (void)state;
    struct model_config c = config;
    struct train_params p = {.seq_len = 65536, .batch_seqs = 1};
    struct budget b;
    c.hidden_size = 32768;
    c.intermediate_size = 131072;
    c.num_hidden_layers = 512;
    c.max_position_embeddings = 65536;
    budget_plan(&c, &p, &(struct trainer_options){.n_threads = 64}, &b);
    assert_true(b.total_bytes > 1ull << 45);
}

static void budget_knows_what_each_memory_option_saves(void **state)
{
    (void)state;
    struct budget all, b;
    budget_plan(&config, &params, &(struct trainer_options){.n_threads = 2}, &all);
    uint64_t n = all.bytes[BUDGET_GRADIENTS] / 4;
    assert_int_equal(budget_param_bytes(&all), 24 * n);
    budget_plan(&config, &params,
                &(struct trainer_options){.n_threads = 2, .moments = PACKED_BF16, .is_solo = true},
                &b);
    assert_int_equal(budget_param_bytes(&b), 12 * n);
    assert_int_equal(b.bytes[BUDGET_FEEDBACK], 0);
    budget_plan(
        &config, &params,
        &(struct trainer_options){.n_threads = 2, .moments = PACKED_Q8, .feedback = PACKED_BF16},
        &b);
    assert_int_equal(budget_param_bytes(&b), 14 * n + 2 * packed_bytes(PACKED_Q8, n));
    budget_plan(&config, &params, &(struct trainer_options){.n_threads = 2, .recompute = true}, &b);
    assert_int_equal(budget_param_bytes(&b), 24 * n);
    assert_true(b.bytes[BUDGET_ACTIVATIONS] < all.bytes[BUDGET_ACTIVATIONS] * 2 / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budget_counts_the_same_parameters_as_the_table),
        cmocka_unit_test(budget_for_evaluation_holds_weights_and_activations_only),
        cmocka_unit_test(budget_counts_flops_as_the_speed_figures_do),
        cmocka_unit_test(budget_text_names_each_kind_and_the_sum),
        cmocka_unit_test(budget_that_does_not_fit_is_refused_with_both_figures),
        cmocka_unit_test(budget_bytes_are_said_in_their_unit),
        cmocka_unit_test(budget_of_an_absurd_model_does_not_wrap),
        cmocka_unit_test(budget_knows_what_each_memory_option_saves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
