#pragma once
/* Why: `potluck-aggregator backup` and `restore`. A host's disk dies one day; what was acknowledged must
 * not die with it. A backup is a folder with the home's own files, taken while the run is served: the
 * books first, as one moment (SQLite's backup), then the files that they name, each held against its
 * hash. Files that are named by their hash never change, so the next backup into the same folder
 * copies what is new alone. Uploads under way (spool/) and what is written anew from the books
 * (record/) are left out. backup.json comes last: without it a backup is not whole, and not restored.
 *
 * Thread: any; blocks on the disk.
 */

#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

struct backup_report {
    struct hash run;
    int64_t taken_at_ms;
    uint64_t n_files, n_bytes; /* copied now */
    uint64_t n_kept;           /* there already */
};

/* Into the folder `to`: new, or that of an earlier backup of the same run (ERR_WRONG_STATE when it is
 * anything else). ERR_PROTO when a file of the home is not what its name says.
 */
int backup_take(const char *home, const char *to, struct backup_report *ret,
                struct err *e) MUST_CHECK;

/* Into a home that does not exist or is empty (ERR_WRONG_STATE). Everything is checked as it is read:
 * ERR_PROTO when a file is damaged, ERR_NOTFOUND when `from` is no whole backup. What was
 * written by then stays, and is no run yet: run.potluck comes last.
 */
int backup_restore(const char *from, const char *home, struct backup_report *ret,
                   struct err *e) MUST_CHECK;
