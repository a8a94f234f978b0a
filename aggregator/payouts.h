#pragma once
/* Why: `potluck-aggregator payouts`: the settlement of a period (record/settle.h) as a file, and its
 * entry on the record. The same period gives the same file again and no second entry; a period that
 * overlaps one that was settled is refused, so that nobody is paid twice. No money moves here.
 * Addresses that contributors have set since (record/payee.h) are put on the record before it.
 *
 * While the run is served, the entry becomes public with the next round, or after the end within
 * seconds; otherwise at once.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/entry.h"

/* One end of a period: a round, or a day of UTC. */
struct payouts_when {
    bool is_set;
    bool is_day;
    uint64_t round;
    int64_t day_ms; /* its first millisecond */
};

/* "12", or "2026-11-27". ERR_ARG. */
int payouts_when(const char *text, struct payouts_when *ret, struct err *e) MUST_CHECK;

struct payouts_request {
    const char *home;
    struct payouts_when from, to; /* both included; not set: what is not settled yet, to the end */
};

struct payouts_report {
    struct entry_payout entry;
    uint64_t index;   /* of the entry */
    bool was_settled; /* it was there already */
    bool is_public;   /* the tree head covers it */
    uint64_t n_lines;
    uint64_t n_addresses; /* lines that say to whom */
    struct buf file;      /* the settlement */
    struct buf csv;       /* its lines */
    char unit[32];
};

/* ret: payouts_deinit, also after a failure. ERR_WRONG_STATE: nothing to settle; ERR_ARG: the period
 * overlaps a settled one.
 */
int payouts_run(const struct payouts_request *q, struct payouts_report *ret,
                struct err *e) MUST_CHECK;
void payouts_deinit(struct payouts_report *r);
