#pragma once
/* Why: token shards. A shard is a file with a checked header, a table of SHA-256 hashes, one for
 * each chunk of tokens, and the tokens. A contributor holds the header and table (the "index",
 * whose own hash is in the run description) and fetches single chunks, each checked against the
 * table before a token of it is used. Layout: docs/PROTOCOL.md, "Token shards".
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

#define DATA_CHUNK_TOKENS 16384u
#define DATA_MAX_CHUNKS   (1u << 20)

/* The index of one shard: what the header says plus the hash of each chunk. */
struct data_index {
    uint32_t token_bytes; /* 2 or 4 */
    uint32_t vocab_size;
    uint64_t n_tokens;
    uint64_t n_text_bytes; /* bytes of text these tokens spell */
    uint32_t chunk_tokens; /* tokens per chunk; the last chunk may be shorter */
    uint32_t n_chunks;
    struct hash tokenizer;     /* SHA-256 of tokenizer.json */
    struct hash *chunk_hashes; /* [n_chunks], owned */
};

void data_index_deinit(struct data_index *x); /* accepts zeroed */

/* Read an index (header and hash table, the first data_index_bytes of a shard file). Every field
 * is checked. ERR_PROTO, ERR_VERSION, ERR_NOMEM.
 */
int data_index_parse(const void *bytes, size_t n, struct data_index *ret, struct err *e) MUST_CHECK;
int data_index_write(const struct data_index *x, struct buf *out, struct err *e) MUST_CHECK;
size_t data_index_bytes(const struct data_index *x);

/* How long the index is that a shard file begins with, from the file's first n bytes (at least
 * DATA_HEADER_BYTES). ERR_PROTO, ERR_VERSION.
 */
#define DATA_HEADER_BYTES 72u
int data_index_peek(const void *bytes, size_t n, size_t *ret_bytes, struct err *e) MUST_CHECK;

/* Offset of chunk i in the shard file, and its length in bytes. */
uint64_t data_chunk_offset(const struct data_index *x, uint32_t i);
size_t data_chunk_bytes(const struct data_index *x, uint32_t i);
uint32_t data_chunk_tokens(const struct data_index *x, uint32_t i);

/* Check bytes of chunk i against the table and widen them to tokens [data_chunk_tokens].
 * ERR_AUTH on a wrong hash, ERR_PROTO on a token outside the vocabulary.
 */
int data_chunk_decode(const struct data_index *x, uint32_t i, const void *bytes, size_t n,
                      uint32_t *tokens, struct err *e) MUST_CHECK;

/* Write a shard file from tokens, durably. */
int data_shard_write(const char *path, const uint32_t *tokens, uint64_t n_tokens,
                     uint64_t n_text_bytes, uint32_t vocab_size, const struct hash *tokenizer,
                     struct hash *ret_index_hash, struct err *e) MUST_CHECK;
