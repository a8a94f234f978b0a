#pragma once
/* Why: a tree head is one small signed text that says how many entries the log has and what they
 * are (their root). It is written as C2SP tlog-checkpoint in a C2SP signed note, so that existing
 * witnesses can read and cosign it:
 *
 *     potluck/<run id, 64 hex digits>
 *     <number of leaves>
 *     <root, base64>
 *
 *     <em dash> potluck/<run id> <base64 of key id (4 bytes) and signature (64)>
 *
 * The key is the aggregator's Ed25519 key, its name the origin line, its id the first four bytes of
 * SHA-256(name | 0x0a | 0x01 | public key). There is no time in it and no further line, so one tree
 * has one text, and a restart signs the same bytes again. Lines of other signers may follow.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/key.h"

#define NOTE_MAX_BYTES  (128u * 1024)
#define NOTE_MAX_SIGS   24 /* post-quantum cosignatures are near 5 kB each */
#define NOTE_NAME_CAP   128
#define NOTE_ID_BYTES   4
#define NOTE_ORIGIN_CAP 80

/* What a tree head says. */
struct note_head {
    struct hash run;
    uint64_t n_leaves;
    struct hash root;
};

/* One signature line: who, and where in the note its base64 text stands. */
struct note_sig {
    char name[NOTE_NAME_CAP];
    uint8_t id[NOTE_ID_BYTES];
    size_t at; /* offset of the base64 text (key id and signature) */
    size_t n;  /* its length */
};

/* A parsed note. The signed text is its first n_text bytes. */
struct note {
    struct note_head head;
    size_t n_text;
    uint32_t n_sigs;
    struct note_sig sigs[NOTE_MAX_SIGS];
};

/* "potluck/<run id>": origin line and key name. Returns dst. */
char *note_origin(const struct hash *run, char dst[NOTE_ORIGIN_CAP]);

/* The id of an Ed25519 key under a name. */
void note_key_id(const char *name, const struct key_pub *key, uint8_t ret[NOTE_ID_BYTES]);

/* Append the note of h, signed by k: always the same bytes. ERR_LIMIT at 2^62 leaves. */
int note_sign(const struct note_head *h, const struct key *k, struct buf *out,
              struct err *e) MUST_CHECK;

/* Read a note's form, whoever signed it: nothing in it is to be believed yet. ERR_PROTO when it is
 * not exactly of the form above (other signature lines may follow), ERR_LIMIT on size.
 */
int note_parse(const void *text, size_t n, struct note *ret, struct err *e) MUST_CHECK;

/* Read a note and believe it: it is about `run` and carries a signature by `key` under the run's
 * name that verifies; signatures of others are not looked at. A second line of the same name and
 * key id that does not verify makes the whole note refused. ERR_AUTH otherwise. ret_head is
 * written on OK only.
 */
int note_verify(const void *text, size_t n, const struct hash *run, const struct key_pub *key,
                struct note_head *ret_head, struct err *e) MUST_CHECK;
