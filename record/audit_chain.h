#pragma once
/* Why: what each entry of a log must say after those before it: rounds without a gap, each from
 * the model that the one before it made, each revealing the secret that was committed to, receipts
 * numbered on, money added up. Pure; told one entry after the other, and told of those that could
 * not be read, so that one bad entry is one finding and not an avalanche.
 *
 * It remembers 80 bytes of each round: how to get from one model to another, and which rule held.
 */

#include "record/audit.h"
#include "record/entry.h"
#include "record/rundesc.h"

/* A merged round, or one that could not be read (is_known false). */
struct audit_step {
    bool is_known;
    uint64_t base_of; /* whose base this base is again, after a rollback; else its own number */
    struct hash base;
    struct hash update;
};

/* What a round was held by: the run description, changed by the entries before it. */
struct audit_rules {
    double outer_lr;
    double merge_min_senders;
    uint64_t emission;
    uint32_t max_inner_steps;
};

/* An address on record. */
struct audit_payee {
    uint64_t index; /* of its entry */
    struct payee payee;
};

struct audit_chain {
    const struct rundesc *run;
    uint64_t n_entries; /* taken or skipped */
    uint64_t n_rounds;  /* number of the next round */
    uint64_t retention; /* rounds of payloads kept; ENTRY_RETAIN_ALL */
    bool has_open, has_end;
    bool is_resuming;   /* entries were lost: the next round is taken as it is */
    bool has_lost;      /* ever: sums cannot be compared */
    struct hash base;   /* of the next round */
    uint64_t base_of;   /* see audit_step */
    struct hash commit; /* to its secret */
    uint64_t next_seq;
    uint64_t paid;
    uint64_t n_receipts;
    struct buf steps;   /* struct audit_step */
    struct buf changes; /* struct entry_change */
    struct buf payouts; /* struct entry_payout */
    struct buf payees;  /* struct audit_payee */
};

void audit_chain_init(struct audit_chain *c, const struct rundesc *run);
void audit_chain_deinit(struct audit_chain *c); /* accepts NULL and zeroed */

/* The next entry, whose signature is good; its finding goes into b. ERR_NOMEM. */
int audit_chain_take(struct audit_chain *c, const struct entry *m, struct audit_book *b,
                     struct err *e) MUST_CHECK;

/* The next entry cannot be read. */
void audit_chain_skip(struct audit_chain *c);

/* NULL when there is no such round. */
const struct audit_step *audit_chain_step(const struct audit_chain *c, uint64_t round);
struct audit_rules audit_chain_rules(const struct audit_chain *c, uint64_t round);

/* May the payloads of this round be gone by what the run promises? */
bool audit_chain_is_old(const struct audit_chain *c, uint64_t round);
