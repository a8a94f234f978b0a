#pragma once
/* Why: the big things an aggregator keeps are files: chunks of uploads under the slot's id, and
 * payloads, updates and checkpoints under their own SHA-256. Written by base/file's rule (write,
 * fsync, rename, fsync the folder), so OK means durable. Ids and hashes come from us, never a path
 * from a peer.
 *
 * Thread: any; calls on different files do not disturb each other. Blocking: all of them.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/path.h"

enum spool_kind { SPOOL_PAYLOAD, SPOOL_UPDATE, SPOOL_CHECKPOINT, SPOOL_KINDS };

struct spool {
    char home[PATH_CAP];
    struct file_group chunks; /* of the folder of uploads */
};

/* Make the folders under home. */
int spool_open(struct spool *s, const char *home, struct err *e) MUST_CHECK;
uint64_t spool_room(const struct spool *s); /* bytes free for us; 0 when unknown */

/* Chunks of the slot `id` (32 hex digits). have: bit i set when chunk i < n is stored. */
int spool_chunk_put(struct spool *s, const char *id, uint32_t i, const void *p, size_t n,
                    struct err *e) MUST_CHECK;
int spool_chunk_read(const struct spool *s, const char *id, uint32_t i, struct buf *out,
                     struct err *e) MUST_CHECK;
void spool_chunks_have(const struct spool *s, const char *id, uint32_t n, uint8_t *have);

void spool_chunks_drop(const struct spool *s, const char *id, uint32_t n);

/* At start, while nothing is written: delete the chunks of every slot for which is_needed says no. */
typedef bool (*spool_needed_fn)(const char *id, void *ctx);
void spool_chunks_sweep(const struct spool *s, spool_needed_fn is_needed, void *ctx);

/* Files by hash. read checks it: ERR_AUTH when the file is damaged, ERR_NOTFOUND when missing. */
int spool_put(const struct spool *s, enum spool_kind kind, const void *p, size_t n,
              struct hash *ret, struct err *e) MUST_CHECK;
int spool_read(const struct spool *s, enum spool_kind kind, const struct hash *h, size_t max,
               struct buf *out, struct err *e) MUST_CHECK;
int spool_path(const struct spool *s, enum spool_kind kind, const struct hash *h,
               char ret[PATH_CAP], struct err *e) MUST_CHECK;
void spool_drop(const struct spool *s, enum spool_kind kind, const struct hash *h);
