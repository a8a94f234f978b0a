#include "aggregator/dataset.h"
#include "aggregator/prepare.h"
#include "tests/unit/textfolder.h"

static char dir[PATH_CAP];
static struct err e;

static int set_up(void **state)
{
    const char *paths[1] = {dir};
    struct prepare_report r;
    char home[PATH_CAP];
    (void)state;
    scratch_make(dir);
    textfolder_fill(dir, "a.txt", 200000, 1);
    assert_int_equal(path_format(home, "%s", dir), 0);
    struct prepare_options o = {
        .home = home, .paths = paths, .n_paths = 1, .vocab_size = 300, .val_frac = 0.1};
    return prepare_run(&o, &r, &e);
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static void a_description_names_exactly_this_data(void **state)
{
    struct dataset d;
    static struct rundesc r;
    (void)state;
    assert_int_equal(dataset_open(dir, &d, &e), OK);
    dataset_describe(&d, &r);
    assert_int_equal(dataset_check(&d, &r, &e), OK);
    r.train_shards[0].b[3] ^= 1;
    assert_int_equal(dataset_check(&d, &r, &e), ERR_AUTH);
    assert_true(e.hint[0]);
    dataset_close(&d);
}

static void a_damaged_chunk_is_not_served(void **state)
{
    struct dataset d;
    struct buf chunk = {0};
    (void)state;
    assert_int_equal(dataset_open(dir, &d, &e), OK);
    assert_int_equal(dataset_chunk(&d.train[0], 0, &chunk, &e), OK);
    assert_int_equal(chunk.len, data_chunk_bytes(&d.train[0].x, 0));
    FILE *f = fopen(d.train[0].path, "r+b");
    assert_non_null(f);
    fseek(f, (long)data_chunk_offset(&d.train[0].x, 0) + 5, SEEK_SET);
    fputc(chunk.p[5] ^ 1, f);
    fclose(f);
    assert_int_equal(dataset_chunk(&d.train[0], 0, &chunk, &e), ERR_AUTH);
    assert_int_equal(dataset_chunk(&d.train[0], d.train[0].x.n_chunks, &chunk, &e), ERR_NOTFOUND);
    buf_deinit(&chunk);
    dataset_close(&d);
}

static void a_changed_tokenizer_is_noticed(void **state)
{
    struct dataset d = {0};
    char data[PATH_CAP];
    (void)state;
    assert_int_equal(path_format(data, "%s/data", dir), 0);
    scratch_write(data, "tokenizer.json", "{}", 2);
    assert_int_equal(dataset_open(dir, &d, &e), ERR_AUTH);
    assert_true(e.hint[0]);
}

static void without_prepare_the_next_step_is_told(void **state)
{
    struct dataset d = {0};
    (void)state;
    assert_false(dataset_exists("/nonexistent"));
    assert_int_equal(dataset_open("/nonexistent", &d, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.hint, "prepare"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_description_names_exactly_this_data),
        CASE(a_damaged_chunk_is_not_served),
        CASE(a_changed_tokenizer_is_noticed),
        CASE(without_prepare_the_next_step_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
