#pragma once
/* Why: a disk that forgets. What is written can be read back at once, as with any page cache, but
 * survives a crash for certain only once its transaction was synced; an unsynced one may survive
 * or not, as a whole. Database transactions are ordered: syncing one syncs all before it, and a
 * crash keeps a prefix of them (a write-ahead log). File transactions are independent.
 *
 * A database transaction whose commit failed is a ghost: nobody sees it and the next transaction
 * overwrites it, but when the power goes before, it may be found in the log and count after all.
 *
 * Owner: caller's memory, zero is an empty disk. Thread: one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/rng.h"

#define SIM_DISK_NAME 144

struct sim_file {
    char name[SIM_DISK_NAME];
    bool exists; /* durably */
    struct buf bytes;
};

struct sim_write {
    uint64_t txn;
    bool is_db, is_ghost;
    uint32_t i_file;
    struct buf bytes;
};

struct sim_disk {
    struct sim_file *files;
    uint32_t n_files, cap_files;
    struct sim_write *writes; /* not yet durable, oldest first */
    uint32_t n_writes, cap_writes;
    uint64_t n_txns;
};

void sim_disk_deinit(struct sim_disk *d);
void sim_disk_wipe(struct sim_disk *d); /* every file gone, durably */

uint64_t sim_disk_begin(struct sim_disk *d);
void sim_disk_put(struct sim_disk *d, uint64_t txn, bool is_db, const char *name, const void *p,
                  size_t n);
void sim_disk_haunt(struct sim_disk *d, uint64_t txn); /* its commit failed */
void sim_disk_sync(struct sim_disk *d, uint64_t txn);

/* Newest content as a reader sees it, or NULL; valid until the next call that writes. */
const struct buf *sim_disk_get(const struct sim_disk *d, const char *name);

/* Names that begin with prefix, in the order of their first write: *i counts on from 0. NULL after
 * the last. Only files that a reader sees.
 */
const char *sim_disk_next(const struct sim_disk *d, const char *prefix, uint32_t *i);

/* The power goes: unsynced transactions survive or not, as r decides. */
void sim_disk_crash(struct sim_disk *d, struct rng *r);
