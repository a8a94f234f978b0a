#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "client/chunks.h"
#include "engine/data.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

#define N_CHUNKS    40
#define CHUNK_BYTES (2 * DATA_CHUNK_TOKENS)

struct rig {
    char dir[PATH_CAP], cache[PATH_CAP];
    struct buf shard; /* a whole shard file */
    struct rundesc run;
    size_t n_index;
};

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    char path[PATH_CAP];
    assert_non_null(r);
    scratch_make(r->dir);
    path_format(r->cache, "%s/cache", r->dir);
    path_format(path, "%s/shard", r->dir);
    uint64_t n = (uint64_t)N_CHUNKS * DATA_CHUNK_TOKENS + 5; /* and a short last chunk */
    uint32_t *tokens = malloc(n * sizeof *tokens);
    assert_non_null(tokens);
    for (uint64_t i = 0; i < n; i++)
        tokens[i] = (uint32_t)(i / DATA_CHUNK_TOKENS);
    struct hash tokenizer = hash_of("t", 1);
    assert_int_equal(
        data_shard_write(path, tokens, n, 3 * n, 100, &tokenizer, &r->run.train_shards[0], NULL),
        OK);
    free(tokens);
    assert_int_equal(file_read(path, 1 << 24, &r->shard, NULL), OK);
    r->n_index = 72 + 32 * (N_CHUNKS + 1);
    r->run.n_train_shards = 1;
    r->run.train_index_bytes[0] = r->n_index;
    r->run.model.vocab_size = 100;
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    buf_deinit(&r->shard);
    scratch_remove(r->dir);
    free(r);
    return 0;
}

static struct chunks *open_ready(struct rig *r, uint64_t quota)
{
    struct chunks *c;
    struct chunks_want w;
    assert_int_equal(chunks_create(r->cache, &r->run, quota, &c, NULL), OK);
    if (chunks_ready(c, &w, NULL) == ERR_AGAIN) {
        assert_true(w.is_index);
        assert_int_equal(chunks_take(c, &w, r->shard.p, r->n_index, NULL), OK);
    }
    assert_int_equal(chunks_ready(c, &w, NULL), OK);
    return c;
}

static const uint8_t *chunk_bytes(const struct rig *r, uint32_t i)
{
    return r->shard.p + r->n_index + (size_t)i * CHUNK_BYTES;
}

static void fetch(struct rig *r, struct chunks *c, uint32_t number)
{
    const uint32_t *tokens;
    struct chunks_want w;
    if (chunks_get(c, number, &tokens, &w, NULL) == ERR_AGAIN)
        assert_int_equal(chunks_take(c, &w, chunk_bytes(r, w.chunk), w.n_bytes, NULL), OK);
    assert_int_equal(chunks_get(c, number, &tokens, &w, NULL), OK);
    assert_int_equal(tokens[0], number);
    assert_int_equal(tokens[DATA_CHUNK_TOKENS - 1], number);
}

static void chunks_counts_full_chunks_only(void **state)
{
    struct rig *r = *state;
    struct chunks *c = open_ready(r, 1 << 24);
    struct assign_space space;
    assert_int_equal(chunks_space(c, 128, &space, NULL), OK);
    assert_int_equal(space.n_chunks, N_CHUNKS);
    assert_int_equal(space.chunk_tokens, DATA_CHUNK_TOKENS);
    chunks_destroy(c);
}

static void chunks_refuses_an_index_that_was_not_signed(void **state)
{
    struct rig *r = *state;
    struct chunks *c;
    struct chunks_want w;
    assert_int_equal(chunks_create(r->cache, &r->run, 1 << 24, &c, NULL), OK);
    assert_int_equal(chunks_ready(c, &w, NULL), ERR_AGAIN);
    r->shard.p[80] ^= 1;
    assert_int_equal(chunks_take(c, &w, r->shard.p, r->n_index, NULL), ERR_AUTH);
    assert_int_equal(chunks_ready(c, &w, NULL), ERR_AGAIN);
    chunks_destroy(c);
}

static void chunks_refuses_text_that_was_not_signed(void **state)
{
    struct rig *r = *state;
    struct chunks *c = open_ready(r, 1 << 24);
    struct chunks_want w;
    assert_false(chunks_has(c, 3, &w));
    assert_int_equal(chunks_take(c, &w, chunk_bytes(r, 4), w.n_bytes, NULL), ERR_AUTH);
    assert_int_equal(chunks_take(c, &w, chunk_bytes(r, 3), w.n_bytes - 2, NULL), ERR_PROTO);
    assert_false(chunks_has(c, 3, &w));
    chunks_destroy(c);
}

static void chunks_survive_a_restart(void **state)
{
    struct rig *r = *state;
    struct chunks *c = open_ready(r, 1 << 24);
    fetch(r, c, 7);
    chunks_destroy(c);
    struct chunks_want w;
    const uint32_t *tokens;
    c = open_ready(r, 1 << 24);
    assert_int_equal(chunks_get(c, 7, &tokens, &w, NULL), OK);
    assert_int_equal(tokens[5], 7);
    chunks_destroy(c);
}

static void chunks_does_not_believe_a_rotten_cache(void **state)
{
    struct rig *r = *state;
    struct chunks *c = open_ready(r, 1 << 24);
    fetch(r, c, 7);
    chunks_destroy(c);
    char path[PATH_CAP];
    path_format(path, "%s/chunk-00000007", r->cache);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "x", 1, 100), 1);
    close(fd);
    struct chunks_want w;
    const uint32_t *tokens;
    c = open_ready(r, 1 << 24);
    assert_int_equal(chunks_get(c, 7, &tokens, &w, NULL), ERR_AGAIN);
    assert_false(file_exists(path));
    fetch(r, c, 7);
    chunks_destroy(c);
}

static void chunks_keep_within_the_quota(void **state)
{
    struct rig *r = *state;
    uint64_t quota = 34 * CHUNK_BYTES;
    struct chunks *c = open_ready(r, quota);
    for (uint32_t i = 0; i < N_CHUNKS; i++) {
        fetch(r, c, i);
        assert_true(chunks_disk_bytes(c) <= quota);
    }
    chunks_destroy(c);
    c = open_ready(r, quota);
    struct chunks_want w;
    assert_false(chunks_has(c, 0, &w)); /* the one not used for longest went first */
    assert_true(chunks_has(c, N_CHUNKS - 1, &w));
    chunks_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chunks_counts_full_chunks_only, setup, teardown),
        cmocka_unit_test_setup_teardown(chunks_refuses_an_index_that_was_not_signed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(chunks_refuses_text_that_was_not_signed, setup, teardown),
        cmocka_unit_test_setup_teardown(chunks_survive_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(chunks_does_not_believe_a_rotten_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(chunks_keep_within_the_quota, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
