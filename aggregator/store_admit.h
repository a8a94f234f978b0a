#pragma once
/* Why: who was let in and by which invite, as durable as everything else in the store. `serve` reads
 * these tables at each question, so what the host changes beside it (`potluck-aggregator doors`,
 * `invite`, `allow`) counts at once. Codes are kept as hashes: who reads the database cannot use one.
 *
 *   doors    one row: is the run private?
 *   members  key, how it got in (enum admit_how), by which invite, when
 *   invites  hash of the code, uses, end, note
 *
 * Thread, errors: as aggregator/store.h.
 */

#include "aggregator/admit.h"
#include "aggregator/store.h"

/* SHA-256("potluck-invite+1" | code): what is stored. Its first eight hex digits are the invite's id. */
struct hash store_admit_hash(const char *code);

int store_admit_mode(struct store *s, bool *ret_is_private, struct err *e) MUST_CHECK;
int store_admit_set_mode(struct store *s, bool is_private, struct err *e) MUST_CHECK;

/* ADMIT_STRANGER when there is no row. */
int store_admit_how(struct store *s, const struct key_pub *k, enum admit_how *ret,
                    struct err *e) MUST_CHECK;
int store_admit_set_how(struct store *s, const struct key_pub *k, enum admit_how how, int64_t at_ms,
                        struct err *e) MUST_CHECK;

/* ERR_NOTFOUND (no text) when no such invite was made. */
int store_admit_invite(struct store *s, const struct hash *code, struct admit_invite *ret,
                       struct err *e) MUST_CHECK;
int store_admit_add_invite(struct store *s, const struct hash *code, const struct admit_invite *v,
                           const char *note, int64_t at_ms, struct err *e) MUST_CHECK;

/* Withdraw the invites whose hash begins with prefix (hex digits; "" all of them). */
int store_admit_revoke(struct store *s, const char *prefix, uint32_t *ret_n,
                       struct err *e) MUST_CHECK;

/* Let a key in. code (may be NULL): one use of it is counted in the same transaction, and whether
 * it may be is looked at there once more: ERR_WRONG_STATE (no text) when somebody was quicker. A
 * key that was let in meanwhile stays as it is and costs nothing.
 */
int store_admit_take(struct store *s, const struct key_pub *k, const struct hash *code,
                     int64_t now_ms, struct err *e) MUST_CHECK;

/* For lists: called once a row, oldest first, with the store locked. name is printable. */
typedef void (*store_admit_member_fn)(const struct key_pub *k, enum admit_how how, const char *name,
                                      int64_t at_ms, void *ctx);
int store_admit_members(struct store *s, store_admit_member_fn fn, void *ctx,
                        struct err *e) MUST_CHECK;
typedef void (*store_admit_invite_fn)(const struct hash *code, const struct admit_invite *v,
                                      const char *note, int64_t at_ms, void *ctx);
int store_admit_invites(struct store *s, store_admit_invite_fn fn, void *ctx,
                        struct err *e) MUST_CHECK;
