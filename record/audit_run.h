#pragma once
/* Why: the whole audit in one call: first the log (is the tree head the host's, do the entries make
 * it, does each say what must follow), then each round that was asked for, in order. What came of
 * it is a verdict, counts and findings; how it is said to a person is the caller's affair.
 *
 * Thread: any one; blocks as long as the source does and the arithmetic takes.
 */

#include "record/audit_log.h"
#include "record/audit_round.h"

#define AUDIT_ALL_ROUNDS UINT64_MAX

/* How far an audit is. */
struct audit_stage {
    bool is_log; /* entries are being read; else rounds are being checked */
    uint64_t done, of;
};

struct audit_request {
    const struct audit_source *source;
    const struct rundesc *run;
    const struct note_head *known; /* believed before; NULL */
    bool may_be_older;             /* see audit_log.h */
    uint64_t round;                /* or AUDIT_ALL_ROUNDS */
    bool without_model;            /* signatures, lines and rewards only: nothing is merged */
    audit_finding_fn finding;      /* told as they come; NULL */
    bool (*progress)(void *ctx, const struct audit_stage *s); /* false: stop; NULL */
    /* Told when the weights at the start of a round are held, and those after the last; NULL.
     * Errors end the audit.
     */
    int (*weights)(void *ctx, uint64_t round, const float *params, struct audit_book *b,
                   struct err *e);
    void *ctx;
};

enum audit_verdict {
    AUDIT_TRUE,        /* everything that was asked for was checked, and holds */
    AUDIT_TRUE_SO_FAR, /* the same, but for what the run does not promise to keep */
    AUDIT_UNKNOWN,     /* nothing is wrong, and something that should be there is not */
    AUDIT_FALSE,
};

struct audit_report {
    struct audit_book book;
    struct audit_done done;
    bool has_head;
    struct note_head head;
    uint64_t n_rounds; /* on record */
    uint64_t n_receipts;
    uint64_t retention;
    bool has_end;
    enum audit_verdict verdict;
};

/* OK with *ret filled, whatever the verdict. ERR_ARG: the round is not on record. ERR_CANCELLED,
 * ERR_NOMEM, ERR_IO and whatever else the source says: there is no verdict.
 */
int audit_run(const struct audit_request *q, struct audit_report *ret, struct err *e) MUST_CHECK;
