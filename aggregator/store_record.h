#pragma once
/* Why: the store's half about the public record: entries of the log, receipts that are on no sheet
 * yet, and the one transaction that publishes a round. That writes the round's row, its entry, the
 * newest text of each receipt and the ledger, all or nothing.
 *
 *   entries   one row for each leaf of the log, never changed, never deleted
 *   postings  the ledger: each moves an amount from one account to another because of one receipt.
 *             Both ends are in one row, so that no row can be half of one; the view `ledger` shows
 *             them as the two lines whose sum is zero. Accounts: emission, contributor/<key hex>.
 */

#include "aggregator/store.h"
#include "record/course.h"
#include "record/entry.h"

/* Where the record ends. */
struct store_tail {
    uint64_t n_entries;
    uint64_t next_seq; /* first receipt that is on no sheet */
    uint64_t n_rounds;
    uint64_t paid; /* in all */
    bool is_ended;
    bool is_ending;  /* the host has asked for the end, and it is not on record yet */
    bool is_rolling; /* likewise for a rollback: store_record_rollback_asked */
};

int store_record_tail(struct store *s, struct store_tail *ret, struct err *e) MUST_CHECK;

/* One leaf: the signed text, and the kind for whoever looks for it. */
struct store_entry {
    enum entry_kind kind;
    struct buf text;
};

/* A receipt on no sheet yet. */
struct store_row {
    struct msg_receipt receipt; /* without `run` */
    struct hash manifest;       /* zero: none was kept */
    uint32_t n_steps;
    uint32_t n_passed;        /* of enum round_check */
    struct buf text;          /* signed; the publication puts the settled text here */
    char why[MSG_REASON_CAP]; /* of its ledger line */
};

/* Receipts from seq on, at most max_n, in order. *ret is the caller's: store_record_rows_free. */
int store_record_rows(struct store *s, uint64_t seq, uint32_t max_n, struct store_row **ret,
                      uint32_t *ret_n, struct err *e) MUST_CHECK;
void store_record_rows_free(struct store_row *rows, uint32_t n); /* accepts NULL */

/* What publishes a round. */
struct store_publication {
    const struct msg_update *update;
    const char *head;     /* its signed text */
    uint64_t first_index; /* of the entries in the log: the round's, and the end of the run */
    const struct store_entry *entries;
    uint32_t n_entries;
    struct hash sheet;
    uint64_t paid;
    const struct store_row *rows; /* the sheet's receipts, settled */
    uint32_t n_rows;
    int64_t at_ms;
};

/* Doing it again for the same round with the same hashes is OK and changes nothing; with others
 * ERR_WRONG_STATE, as when the record has grown meanwhile, or when a row does not fit its receipt.
 */
int store_record_publish(struct store *s, const struct store_publication *p,
                         struct err *e) MUST_CHECK;

/* Append entries that stand alone, all or none. ERR_WRONG_STATE when the record has another length. */
int store_record_append(struct store *s, uint64_t index, const struct store_entry *entries,
                        uint32_t n, struct err *e) MUST_CHECK;

/* Entries from index on, in order; fn returns other than OK to stop, and that comes back. The
 * store is locked meanwhile: fn may not call it.
 */
typedef int (*store_entry_fn)(uint64_t index, const char *text, size_t n, void *ctx, struct err *e);
int store_record_each(struct store *s, uint64_t index, store_entry_fn fn, void *ctx,
                      struct err *e) MUST_CHECK;

/* The host wants the run to end: durable, and the next publication does it. Never taken back. */
int store_record_ask_end(struct store *s, struct err *e) MUST_CHECK;

/* The entries that change the course of the run (record/course.h), in order; as store_record_each. */
int store_record_course(struct store *s, store_entry_fn fn, void *ctx, struct err *e) MUST_CHECK;

/* What they come to; each must be signed by this key. *ret is the caller's: course_deinit, also on failure. */
int store_record_course_of(struct store *s, const struct rundesc *run, const struct key_pub *signer,
                           struct course *ret, struct err *e) MUST_CHECK;

/* The host wants the model to go back to the base of a round: durable until the entry is on record or the
 * wish is dropped. A newer wish takes the place of an older one. asked: ERR_NOTFOUND (no text).
 */
int store_record_ask_rollback(struct store *s, uint64_t to_round, const char *reason,
                              struct err *e) MUST_CHECK;
int store_record_rollback_asked(struct store *s, uint64_t *ret_to, char reason[MSG_REASON_CAP],
                                struct err *e) MUST_CHECK;
int store_record_drop_rollback(struct store *s, struct err *e) MUST_CHECK;

/* Rounds below this one have no payloads any more, as far as they were looked at. */
int store_record_forgotten(struct store *s, uint64_t *ret, struct err *e) MUST_CHECK;
int store_record_forget(struct store *s, uint64_t before_round, struct err *e) MUST_CHECK;
