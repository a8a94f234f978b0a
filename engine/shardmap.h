#pragma once
/* Why: training on one's own disk needs no copy of the text in memory. A token shard's file is
 * mapped; the kernel reads pages when they are looked at and drops them when memory is short, so
 * text larger than memory costs nothing but reading. A chunk is held against its hash when it is
 * first looked at, once; a shard of another tokenizer or with a token outside the vocabulary never
 * reaches the model.
 *
 * Owner: shardmap_open / shardmap_close. Thread: one at a time (reads mark chunks as checked).
 * Limit: a file that another program shortens while it is mapped ends this process (SIGBUS), as
 * with every mapped file; what is longer or shorter already is refused by shardmap_open.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/path.h"
#include "engine/data.h"

struct shardmap {
    struct data_index x;
    struct hash index_hash; /* SHA-256 of header and table: the shard's name */
    char path[PATH_CAP];    /* for error texts */
    const uint8_t *map;
    size_t n_bytes;
    uint8_t *is_checked; /* [n_chunks], owned */
    uint32_t *scratch;   /* [chunk_tokens], owned: a chunk while it is being checked */
};

/* Map a shard file and check header, table and length. ERR_NOTFOUND, ERR_IO, ERR_PROTO,
 * ERR_VERSION, ERR_NOMEM.
 */
int shardmap_open(const char *path, struct shardmap *ret, struct err *e) MUST_CHECK;
void shardmap_close(struct shardmap *s); /* accepts NULL and zeroed */

/* Tokens [at, at + n) of the shard, widened. ERR_ARG outside the shard; ERR_AUTH or ERR_PROTO
 * when a chunk that they lie in is damaged: then `tokens` holds nothing to be used.
 */
int shardmap_read(struct shardmap *s, uint64_t at, uint64_t n, uint32_t *tokens,
                  struct err *e) MUST_CHECK;
