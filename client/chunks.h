#pragma once
/* Why: the text to train on arrives in small chunks, each checked against the run's signed hash
 * table, and stays in a cache folder within a disk quota. A chunk on disk is checked again when it
 * is read: a cache may be edited, cut short or rotten, and must never be believed.
 *
 * Chunks are numbered as in record/assign.h: full chunks over all shards, in shard order.
 * Owner: chunks_create / chunks_destroy. Thread: the trainer's. Blocks on the disk.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/assign.h"
#include "record/rundesc.h"

struct chunks;

/* What must be fetched: an index (is_index) or a chunk of a shard; or the run's tokenizer, which is
 * not kept here but fetched in the same way (shard is then UINT32_MAX).
 */
struct chunks_want {
    bool is_index;
    bool is_tokenizer;
    uint32_t shard;
    uint32_t chunk;  /* within the shard */
    uint32_t number; /* over all shards; 0 for an index */
    size_t n_bytes;
};

/* dir is made when missing. quota_bytes: of all chunk files together; at least a few are kept. */
int chunks_create(const char *dir, const struct rundesc *run, uint64_t quota_bytes,
                  struct chunks **ret, struct err *e) MUST_CHECK;
void chunks_destroy(struct chunks *c);

/* OK when every index is known; ERR_AGAIN with *ret filled when one must be fetched first. */
int chunks_ready(struct chunks *c, struct chunks_want *ret, struct err *e) MUST_CHECK;

/* Only after chunks_ready said OK. ERR_LIMIT when the run has less than one chunk of text. */
int chunks_space(const struct chunks *c, uint32_t seq_len, struct assign_space *ret,
                 struct err *e) MUST_CHECK;

/* Tokens of a chunk (chunk_tokens of them), valid until the next call; ERR_AGAIN with *want filled
 * when it must be fetched first.
 */
int chunks_get(struct chunks *c, uint32_t number, const uint32_t **ret, struct chunks_want *want,
               struct err *e) MUST_CHECK;

/* Is it on disk or in memory? (to know what to prefetch); fills *want when not. */
bool chunks_has(struct chunks *c, uint32_t number, struct chunks_want *want);

/* Take what was fetched: check and keep it. ERR_AUTH when it is not what was signed. A full disk
 * is no error: the chunk is then kept in memory only.
 */
int chunks_take(struct chunks *c, const struct chunks_want *w, const void *bytes, size_t n,
                struct err *e) MUST_CHECK;

uint64_t chunks_disk_bytes(const struct chunks *c);
