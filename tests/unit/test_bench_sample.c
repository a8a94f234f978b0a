#include <string.h>

#include "app/bench_sample.h"
#include "base/alloc.h"
#include "base/json.h"
#include "tests/check.h"

/* A model that writes in a blink. */
static struct bench_sample_options tiny(uint32_t n_threads)
{
    struct bench_sample_options o = {.n_threads = n_threads, .n_prompt = 9, .n_tokens = 7};
    assert_int_equal(bench_preset_find("demo", &o.preset), 0);
    o.preset.model.hidden_size = 32;
    o.preset.model.intermediate_size = 48;
    o.preset.model.num_hidden_layers = 1;
    o.preset.model.num_attention_heads = 4;
    o.preset.model.num_key_value_heads = 2;
    o.preset.model.vocab_size = 320;
    return o;
}

static void bench_sample_fills_every_field(void **state)
{
    (void)state;
    struct err e = {0};
    struct bench_sample r;
    struct buf out = {0};
    json_t *j = NULL;
    struct bench_sample_options o = tiny(2);
    assert_int_equal(bench_sample_run(&o, &r, &e), OK);
    assert_true(r.tok_per_s > 0 && r.tok_per_s_best >= r.tok_per_s);
    assert_true(r.prompt_tok_per_s > 0 && r.prompt_tok_per_s_best >= r.prompt_tok_per_s);
    assert_true(r.read_gb_per_s > 0.01 && r.n_bytes > r.n_params * 4);
    /* keys and values of one layer: 2 x 2 x 8 floats for each of 9 + 4 tokens */
    assert_true(r.bytes_per_tok == (double)(r.n_params + 32 * 13) * 4);
    assert_int_equal(bench_sample_json(&r, &out, &e), OK);
    assert_int_equal(json_parse(out.p, out.len - 1, &j, &e), OK);
    struct json_reader in = {.e = &e};
    assert_true(json_real_in(&in, j, "tokens_per_s", 0, 1e9) == r.tok_per_s);
    assert_true(json_real_in(&in, j, "fraction_of_read", 0, 1e3) > 0);
    assert_int_equal(json_u64(&in, j, "prompt_tokens", 0, 100), 9);
    json_decref(j);
    buf_clear(&out);
    bench_sample_text(&r, &out);
    assert_non_null(strstr(buf_str(&out), "tokens/s"));
    buf_deinit(&out);
}

static void bench_sample_gives_the_same_logits_on_any_number_of_threads(void **state)
{
    (void)state;
    struct bench_sample one, three, other;
    struct bench_sample_options o = tiny(1);
    assert_int_equal(bench_sample_run(&o, &one, NULL), OK);
    o.n_threads = 3;
    assert_int_equal(bench_sample_run(&o, &three, NULL), OK);
    assert_string_equal(one.logits, three.logits);
    o.seed = 8;
    assert_int_equal(bench_sample_run(&o, &other, NULL), OK);
    assert_string_not_equal(one.logits, other.logits);
}

static void bench_sample_refuses_more_than_the_model_reads(void **state)
{
    (void)state;
    struct err e = {0};
    struct bench_sample r;
    struct bench_sample_options o = tiny(1);
    o.n_prompt = o.preset.model.max_position_embeddings;
    assert_int_equal(bench_sample_run(&o, &r, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "128"));
    o.n_tokens = UINT32_MAX; /* the sum wraps */
    assert_int_equal(bench_sample_run(&o, &r, &e), ERR_ARG);
}

static void bench_sample_survives_every_failing_allocation(void **state)
{
    (void)state;
    struct bench_sample_options o = tiny(1);
    int rc = ERR_NOMEM;
    for (uint64_t k = 1; k < 100 && rc != OK; k++) {
        struct bench_sample r;
        struct err e = {0};
        alloc_fail_nth(k);
        rc = bench_sample_run(&o, &r, &e);
        alloc_fail_nth(0);
        if (rc != OK) assert_int_equal(rc, ERR_NOMEM);
    }
    assert_int_equal(rc, OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bench_sample_fills_every_field),
        cmocka_unit_test(bench_sample_gives_the_same_logits_on_any_number_of_threads),
        cmocka_unit_test(bench_sample_refuses_more_than_the_model_reads),
        cmocka_unit_test(bench_sample_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
