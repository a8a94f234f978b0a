#include "app/bench_data.h"
#include "app/bench_engine.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/model.h"
#include "tests/unit/scratch.h"

/* A model that trains in a blink, on made-up text. */
static struct bench_engine_options tiny(const char *dir)
{
    struct bench_engine_options o = {
        .n_threads = 1, .n_steps = 5, .data = dir, .without_blas = true, .seed = 3};
    struct buf text = {0};
    for (int i = 0; i < 400; i++)
        buf_printf(&text, "pot number %d of soup is for guest %d.\n", i, i * 7);
    assert_int_equal(bench_data_make(text.p, text.len, 300, dir, NULL), OK);
    buf_deinit(&text);
    assert_int_equal(bench_preset_find("demo", &o.preset), 0);
    o.preset.model.hidden_size = 32;
    o.preset.model.intermediate_size = 48;
    o.preset.model.num_hidden_layers = 1;
    o.preset.model.vocab_size = 320;
    o.preset.train.seq_len = 16;
    o.preset.train.batch_seqs = 2;
    return o;
}

static void bench_engine_fills_every_field(void **state)
{
    (void)state;
    char dir[PATH_CAP];
    struct err e = {0};
    struct bench_engine *r = alloc_zero(1, sizeof *r);
    scratch_make(dir);
    struct bench_engine_options o = tiny(dir);
    o.moments = PACKED_BF16;
    o.recompute = o.is_solo = true;
    assert_int_equal(bench_engine_run(&o, r, &e), OK);
    assert_int_equal(r->n_steps, 5);
    assert_true(r->tok_per_s > 0 && r->best_tok_per_s >= r->tok_per_s);
    assert_true(r->gflops > 0 && r->peak_gflops > r->gflops);
    assert_true(r->rss_bytes > 1000000 && r->budget_bytes > 0);
    assert_true(r->losses[0] > 5 && r->losses[0] < 6.5); /* log 320 is 5.8 */
    assert_true(r->cpu_share > 0 && r->cpu_share < 1.5);
    assert_false(r->has_blas);
    struct buf out = {0};
    json_t *j = NULL;
    assert_int_equal(bench_engine_json(r, true, &out, &e), OK);
    assert_int_equal(json_parse(out.p, out.len - 1, &j, &e), OK);
    struct json_reader in = {.e = &e};
    assert_true(json_real_in(&in, j, "tokens_per_s", 0, 1e9) == r->tok_per_s);
    assert_true(json_real_in(&in, j, "fraction_of_peak", 0, 1) > 0);
    assert_true(json_real_in(&in, j, "bytes_per_param", 0, 100) == 12);
    assert_string_equal(json_string_value(json_object_get(j, "moments")), "bf16");
    assert_string_equal(json_string_value(json_object_get(j, "feedback")), "fp32");
    assert_true(json_is_true(json_object_get(j, "recompute")));
    assert_true(json_is_true(json_object_get(j, "solo")));
    assert_int_equal(json_array_size(json_array_in(&in, j, "losses", 5)), 5);
    assert_true(json_is_null(json_object_get(j, "sgemm_gflops"))); /* not measured: not a number */
    assert_false(json_bad(&in));
    json_decref(j);
    buf_clear(&out);
    bench_engine_text(r, &out);
    assert_non_null(strstr(buf_str(&out), "tokens/s"));
    assert_null(strstr(buf_str(&out), "nan"));
    buf_deinit(&out);
    free(r);
    scratch_remove(dir);
}

static void bench_engine_writes_weights_and_tokens_as_it_uses_them(void **state)
{
    (void)state;
    char dir[PATH_CAP];
    char weights[PATH_CAP];
    char tokens[PATH_CAP];
    struct bench_engine *r = alloc_zero(1, sizeof *r);
    struct buf got = {0};
    scratch_make(dir);
    struct bench_engine_options o = tiny(dir);
    assert_int_equal(path_format(weights, "%s/weights", dir), 0);
    assert_int_equal(path_format(tokens, "%s/tokens", dir), 0);
    o.weights = weights;
    o.tokens = tokens;
    assert_int_equal(bench_engine_run(&o, r, NULL), OK);
    struct model_table t = {0};
    assert_int_equal(model_table_init(&t, &o.preset.model, NULL), OK);
    float *want = alloc_zero(t.n_params, sizeof *want);
    model_init_weights(&t, &o.preset.model, 3, want);
    assert_int_equal(file_read(weights, 1u << 24, &got, NULL), OK);
    assert_int_equal(got.len, t.n_params * sizeof(float));
    assert_memory_equal(got.p, want, got.len);
    buf_clear(&got);
    assert_int_equal(file_read(tokens, 1u << 24, &got, NULL), OK);
    assert_int_equal(got.len, 5 * 2 * 17 * sizeof(uint32_t));
    struct bench_data d;
    uint32_t third[2 * 17];
    assert_int_equal(bench_data_open(dir, 320, 16, &d, NULL), OK);
    assert_int_equal(bench_data_batch(&d, 3, 4, 2, third, NULL), OK);
    assert_memory_equal(got.p + 2 * sizeof third, third, sizeof third);
    bench_data_close(&d);
    buf_deinit(&got);
    model_table_deinit(&t);
    free(want);
    free(r);
    scratch_remove(dir);
}

static void bench_engine_says_what_it_cannot_do(void **state)
{
    (void)state;
    char dir[PATH_CAP];
    struct err e = {0};
    struct bench_engine *r = alloc_zero(1, sizeof *r);
    scratch_make(dir);
    struct bench_engine_options o = tiny(dir);
    o.weights = "/nowhere/weights";
    assert_int_equal(bench_engine_run(&o, r, &e), ERR_IO);
    o.weights = NULL;
    o.tokens = "/nowhere/tokens";
    assert_int_equal(bench_engine_run(&o, r, &e), ERR_IO);
    o.tokens = NULL;
    o.data = "/nowhere";
    assert_int_equal(bench_engine_run(&o, r, &e), ERR_NOTFOUND);
    free(r);
    scratch_remove(dir);
}

static void bench_engine_stops_when_its_time_is_up(void **state)
{
    (void)state;
    char dir[PATH_CAP];
    struct bench_engine *r = alloc_zero(1, sizeof *r);
    scratch_make(dir);
    struct bench_engine_options o = tiny(dir);
    o.n_steps = BENCH_ENGINE_STEPS;
    o.most_ms = 1;
    assert_int_equal(bench_engine_run(&o, r, NULL), OK);
    assert_true(r->n_steps >= 2 && r->n_steps < BENCH_ENGINE_STEPS);
    free(r);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bench_engine_fills_every_field),
        cmocka_unit_test(bench_engine_writes_weights_and_tokens_as_it_uses_them),
        cmocka_unit_test(bench_engine_says_what_it_cannot_do),
        cmocka_unit_test(bench_engine_stops_when_its_time_is_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
