#pragma once
/* Why: the big things an aggregator keeps: chunks of uploads under the slot's id, everything that is
 * published under its own SHA-256, in a folder for each kind, and the files of the record. OK means
 * durable. Ids and hashes come from us, never a path from a peer. What keeps the bytes is a back end
 * behind aggregator/spool_driver.h: files below the home, unless another one is named.
 *
 * Thread: any; calls on different names do not disturb each other. Blocking: all of them.
 */

#include <stdbool.h>
#include <stdint.h>

#include "aggregator/spool_driver.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/path.h"

enum spool_kind {
    SPOOL_PAYLOAD,
    SPOOL_UPDATE,
    SPOOL_CHECKPOINT,
    SPOOL_MANIFEST, /* signed text, as it came */
    SPOOL_RECEIPT,  /* newest signed text */
    SPOOL_SHEET,
    SPOOL_PAYOUT, /* settlement file */
    SPOOL_KINDS
};

struct spool {
    char home[PATH_CAP];
    const struct spool_driver *driver;
    void *ctx;                /* of the back end */
    struct file_group chunks; /* of the files back end: threads share the fsync of the folder of
                               * uploads. So the struct stays where it was opened. */
};

/* Files below home; or another back end, for which home is a name it understands. */
int spool_open(struct spool *s, const char *home, struct err *e) MUST_CHECK;
int spool_open_with(struct spool *s, const struct spool_driver *d, const char *home,
                    struct err *e) MUST_CHECK;
void spool_close(struct spool *s);          /* accepts zeroed; the files need none */
uint64_t spool_room(const struct spool *s); /* bytes free for us; 0 when unknown */

/* Chunks of the slot `id` (32 hex digits). have: bit i set when chunk i < n is stored. */
int spool_chunk_put(struct spool *s, const char *id, uint32_t i, const void *p, size_t n,
                    struct err *e) MUST_CHECK;
int spool_chunk_read(const struct spool *s, const char *id, uint32_t i, struct buf *out,
                     struct err *e) MUST_CHECK;
/* The beginning of a chunk whose rest has not come: kept beside it until spool_part_drop. */
int spool_part_put(struct spool *s, const char *id, uint32_t i, const void *p, size_t n,
                   struct err *e) MUST_CHECK;
int spool_part_read(const struct spool *s, const char *id, uint32_t i, struct buf *out,
                    struct err *e) MUST_CHECK; /* appends; nothing when there is none */
void spool_part_drop(const struct spool *s, const char *id, uint32_t i);

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
/* The same bytes to look at without holding them: checked against the hash as they are read through, then
 * mapped where the back end has descriptors, so that the kernel keeps as much of them as it has room
 * for. Elsewhere, a copy. Valid until spool_view_close, whatever is dropped meanwhile.
 */
struct spool_view {
    const void *p;
    size_t n;
    struct buf copy;
    bool is_mapped;
};
int spool_view(const struct spool *s, enum spool_kind kind, const struct hash *h, size_t max,
               struct spool_view *ret, struct err *e) MUST_CHECK;
void spool_view_close(struct spool_view *v); /* accepts zeroed */

/* Where the back end for files has it. */
int spool_path(const struct spool *s, enum spool_kind kind, const struct hash *h,
               char ret[PATH_CAP], struct err *e) MUST_CHECK;
int spool_fd(const struct spool *s, enum spool_kind kind,
             const struct hash *h); /* see the driver */
/* Which kind of file has this hash; false when none has. */
bool spool_find(const struct spool *s, const struct hash *h, enum spool_kind *ret);
void spool_drop(const struct spool *s, enum spool_kind kind, const struct hash *h);

/* Files of the record, "checkpoint" or "tile/...": replaced, never named by hash. */
bool spool_record_has(const struct spool *s, const char *name, const void *p,
                      size_t n); /* exactly these bytes */
int spool_record_put(const struct spool *s, const char *name, const void *p, size_t n,
                     struct err *e) MUST_CHECK;
int spool_record_read(const struct spool *s, const char *name, size_t max, struct buf *out,
                      struct err *e) MUST_CHECK;
void spool_record_drop(const struct spool *s, const char *name);
