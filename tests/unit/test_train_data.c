#include "aggregator/prepare.h"
#include "app/train_data.h"
#include "base/alloc.h"
#include "base/file.h"
#include "tests/unit/textfolder.h"

#define SEQ 32

static char dir[PATH_CAP], home[PATH_CAP], folder[PATH_CAP];
static struct err e;

/* A prepared folder of two training shards and a held-out one. */
static int set_up(void **state)
{
    (void)state;
    char text[PATH_CAP];
    const char *paths[1] = {text};
    struct prepare_report r;
    memset(&e, 0, sizeof e);
    scratch_make(dir);
    assert_int_equal(path_format(text, "%s/text", dir), 0);
    assert_int_equal(path_format(home, "%s/home", dir), 0);
    assert_int_equal(path_format(folder, "%s/home/data", dir), 0);
    assert_int_equal(mkdir(text, 0700), 0);
    textfolder_fill(text, "a.txt", 300000, 1);
    struct prepare_options o = {.home = home,
                                .paths = paths,
                                .n_paths = 1,
                                .vocab_size = 320,
                                .val_frac = 0.1,
                                .shard_tokens = 65536};
    assert_int_equal(prepare_run(&o, &r, &e), OK);
    assert_true(r.n_shards >= 2);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static void drop(const char *name)
{
    char path[PATH_CAP];
    assert_int_equal(path_format(path, "%s/%s", folder, name), 0);
    assert_int_equal(unlink(path), 0);
}

static void prepared_tokens_are_found_and_text_is_not(void **state)
{
    (void)state;
    char got[PATH_CAP];
    assert_true(train_data_find(home, got));
    assert_string_equal(got, folder);
    assert_true(train_data_find(folder, got));
    assert_string_equal(got, folder);
    assert_false(train_data_find(dir, got));
    assert_false(train_data_find("/nowhere", got));
}

static void a_step_reads_what_the_walk_says(void **state)
{
    (void)state;
    struct train_data d;
    struct train_walk w;
    uint32_t tokens[2 * (SEQ + 1)], one[SEQ + 1];
    assert_int_equal(train_data_open(folder, &d, &e), OK);
    assert_true(d.has_val && d.has_text && d.n_train >= 2);
    assert_int_equal(train_walk_init(&w, 5, SEQ, d.n_tokens, d.n_train, &e), OK);
    assert_int_equal(train_data_batch(&d, &w, 7, 2, tokens, &e), OK);
    struct train_place p = train_walk_place(&w, 15);
    assert_int_equal(shardmap_read(&d.train[p.shard], p.at, SEQ + 1, one, &e), OK);
    assert_memory_equal(tokens + SEQ + 1, one, sizeof one);
    train_data_close(&d);
}

/* Somebody copied shards and tokenizer only: the same data, by the same name. */
static void a_folder_without_its_list_is_the_same_data(void **state)
{
    (void)state;
    struct train_data a, b;
    assert_int_equal(train_data_open(folder, &a, &e), OK);
    drop("prepare.json");
    assert_int_equal(train_data_open(folder, &b, &e), OK);
    assert_true(hash_equal(&a.name, &b.name));
    assert_true(b.has_val && !b.has_text);
    train_data_close(&b);
    drop("val.shard");
    assert_int_equal(train_data_open(folder, &b, &e), OK);
    assert_false(b.has_val);
    train_data_close(&b);
    drop("train-001.shard");
    assert_int_equal(train_data_open(folder, &b, &e), OK);
    assert_false(hash_equal(&a.name, &b.name));
    train_data_close(&b);
    drop("train-000.shard");
    assert_int_not_equal(train_data_open(folder, &b, &e), OK);
    train_data_close(&a);
}

static void shards_of_another_tokenizer_are_refused(void **state)
{
    (void)state;
    struct train_data d;
    uint32_t tokens[100] = {0};
    struct hash index, other = {{1}};
    char path[PATH_CAP];
    assert_int_equal(path_format(path, "%s/zzz.shard", folder), 0);
    assert_int_equal(data_shard_write(path, tokens, 100, 1, 320, &other, &index, &e), OK);
    assert_int_equal(train_data_open(folder, &d, &e), OK); /* the list does not name it */
    train_data_close(&d);
    drop("prepare.json");
    assert_int_equal(train_data_open(folder, &d, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "another tokenizer"));
}

static void the_sample_is_spread_and_counts_its_bytes(void **state)
{
    (void)state;
    struct train_data d;
    struct train_sample s;
    assert_int_equal(train_data_open(folder, &d, &e), OK);
    assert_int_equal(train_data_sample(&d, SEQ, 10, &s, &e), OK);
    assert_int_equal(s.n_seqs, 10);
    assert_true(s.n_bytes > 10 * SEQ && s.n_bytes < 10 * SEQ * 20);
    train_sample_deinit(&s);
    assert_int_equal(train_data_sample(&d, 60000, 10, &s, &e), OK);
    assert_int_equal(s.n_seqs, 0);
    train_data_close(&d);
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    struct train_data d;
    int rc = ERR_NOMEM;
    uint64_t k = 1;
    for (; rc != OK && k < 5000; k++) {
        alloc_fail_nth(k);
        rc = train_data_open(folder, &d, &e);
        alloc_fail_nth(0);
        if (rc != OK) assert_int_not_equal(rc, ERR_AUTH);
    }
    assert_int_equal(rc, OK);
    assert_true(k > 10);
    train_data_close(&d);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(prepared_tokens_are_found_and_text_is_not),
        CASE(a_step_reads_what_the_walk_says),
        CASE(a_folder_without_its_list_is_the_same_data),
        CASE(shards_of_another_tokenizer_are_refused),
        CASE(the_sample_is_spread_and_counts_its_bytes),
        CASE(failing_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
