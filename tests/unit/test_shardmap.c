#include <fcntl.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/shardmap.h"
#include "tests/unit/scratch.h"

#define N (2 * DATA_CHUNK_TOKENS + 100)

static char dir[PATH_CAP], path[PATH_CAP];
static uint32_t tokens[N], got[N];
static struct hash index_hash;
static struct err e;

static void write_shard(uint32_t vocab_size)
{
    struct hash tokenizer = {{7}};
    for (uint32_t i = 0; i < N; i++)
        tokens[i] = (i * 2654435761u) % vocab_size;
    assert_int_equal(
        data_shard_write(path, tokens, N, 12345, vocab_size, &tokenizer, &index_hash, &e), OK);
}

static int set_up(void **state)
{
    (void)state;
    memset(&e, 0, sizeof e);
    memset(got, 0, sizeof got);
    scratch_make(dir);
    assert_int_equal(path_format(path, "%s/a.shard", dir), 0);
    write_shard(2048);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

/* Change one byte; counted from the end when at is negative. */
static void damage(long at)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    int c = fgetc(f);
    assert_int_equal(fseek(f, -1, SEEK_CUR), 0);
    fputc(c ^ 1, f);
    fclose(f);
}

static void any_stretch_reads_as_it_was_written(void **state)
{
    (void)state;
    const uint64_t starts[] = {0, 1, DATA_CHUNK_TOKENS - 1, DATA_CHUNK_TOKENS, N - 1};
    for (uint32_t wide = 0; wide < 2; wide++) {
        struct shardmap s;
        write_shard(wide ? 100000 : 2048);
        assert_int_equal(shardmap_open(path, &s, &e), OK);
        assert_true(hash_equal(&s.index_hash, &index_hash));
        assert_int_equal(shardmap_read(&s, 0, N, got, &e), OK);
        assert_memory_equal(got, tokens, sizeof tokens);
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
            uint64_t n = N - starts[i] < 300 ? N - starts[i] : 300;
            assert_int_equal(shardmap_read(&s, starts[i], n, got, &e), OK);
            assert_memory_equal(got, tokens + starts[i], n * sizeof *got);
        }
        shardmap_close(&s);
    }
}

static void tokens_outside_the_shard_are_refused(void **state)
{
    (void)state;
    struct shardmap s;
    assert_int_equal(shardmap_open(path, &s, &e), OK);
    assert_int_equal(shardmap_read(&s, N, 1, got, &e), ERR_ARG);
    assert_int_equal(shardmap_read(&s, 0, N + 1, got, &e), ERR_ARG);
    assert_int_equal(shardmap_read(&s, UINT64_MAX, 2, got, &e), ERR_ARG);
    assert_int_equal(shardmap_read(&s, 0, 0, got, &e), ERR_ARG);
    shardmap_close(&s);
}

static void a_damaged_chunk_is_found_when_it_is_looked_at(void **state)
{
    (void)state;
    struct shardmap s;
    damage(-1); /* in the last chunk */
    assert_int_equal(shardmap_open(path, &s, &e), OK);
    assert_int_equal(shardmap_read(&s, 0, 2 * DATA_CHUNK_TOKENS, got, &e), OK);
    assert_int_equal(s.is_checked[0] + s.is_checked[1], 2);
    assert_int_equal(shardmap_read(&s, 2 * DATA_CHUNK_TOKENS - 1, 2, got, &e), ERR_AUTH);
    assert_non_null(strstr(e.what, "a.shard"));
    assert_non_null(strstr(e.hint, "prepare"));
    assert_int_equal(s.is_checked[2], 0);
    shardmap_close(&s);
}

static void a_file_that_is_no_whole_shard_is_refused(void **state)
{
    (void)state;
    struct shardmap s = {0};
    struct buf b = {0};
    assert_int_equal(file_read(path, 1u << 24, &b, &e), OK);
    const size_t lengths[] = {0, 10, 71, 100, b.len - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_int_equal(truncate(path, (off_t)lengths[i]), 0);
        assert_int_equal(shardmap_open(path, &s, &e), ERR_PROTO);
        assert_non_null(strstr(e.what, "a.shard"));
        assert_int_equal(file_replace(path, b.p, b.len, 0600, &e), OK);
    }
    assert_int_equal(truncate(path, (off_t)b.len + 1), 0);
    assert_int_equal(shardmap_open(path, &s, &e), ERR_PROTO);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(shardmap_open(path, &s, &e), ERR_NOTFOUND);
    assert_int_equal(shardmap_open(dir, &s, &e), ERR_PROTO);
    buf_deinit(&b);
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    for (uint64_t k = 1; k <= 3; k++) {
        struct shardmap s = {0};
        alloc_fail_nth(k);
        int rc = shardmap_open(path, &s, &e);
        alloc_fail_nth(0);
        assert_int_equal(rc, ERR_NOMEM);
        assert_null(s.map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_stretch_reads_as_it_was_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_outside_the_shard_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_chunk_is_found_when_it_is_looked_at, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_whole_shard_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(failing_memory_is_survived, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
