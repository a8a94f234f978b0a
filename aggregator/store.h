#pragma once
/* Why: what an aggregator must remember through any crash: contributors, slots, receipts, rounds,
 * ledger, checkpoints. One SQLite database; a function that returns OK has made its change
 * durable. Big things (payloads, updates, weights) are files named by hash; see spool.h.
 *
 *   contributors  key, name, client          receipts  the signed text, and what it claims
 *   slots         upload of an open round     rounds    merged rounds with their signed head
 *   entries       the public record           postings  the ledger (store_record.h)
 *   checkpoints, validation                   meta      schema, run, secret
 *
 * Integers only in the ledger; SQLite's foreign keys and CHECKs refuse a reward line without a
 * receipt and a second receipt for (contributor, round). More calls: store_record.h, store_round.h,
 * store_view.h.
 *
 * Owner: store_open / store_close. Thread: any; calls take turns (one mutex).
 * Errors everywhere: ERR_IO with sys ENOSPC on a full disk, ERR_PROTO on a damaged database.
 */

#include "aggregator/round.h"
#include "base/buf.h"

struct store;

/* Open or create for one run. ERR_WRONG_STATE when it belongs to another run, ERR_VERSION when a
 * newer program made it, or one that kept no public record.
 */
int store_open(const char *path, const struct hash *run, struct store **ret,
               struct err *e) MUST_CHECK;
void store_close(struct store *s); /* accepts NULL */

/* 32 random bytes made with the database (round_config.secret). */
void store_secret(const struct store *s, uint8_t ret[32]);

/* A contributor joined: remember its name ("" = anonymous) and client. */
int store_join(struct store *s, const struct key_pub *k, const char *name, const char *client,
               int64_t at_ms, struct err *e) MUST_CHECK;

/* Insert, or enlarge, the slot of op.contributor in op.round. */
int store_slot_put(struct store *s, const struct round_op *op, struct err *e) MUST_CHECK;
/* Slots of rounds before this one are over: fn is told each (to delete its chunks), then all rows
 * go. A crash in between does it again.
 */
typedef void (*store_slot_fn)(const char *id, uint64_t max_bytes, void *ctx);
int store_slots_forget(struct store *s, uint64_t before_round, store_slot_fn fn, void *ctx,
                       struct err *e) MUST_CHECK;

/* Number, sign and store the receipt that op asks for, or find the one that exists. */
int store_receipt_put(struct store *s, const struct round_op *op, const struct hash *run,
                      const struct key *signer, int64_t at_ms, uint64_t *ret_seq,
                      enum msg_verdict *ret_verdict, struct err *e) MUST_CHECK;

/* Signed text appended to jws (may be NULL). ERR_NOTFOUND (no text) when there is none. */
int store_receipt_get(struct store *s, const struct key_pub *k, uint64_t round, struct buf *jws,
                      uint64_t *ret_seq, enum msg_verdict *ret_verdict, struct err *e) MUST_CHECK;

/* Receipts of one contributor after seq, oldest first, at most max_n, one JWS a line. */
int store_receipts_after(struct store *s, const struct key_pub *k, uint64_t seq, uint32_t max_n,
                         struct buf *out, struct err *e) MUST_CHECK;

/* The round in which this payload was accepted already. ERR_NOTFOUND (no text) when never. */
int store_payload_round(struct store *s, const struct hash *payload, uint64_t *ret,
                        struct err *e) MUST_CHECK;

/* Who took part in `round` or the one before it, with slots and receipts of `round`; the chunks
 * on disk are for the caller to fill in. *ret is the caller's (free).
 */
int store_restore(struct store *s, uint64_t round, struct round_stored **ret, uint32_t *ret_n,
                  struct err *e) MUST_CHECK;
