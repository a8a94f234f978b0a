#pragma once
/* Why: who is owed what for a period of rounds, as a file that anybody can make again from the public
 * record alone and get the same bytes. It is what a host pays by, in whatever way; the file itself
 * moves nothing and promises nothing. A payout entry (record/entry.h) names it by hash.
 *
 * Canonical JSON: `amounts`, `first_round`, `last_round`, `lines`, `n_entries`, `note`, `paid`,
 * `root`, `run`, `unit`, `version`. n_entries and root are the tree head of the record that ends with
 * the entry of last_round. A line has `amount`, `contributor`, `n_receipts`, and `address` with its `kind`
 * when the contributor has signed one that came on record before the payout entry; one line for each
 * contributor with an accepted contribution in the period, in the order of the keys.
 * Units: amounts in millionths of the run's reward unit.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "record/payee.h"
#include "record/rundesc.h"
#include "record/sheet.h"

#define SETTLE_MAX_BYTES (64u << 20)

/* Zeroed, with the fields of the period filled in, it is one without lines. */
struct settle {
    const struct rundesc *run;
    uint64_t first_round, last_round;
    uint64_t n_entries; /* of the tree that ends with last_round's entry */
    struct hash root;   /* of that tree */
    uint64_t paid;      /* so far */
    struct buf rows;    /* struct settle_row */
    struct buf payees;  /* struct payee, the newest of each contributor */
};

struct settle_row {
    struct key_pub contributor;
    uint64_t amount;
    uint64_t n_receipts;
    const struct payee *payee; /* NULL: no address is on record */
};

/* The sheet of one round of the period; each of them once, in any order. ERR_NOMEM; ERR_LIMIT when
 * the sum would not be a number any more.
 */
int settle_add(struct settle *s, const struct sheet *sheet, struct err *e) MUST_CHECK;

/* An address on record; the newest of a contributor counts, by the order of calls. ERR_NOMEM. */
int settle_payee(struct settle *s, const struct payee *m, struct err *e) MUST_CHECK;

/* The rows, one for each contributor, in the order of keys. Valid until the next call. */
const struct settle_row *settle_rows(struct settle *s, uint64_t *ret_n);

/* Append the file. ERR_NOMEM; ERR_LIMIT beyond SETTLE_MAX_BYTES. */
int settle_encode(struct settle *s, struct buf *out, struct err *e) MUST_CHECK;

/* The same for a spreadsheet: contributor, amount in micro-units, receipts, kind and address; with a
 * head line. An address that a table program would compute gets an apostrophe in front. */
int settle_csv(struct settle *s, struct buf *out, struct err *e) MUST_CHECK;

void settle_deinit(struct settle *s); /* accepts NULL and zeroed */
