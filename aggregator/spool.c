#include "aggregator/spool.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "record/msg.h"

static const char *const folders[SPOOL_KINDS] = {"payloads", "updates", "checkpoints"};

static int join(char dst[PATH_CAP], const struct spool *s, const char *folder, const char *name,
                struct err *e)
{
    if (path_format(dst, "%s/%s/%s", s->home, folder, name) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path of the aggregator's home is too long");
}

int spool_open(struct spool *s, const char *home, struct err *e)
{
    char path[PATH_CAP];
    if (path_format(s->home, "%s", home))
        return err_set(e, ERR_LIMIT, 0, "the path of the aggregator's home is too long");
    int rc = join(path, s, "spool", "", e);
    if (rc == OK) rc = file_mkdirs(path, e);
    for (int k = 0; rc == OK && k < SPOOL_KINDS; k++) {
        rc = join(path, s, folders[k], "", e);
        if (rc == OK) rc = file_mkdirs(path, e);
    }
    return rc;
}

uint64_t spool_room(const struct spool *s)
{
    struct statvfs v;
    if (statvfs(s->home, &v) != 0) return 0;
    return (uint64_t)v.f_bavail * v.f_frsize;
}

static int chunk_path(char dst[PATH_CAP], const struct spool *s, const char *id, uint32_t i,
                      struct err *e)
{
    char name[MSG_ID_HEX + 16];
    snprintf(name, sizeof name, "%.32s.%" PRIu32, id, i);
    return join(dst, s, "spool", name, e);
}

int spool_chunk_put(struct spool *s, const char *id, uint32_t i, const void *p, size_t n,
                    struct err *e)
{
    char path[PATH_CAP];
    int rc = chunk_path(path, s, id, i, e);
    return rc == OK ? file_replace_large(path, p, n, 0600, &s->chunks, e) : rc;
}

int spool_chunk_read(const struct spool *s, const char *id, uint32_t i, struct buf *out,
                     struct err *e)
{
    char path[PATH_CAP];
    int rc = chunk_path(path, s, id, i, e);
    return rc == OK ? file_read(path, out->len + MSG_CHUNK_BYTES, out, e) : rc;
}

void spool_chunks_have(const struct spool *s, const char *id, uint32_t n, uint8_t *have)
{
    char path[PATH_CAP];
    for (uint32_t i = 0; i < n; i++)
        if (chunk_path(path, s, id, i, NULL) == OK && file_exists(path))
            have[i / 8] = (uint8_t)(have[i / 8] | 1u << (i % 8));
}

void spool_chunks_drop(const struct spool *s, const char *id, uint32_t n)
{
    char path[PATH_CAP];
    for (uint32_t i = 0; i < n; i++)
        if (chunk_path(path, s, id, i, NULL) == OK) unlink(path);
}

void spool_chunks_sweep(const struct spool *s, spool_needed_fn is_needed, void *ctx)
{
    char path[PATH_CAP];
    if (join(path, s, "spool", "", NULL) != OK) return;
    DIR *d = opendir(path);
    if (!d) return;
    struct dirent *f = NULL;
    while ((f = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): the stream is ours alone */
        char id[MSG_ID_HEX] = "";
        if (strlen(f->d_name) <= MSG_ID_HEX || f->d_name[MSG_ID_HEX - 1] != '.') continue;
        memcpy(id, f->d_name, MSG_ID_HEX - 1);
        if (!is_needed(id, ctx)) unlinkat(dirfd(d), f->d_name, 0);
    }
    closedir(d);
}

int spool_path(const struct spool *s, enum spool_kind kind, const struct hash *h,
               char ret[PATH_CAP], struct err *e)
{
    char hex[HASH_HEX];
    return join(ret, s, folders[kind], hash_hex(h, hex), e);
}

int spool_put(const struct spool *s, enum spool_kind kind, const void *p, size_t n,
              struct hash *ret, struct err *e)
{
    char path[PATH_CAP];
    struct hash h = hash_of(p, n);
    int rc = spool_path(s, kind, &h, path, e);
    if (rc == OK) rc = file_replace(path, p, n, 0600, e);
    if (rc == OK) *ret = h;
    return rc;
}

int spool_read(const struct spool *s, enum spool_kind kind, const struct hash *h, size_t max,
               struct buf *out, struct err *e)
{
    char path[PATH_CAP];
    size_t before = out->len;
    int rc = spool_path(s, kind, h, path, e);
    if (rc == OK) rc = file_read(path, size_add(before, max), out, e);
    if (rc != OK) return rc;
    struct hash got = hash_of(out->p + before, out->len - before);
    if (hash_equal(&got, h)) return OK;
    out->len = before;
    return err_set(e, ERR_AUTH, 0, "'%s' is damaged: its bytes no longer have its hash", path);
}

void spool_drop(const struct spool *s, enum spool_kind kind, const struct hash *h)
{
    char path[PATH_CAP];
    if (spool_path(s, kind, h, path, NULL) == OK) unlink(path);
}
