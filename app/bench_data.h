#pragma once
/* Why: what a bench trains on: token shards, read as an agent reads them, a chunk at a time with
 * its hash checked, so that text never counts in the memory that is measured. Without shards of
 * the person's own, some are made once from text on the machine and kept in the cache.
 */

#include <stdint.h>

#include "base/err.h"
#include "base/path.h"
#include "engine/data.h"

#define BENCH_DATA_SHARDS 64

struct bench_shard {
    int fd;
    struct data_index x;
};

struct bench_data {
    struct bench_shard shards[BENCH_DATA_SHARDS];
    uint32_t n_shards;
    uint32_t seq_len;
    uint32_t vocab_size;   /* the largest of the shards */
    uint64_t n_chunks;     /* long enough for a sequence, all shards */
    uint32_t chunk_tokens; /* of the longest chunk */
    uint8_t *bytes;        /* one chunk as it lies in a file */
    uint32_t *tokens;      /* and decoded */
    char from[PATH_CAP];   /* where the text is from, for people */
};

/* Every *.shard of dir, at most BENCH_DATA_SHARDS, sorted by name. ERR_NOTFOUND when there is none,
 * ERR_ARG when the vocabulary is larger than vocab_size or no chunk holds seq_len + 1 tokens,
 * ERR_PROTO for a damaged one. Owner: bench_data_close.
 */
int bench_data_open(const char *dir, uint32_t vocab_size, uint32_t seq_len, struct bench_data *ret,
                    struct err *e) MUST_CHECK;
void bench_data_close(struct bench_data *d); /* accepts zeroed */

/* The cached shards for this vocabulary; made now, in a process of its own, when they are not
 * there (`say` is told then; it may be NULL). home as in base/path.h. Call before any thread exists.
 */
int bench_data_default(const char *home, uint32_t vocab_size, uint32_t seq_len,
                       void (*say)(const char *line), struct bench_data *ret,
                       struct err *e) MUST_CHECK;

/* Sequences number at, at + 1, ... of the endless stream that belongs to `seed`, as
 * tokens [n_seqs][seq_len + 1]. The same on every machine with the same shards.
 */
int bench_data_batch(struct bench_data *d, uint64_t seed, uint64_t at, uint32_t n_seqs,
                     uint32_t *tokens, struct err *e) MUST_CHECK;

/* Turn text into dir/text.shard with a vocabulary of at most vocab_size. */
int bench_data_make(const void *text, size_t n, uint32_t vocab_size, const char *dir,
                    struct err *e) MUST_CHECK;
