#pragma once
/* A second back end for the big things, so that nothing above the table relies on files: names and
 * bytes in memory, which outlive the spool as a disk would.
 */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/spool.h"

#define SPOOL_MEMORY_CAP 256

struct spool_memory_file {
    char name[SPOOL_NAME_CAP];
    struct buf bytes;
};

static pthread_mutex_t spool_memory_lock = PTHREAD_MUTEX_INITIALIZER;
static struct spool_memory_file spool_memory_files[SPOOL_MEMORY_CAP];

static struct spool_memory_file *spool_memory_find(const char *name)
{
    for (int i = 0; i < SPOOL_MEMORY_CAP; i++)
        if (strcmp(spool_memory_files[i].name, name) == 0) return &spool_memory_files[i];
    return NULL;
}

static int spool_memory_open(struct spool *s, struct err *e)
{
    (void)e;
    s->ctx = &spool_memory_lock;
    return OK;
}

static void spool_memory_close(struct spool *s)
{
    (void)s;
}

static int spool_memory_put(const struct spool *s, const char *name, const void *p, size_t n,
                            struct err *e)
{
    pthread_mutex_lock(s->ctx);
    struct spool_memory_file *f = spool_memory_find(name);
    if (!f) f = spool_memory_find("");
    if (f) {
        strcpy(f->name, name);
        buf_clear(&f->bytes);
        buf_put(&f->bytes, p, n);
    }
    pthread_mutex_unlock(s->ctx);
    return f ? OK : err_set(e, ERR_IO, 28 /* ENOSPC */, "the memory is full");
}

static int spool_memory_put_many(struct spool *s, const char *name, const void *p, size_t n,
                                 struct err *e)
{
    return spool_memory_put(s, name, p, n, e);
}

static int spool_memory_read(const struct spool *s, const char *name, size_t max, struct buf *out,
                             struct err *e)
{
    pthread_mutex_lock(s->ctx);
    const struct spool_memory_file *f = spool_memory_find(name);
    int rc = !f                   ? err_set(e, ERR_NOTFOUND, 0, "there is no '%s'", name)
             : f->bytes.len > max ? err_set(e, ERR_LIMIT, 0, "'%s' is too long", name)
                                  : OK;
    if (rc == OK) buf_put(out, f->bytes.p, f->bytes.len);
    pthread_mutex_unlock(s->ctx);
    return rc;
}

static bool spool_memory_exists(const struct spool *s, const char *name)
{
    pthread_mutex_lock(s->ctx);
    bool is_there = spool_memory_find(name) != NULL;
    pthread_mutex_unlock(s->ctx);
    return is_there;
}

static void spool_memory_drop(const struct spool *s, const char *name)
{
    pthread_mutex_lock(s->ctx);
    struct spool_memory_file *f = spool_memory_find(name);
    if (f) {
        buf_deinit(&f->bytes);
        *f = (struct spool_memory_file){0};
    }
    pthread_mutex_unlock(s->ctx);
}

static void spool_memory_list(const struct spool *s, const char *folder, spool_name_fn fn,
                              void *ctx)
{
    size_t n = strlen(folder);
    (void)s;
    for (int i = 0; i < SPOOL_MEMORY_CAP; i++) { /* unlocked: fn may drop; tests list alone */
        const char *name = spool_memory_files[i].name;
        if (strncmp(name, folder, n) == 0 && name[n] == '/') fn(name + n + 1, ctx);
    }
}

static uint64_t spool_memory_room(const struct spool *s)
{
    (void)s;
    return 0;
}

static int spool_memory_fd(const struct spool *s, const char *name)
{
    (void)s;
    (void)name;
    return -1;
}

static inline const struct spool_driver *spool_memory(void)
{
    static const struct spool_driver driver = {.name = "memory",
                                               .open = spool_memory_open,
                                               .close = spool_memory_close,
                                               .put = spool_memory_put,
                                               .put_many = spool_memory_put_many,
                                               .read = spool_memory_read,
                                               .exists = spool_memory_exists,
                                               .drop = spool_memory_drop,
                                               .list = spool_memory_list,
                                               .room = spool_memory_room,
                                               .fd = spool_memory_fd};
    return &driver;
}

static inline void spool_memory_wipe(void)
{
    for (int i = 0; i < SPOOL_MEMORY_CAP; i++) {
        buf_deinit(&spool_memory_files[i].bytes);
        spool_memory_files[i] = (struct spool_memory_file){0};
    }
}
