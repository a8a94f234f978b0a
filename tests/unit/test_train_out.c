#include "app/train_out.h"
#include "base/file.h"
#include "tests/unit/scratch.h"

static char dir[PATH_CAP], out[PATH_CAP];
static struct err e;

static int set_up(void **state)
{
    (void)state;
    memset(&e, 0, sizeof e);
    scratch_make(dir);
    return path_format(out, "%s/a/model", dir);
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static void a_folder_is_new_then_ours_then_begun(void **state)
{
    (void)state;
    struct train_out o;
    enum train_out_kind kind = TRAIN_OUT_BEGUN;
    json_t *j = json_object();
    json_t *got = NULL;
    assert_int_equal(train_out_look(out, &kind, &e), OK);
    assert_int_equal(kind, TRAIN_OUT_NEW);
    assert_false(file_exists(out));
    assert_int_equal(train_out_open(out, &o, &e), OK);
    json_set_u64(j, "seed", 7);
    assert_int_equal(train_out_write(&o, "train.json", j, &e), OK);
    assert_int_equal(train_out_look(out, &kind, &e), OK);
    assert_int_equal(kind, TRAIN_OUT_NEW); /* no state yet */
    assert_int_equal(train_out_write_bytes(&o, "state", "x", 1, &e), OK);
    assert_int_equal(train_out_look(out, &kind, &e), OK);
    assert_int_equal(kind, TRAIN_OUT_BEGUN);
    assert_int_equal(train_out_read(out, &got, &e), OK);
    assert_true(json_equal(got, j));
    train_out_close(&o);
    json_decref(got);
    json_decref(j);
}

static void a_folder_of_somebody_else_is_left_alone(void **state)
{
    (void)state;
    struct train_out o = {.lock_fd = -1};
    enum train_out_kind kind = TRAIN_OUT_NEW;
    char path[PATH_CAP];
    scratch_write(dir, "config.json", "{}", 2);
    assert_int_equal(train_out_look(dir, &kind, &e), ERR_WRONG_STATE);
    assert_non_null(strstr(e.hint, "--out"));
    assert_int_equal(train_out_open(dir, &o, &e), ERR_WRONG_STATE);
    assert_int_equal(path_format(path, "%s/train.lock", dir), 0);
    assert_false(file_exists(path));
    assert_int_equal(path_format(path, "%s/config.json", dir), 0);
    assert_int_equal(train_out_look(path, &kind, &e), ERR_WRONG_STATE);
    assert_non_null(strstr(e.what, "a file"));
}

static void two_trainings_do_not_share_a_folder(void **state)
{
    (void)state;
    struct train_out a, b = {.lock_fd = -1};
    assert_int_equal(train_out_open(out, &a, &e), OK);
    assert_int_equal(train_out_open(out, &b, &e), ERR_WRONG_STATE);
    assert_non_null(strstr(e.what, "another training"));
    train_out_close(&a);
    assert_int_equal(train_out_open(out, &b, &e), OK);
    train_out_close(&b);
}

static void a_damaged_train_json_is_named(void **state)
{
    (void)state;
    json_t *j = NULL;
    scratch_write(dir, "train.json", "{\"a\":", 5);
    assert_int_equal(train_out_read(dir, &j, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "train.json"));
    assert_null(j);
}

static void config_json_has_hugging_faces_names(void **state)
{
    (void)state;
    const struct model_config m = {.vocab_size = 300,
                                   .hidden_size = 64,
                                   .intermediate_size = 176,
                                   .num_hidden_layers = 2,
                                   .num_attention_heads = 4,
                                   .num_key_value_heads = 2,
                                   .max_position_embeddings = 128,
                                   .rms_norm_eps = 1e-5,
                                   .rope_theta = 10000,
                                   .initializer_range = 0.02,
                                   .tie_word_embeddings = true};
    struct train_out o;
    struct model_config got;
    struct hf_config_ids ids;
    struct buf text = {0};
    char path[PATH_CAP];
    assert_int_equal(train_out_open(out, &o, &e), OK);
    assert_int_equal(train_out_write_config(&o, &m, &(struct hf_config_ids){0, 0}, &e), OK);
    assert_int_equal(train_out_path(out, "config.json", path, &e), OK);
    assert_int_equal(file_read(path, 65536, &text, &e), OK);
    assert_non_null(strstr(buf_str(&text), "LlamaForCausalLM"));
    assert_int_equal(hf_config_parse(text.p, text.len, &got, &ids, &e), OK);
    assert_int_equal(got.num_key_value_heads, 2);
    assert_int_equal(got.max_position_embeddings, 128);
    assert_true(got.tie_word_embeddings && ids.eos == 0);
    buf_deinit(&text);
    train_out_close(&o);
}

static void a_note_reads_as_it_was_written(void **state)
{
    (void)state;
    struct buf b = {0}, again = {0};
    struct train_note n = {.step = 12, .n_tokens = 6144, .seed = 3}, got;
    n.data.b[0] = 1;
    n.options.b[31] = 2;
    assert_int_equal(train_note_write(&n, &b, &e), OK);
    assert_int_equal(train_note_read(buf_str(&b), &got, &e), OK);
    assert_int_equal(got.step, 12);
    assert_true(hash_equal(&got.data, &n.data) && hash_equal(&got.options, &n.options));
    assert_int_equal(train_note_write(&got, &again, &e), OK);
    assert_string_equal(buf_str(&b), buf_str(&again));
    static const char *const bad[] = {"", "[]", "{\"step\":1}", "{\"step\":-1}", "round 3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(train_note_read(bad[i], &got, &e), ERR_PROTO);
    buf_deinit(&b);
    buf_deinit(&again);
}

static void whether_it_may_be_written_is_found_out_without_writing(void **state)
{
    (void)state;
    assert_int_equal(train_out_may(out, &e), OK);
    assert_int_equal(train_out_may(dir, &e), OK);
    assert_int_equal(train_out_may("here", &e), OK);
    assert_false(file_exists(out));
    scratch_write(dir, "a", "", 0); /* a file in the way */
    assert_int_equal(train_out_may(out, &e), ERR_IO);
    assert_non_null(strstr(e.hint, "--out"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_folder_is_new_then_ours_then_begun),
        CASE(a_folder_of_somebody_else_is_left_alone),
        CASE(two_trainings_do_not_share_a_folder),
        CASE(a_damaged_train_json_is_named),
        CASE(config_json_has_hugging_faces_names),
        CASE(a_note_reads_as_it_was_written),
        CASE(whether_it_may_be_written_is_found_out_without_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
