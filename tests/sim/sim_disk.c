#include "tests/sim/sim_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static void *grow(void *p, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap) return p;
    *cap = *cap ? 2 * *cap : 64;
    void *q = alloc_resize(p, *cap, size);
    check(q);
    return q;
}

static uint32_t file_of(struct sim_disk *d, const char *name)
{
    for (uint32_t i = 0; i < d->n_files; i++)
        if (strcmp(d->files[i].name, name) == 0) return i;
    d->files = grow(d->files, d->n_files, &d->cap_files, sizeof *d->files);
    d->files[d->n_files] = (struct sim_file){0};
    check(snprintf(d->files[d->n_files].name, SIM_DISK_NAME, "%s", name) < SIM_DISK_NAME);
    return d->n_files++;
}

void sim_disk_wipe(struct sim_disk *d)
{
    for (uint32_t i = 0; i < d->n_files; i++)
        buf_deinit(&d->files[i].bytes);
    for (uint32_t i = 0; i < d->n_writes; i++)
        buf_deinit(&d->writes[i].bytes);
    d->n_files = 0;
    d->n_writes = 0;
}

void sim_disk_deinit(struct sim_disk *d)
{
    sim_disk_wipe(d);
    free(d->files);
    free(d->writes);
    *d = (struct sim_disk){0};
}

uint64_t sim_disk_begin(struct sim_disk *d)
{
    return ++d->n_txns;
}

static void lay_ghosts(struct sim_disk *d)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->n_writes; i++) {
        if (d->writes[i].is_ghost)
            buf_deinit(&d->writes[i].bytes);
        else
            d->writes[n++] = d->writes[i];
    }
    d->n_writes = n;
}

void sim_disk_haunt(struct sim_disk *d, uint64_t txn)
{
    for (uint32_t i = 0; i < d->n_writes; i++)
        if (d->writes[i].txn == txn) d->writes[i].is_ghost = true;
}

void sim_disk_put(struct sim_disk *d, uint64_t txn, bool is_db, const char *name, const void *p,
                  size_t n)
{
    if (is_db) lay_ghosts(d);
    d->writes = grow(d->writes, d->n_writes, &d->cap_writes, sizeof *d->writes);
    struct sim_write *w = &d->writes[d->n_writes++];
    *w = (struct sim_write){.txn = txn, .is_db = is_db, .i_file = file_of(d, name)};
    buf_put(&w->bytes, p, n);
    check(!w->bytes.failed);
}

static void make_durable(struct sim_disk *d, struct sim_write *w)
{
    struct sim_file *f = &d->files[w->i_file];
    buf_deinit(&f->bytes);
    f->bytes = w->bytes;
    f->exists = true;
}

/* Writes to this file among the first n are overtaken: forget them. Returns how many stay. */
static uint32_t forget(struct sim_disk *d, uint32_t n, uint32_t i_file)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (d->writes[i].i_file == i_file)
            buf_deinit(&d->writes[i].bytes);
        else
            d->writes[kept++] = d->writes[i];
    }
    return kept;
}

void sim_disk_sync(struct sim_disk *d, uint64_t txn)
{
    bool is_db = false;
    for (uint32_t i = 0; i < d->n_writes; i++)
        is_db |= d->writes[i].txn == txn && d->writes[i].is_db;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < d->n_writes; i++) {
        struct sim_write w = d->writes[i];
        if (w.txn == txn || (is_db && w.is_db && w.txn < txn)) {
            kept = forget(d, kept, w.i_file);
            make_durable(d, &w);
        } else {
            d->writes[kept++] = w;
        }
    }
    d->n_writes = kept;
}

const struct buf *sim_disk_get(const struct sim_disk *d, const char *name)
{
    for (uint32_t i = 0; i < d->n_files; i++) {
        if (strcmp(d->files[i].name, name) != 0) continue;
        for (uint32_t k = d->n_writes; k-- > 0;)
            if (d->writes[k].i_file == i && !d->writes[k].is_ghost) return &d->writes[k].bytes;
        return d->files[i].exists ? &d->files[i].bytes : NULL;
    }
    return NULL;
}

const char *sim_disk_next(const struct sim_disk *d, const char *prefix, uint32_t *i)
{
    size_t n = strlen(prefix);
    while (*i < d->n_files) {
        const char *name = d->files[(*i)++].name;
        if (strncmp(name, prefix, n) == 0 && sim_disk_get(d, name)) return name;
    }
    return NULL;
}

static uint32_t n_db_txns(const struct sim_disk *d)
{
    uint32_t n = 0;
    uint64_t last = 0;
    for (uint32_t i = 0; i < d->n_writes; i++) {
        if (!d->writes[i].is_db || d->writes[i].txn == last) continue;
        last = d->writes[i].txn;
        n++;
    }
    return n;
}

void sim_disk_crash(struct sim_disk *d, struct rng *r)
{
    uint32_t kept_db = rng_below(r, n_db_txns(d) + 1);
    uint64_t salt = rng_u64(r);
    uint64_t last = 0;
    uint32_t i_db = 0;
    for (uint32_t i = 0; i < d->n_writes; i++) {
        struct sim_write *w = &d->writes[i];
        if (w->is_db && w->txn != last) {
            last = w->txn;
            i_db++;
        }
        struct rng coin;
        rng_init(&coin, salt, w->txn); /* one coin for a whole transaction */
        bool survives = w->is_db ? i_db <= kept_db : rng_below(&coin, 2) == 1;
        if (survives)
            make_durable(d, w);
        else
            buf_deinit(&w->bytes);
    }
    d->n_writes = 0;
}
