#pragma once
/* Why: what the store can tell people: one contributor's credits, the last ten rounds as letters,
 * and the totals of the run. Reads only.
 */

#include "aggregator/store.h"

/* Ledger lines and unsettled receipts, newest first, of receipts below number `before`. A pending
 * amount is what the receipt would earn if the open round closed now; emission in micro-credits.
 */
int store_view_credits(struct store *s, const struct key_pub *k, uint64_t emission, uint64_t before,
                       struct msg_credits *ret, struct err *e) MUST_CHECK;

/* What is known of a contributor besides its presence; name "" and zeros when nothing is.
 * last10 covers the ten rounds before `round`.
 */
int store_view_peer(struct store *s, const struct key_pub *k, uint64_t round, struct msg_peer *ret,
                    struct err *e) MUST_CHECK;

struct store_totals {
    uint64_t n_rounds;
    uint64_t n_contributors;
    uint64_t n_accepted, n_late, n_rejected;
    uint64_t n_tokens;      /* of accepted contributions */
    uint64_t payload_bytes; /* same */
    int64_t ledger_sum;     /* micro-credits settled */
    uint64_t n_ledger;
    int64_t first_at_ms, last_at_ms; /* first join, newest publication; 0: none */
};

int store_view_totals(struct store *s, struct store_totals *ret, struct err *e) MUST_CHECK;
