#pragma once
/* Why: everything this machine can say to others, in one table: each kind of request with its fields
 * and the reason for them. client/wire and client/fetch take their paths from here, so a
 * request that is not in the table cannot be made; `potluck status --what-is-sent` prints it,
 * docs/PRIVACY.md shows the same text, and a test holds all three together with what the encoders
 * of record/msg write.
 *
 * Pure. Thread: any.
 */

#include <stddef.h>

#include "base/buf.h"

#define SENT_MAX_FIELDS 16

enum sent_what {
    SENT_RUN,
    SENT_JOIN,
    SENT_POLL,
    SENT_GOODBYE,
    SENT_RESERVE,
    SENT_CHUNK,
    SENT_CHUNK_OFFSET,
    SENT_CHUNK_REST,
    SENT_MANIFEST,
    SENT_UPDATE_HEAD,
    SENT_UPDATE,
    SENT_TREE_HEAD,
    SENT_TILE,
    SENT_CHECKPOINT,
    SENT_TOKENIZER,
    SENT_INDEX,
    SENT_TEXT,
    SENT_PEERS,
    SENT_CREDITS,
    SENT_CREDITS_PAGE,
    SENT_RECEIPTS,
    SENT_BLOB,
    SENT_LOOK,
    SENT_STATUS,
    SENT_RUNS,
    SENT_PAYOUT,
    SENT_KINDS,
};

struct sent_field {
    const char *name;
    const char *why;
};

struct sent_kind {
    const char *method;
    const char *path; /* each {name} is a field too */
    const char *typ;  /* of the signed body; NULL: none, or bytes */
    const char *when; /* a sentence */
    struct sent_field fields[SENT_MAX_FIELDS];
};

const struct sent_kind *sent_kind(enum sent_what what);

/* Header fields that any of them may have, beside what HTTP/2 itself needs. Ends with a NULL name. */
const struct sent_field *sent_headers(void);

/* The path with values in place of its {names}, in their order; check()s that they fit. Returns dst. */
char *sent_path(enum sent_what what, const char *const *values, size_t n_values, char *dst,
                size_t cap);
#define SENT_PATH(what, dst, cap, ...)                                                             \
    sent_path(what, (const char *const[]){__VA_ARGS__},                                            \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *), dst, cap)

/* The whole table as text; one JSON object. */
void sent_text(struct buf *out);
int sent_json(struct buf *out, struct err *e) MUST_CHECK;
