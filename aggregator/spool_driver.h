#pragma once
/* Why: the one door between the aggregator and whatever keeps its big things (the blobs half of its
 * storage; the books are aggregator/store_driver.h). A back end keeps bytes under names; everything
 * else (hashes, chunks, retention, the record's layout) is written once, above it. Hash-named files
 * are the embedded default (spool_files.c); an object store fits the same table.
 *
 * What a back end promises, and tests/unit/conform_blobs.h holds it to:
 *   - put is atomic and durable: after OK the name has these bytes through any crash, after a
 *     failure it has what it had before, and no reader ever sees a mixture or a part;
 *   - put again replaces; any threads may read meanwhile, and write other names (of one name there
 *     is one writer at a time: the caller's duty);
 *   - read gives what the last put gave, ERR_NOTFOUND when there is none, ERR_LIMIT (and nothing)
 *     when it is longer than asked for; other trouble is ERR_IO, ENOSPC in `sys` when it is full;
 *   - drop of what is not there is nothing; list tells each name of a folder once, and may tell what
 *     a crash left of an unfinished put, under a name that begins with the one it was for.
 * Names come from us, never from a peer: FOLDER[/FOLDER...]/NAME of [A-Za-z0-9._-], no "." or "..",
 * at most SPOOL_NAME_CAP - 1 bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SPOOL_NAME_CAP 160

struct spool;

/* name without its folder */
typedef void (*spool_name_fn)(const char *name, void *ctx);

struct spool_driver {
    const char *name;
    /* s->home says where; s->ctx is the back end's own. ERR_IO, ERR_LIMIT. */
    int (*open)(struct spool *s, struct err *e);
    void (*close)(struct spool *s);
    int (*put)(const struct spool *s, const char *name, const void *p, size_t n, struct err *e);
    /* The same for what comes from many threads into one folder: a back end may make them durable
     * together, with state in s. */
    int (*put_many)(struct spool *s, const char *name, const void *p, size_t n, struct err *e);
    int (*read)(const struct spool *s, const char *name, size_t max, struct buf *out,
                struct err *e); /* appends */
    bool (*exists)(const struct spool *s, const char *name);
    void (*drop)(const struct spool *s, const char *name);
    /* fn may drop what it is told. */
    void (*list)(const struct spool *s, const char *folder, spool_name_fn fn, void *ctx);
    uint64_t (*room)(const struct spool *s); /* bytes free for us; 0 when unknown */
    /* A descriptor to read from, the caller's to close; -1 when there is none such, or the back
     * end has no descriptors: then read. */
    int (*fd)(const struct spool *s, const char *name);
};

/* Files below s->home. */
const struct spool_driver *spool_files(void);
