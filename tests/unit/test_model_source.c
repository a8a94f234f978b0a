#include <math.h>

#include "app/model_source.h"
#include "base/file.h"
#include "client/history.h"
#include "client/home.h"
#include "client/journal.h"
#include "engine/trainer_state.h"
#include "record/checkpoint.h"
#include "tests/unit/hf_case.h"
#include "tests/unit/tinyrun.h"

#define TOKENIZER "{\"a\": 1}"

static char dir[PATH_CAP];
static struct rundesc run;
static struct model_table table;
static struct buf jws;
static float *weights;
static struct err e;

static void sign_run(const void *tokenizer, size_t n)
{
    uint8_t seed[KEY_BYTES] = {5};
    struct key host;
    run.tokenizer = hash_of(tokenizer, n);
    run.tokenizer_bytes = n;
    assert_int_equal(key_from_seed(seed, &host, &e), OK);
    run.aggregators[0] =
        (struct rundesc_aggregator){.host = "127.0.0.1", .port = 1, .key = host.pub};
    buf_clear(&jws);
    if (rundesc_sign(&run, &host, &jws, &e)) fail_msg("%s", e.what);
}

static int set_up(void **state)
{
    (void)state;
    scratch_make(dir);
    tinyrun_make(&run, &table);
    snprintf(run.note, sizeof run.note, "a note");
    run.n_train_shards = 1;
    run.train_index_bytes[0] = run.val_index_bytes = 64;
    run.n_aggregators = 1;
    sign_run(TOKENIZER, strlen(TOKENIZER));
    weights = calloc(table.n_params, sizeof *weights);
    model_init_weights(&table, &run.model, 99, weights);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    model_table_deinit(&table);
    buf_deinit(&jws);
    free(weights);
    return 0;
}

static const char *in_dir(const char *name)
{
    static char path[PATH_CAP];
    assert_int_equal(path_format(path, "%s%s%s", dir, *name ? "/" : "", name), 0);
    return path;
}

static void make_dir(const char *name)
{
    assert_int_equal(file_mkdirs(in_dir(name), NULL), OK);
}

static void write_file(const char *name, const void *p, size_t n)
{
    assert_int_equal(file_replace(in_dir(name), p, n, 0600, NULL), OK);
}

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

static void write_checkpoint(const char *name, uint64_t round)
{
    struct buf b = {0};
    assert_int_equal(checkpoint_write(round, &table, weights, &b, NULL), OK);
    write_file(name, b.p, b.len);
    buf_deinit(&b);
}

/* `block` holds the weights, the four others zeros. */
static void write_state(const char *name, const struct model_config *c, uint64_t n_params,
                        const float *values, enum trainer_state_block block, const char *note)
{
    float *zeros = calloc(n_params, sizeof *zeros);
    struct trainer_state s = {.n_params = n_params, .n_steps = 12, .shape = trainer_state_shape(c)};
    for (int b = 0; b < TRAINER_STATE_BLOCKS; b++)
        s.block[b] = zeros;
    float *mine = calloc(n_params, sizeof *mine);
    memcpy(mine, values, n_params * sizeof *mine);
    s.block[block] = mine;
    assert_int_equal(trainer_state_save(&s, in_dir(name), note, NULL), OK);
    free(zeros);
    free(mine);
}

static struct model_source *open_source(const char *path, const char *home)
{
    struct model_source *s = NULL;
    e = (struct err){0};
    if (model_source_open(path, home, &s, &e)) fail_msg("%s", e.what);
    return s;
}

static void assert_weights(struct model_source *s, const float *want)
{
    uint64_t n = model_source_table(s)->n_params;
    float *got = calloc(n, sizeof *got);
    if (model_source_load(s, got, &e)) fail_msg("%s", e.what);
    assert_memory_equal(got, want, n * sizeof *got);
    free(got);
}

static void assert_tokenizer(struct model_source *s)
{
    const struct buf *t = NULL;
    if (model_source_tokenizer(s, &t, &e)) fail_msg("%s", e.what);
    assert_int_equal(t->len, strlen(TOKENIZER));
    assert_memory_equal(t->p, TOKENIZER, t->len);
}

static void assert_refused(const char *path, const char *home, int code, const char *says)
{
    struct model_source *s = NULL;
    e = (struct err){0};
    int rc = model_source_open(path, home, &s, &e);
    if (rc == OK) {
        float *got = calloc(model_source_table(s)->n_params, sizeof *got);
        rc = model_source_load(s, got, &e);
        free(got);
        model_source_close(s);
    }
    if (rc != code || !strstr(e.what, says)) fail_msg("%d: %s, wanted %s", rc, e.what, says);
}

static void model_source_takes_the_newest_checkpoint_of_an_aggregator(void **state)
{
    (void)state;
    make_dir("checkpoints");
    make_dir("data");
    write_file("run.potluck", jws.p, jws.len);
    write_text("data/tokenizer.json", TOKENIZER);
    write_checkpoint("checkpoints/bb", 9);
    weights[0] += 1;
    write_checkpoint("checkpoints/aa", 10);
    write_checkpoint("checkpoints/cc", 8);
    write_text("checkpoints/dd.tmp", "under way");
    struct model_source *s = open_source(dir, NULL);
    assert_int_equal(model_source_kind(s), MODEL_SOURCE_CHECKPOINT);
    assert_non_null(strstr(model_source_path(s), "/checkpoints/aa"));
    assert_int_equal(model_source_config(s)->hidden_size, 16);
    assert_weights(s, weights);
    assert_tokenizer(s);
    const struct model_card *c = model_source_card(s);
    assert_true(c->has_round && c->n_rounds == 10 && c->has_run);
    assert_string_equal(c->name, "tiny");
    assert_string_equal(c->note, "a note");
    model_source_close(s);
    s = open_source(in_dir("checkpoints/cc"), NULL); /* one file; run.potluck one folder up */
    assert_int_equal(model_source_card(s)->n_rounds, 8);
    assert_tokenizer(s);
    model_source_close(s);
}

/* A run has no config.json: its tokenizer says where text ends. */
static void model_source_takes_the_ends_of_a_run_from_its_tokenizer(void **state)
{
    (void)state;
    struct buf json = {0};
    const struct buf *t = NULL;
    const char *path = "tests/fuzz/corpus/tokenizer_json/sentence.json";
    assert_int_equal(file_read(path, 1 << 20, &json, NULL), OK);
    sign_run(json.p, json.len);
    make_dir("checkpoints");
    write_file("run.potluck", jws.p, jws.len);
    write_file("tokenizer.json", json.p, json.len);
    write_checkpoint("checkpoints/aa", 1);
    struct model_source *s = open_source(dir, NULL);
    assert_int_equal(model_source_ids(s)->eos, -1);
    assert_int_equal(model_source_tokenizer(s, &t, &e), OK);
    assert_int_equal(model_source_ids(s)->bos, 1);
    assert_int_equal(model_source_ids(s)->eos, 2);
    model_source_close(s);
    buf_deinit(&json);
}

static void model_source_refuses_damaged_and_lonely_checkpoints(void **state)
{
    (void)state;
    const struct buf *t = NULL;
    make_dir("checkpoints");
    write_checkpoint("checkpoints/aa", 3);
    assert_refused(in_dir("checkpoints/aa"), NULL, ERR_NOTFOUND, "run.potluck");
    write_file("run.potluck", jws.p, jws.len);
    struct model_source *s = open_source(in_dir("checkpoints/aa"), NULL);
    assert_int_equal(model_source_tokenizer(s, &t, &e), ERR_NOTFOUND);
    write_text("tokenizer.json", "{\"b\": 1}");
    assert_int_equal(model_source_tokenizer(s, &t, &e), ERR_AUTH);
    model_source_close(s);
    struct buf b = {0};
    assert_int_equal(file_read(in_dir("checkpoints/aa"), 1 << 20, &b, NULL), OK);
    b.p[b.len - 1] ^= 1;
    write_file("checkpoints/aa", b.p, b.len);
    assert_refused(in_dir("checkpoints/aa"), NULL, ERR_AUTH, "hash");
    write_file("checkpoints/aa", b.p, b.len - 1);
    assert_refused(in_dir("checkpoints/aa"), NULL, ERR_PROTO, "bytes of weights");
    assert_refused(dir, NULL, ERR_NOTFOUND, "no checkpoint");
    write_text("checkpoints/aa", "GGUF....");
    assert_refused(in_dir("checkpoints/aa"), NULL, ERR_VERSION, "GGUF file");
    buf_deinit(&b);
}

static void join_run(void)
{
    struct home h;
    assert_int_equal(home_open(&h, dir, NULL), OK);
    assert_int_equal(home_store_run(&h, &run.id, jws.p, jws.len, NULL), OK);
    assert_int_equal(home_set_current(&h, &run.id, NULL), OK);
    home_close(&h);
}

static void run_file(const char *name, const void *p, size_t n)
{
    char path[PATH_CAP], hex[HASH_HEX];
    assert_int_equal(path_format(path, "runs/%s/%s", hash_hex(&run.id, hex), name), 0);
    write_file(path, p, n);
}

static void make_joined(void)
{
    char path[PATH_CAP], hex[HASH_HEX];
    struct journal j = {.run = run.id, .model_round = 4, .total_tokens = 5000};
    struct buf note = {0};
    join_run();
    assert_int_equal(journal_encode(&j, &note, NULL), OK);
    assert_int_equal(path_format(path, "runs/%s/state", hash_hex(&run.id, hex)), 0);
    write_state(path, &run.model, table.n_params, weights, TRAINER_STATE_BASE, buf_str(&note));
    buf_deinit(&note);
}

static void model_source_takes_the_base_of_the_joined_run(void **state)
{
    (void)state;
    struct history *h = calloc(1, sizeof *h);
    struct buf b = {0};
    make_joined();
    run_file("tokenizer.json", TOKENIZER, strlen(TOKENIZER));
    history_init(h);
    history_val(h, 1, 5.5);
    history_val(h, 3, 4.5);
    assert_int_equal(history_save(h, &b, NULL), OK);
    run_file("history", b.p, b.len);
    struct model_source *s = open_source(NULL, dir);
    assert_int_equal(model_source_kind(s), MODEL_SOURCE_RUN);
    assert_weights(s, weights);
    assert_tokenizer(s);
    const struct model_card *c = model_source_card(s);
    assert_int_equal(c->n_rounds, 4);
    assert_int_equal(c->own_tokens, 5000);
    assert_int_equal(c->n_losses, 2);
    assert_int_equal(c->loss_round[1], 3);
    assert_true(c->loss[1] == 4.5);
    model_source_close(s);
    s = open_source(dir, NULL); /* the same home as a path */
    assert_weights(s, weights);
    model_source_close(s);
    buf_deinit(&b);
    free(h);
}

static void model_source_says_what_a_home_lacks(void **state)
{
    (void)state;
    assert_refused(NULL, dir, ERR_NOTFOUND, "no run is joined");
    assert_non_null(strstr(e.hint, "--from"));
    join_run();
    assert_refused(NULL, dir, ERR_NOTFOUND, "not trained");
    run_file("state", "junk", 4);
    assert_refused(NULL, dir, ERR_PROTO, "damaged");
    make_joined();
    struct model_source *s = open_source(NULL, dir);
    const struct buf *t = NULL;
    assert_int_not_equal(model_source_tokenizer(s, &t, &e), OK); /* port 1: nobody there */
    assert_non_null(strstr(e.what, "tokenizer.json"));
    model_source_close(s);
}

static void model_source_takes_the_local_weights_of_a_training(void **state)
{
    (void)state;
    struct hf_case *k = hf_case_make(true);
    hf_case_config(k, dir);
    write_text("tokenizer.json", TOKENIZER);
    write_state("state", &k->config, k->table.n_params, k->params, TRAINER_STATE_LOCAL,
                "{\"tokens\":6144}");
    struct model_source *s = open_source(dir, NULL);
    assert_int_equal(model_source_kind(s), MODEL_SOURCE_TRAINED);
    assert_weights(s, k->params);
    assert_tokenizer(s);
    assert_int_equal(model_source_card(s)->n_steps, 12);
    assert_int_equal(model_source_card(s)->n_tokens, 6144);
    assert_false(model_source_card(s)->has_round);
    model_source_close(s);
    k->params[7] = (float)NAN;
    write_state("state", &k->config, k->table.n_params, k->params, TRAINER_STATE_LOCAL, "any");
    assert_refused(dir, NULL, ERR_PROTO, "not finite");
    hf_case_free(k);
}

static void model_source_takes_a_hugging_face_folder(void **state)
{
    (void)state;
    struct hf_case *k = hf_case_make(false);
    const struct buf *t = NULL;
    hf_case_config(k, dir);
    hf_case_shard(k, dir, "model.safetensors", DTYPE_F32, 0, k->n_items);
    write_text("tokenizer_config.json", "{}");
    struct model_source *s = open_source(dir, NULL);
    assert_int_equal(model_source_kind(s), MODEL_SOURCE_HF);
    assert_weights(s, k->params);
    assert_int_equal(model_source_ids(s)->eos, 0);
    assert_non_null(model_source_tokenizer_config(s));
    assert_int_equal(model_source_tokenizer(s, &t, &e), ERR_NOTFOUND);
    write_text("tokenizer.json", TOKENIZER);
    assert_tokenizer(s);
    model_source_close(s);
    hf_case_free(k);
}

static void model_source_says_that_there_is_no_model(void **state)
{
    (void)state;
    assert_refused(dir, NULL, ERR_NOTFOUND, "no model");
    assert_true(e.hint[0]);
    assert_refused(in_dir("nothing"), NULL, ERR_NOTFOUND, "no model");
    model_source_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        CASE(model_source_takes_the_newest_checkpoint_of_an_aggregator),
        CASE(model_source_takes_the_ends_of_a_run_from_its_tokenizer),
        CASE(model_source_refuses_damaged_and_lonely_checkpoints),
        CASE(model_source_takes_the_base_of_the_joined_run),
        CASE(model_source_says_what_a_home_lacks),
        CASE(model_source_takes_the_local_weights_of_a_training),
        CASE(model_source_takes_a_hugging_face_folder),
        CASE(model_source_says_that_there_is_no_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
