#pragma once
/* Why: to whom a contributor's share is owed, in the contributor's own signed words: JWS of typ
 * "potluck-payout+1". The newest one counts, told by its time, so that an older one that somebody kept
 * cannot come back. It is put on the public record with the settlement that first uses it
 * (record/entry.h, "address"), and from there on anybody can see which address was owed what.
 *
 * The unit is the host's, no chain is asked, and nothing is promised by it.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/key.h"

#define PAYEE_CAP       128  /* of an address, with its NUL */
#define PAYEE_MAX_BYTES 1000 /* of the signed text */

enum payee_kind {
    PAYEE_NONE = 1, /* no address any more */
    PAYEE_TEXT,     /* whatever host and contributor understand; not checked */
    PAYEE_SS58,     /* record/ss58.h */
};

struct payee {
    struct hash run;
    struct key_pub contributor; /* the signer */
    enum payee_kind kind;
    char address[PAYEE_CAP]; /* printable; "" exactly when there is none */
    int64_t created_at_ms;   /* of this run and key, each greater than the one before */
};

/* "none", "text", "ss58"; "?". And back: 0, or -1 for another word. */
const char *payee_kind_word(enum payee_kind k);
int payee_kind_parse(const char *word, enum payee_kind *ret);

/* May this be an address of that kind? ERR_PROTO with a sentence and a hint. */
int payee_check(enum payee_kind kind, const char *address, struct err *e) MUST_CHECK;

/* Appends the signed text. ERR_PROTO names what no reader would accept. */
int payee_sign(const struct payee *m, const struct key *k, struct buf *out,
               struct err *e) MUST_CHECK;

/* Signature and every bound, the address's checksum among them. expect may be NULL: any signer is
 * taken. *ret only on success. ERR_AUTH, ERR_PROTO, ERR_LIMIT.
 */
int payee_verify(const void *jws, size_t n, const struct key_pub *expect, struct payee *ret,
                 struct err *e) MUST_CHECK;
