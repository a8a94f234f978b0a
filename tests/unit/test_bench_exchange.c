#include <string.h>
#include <unistd.h>

#include "app/bench_exchange.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

/* A model that learns in a blink, on text that repeats itself. */
static struct bench_exchange_options tiny(const char *text)
{
    struct bench_exchange_options o = {
        .n_threads = 1, .n_rounds = 3, .n_peers = 3, .n_inner = 2, .text = text, .seed = 1};
    assert_int_equal(bench_preset_find("demo", &o.preset), 0);
    o.preset.model.hidden_size = 64;
    o.preset.model.intermediate_size = 64;
    o.preset.model.num_hidden_layers = 1;
    o.preset.model.num_attention_heads = 4;
    o.preset.model.num_key_value_heads = 2;
    o.preset.model.vocab_size = 300;
    o.preset.train.seq_len = 16;
    return o;
}

static void bench_exchange_fills_every_field(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf text = {0};
    struct buf out = {0};
    struct bench_exchange r;
    struct bench_exchange again;
    json_t *j = NULL;
    char dir[PATH_CAP];
    char path[PATH_CAP + 16];
    scratch_make(dir);
    snprintf(path, sizeof path, "%s/text", dir);
    for (int i = 0; i < 2000; i++)
        buf_printf(&text, "Line %d of a text that goes on, %d of them in all.\n", i, i * 7);
    assert_int_equal(file_replace(path, text.p, text.len, 0600, &e), OK);
    struct bench_exchange_options o = tiny(path);
    if (bench_exchange_run(&o, &r, &e) != OK) fail_msg("%s", e.what);
    assert_true(r.index_bits > 4 && r.index_bits < 9);
    assert_true(r.value_bits > 0.5 && r.value_bits < 9);
    assert_true(r.total_bits > r.value_bits && r.ratio_to_fp32 > 10);
    assert_true(r.random_bits > 7.363 && r.random_bits < 7.365);
    assert_true(r.payload_bytes * 8 * 9 > r.total_bits * (double)r.n_values * 0.999);
    assert_true(r.select_gb_s > 0 && r.pack_gb_s > 0 && r.unpack_gb_s > 0 && r.merge_gb_s > 0);
    assert_true(r.loss > 0.1 && r.loss < 6);
    assert_int_equal(bench_exchange_json(&r, &out, &e), OK);
    assert_int_equal(json_parse(out.p, out.len - 1, &j, &e), OK);
    struct json_reader in = {.e = &e};
    assert_true(json_real_in(&in, j, "total_bits_per_value", 0, 1e9) == r.total_bits);
    assert_int_equal(json_u64(&in, j, "contributors", 0, 100), 3);
    json_decref(j);
    buf_clear(&out);
    bench_exchange_text(&r, &out);
    assert_non_null(strstr(buf_str(&out), "bits in all"));
    /* the same run has the same bits */
    assert_int_equal(bench_exchange_run(&o, &again, &e), OK);
    assert_true(again.payload_bytes == r.payload_bytes && again.loss == r.loss);
    buf_deinit(&out);
    buf_deinit(&text);
    scratch_remove(dir);
}

static void bench_exchange_says_what_is_missing(void **state)
{
    (void)state;
    struct err e = {0};
    struct bench_exchange r;
    struct bench_exchange_options o = tiny("/nowhere/text");
    assert_true(bench_exchange_run(&o, &r, &e) != OK);
    assert_non_null(strstr(e.what, "/nowhere/text"));
    o.n_peers = BENCH_EXCHANGE_PEERS + 1;
    assert_int_equal(bench_exchange_run(&o, &r, &e), ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bench_exchange_fills_every_field),
        cmocka_unit_test(bench_exchange_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
