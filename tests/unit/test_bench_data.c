#include "app/bench_data.h"
#include "tests/unit/scratch.h"

enum { T = 32, N_TOKENS = 3 * DATA_CHUNK_TOKENS + 20 };

/* A shard whose token i is i % vocab, so that a sequence shows where it is from. */
static void write_counting(const char *dir, const char *name, uint32_t n, uint32_t vocab)
{
    static uint32_t ids[N_TOKENS];
    char path[PATH_CAP];
    struct hash tokenizer = {{1}};
    struct hash index;
    for (uint32_t i = 0; i < n; i++)
        ids[i] = i % vocab;
    assert_int_equal(path_format(path, "%s/%s", dir, name), 0);
    assert_int_equal(data_shard_write(path, ids, n, n, vocab, &tokenizer, &index, NULL), OK);
}

static void bench_data_gives_whole_sequences_and_the_same_ones_again(void **state)
{
    (void)state;
    char dir[PATH_CAP];
    struct bench_data d;
    uint32_t a[4 * (T + 1)], b[4 * (T + 1)], c[4 * (T + 1)];
    scratch_make(dir);
    write_counting(dir, "one.shard", N_TOKENS, 500);
    write_counting(dir, "two.shard", DATA_CHUNK_TOKENS, 300);
    assert_int_equal(bench_data_open(dir, 512, T, &d, NULL), OK);
    assert_int_equal(d.n_shards, 2);
    assert_int_equal(d.vocab_size, 500);
    assert_int_equal(d.n_chunks, 4); /* the last 20 tokens of one.shard are too few */
    assert_int_equal(bench_data_batch(&d, 1, 0, 4, a, NULL), OK);
    for (int s = 0; s < 4; s++)
        for (int i = 1; i <= T; i++) {
            uint32_t was = a[s * (T + 1) + i - 1];
            uint32_t is = a[s * (T + 1) + i];
            assert_true(is == was + 1 || (is == 0 && (was == 499 || was == 299)));
        }
    assert_int_equal(bench_data_batch(&d, 1, 0, 4, b, NULL), OK);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(bench_data_batch(&d, 2, 0, 4, c, NULL), OK);
    assert_memory_not_equal(a, c, sizeof a);
    assert_int_equal(bench_data_batch(&d, 1, 2, 2, c, NULL), OK); /* by number, not by call */
    assert_memory_equal(a + (size_t)2 * (T + 1), c, sizeof(uint32_t) * 2 * (T + 1));
    bench_data_close(&d);
    scratch_remove(dir);
}

static void bench_data_refuses_what_the_model_cannot_read(void **state)
{
    (void)state;
    char dir[PATH_CAP];
    struct bench_data d;
    struct err e = {0};
    scratch_make(dir);
    assert_int_equal(bench_data_open(dir, 512, T, &d, &e), ERR_NOTFOUND);
    assert_non_null(strstr(e.hint, "prepare"));
    write_counting(dir, "one.shard", 100, 500);
    assert_int_equal(bench_data_open(dir, 499, T, &d, &e), ERR_ARG);   /* ids above the model's */
    assert_int_equal(bench_data_open(dir, 500, 100, &d, &e), ERR_ARG); /* one token too short */
    assert_int_equal(bench_data_open(dir, 500, 99, &d, &e), OK);
    uint32_t all[100];
    assert_int_equal(bench_data_batch(&d, 1, 0, 1, all, &e), OK);
    assert_int_equal(all[99], 99);
    bench_data_close(&d);
    scratch_remove(dir);
}

static void bench_data_notices_damage(void **state)
{
    (void)state;
    char dir[PATH_CAP];
    char path[PATH_CAP];
    struct bench_data d;
    struct err e = {0};
    uint32_t tokens[T + 1];
    scratch_make(dir);
    write_counting(dir, "one.shard", 1000, 500);
    assert_int_equal(path_format(path, "%s/one.shard", dir), 0);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, -1, SEEK_END), 0);
    assert_int_equal(fputc(7, f), 7);
    fclose(f);
    assert_int_equal(bench_data_open(dir, 500, T, &d, &e), OK);
    assert_int_equal(bench_data_batch(&d, 1, 0, 1, tokens, &e), ERR_AUTH);
    bench_data_close(&d);
    assert_int_equal(truncate(path, 1500), 0);
    assert_int_equal(bench_data_open(dir, 500, T, &d, &e), OK);
    assert_int_equal(bench_data_batch(&d, 1, 0, 1, tokens, &e), ERR_PROTO);
    bench_data_close(&d);
    for (int n = 80; n >= 0; n -= 8) { /* inside the index, inside the header, empty */
        assert_int_equal(truncate(path, n), 0);
        assert_int_equal(bench_data_open(dir, 500, T, &d, &e), ERR_PROTO);
    }
    scratch_write(dir, "one.shard", "PLSH\377\377\377\377\377\377\377\377\377\377\377\377", 16);
    assert_int_equal(bench_data_open(dir, 500, T, &d, &e), ERR_PROTO);
    scratch_remove(dir);
}

static void bench_data_makes_shards_of_any_text(void **state)
{
    (void)state;
    char dir[PATH_CAP];
    char inner[PATH_CAP];
    struct bench_data d;
    struct buf text = {0};
    uint32_t tokens[T + 1];
    scratch_make(dir);
    for (int i = 0; i < 400; i++)
        buf_printf(&text, "pot number %d of soup is for guest %d.\n", i, i * 7);
    assert_int_equal(path_format(inner, "%s/new", dir), 0);
    assert_int_equal(bench_data_make(text.p, text.len, 300, inner, NULL), OK);
    assert_int_equal(bench_data_open(inner, 300, T, &d, NULL), OK);
    assert_true(d.vocab_size > 257 && d.vocab_size <= 300);
    assert_int_equal(bench_data_batch(&d, 1, 0, 1, tokens, NULL), OK);
    bench_data_close(&d);
    buf_deinit(&text);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bench_data_gives_whole_sequences_and_the_same_ones_again),
        cmocka_unit_test(bench_data_refuses_what_the_model_cannot_read),
        cmocka_unit_test(bench_data_notices_damage),
        cmocka_unit_test(bench_data_makes_shards_of_any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
