#pragma once
/* Why: anybody can recompute what a host says it did. The auditor is pure: bytes come from a
 * source (a host on the network, a folder, a test), findings go into a book, and what is computed
 * is what the aggregator computed, by the same functions (record/merge.h, record/reward.h).
 *
 *   audit_log    tree head, tiles, signature and order of every entry     (no engine behind it)
 *   audit_chain  what each entry must say after those before it            (no engine, no bytes)
 *   audit_round  one round: sheet, receipts, manifests, contributions, update, rewards
 *   audit_model  the weights at the start of a round
 *
 * A finding is about one item. Only what is wrong accuses the host; what is not kept any more,
 * though the run promises no more, or could not be had now, was not checked, and is said to be so.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "record/merkle.h"

/* Where the bytes of a record come from. Every function appends to out; nothing it gives is
 * believed before it is checked. OK; ERR_NOTFOUND: there is no such thing (any more); ERR_LIMIT:
 * more than max bytes. Anything else ends the audit: the source itself does not work.
 */
struct audit_source {
    /* A file by its SHA-256. */
    int (*blob)(void *ctx, const struct hash *h, size_t max, struct buf *out, struct err *e);
    /* "checkpoint" (the signed note) or "tile/..." (record/tiles.h). */
    int (*log)(void *ctx, const char *path, size_t max, struct buf *out, struct err *e);
    /* The checkpoint file with the weights at the start of a round; NULL: none are to be had. */
    int (*weights)(void *ctx, uint64_t round, size_t max, struct buf *out, struct err *e);
    /* Rounds of which weights() has a file, at most cap of them, any order; NULL: none. */
    int (*rounds)(void *ctx, uint64_t *ret, uint32_t cap, uint32_t *ret_n, struct err *e);
    void *ctx;
    /* blob() will be asked for these n files next, each of at most max bytes: a source that is far away
     * may fetch them side by side. NULL: not worth it.
     */
    int (*soon)(void *ctx, const struct hash *h, uint32_t n, size_t max, struct err *e);
};

#define AUDIT_MAX_CHECKPOINTS 64
#define AUDIT_SOON            64 /* files announced at a time */

enum audit_item {
    AUDIT_HEAD, /* signed tree head: that it is the host's, and that the entries make it */
    AUDIT_TILE, /* tiles, from which others make proofs */
    AUDIT_ENTRY,
    AUDIT_SECRET, /* the host's secret of a round, committed to before */
    AUDIT_SHEET,
    AUDIT_RECEIPT,
    AUDIT_MANIFEST,
    AUDIT_CONTRIBUTION,
    AUDIT_UPDATE, /* recomputed from the contributions */
    AUDIT_MODEL,  /* base and update give the result */
    AUDIT_REWARD, /* one line */
    AUDIT_LEDGER, /* a round's emission, a run's sum */
    AUDIT_PAYOUT,
    AUDIT_LOSS, /* held-out loss, evaluated again */
    AUDIT_ITEMS
};

enum audit_outcome {
    AUDIT_OK,
    AUDIT_NOT_KEPT, /* gone, as the run's retention allows: not checked */
    AUDIT_NO_DATA,  /* should be there and is not: not checked */
    AUDIT_WRONG,
    AUDIT_OUTCOMES
};

#define AUDIT_NO_ROUND UINT64_MAX

struct audit_finding {
    enum audit_item item;
    enum audit_outcome outcome;
    uint64_t round; /* AUDIT_NO_ROUND: of none */
    char what[256]; /* a sentence without its full stop, naming the item */
};

/* Told everything but AUDIT_OK. */
typedef void (*audit_finding_fn)(const struct audit_finding *f, void *ctx);

struct audit_book {
    uint64_t n[AUDIT_ITEMS][AUDIT_OUTCOMES];
    audit_finding_fn fn; /* may be NULL */
    void *ctx;
};

void audit_ok(struct audit_book *b, enum audit_item item);
void audit_found(struct audit_book *b, enum audit_outcome outcome, enum audit_item item,
                 uint64_t round, const char *fmt, ...) PRINTF_LIKE(5, 6);

uint64_t audit_count(const struct audit_book *b, enum audit_outcome outcome); /* of all items */

/* "tree head", "receipt", ...; "ok", "not kept", "no data", "wrong". Never NULL. */
const char *audit_item_word(enum audit_item i);
const char *audit_outcome_word(enum audit_outcome o);

/* The file that has this hash, appended to out. ERR_NOTFOUND; ERR_AUTH when other bytes came, or
 * more than max: then out is as before. Else the source's own trouble.
 */
int audit_blob(const struct audit_source *s, const struct hash *h, size_t max, struct buf *out,
               struct err *e) MUST_CHECK;

/* A file that should be there, and what it means when it is not. */
struct audit_wanted {
    const struct hash *h;
    size_t max;
    enum audit_item item;
    enum audit_outcome gone; /* NOT_KEPT or NO_DATA */
    uint64_t round;
    const char *name; /* "the update of round 3" */
};

/* audit_blob, and its finding when it fails: OK with *ret_has telling whether the bytes are there. */
int audit_want(const struct audit_source *s, struct audit_book *b, const struct audit_wanted *w,
               struct buf *out, bool *ret_has, struct err *e) MUST_CHECK;
