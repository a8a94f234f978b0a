#pragma once
/* Why: what a contributor has earned, every line of it. A host answers with 256 lines at a time,
 * newest first; here the pages become one list. They are the host's word, not signed: what is
 * signed are the receipts that the lines name (client/receipts_verify.h).
 */

#include <stdbool.h>

#include "client/receipts.h"
#include "client/record_from.h"
#include "record/msg.h"

/* Owner: credits_deinit. Zeroed is empty. Amounts in micro-units. */
struct credits {
    int64_t confirmed, pending;
    uint64_t n_accepted, n_late, n_rejected;
    struct buf lines; /* struct msg_credit, newest first */
};

void credits_deinit(struct credits *c); /* accepts NULL and zeroed */
size_t credits_n(const struct credits *c);
const struct msg_credit *credits_line(const struct credits *c, size_t i);

/* One more page, of lines older than those before. *ret_more: there may be another, of receipts
 * below *ret_before. ERR_PROTO when the lines do not descend; ERR_NOMEM.
 */
int credits_add(struct credits *c, const struct msg_credits *page, bool *ret_more,
                uint64_t *ret_before, struct err *e) MUST_CHECK;

/* All lines of one contributor. Errors of record_from_ask, and those above. */
int credits_fetch(struct record_from *f, const struct key_pub *k, struct credits *ret,
                  struct err *e) MUST_CHECK;

/* All receipts of one contributor as the host has them now, checked against the run; sorted, each
 * answer once. rows are the caller's (free).
 */
int credits_receipts(struct record_from *f, const struct key_pub *k, struct receipts_row **ret,
                     size_t *ret_n, struct err *e) MUST_CHECK;
