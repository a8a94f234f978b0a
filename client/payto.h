#pragma once
/* Why: `potluck payout`: where a contributor wants its share to go, signed with its key, kept in the
 * run's folder and told to the aggregator. It is written down before it is sent, so a lost answer costs
 * nothing: the same text is told again.
 *
 *   DATA/runs/ID/payout.jws    the newest signed text (record/payee.h)
 *
 * Thread: any; blocks on disk and network. No engine code behind it.
 */

#include "client/home.h"
#include "record/payee.h"

/* Sign and keep; later than whatever is kept. ERR_PROTO: that is no address of this kind. */
int payto_keep(const struct home *h, const struct rundesc *run, const struct key *k,
               enum payee_kind kind, const char *address, int64_t now_ms, struct err *e) MUST_CHECK;

/* What is kept, and its text appended (may be NULL). ERR_NOTFOUND (no text): nothing was ever set here. */
int payto_load(const struct home *h, const struct rundesc *run, const struct key *k,
               struct payee *ret, struct buf *text, struct err *e) MUST_CHECK;

/* Tell the first aggregator that answers. ERR_IO: none did; ERR_WRONG_STATE with the aggregator's own
 * words: it does not take it.
 */
int payto_tell(const struct rundesc *run, const struct buf *text, struct err *e) MUST_CHECK;
