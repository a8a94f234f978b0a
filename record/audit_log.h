#pragma once
/* Why: a log is believed because of one signature (the tree head's) and arithmetic: all entries are
 * read, each is held against the host's key, and together they must make the root that was signed.
 * The tiles, from which others make their proofs, are held against them too. One bundle of 256
 * entries is in memory at a time. No engine behind it: `potluck receipts` uses it as well.
 *
 * When an entry cannot be read, its place in the tree is taken from the tile, so that one changed
 * entry is one finding and the tree head is still checked.
 */

#include "record/audit.h"
#include "record/entry.h"
#include "record/note.h"
#include "record/rundesc.h"

/* One entry in the order of the log; m is NULL when it cannot be read. */
typedef int (*audit_entry_fn)(void *ctx, uint64_t index, const struct entry *m, struct err *e);
/* How far it is; false: stop (ERR_CANCELLED). */
typedef bool (*audit_progress_fn)(void *ctx, uint64_t done, uint64_t of);

struct audit_log {
    const struct audit_source *source;
    const struct rundesc *run;
    struct audit_book *book;       /* NULL: nothing is judged, entries are only given again */
    const struct note_head *known; /* a head that was believed before: must be contained; NULL */
    bool may_be_older;             /* a copy may end before that; a host may not */
    audit_entry_fn entry;
    audit_progress_fn progress; /* NULL: not told */
    struct hash
        *root; /* NULL; else, when there is a book, gets the root of the tree up to each entry
                        * before it is given: zero when that cannot be known */
    void *ctx;
};

/* The newest tree head. OK with *ret_has false when it is missing or not the host's: found. */
int audit_log_head(const struct audit_log *l, struct note_head *ret, bool *ret_has,
                   struct err *e) MUST_CHECK;

/* All entries of that head's tree. ERR_CANCELLED, ERR_NOMEM, the source's, and those of entry. */
int audit_log_walk(const struct audit_log *l, const struct note_head *head,
                   struct err *e) MUST_CHECK;
