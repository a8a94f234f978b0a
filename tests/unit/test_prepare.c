#include "aggregator/dataset.h"
#include "aggregator/prepare.h"
#include "base/file.h"
#include "tests/unit/textfolder.h"

static char dir[PATH_CAP], text[PATH_CAP], home[PATH_CAP];
static struct err e;
static int n_skipped_lines, n_found, n_held_out;
static char held_out[300];

static int set_up(void **state)
{
    (void)state;
    scratch_make(dir);
    memset(&e, 0, sizeof e);
    n_skipped_lines = n_found = n_held_out = 0;
    assert_int_equal(path_format(text, "%s/text", dir), 0);
    assert_int_equal(path_format(home, "%s/home", dir), 0);
    return mkdir(text, 0700);
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static void hear(const char *line, void *ctx)
{
    (void)ctx;
    n_skipped_lines += strncmp(line, "skipped", 7) == 0;
    if (strncmp(line, "found", 5) == 0) sscanf(line, "found %d", &n_found);
    if (strncmp(line, "held out", 8) != 0) return;
    n_held_out++;
    snprintf(held_out, sizeof held_out, "%s", line);
}

static struct prepare_options options(void)
{
    static const char *paths[1];
    paths[0] = text;
    return (struct prepare_options){.home = home,
                                    .paths = paths,
                                    .n_paths = 1,
                                    .vocab_size = 320,
                                    .val_frac = 0.1,
                                    .progress = hear};
}

static void text_becomes_tokenizer_shards_and_a_list(void **state)
{
    struct prepare_report r;
    struct dataset d;
    struct prepare_options o = options();
    uint32_t *tokens = NULL;
    (void)state;
    textfolder_fill(text, "a.txt", 300000, 1);
    textfolder_fill(text, "b.txt", 2000, 2);
    o.shard_tokens = 65536;
    assert_int_equal(prepare_run(&o, &r, &e), OK);
    assert_int_equal(r.n_files, 2);
    assert_true(r.n_shards >= 2 && r.n_val_docs > 0 && r.n_docs > 60);
    assert_int_equal(dataset_open(home, &d, &e), OK);
    assert_int_equal(d.n_train, r.n_shards);
    assert_int_equal(d.vocab_size, r.vocab_size);
    uint64_t n = 0, n_bytes = d.val.x.n_text_bytes;
    for (uint32_t i = 0; i < d.n_train; i++) {
        n += d.train[i].x.n_tokens;
        n_bytes += d.train[i].x.n_text_bytes;
    }
    assert_int_equal(n, r.n_train_tokens);
    assert_int_equal(n_bytes, r.n_text_bytes); /* not a byte is lost on the way */
    assert_int_equal(dataset_tokens(&d.val, &tokens, &e), OK);
    assert_int_equal(tokens[d.val.x.n_tokens - 1], 0); /* documents end with the separator */
    free(tokens);
    dataset_close(&d);
}

/* A run that goes on from a model takes that model's tokenizer, byte for byte. */
static void a_tokenizer_that_is_given_is_kept(void **state)
{
    static const char path[] = "tests/fuzz/corpus/tokenizer_json/sentence.json";
    struct prepare_report r;
    struct dataset d;
    struct prepare_options o = options();
    struct buf given = {0};
    uint32_t *tokens = NULL;
    (void)state;
    textfolder_fill(text, "a.txt", 200000, 1);
    o.tokenizer_path = path;
    assert_int_equal(prepare_run(&o, &r, &e), OK);
    assert_int_equal(r.vocab_size, 267);
    assert_int_equal(dataset_open(home, &d, &e), OK);
    assert_int_equal(file_read(path, 1u << 20, &given, &e), OK);
    assert_int_equal(d.tokenizer.len, given.len);
    assert_memory_equal(d.tokenizer.p, given.p, given.len);
    assert_int_equal(dataset_tokens(&d.val, &tokens, &e), OK);
    assert_int_equal(tokens[d.val.x.n_tokens - 1], 2); /* </s> */
    free(tokens);
    buf_deinit(&given);
    dataset_close(&d);
}

static void what_the_model_says_ends_a_document(void **state)
{
    static const char path[] = "tests/fuzz/corpus/tokenizer_json/sentence.json";
    uint32_t eos = 1;
    struct prepare_report r;
    struct dataset d;
    struct prepare_options o = options();
    uint32_t *tokens = NULL;
    (void)state;
    textfolder_fill(text, "a.txt", 200000, 1);
    o.tokenizer_path = path;
    o.eos = &eos;
    assert_int_equal(prepare_run(&o, &r, &e), OK);
    assert_int_equal(dataset_open(home, &d, &e), OK);
    assert_int_equal(dataset_tokens(&d.val, &tokens, &e), OK);
    assert_int_equal(tokens[d.val.x.n_tokens - 1], 1);
    free(tokens);
    dataset_close(&d);
    eos = 40; /* a byte: any text could spell it */
    n_found = 0;
    assert_int_equal(prepare_run(&o, &r, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "special"));
    assert_int_equal(n_found, 0);
}

static void a_tokenizer_that_is_no_use_is_refused_before_the_text_is_read(void **state)
{
    struct prepare_report r;
    struct prepare_options o = options();
    char path[PATH_CAP];
    (void)state;
    assert_int_equal(path_format(path, "%s/tokenizer.json", dir), 0);
    scratch_write(dir, "tokenizer.json", "{\"version\":\"1.0\"}", 17);
    textfolder_fill(text, "a.txt", 200000, 1);
    o.tokenizer_path = path;
    assert_int_equal(prepare_run(&o, &r, &e), ERR_PROTO);
    assert_int_equal(n_found, 0);
    assert_int_equal(path_format(path, "%s/nowhere.json", dir), 0);
    assert_int_equal(prepare_run(&o, &r, &e), ERR_NOTFOUND);
}

static void the_same_text_gives_the_same_bytes(void **state)
{
    struct prepare_report r;
    struct dataset a, b;
    struct prepare_options o = options();
    char other[PATH_CAP];
    (void)state;
    textfolder_fill(text, "a.txt", 200000, 1);
    assert_int_equal(prepare_run(&o, &r, &e), OK);
    assert_int_equal(path_format(other, "%s/other", dir), 0);
    o.home = other;
    assert_int_equal(prepare_run(&o, &r, &e), OK);
    assert_int_equal(dataset_open(home, &a, &e), OK);
    assert_int_equal(dataset_open(other, &b, &e), OK);
    assert_true(hash_equal(&a.train[0].hash, &b.train[0].hash));
    assert_true(hash_equal(&a.val.hash, &b.val.hash));
    assert_true(hash_equal(&a.tokenizer_hash, &b.tokenizer_hash));
    dataset_close(&a);
    dataset_close(&b);
}

static void a_small_text_holds_out_enough_to_measure(void **state)
{
    struct prepare_report r;
    struct prepare_options o = options();
    (void)state;
    textfolder_fill(text, "a.txt", 240000, 1);
    o.val_frac = 1e-9; /* chance would hold out nothing */
    assert_int_equal(prepare_run(&o, &r, &e), OK);
    assert_int_equal(r.n_val_docs, 8);
    assert_true(r.n_docs >= 32 && r.n_val_tokens >= 1024);
    assert_int_equal(n_held_out, 1); /* and it says so */
    assert_non_null(strstr(held_out, "held out 8 of "));
    assert_non_null(strstr(held_out, "not the 1e-07 % asked for"));
    o.val_frac = 0.3;
    assert_int_equal(prepare_run(&o, &r, &e), OK);
    assert_int_equal(n_held_out, 1);
}

static void what_is_not_used_is_told_and_counted(void **state)
{
    struct prepare_report r;
    struct prepare_options o = options();
    (void)state;
    textfolder_fill(text, "a.txt", 200000, 1);
    scratch_write(text, "junk", "a\0b", 3);
    scratch_write(text, "latin", "caf\xe9", 4);
    scratch_write(text, "empty", "", 0);
    assert_int_equal(prepare_run(&o, &r, &e), OK);
    assert_int_equal(r.n_skipped, 3);
    assert_int_equal(n_skipped_lines, 3);
    assert_int_equal(n_found, 4); /* the empty one was found, too: 4 = 1 used + 3 skipped */
}

static void too_little_text_is_refused_with_its_size(void **state)
{
    struct prepare_report r;
    struct prepare_options o = options();
    (void)state;
    textfolder_fill(text, "a.txt", 5000, 1);
    assert_int_equal(prepare_run(&o, &r, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "too little"));
    assert_true(e.hint[0]);
    assert_false(file_exists(home)); /* no trace */
}

static void a_failure_leaves_what_was_prepared_before(void **state)
{
    struct prepare_report r, again;
    struct prepare_options o = options();
    struct dataset d;
    char part[PATH_CAP], kept[PATH_CAP];
    const char *const nothing[] = {"/nothing/there"};
    (void)state;
    assert_int_equal(path_format(part, "%s/data.part", home), 0);
    assert_int_equal(path_format(kept, "%s/data/train-001.shard", home), 0);
    textfolder_fill(text, "a.txt", 300000, 1);
    o.shard_tokens = 65536;
    assert_int_equal(prepare_run(&o, &r, &e), OK);
    assert_true(file_exists(kept));
    o.paths = nothing;
    assert_int_not_equal(prepare_run(&o, &again, &e), OK);
    assert_int_equal(dataset_open(home, &d, &e), OK);
    assert_int_equal(d.n_train, r.n_shards);
    dataset_close(&d);
    assert_int_equal(mkdir(part, 0700), 0); /* somebody was killed */
    scratch_write(part, "train-000.shard", "x", 1);
    o = options();
    assert_int_equal(prepare_run(&o, &again, &e),
                     OK); /* one shard now: no old one stays beside it */
    assert_int_equal(again.n_shards, 1);
    assert_false(file_exists(part) || file_exists(kept));
    assert_int_equal(dataset_open(home, &d, &e), OK);
    dataset_close(&d);
}

static void nothing_usable_is_refused(void **state)
{
    struct prepare_report r;
    struct prepare_options o = options();
    (void)state;
    assert_int_equal(prepare_run(&o, &r, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "no file"));
    scratch_write(text, "junk", "a\0b", 3);
    assert_int_equal(prepare_run(&o, &r, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "no usable text"));
}

static void a_look_names_the_text_and_writes_nothing(void **state)
{
    struct prepare_report looked, r;
    struct dataset d;
    struct prepare_options o = options();
    (void)state;
    textfolder_fill(text, "a.txt", 200000, 1);
    textfolder_fill(text, "b.txt", 2000, 2);
    assert_int_equal(prepare_look(&o, &looked, &e), OK);
    assert_false(file_exists(home));
    assert_int_equal(prepare_run(&o, &r, &e), OK);
    assert_true(hash_equal(&looked.text, &r.text));
    assert_int_equal(looked.n_text_bytes, r.n_text_bytes);
    assert_int_equal(dataset_open(home, &d, &e), OK);
    assert_true(d.has_text && hash_equal(&d.text, &r.text));
    dataset_close(&d);
    textfolder_fill(text, "b.txt", 2000, 3);
    assert_int_equal(prepare_look(&o, &looked, &e), OK);
    assert_false(hash_equal(&looked.text, &r.text));
}

/* Somebody's model goes on with its own tokenizer: its very bytes. */
static void a_given_tokenizer_is_used_as_it_is(void **state)
{
    struct prepare_report r;
    struct dataset a, b;
    struct prepare_options o = options();
    char other[PATH_CAP], folder[PATH_CAP];
    (void)state;
    textfolder_fill(text, "a.txt", 200000, 1);
    assert_int_equal(prepare_run(&o, &r, &e), OK);
    assert_int_equal(dataset_open(home, &a, &e), OK);
    textfolder_fill(text, "a.txt", 300000, 2);
    assert_int_equal(path_format(other, "%s/other", dir), 0);
    assert_int_equal(path_format(folder, "%s/data", other), 0);
    o.home = other;
    o.vocab_size = 0;
    o.tokenizer = &a.tokenizer;
    assert_int_equal(prepare_run(&o, &r, &e), OK);
    assert_int_equal(r.vocab_size, a.vocab_size);
    assert_true(dataset_exists_in(folder));
    assert_int_equal(dataset_open_in(folder, &b, &e), OK);
    assert_true(hash_equal(&a.tokenizer_hash, &b.tokenizer_hash));
    dataset_close(&b);
    uint8_t empty[] = "{}";
    o.tokenizer = &(struct buf){.p = empty, .len = 2};
    assert_int_not_equal(prepare_run(&o, &r, &e), OK);
    assert_non_null(strstr(e.what, "tokenizer"));
    dataset_close(&a);
}

static void the_text_of_a_described_run_cannot_change(void **state)
{
    struct prepare_report r;
    struct prepare_options o = options();
    (void)state;
    textfolder_fill(text, "a.txt", 200000, 1);
    assert_int_equal(mkdir(home, 0700), 0);
    scratch_write(home, "run.potluck", "x", 1);
    assert_int_equal(prepare_run(&o, &r, &e), ERR_WRONG_STATE);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(text_becomes_tokenizer_shards_and_a_list),
        CASE(a_tokenizer_that_is_given_is_kept),
        CASE(what_the_model_says_ends_a_document),
        CASE(a_tokenizer_that_is_no_use_is_refused_before_the_text_is_read),
        CASE(the_same_text_gives_the_same_bytes),
        CASE(a_small_text_holds_out_enough_to_measure),
        CASE(what_is_not_used_is_told_and_counted),
        CASE(too_little_text_is_refused_with_its_size),
        CASE(a_failure_leaves_what_was_prepared_before),
        CASE(nothing_usable_is_refused),
        CASE(a_look_names_the_text_and_writes_nothing),
        CASE(a_given_tokenizer_is_used_as_it_is),
        CASE(the_text_of_a_described_run_cannot_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
