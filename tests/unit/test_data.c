#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "engine/data.h"
#include "tests/check.h"

#define N (2 * DATA_CHUNK_TOKENS + 100)

struct shard {
    char dir[64];
    char path[96];
    uint32_t *tokens;
    struct hash tokenizer;
    struct hash index_hash;
    struct buf file;
    struct data_index x;
};

static void shard_make(struct shard *s, uint32_t vocab_size)
{
    memset(s, 0, sizeof *s);
    snprintf(s->dir, sizeof s->dir, "/tmp/potluck-test-data-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->path, sizeof s->path, "%s/shard", s->dir);
    s->tokens = calloc(N, sizeof *s->tokens);
    assert_non_null(s->tokens);
    for (uint32_t i = 0; i < N; i++)
        s->tokens[i] = (i * 2654435761u) % vocab_size;
    s->tokenizer.b[0] = 7;
    assert_int_equal(data_shard_write(s->path, s->tokens, N, 12345, vocab_size, &s->tokenizer,
                                      &s->index_hash, NULL),
                     OK);
    assert_int_equal(file_read(s->path, 1u << 24, &s->file, NULL), OK);
    size_t n = 72 + 3 * 32;
    assert_int_equal(data_index_parse(s->file.p, n, &s->x, NULL), OK);
}

static void shard_remove(struct shard *s)
{
    unlink(s->path);
    rmdir(s->dir);
    free(s->tokens);
    buf_deinit(&s->file);
    data_index_deinit(&s->x);
}

static void a_shard_gives_back_its_tokens(uint32_t vocab_size)
{
    struct shard s;
    uint32_t got[DATA_CHUNK_TOKENS];
    shard_make(&s, vocab_size);
    struct hash h = hash_of(s.file.p, data_index_bytes(&s.x));
    assert_true(hash_equal(&h, &s.index_hash));
    assert_int_equal(s.x.n_tokens, N);
    assert_int_equal(s.x.n_text_bytes, 12345);
    assert_true(hash_equal(&s.x.tokenizer, &s.tokenizer));
    uint32_t seen = 0;
    for (uint32_t i = 0; i < s.x.n_chunks; i++) {
        assert_int_equal(data_chunk_decode(&s.x, i, s.file.p + data_chunk_offset(&s.x, i),
                                           data_chunk_bytes(&s.x, i), got, NULL),
                         OK);
        assert_memory_equal(got, s.tokens + seen, data_chunk_tokens(&s.x, i) * sizeof *got);
        seen += data_chunk_tokens(&s.x, i);
    }
    assert_int_equal(seen, N);
    assert_int_equal(data_chunk_offset(&s.x, 2) + data_chunk_bytes(&s.x, 2), s.file.len);
    assert_int_equal(data_chunk_tokens(&s.x, 3), 0);
    shard_remove(&s);
}

static void small_vocabularies_take_two_bytes_a_token(void **state)
{
    (void)state;
    a_shard_gives_back_its_tokens(2048);
    a_shard_gives_back_its_tokens(65536);
}

static void large_vocabularies_take_four_bytes_a_token(void **state)
{
    (void)state;
    a_shard_gives_back_its_tokens(65537);
}

static void an_index_written_again_is_the_same(void **state)
{
    (void)state;
    struct shard s;
    struct buf b = {0};
    shard_make(&s, 300);
    assert_int_equal(data_index_write(&s.x, &b, NULL), OK);
    assert_int_equal(b.len, data_index_bytes(&s.x));
    assert_memory_equal(b.p, s.file.p, b.len);
    buf_deinit(&b);
    shard_remove(&s);
}

static void every_damaged_chunk_is_seen(void **state)
{
    (void)state;
    struct shard s;
    uint32_t got[DATA_CHUNK_TOKENS];
    struct err e = {0};
    shard_make(&s, 300);
    uint8_t *p = s.file.p + data_chunk_offset(&s.x, 2);
    size_t n = data_chunk_bytes(&s.x, 2);
    p[3] ^= 1;
    assert_int_equal(data_chunk_decode(&s.x, 2, p, n, got, &e), ERR_AUTH);
    p[3] ^= 1;
    assert_int_equal(data_chunk_decode(&s.x, 1, p, n, got, &e), ERR_PROTO);
    assert_int_equal(data_chunk_decode(&s.x, 2, p, n - 1, got, &e), ERR_PROTO);
    assert_int_equal(data_chunk_decode(&s.x, 3, p, 0, got, &e), ERR_PROTO);
    bytes_put_u16(p, 300); /* a host that signs nonsense */
    s.x.chunk_hashes[2] = hash_of(p, n);
    assert_int_equal(data_chunk_decode(&s.x, 2, p, n, got, &e), ERR_PROTO);
    shard_remove(&s);
}

static void every_wrong_header_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint32_t value;
        int code;
    } faults[] = {
        {0,  0x53544c51, ERR_PROTO  },
        {4,  2,          ERR_VERSION},
        {8,  4,          ERR_PROTO  },
        {12, 0,          ERR_PROTO  },
        {12, 70000,      ERR_PROTO  },
        {16, 0,          ERR_PROTO  },
        {20, 1u << 30,   ERR_PROTO  },
        {28, 1u << 30,   ERR_PROTO  },
        {32, 0,          ERR_PROTO  },
        {32, 1u << 21,   ERR_PROTO  },
        {36, 4,          ERR_PROTO  }
    };
    struct shard s;
    struct data_index x = {0};
    shard_make(&s, 300);
    size_t n = data_index_bytes(&s.x);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        uint8_t b[256];
        memcpy(b, s.file.p, n);
        bytes_put_u32(b + faults[i].at, faults[i].value);
        assert_int_equal(data_index_parse(b, n, &x, NULL), faults[i].code);
    }
    for (size_t i = 0; i < n; i++)
        assert_int_equal(data_index_parse(s.file.p, i, &x, NULL), ERR_PROTO);
    assert_int_equal(data_index_parse(s.file.p, n + 1, &x, NULL), ERR_PROTO);
    assert_null(x.chunk_hashes);
    shard_remove(&s);
}

static void what_cannot_be_a_shard_is_not_written(void **state)
{
    (void)state;
    struct hash h = {0};
    uint32_t token = 5;
    assert_int_equal(data_shard_write("/nowhere/x", &token, 0, 0, 10, &h, &h, NULL), ERR_ARG);
    assert_int_equal(data_shard_write("/nowhere/x", &token, 1, 0, 5, &h, &h, NULL), ERR_ARG);
    assert_int_equal(data_shard_write("/nowhere/x", &token, 1, 0, 6, &h, &h, NULL), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_vocabularies_take_two_bytes_a_token),
        cmocka_unit_test(large_vocabularies_take_four_bytes_a_token),
        cmocka_unit_test(an_index_written_again_is_the_same),
        cmocka_unit_test(every_damaged_chunk_is_seen),
        cmocka_unit_test(every_wrong_header_is_refused),
        cmocka_unit_test(what_cannot_be_a_shard_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
