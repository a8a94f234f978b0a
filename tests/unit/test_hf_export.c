#include "base/file.h"
#include "engine/hf_export.h"
#include "tests/unit/hf_case.h"

static char dir[PATH_CAP];

static int make_dir(void **state)
{
    (void)state;
    scratch_make(dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static bool has_file(const char *name)
{
    char path[PATH_CAP];
    assert_int_equal(path_format(path, "%s/%s", dir, name), 0);
    return file_exists(path);
}

static struct hf_export export_of(const struct hf_case *k, enum dtype type)
{
    static const struct model_card card = {.name = "Test"};
    static char tokenizer[] = "{}";
    static const struct buf json = {.p = (uint8_t *)tokenizer, .len = 2};
    return (struct hf_export){.config = &k->config,
                              .table = &k->table,
                              .params = k->params,
                              .type = type,
                              .tokenizer = &json,
                              .card = &card};
}

static void hf_export_written_is_read_back(void **state)
{
    (void)state;
    for (int is_tied = 0; is_tied < 2; is_tied++) {
        struct hf_case *k = hf_case_make(is_tied);
        struct hf_export x = export_of(k, DTYPE_F32);
        struct hf_folder f;
        assert_int_equal(hf_export_write(&x, dir, NULL), OK);
        assert_int_equal(hf_folder_open(&f, dir, NULL), OK);
        float *got = calloc(f.table.n_params, sizeof(float));
        assert_int_equal(hf_folder_load(&f, got, NULL), OK);
        assert_memory_equal(got, k->params, k->table.n_params * sizeof(float));
        assert_int_equal(f.ids.eos, 0);
        free(got);
        hf_folder_close(&f);
        hf_case_free(k);
    }
    static const char *const all[] = {"model.safetensors", "tokenizer.json",
                                      "config.json",       "tokenizer_config.json",
                                      "README.md",         "generation_config.json"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_true(has_file(all[i]));
}

static void hf_export_that_fails_leaves_no_config(void **state)
{
    (void)state;
    struct hf_case *k = hf_case_make(true);
    struct hf_export x = export_of(k, DTYPE_F16);
    struct err e = {0};
    k->params[5] = 1e6F;
    assert_int_equal(hf_export_write(&x, dir, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "embed_tokens"));
    assert_false(has_file("config.json") || has_file("model.safetensors"));
    assert_int_equal(hf_export_write(&x, "/nonexistent", &e), ERR_IO);
    hf_case_free(k);
}

static void hf_export_keeps_a_tokenizer_config_it_is_given(void **state)
{
    (void)state;
    struct hf_case *k = hf_case_make(true);
    struct hf_export x = export_of(k, DTYPE_BF16);
    struct buf given = {0}, got = {0};
    char path[PATH_CAP];
    buf_put_str(&given, "{\"mine\": 1}");
    x.tokenizer_config = &given;
    assert_int_equal(hf_export_write(&x, dir, NULL), OK);
    assert_int_equal(path_format(path, "%s/tokenizer_config.json", dir), 0);
    assert_int_equal(file_read(path, 100, &got, NULL), OK);
    assert_string_equal(buf_str(&got), buf_str(&given));
    buf_deinit(&given);
    buf_deinit(&got);
    hf_case_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)
        CASE(hf_export_written_is_read_back),
        CASE(hf_export_that_fails_leaves_no_config),
        CASE(hf_export_keeps_a_tokenizer_config_it_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
