#include "aggregator/describe.h"
#include "aggregator/origin.h"
#include "aggregator/prepare.h"
#include "base/file.h"
#include "engine/tokenizer.h"
#include "tests/unit/hf_case.h"
#include "tests/unit/textfolder.h"

static char dir[PATH_CAP], model[PATH_CAP], home[PATH_CAP], text[PATH_CAP];
static struct hf_case *hf;
static struct setup s;
static struct err e;

/* A tokenizer of n ids beside the weights. */
static void put_tokenizer(uint32_t n)
{
    struct tokenizer *tk = NULL;
    struct buf json = {0};
    static const char sample[] = "soup and bread, soup and beans, bread and beans and soup again "
                                 "soup and bread, soup and beans, bread and beans and soup again";
    assert_int_equal(tokenizer_train(sample, sizeof sample - 1, n, NULL, NULL, &tk, &e), OK);
    assert_int_equal(tokenizer_vocab_size(tk), n);
    assert_int_equal(tokenizer_to_json(tk, &json, &e), OK);
    scratch_write(model, "tokenizer.json", json.p, json.len);
    buf_deinit(&json);
    tokenizer_destroy(tk);
}

static void put_model(void)
{
    hf_case_config(hf, model);
    hf_case_shard(hf, model, "model.safetensors", DTYPE_F32, 0, hf->n_items);
    put_tokenizer(270);
}

static int begin(bool is_tied)
{
    memset(&e, 0, sizeof e);
    scratch_make(dir);
    assert_int_equal(path_format(model, "%s/llama", dir), 0);
    assert_int_equal(path_format(home, "%s/home", dir), 0);
    assert_int_equal(path_format(text, "%s/text", dir), 0);
    assert_int_equal(mkdir(model, 0700), 0);
    hf = hf_case_make(is_tied);
    put_model();
    setup_defaults(&s);
    assert_int_equal(setup_set(&s, "name", "soup", &e), OK);
    assert_int_equal(setup_set(&s, "from", model, &e), OK);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return begin(true);
}

static int set_up_untied(void **state)
{
    (void)state;
    return begin(false);
}

static int tear_down(void **state)
{
    (void)state;
    hf_case_free(hf);
    scratch_remove(dir);
    return 0;
}

static uint64_t bit(const char *name)
{
    size_t n = 0;
    const struct setup_option *o = setup_options(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(o[i].name, name) == 0) return 1ULL << i;
    fail_msg("no option %s", name);
    return 0;
}

static void make_home(void)
{
    struct origin o;
    assert_int_equal(origin_open(&o, model, &e), OK);
    assert_int_equal(origin_fit(&o, 0, &s, &e), OK);
    assert_int_equal(setup_create(&s, &o, home, &e), OK);
    origin_close(&o);
}

static void prepare(void)
{
    struct origin_kept k;
    struct prepare_report r;
    const char *paths[1] = {text};
    assert_int_equal(mkdir(text, 0700), 0);
    textfolder_fill(text, "a.txt", 200000, 1);
    assert_int_equal(origin_kept(home, &k, &e), OK);
    assert_true(k.has_eos && k.eos == 0);
    struct prepare_options o = {.home = home,
                                .paths = paths,
                                .n_paths = 1,
                                .tokenizer_path = k.tokenizer_path,
                                .eos = &k.eos,
                                .val_frac = 0.1};
    assert_int_equal(prepare_run(&o, &r, &e), OK);
}

static void what_is_kept_is_the_model_bit_for_bit(void **state)
{
    struct origin_kept k;
    struct hash got;
    (void)state;
    float *params = calloc(hf->table.n_params, sizeof *params);
    make_home();
    scratch_remove(model); /* it may disappear now */
    assert_int_equal(origin_kept(home, &k, &e), OK);
    assert_memory_equal(&k.config.vocab_size, &hf->config.vocab_size, 7 * sizeof(uint32_t));
    assert_true(k.config.rms_norm_eps == hf->config.rms_norm_eps);
    assert_true(k.config.rope_theta == hf->config.rope_theta);
    assert_int_equal(k.config.tie_word_embeddings, hf->config.tie_word_embeddings);
    assert_int_equal(origin_weights(home, &hf->table, params, &got, &e), OK);
    assert_memory_equal(params, hf->params, hf->table.n_params * sizeof *params);
    struct hash want = model_hash(&hf->table, hf->params);
    assert_true(hash_equal(&got, &want));
    free(params);
}

static void the_run_begins_with_these_weights(void **state)
{
    struct rundesc *d = calloc(1, sizeof *d);
    (void)state;
    make_home();
    prepare();
    assert_int_equal(describe_home(home, d, &e), OK);
    struct hash want = model_hash(&hf->table, hf->params);
    assert_true(d->is_from_checkpoint);
    assert_true(hash_equal(&d->initial_model, &want));
    assert_int_equal(d->model.vocab_size, 300); /* the model's, not the tokenizer's 270 */
    assert_int_equal(d->model.max_position_embeddings, 32);
    assert_int_equal(d->train.seq_len, 32);
    free(d);
}

static void the_shape_is_the_models(void **state)
{
    struct origin o;
    (void)state;
    assert_int_equal(origin_open(&o, model, &e), OK);
    s.seq = 16;
    s.layers = 2;
    s.lr = 1e-5;
    uint64_t given = bit("seq") | bit("layers") | bit("lr"); /* the same may be said */
    assert_int_equal(origin_fit(&o, given, &s, &e), OK);
    assert_int_equal(s.hidden, 64);
    assert_int_equal(s.layers, 2);
    assert_int_equal(s.heads, 4);
    assert_int_equal(s.kv_heads, 2);
    assert_int_equal(s.intermediate, 96);
    assert_int_equal(s.seq, 16);
    assert_true(s.lr == 1e-5);
    setup_defaults(&s);
    assert_int_equal(origin_fit(&o, 0, &s, &e), OK);
    assert_int_equal(s.seq, 32); /* no further than the model reads */
    assert_true(s.lr < 1e-3);
    origin_close(&o);
}

static void a_choice_that_contradicts_the_model_is_refused(void **state)
{
    static const char *const names[] = {"hidden",       "layers", "heads", "kv-heads",
                                        "intermediate", "seq",    "seed"};
    struct origin o;
    (void)state;
    assert_int_equal(origin_open(&o, model, &e), OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        setup_defaults(&s);
        memset(&e, 0, sizeof e);
        if (strcmp(names[i], "heads") == 0) s.heads = 2;
        if (strcmp(names[i], "kv-heads") == 0) s.kv_heads = 1;
        if (origin_fit(&o, bit(names[i]), &s, &e) != ERR_ARG) fail_msg("--%s is taken", names[i]);
        assert_non_null(strstr(e.what, names[i]));
    }
    origin_close(&o);
}

static void refuses(const char *word)
{
    struct origin o;
    memset(&e, 0, sizeof e);
    assert_int_not_equal(origin_open(&o, model, &e), OK);
    if (!strstr(e.what, word)) fail_msg("'%s' does not say '%s'", e.what, word);
    assert_null(o.params);
    put_model();
}

static void drop(const char *name)
{
    char path[PATH_CAP];
    assert_int_equal(path_format(path, "%s/%s", model, name), 0);
    assert_int_equal(unlink(path), 0);
}

static void a_folder_that_does_not_fit_together_is_refused(void **state)
{
    (void)state;
    drop("tokenizer.json");
    refuses("tokenizer.json");
    drop("model.safetensors");
    refuses("safetensors");
    drop("config.json");
    refuses("config.json");
    scratch_write(model, "tokenizer.json", "{}", 2);
    refuses("tokenizer.json");
    hf->config.vocab_size = 260; /* shapes differ */
    hf_case_config(hf, model);
    hf->config.vocab_size = 300;
    refuses("embed_tokens");
    put_tokenizer(270);
    const struct hf_config_ids ids = {0, 299}; /* no special token has that id */
    struct buf b = {0};
    assert_int_equal(hf_config_write(&hf->config, &ids, DTYPE_F32, &b, NULL), OK);
    scratch_write(model, "config.json", b.p, b.len);
    buf_deinit(&b);
    refuses("ends a document");
}

static void more_tokens_than_the_model_has_are_refused(void **state)
{
    struct hf_case *small = hf_case_make(true);
    (void)state;
    model_table_deinit(&small->table);
    small->config.vocab_size = 264;
    assert_int_equal(model_table_init(&small->table, &small->config, NULL), OK);
    small->items[0].dim[0] = 264;
    for (uint32_t i = 0; i < small->n_items; i++) {
        small->items[i].name = small->table.tensors[i].name;
        small->items[i].values = small->params + small->table.tensors[i].offset;
    }
    hf_case_config(small, model);
    hf_case_shard(small, model, "model.safetensors", DTYPE_F32, 0, small->n_items);
    refuses("270 token ids");
    hf_case_free(small);
}

static void init_comes_before_prepare(void **state)
{
    struct origin o;
    char path[PATH_CAP];
    (void)state;
    assert_int_equal(origin_open(&o, model, &e), OK);
    assert_int_equal(origin_fit(&o, 0, &s, &e), OK);
    assert_int_equal(path_format(path, "%s/data", home), 0);
    assert_int_equal(file_mkdirs(path, &e), OK);
    scratch_write(path, "prepare.json", "{}", 2);
    assert_int_equal(setup_create(&s, &o, home, &e), ERR_WRONG_STATE);
    assert_int_equal(path_format(path, "%s/model", home), 0);
    assert_int_not_equal(access(path, F_OK), 0);
    origin_close(&o);
}

static void damaged_weights_are_noticed(void **state)
{
    char path[PATH_CAP];
    struct buf b = {0};
    struct hash got;
    (void)state;
    make_home();
    assert_int_equal(path_format(path, "%s/model", home), 0);
    assert_int_equal(origin_weights(home, &hf->table, NULL, &got, &e), OK);
    char file[PATH_CAP];
    assert_int_equal(path_format(file, "%s/weights", path), 0);
    assert_int_equal(file_read(file, 1 << 24, &b, &e), OK);
    b.p[b.len - 3] ^= 1;
    scratch_write(path, "weights", b.p, b.len);
    assert_int_equal(origin_weights(home, &hf->table, NULL, &got, &e), ERR_AUTH);
    scratch_write(path, "weights", b.p, b.len / 2);
    assert_int_equal(origin_weights(home, &hf->table, NULL, &got, &e), ERR_PROTO);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(origin_weights(home, &hf->table, NULL, &got, &e), ERR_NOTFOUND);
    buf_deinit(&b);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_kept_is_the_model_bit_for_bit),
        cmocka_unit_test_setup_teardown(what_is_kept_is_the_model_bit_for_bit, set_up_untied,
                                        tear_down),
        CASE(the_run_begins_with_these_weights),
        CASE(the_shape_is_the_models),
        CASE(a_choice_that_contradicts_the_model_is_refused),
        CASE(a_folder_that_does_not_fit_together_is_refused),
        CASE(more_tokens_than_the_model_has_are_refused),
        CASE(init_comes_before_prepare),
        CASE(damaged_weights_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
