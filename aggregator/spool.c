#include "aggregator/spool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "record/msg.h"

#define CHUNKS     "spool"
#define RECORD     "record"
#define READ_BYTES (256 * 1024)

static const char *const folders[SPOOL_KINDS] = {"payloads", "updates", "checkpoints", "manifests",
                                                 "receipts", "sheets",  "payouts"};

int spool_open_with(struct spool *s, const struct spool_driver *d, const char *home, struct err *e)
{
    *s = (struct spool){.driver = d};
    if (path_format(s->home, "%s", home))
        return err_set(e, ERR_LIMIT, 0, "the path of the aggregator's home is too long");
    return d->open(s, e);
}

int spool_open(struct spool *s, const char *home, struct err *e)
{
    return spool_open_with(s, spool_files(), home, e);
}

void spool_close(struct spool *s)
{
    if (s->driver) s->driver->close(s);
    *s = (struct spool){0};
}

uint64_t spool_room(const struct spool *s)
{
    return s->driver->room(s);
}

/* ---- chunks --------------------------------------------------------------------------------- */

static void chunk_name(char dst[SPOOL_NAME_CAP], const char *id, uint32_t i)
{
    snprintf(dst, SPOOL_NAME_CAP, CHUNKS "/%.32s.%" PRIu32, id, i);
}

int spool_chunk_put(struct spool *s, const char *id, uint32_t i, const void *p, size_t n,
                    struct err *e)
{
    char name[SPOOL_NAME_CAP];
    chunk_name(name, id, i);
    return s->driver->put_many(s, name, p, n, e);
}

int spool_chunk_read(const struct spool *s, const char *id, uint32_t i, struct buf *out,
                     struct err *e)
{
    char name[SPOOL_NAME_CAP];
    chunk_name(name, id, i);
    return s->driver->read(s, name, MSG_CHUNK_BYTES, out, e);
}

static void part_name(char dst[SPOOL_NAME_CAP], const char *id, uint32_t i)
{
    snprintf(dst, SPOOL_NAME_CAP, CHUNKS "/%.32s.%" PRIu32 ".part", id, i);
}

int spool_part_put(struct spool *s, const char *id, uint32_t i, const void *p, size_t n,
                   struct err *e)
{
    char name[SPOOL_NAME_CAP];
    part_name(name, id, i);
    return s->driver->put_many(s, name, p, n, e);
}

int spool_part_read(const struct spool *s, const char *id, uint32_t i, struct buf *out,
                    struct err *e)
{
    char name[SPOOL_NAME_CAP];
    part_name(name, id, i);
    if (!s->driver->exists(s, name)) return OK;
    int rc = s->driver->read(s, name, MSG_CHUNK_BYTES, out, e);
    return rc == ERR_NOTFOUND ? OK : rc;
}

void spool_part_drop(const struct spool *s, const char *id, uint32_t i)
{
    char name[SPOOL_NAME_CAP];
    part_name(name, id, i);
    if (s->driver->exists(s, name)) s->driver->drop(s, name);
}

void spool_chunks_have(const struct spool *s, const char *id, uint32_t n, uint8_t *have)
{
    char name[SPOOL_NAME_CAP];
    for (uint32_t i = 0; i < n; i++) {
        chunk_name(name, id, i);
        if (s->driver->exists(s, name)) have[i / 8] = (uint8_t)(have[i / 8] | 1u << (i % 8));
    }
}

void spool_chunks_drop(const struct spool *s, const char *id, uint32_t n)
{
    char name[SPOOL_NAME_CAP];
    for (uint32_t i = 0; i < n; i++) {
        chunk_name(name, id, i);
        s->driver->drop(s, name);
        spool_part_drop(s, id, i);
    }
}

struct sweep {
    const struct spool *s;
    spool_needed_fn is_needed;
    void *ctx;
};

static void sweep_one(const char *chunk, void *ctx)
{
    const struct sweep *w = ctx;
    char id[MSG_ID_HEX] = "", name[2 * SPOOL_NAME_CAP];
    if (strlen(chunk) <= MSG_ID_HEX || chunk[MSG_ID_HEX - 1] != '.') return;
    memcpy(id, chunk, MSG_ID_HEX - 1);
    if (w->is_needed(id, w->ctx)) return;
    snprintf(name, sizeof name, CHUNKS "/%s", chunk);
    w->s->driver->drop(w->s, name);
}

void spool_chunks_sweep(const struct spool *s, spool_needed_fn is_needed, void *ctx)
{
    s->driver->list(s, CHUNKS, sweep_one, &(struct sweep){s, is_needed, ctx});
}

/* ---- files by hash -------------------------------------------------------------------------- */

static void hash_name(char dst[SPOOL_NAME_CAP], enum spool_kind kind, const struct hash *h)
{
    char hex[HASH_HEX];
    snprintf(dst, SPOOL_NAME_CAP, "%s/%s", folders[kind], hash_hex(h, hex));
}

int spool_path(const struct spool *s, enum spool_kind kind, const struct hash *h,
               char ret[PATH_CAP], struct err *e)
{
    char name[SPOOL_NAME_CAP];
    hash_name(name, kind, h);
    if (path_format(ret, "%s/%s", s->home, name) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path of the aggregator's home is too long");
}

int spool_put(const struct spool *s, enum spool_kind kind, const void *p, size_t n,
              struct hash *ret, struct err *e)
{
    char name[SPOOL_NAME_CAP];
    struct hash h = hash_of(p, n);
    hash_name(name, kind, &h);
    int rc = s->driver->put(s, name, p, n, e);
    if (rc == OK) *ret = h;
    return rc;
}

static int damaged(const struct spool *s, const char *name, struct err *e)
{
    return err_set(e, ERR_AUTH, 0, "'%.60s/%s' is damaged: its bytes no longer have its hash",
                   s->home, name);
}

int spool_read(const struct spool *s, enum spool_kind kind, const struct hash *h, size_t max,
               struct buf *out, struct err *e)
{
    char name[SPOOL_NAME_CAP];
    size_t before = out->len;
    hash_name(name, kind, h);
    int rc = s->driver->read(s, name, max, out, e);
    if (rc != OK) return rc;
    struct hash got = hash_of(out->p + before, out->len - before);
    if (hash_equal(&got, h)) return OK;
    out->len = before;
    return damaged(s, name, e);
}

/* By read, not through a mapping: a disk that fails is then an error and not a signal. */
static int hash_through(int fd, size_t n, struct hash *ret, struct err *e)
{
    uint8_t *block = alloc_zero(READ_BYTES, 1);
    struct hasher *h = hasher_create();
    int rc = block && h ? OK : err_set(e, ERR_NOMEM, 0, "no memory to read a file");
    for (size_t at = 0; rc == OK && at < n;) {
        ssize_t got = pread(fd, block, READ_BYTES, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) rc = err_set(e, ERR_IO, got ? errno : EIO, "cannot read a stored file");
        if (rc != OK) break;
        hasher_add(h, block, (size_t)got);
        at += (size_t)got;
    }
    if (rc == OK) *ret = hasher_end(h);
    hasher_destroy(h);
    free(block);
    return rc;
}

static int view_fd(const struct spool *s, const char *name, int fd, const struct hash *h,
                   size_t max, struct spool_view *ret, struct err *e)
{
    struct stat st;
    struct hash got = {0};
    if (fstat(fd, &st) != 0) return err_set(e, ERR_IO, errno, "cannot read '%.100s'", name);
    if (st.st_size <= 0 || (uint64_t)st.st_size > max)
        return err_set(e, ERR_LIMIT, 0, "'%.100s' is longer than it can be", name);
    size_t n = (size_t)st.st_size;
    int rc = hash_through(fd, n, &got, e);
    if (rc != OK) return rc;
    if (!hash_equal(&got, h)) return damaged(s, name, e);
    void *p = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) return err_set(e, ERR_IO, errno, "cannot map '%.100s'", name);
    *ret = (struct spool_view){.p = p, .n = n, .is_mapped = true};
    return OK;
}

int spool_view(const struct spool *s, enum spool_kind kind, const struct hash *h, size_t max,
               struct spool_view *ret, struct err *e)
{
    char name[SPOOL_NAME_CAP];
    hash_name(name, kind, h);
    int fd = s->driver->fd(s, name);
    if (fd >= 0) {
        int rc = view_fd(s, name, fd, h, max, ret, e);
        close(fd);
        return rc;
    }
    struct spool_view v = {0};
    int rc = spool_read(s, kind, h, max, &v.copy, e);
    v.p = v.copy.p;
    v.n = v.copy.len;
    if (rc == OK)
        *ret = v;
    else
        buf_deinit(&v.copy);
    return rc;
}

void spool_view_close(struct spool_view *v)
{
    if (v->is_mapped) munmap((void *)(uintptr_t)v->p, v->n);
    buf_deinit(&v->copy);
    *v = (struct spool_view){0};
}

bool spool_find(const struct spool *s, const struct hash *h, enum spool_kind *ret)
{
    char name[SPOOL_NAME_CAP];
    for (int k = 0; k < SPOOL_KINDS; k++) {
        hash_name(name, (enum spool_kind)k, h);
        if (!s->driver->exists(s, name)) continue;
        *ret = (enum spool_kind)k;
        return true;
    }
    return false;
}

int spool_fd(const struct spool *s, enum spool_kind kind, const struct hash *h)
{
    char name[SPOOL_NAME_CAP];
    hash_name(name, kind, h);
    return s->driver->fd(s, name);
}

void spool_drop(const struct spool *s, enum spool_kind kind, const struct hash *h)
{
    char name[SPOOL_NAME_CAP];
    hash_name(name, kind, h);
    s->driver->drop(s, name);
}

/* ---- files of the record -------------------------------------------------------------------- */

static void record_name(char dst[SPOOL_NAME_CAP], const char *name)
{
    snprintf(dst, SPOOL_NAME_CAP, RECORD "/%s", name);
}

bool spool_record_has(const struct spool *s, const char *name, const void *p, size_t n)
{
    struct buf old = {0};
    char full[SPOOL_NAME_CAP];
    record_name(full, name);
    bool is_same = s->driver->exists(s, full) && s->driver->read(s, full, n, &old, NULL) == OK &&
                   old.len == n && memcmp(old.p, p, n) == 0;
    buf_deinit(&old);
    return is_same;
}

int spool_record_put(const struct spool *s, const char *name, const void *p, size_t n,
                     struct err *e)
{
    char full[SPOOL_NAME_CAP];
    record_name(full, name);
    return s->driver->put(s, full, p, n, e);
}

int spool_record_read(const struct spool *s, const char *name, size_t max, struct buf *out,
                      struct err *e)
{
    char full[SPOOL_NAME_CAP];
    record_name(full, name);
    return s->driver->read(s, full, max, out, e);
}

void spool_record_drop(const struct spool *s, const char *name)
{
    char full[SPOOL_NAME_CAP];
    record_name(full, name);
    s->driver->drop(s, full);
}
