#pragma once
/* Why: one line of a run's public record. Everything the host decides (a round and what it paid, a
 * change of the schedule, the end) is such an entry, signed by the aggregator's key and appended
 * to a Merkle log. A leaf of that log is the text that entry_sign gives: a compact JWS of typ
 * "potluck-entry+1". A struct has exactly one text: verify refuses any other spelling.
 *
 *   index 0: open    then: round 0, round 1, ... with change, rollback, address, payout between
 *   last: end (addresses and payouts may follow it: they settle what was paid)
 *
 * What grows with the swarm is in the sheet that a round names (record/sheet.h). Units: ms of wall
 * clock since 1970 for at_ms, micro-units of the run's reward unit for amounts.
 * See docs/decisions/0008-public-record.md.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/key.h"
#include "record/msg.h"
#include "record/payee.h"

#define ENTRY_MAX_BYTES   65535u /* entry bundles prefix a leaf with two bytes of length */
#define ENTRY_RETAIN_ALL  0      /* every payload is kept */
#define ENTRY_RULE_MERGE  2      /* record/merge.h; 1 clipped without regard to tokens */
#define ENTRY_RULE_REWARD 1      /* record/reward.h: by tokens */
#define ENTRY_RULE_SCORED 3      /* both: tokens times quality (record/score.h, record/clip.h) */

enum entry_kind {
    ENTRY_OPEN = 1,
    ENTRY_ROUND,
    ENTRY_CHANGE,
    ENTRY_ROLLBACK,
    ENTRY_END,
    ENTRY_PAYOUT,
    ENTRY_ADDRESS
};

/* The run begins. */
struct entry_open {
    struct hash initial;     /* model hash of round 0's base */
    struct hash commit_next; /* to round 0's secret: entry_commit */
    uint64_t retention;      /* rounds of payloads kept; ENTRY_RETAIN_ALL: all */
};

/* One merged round. */
struct entry_round {
    uint64_t round;
    struct hash base;   /* model before */
    struct hash result; /* model after applying the update */
    struct hash update; /* SHA-256 of the update's bytes */
    uint64_t update_bytes;
    uint32_t n_merged;
    uint64_t n_tokens;       /* of all merged contributions */
    double train_loss;       /* token-weighted mean of the contributors' claims; NaN: not known */
    uint64_t emission;       /* what the round offers */
    uint64_t paid;           /* what it paid: emission, or 0 when nobody is merged */
    struct hash carry;       /* what the merge carries over to the next round; zero: nothing */
    struct hash secret;      /* the host's secret of this round, revealed */
    struct hash commit_next; /* to the next round's secret */
    uint32_t rule_merge;     /* ENTRY_RULE_* */
    uint32_t rule_reward;
    uint64_t first_seq; /* receipts on the sheet; last_seq = first_seq - 1: none */
    uint64_t last_seq;
    struct hash sheet; /* SHA-256 of the sheet's bytes */
    uint64_t sheet_bytes;
};

/* From a round on, some fields of the schedule have other values than the run description says. */
enum entry_field {
    ENTRY_F_INNER_MS,
    ENTRY_F_INNER_STEPS,
    ENTRY_F_MAX_INNER_STEPS,
    ENTRY_F_MERGE_MIN_SENDERS, /* a real number, as outer_lr; the others are counts */
    ENTRY_F_MIN_CONTRIBUTIONS,
    ENTRY_F_N_ROUNDS,
    ENTRY_F_OUTER_LR,
    ENTRY_F_REWARD_PER_ROUND,
    ENTRY_F_UPLOAD_MS,
    ENTRY_FIELDS
};

struct entry_change {
    uint64_t from_round;
    bool has[ENTRY_FIELDS];
    double value[ENTRY_FIELDS]; /* counts are whole numbers below 2^53; 0 where has is false */
    char reason[MSG_REASON_CAP];
};

/* The model goes back; rounds are numbered on, and nothing paid is taken back. */
struct entry_rollback {
    uint64_t next_round; /* the first round after it */
    uint64_t to_round;   /* its base, which is on record, is next_round's base */
    struct hash result;  /* that model */
    char reason[MSG_REASON_CAP];
};

struct entry_end {
    uint64_t n_rounds; /* merged in all */
    struct hash result;
    uint64_t paid; /* in all */
};

/* A settlement file, and the rounds whose rewards it settles. */
struct entry_payout {
    struct hash file;
    uint64_t file_bytes;
    uint64_t first_round;
    uint64_t last_round;
    uint64_t paid; /* sum of the file's lines */
};

/* To whom a contributor wants to be paid from the next payout on: its own signed text. */
struct entry_address {
    char text[PAYEE_MAX_BYTES + 1];
    struct payee payee; /* what the text says; filled by entry_verify */
};

struct entry {
    enum entry_kind kind;
    struct hash run;
    uint64_t index; /* place in the log */
    int64_t at_ms;
    union {
        struct entry_open open;
        struct entry_round round;
        struct entry_change change;
        struct entry_rollback rollback;
        struct entry_end end;
        struct entry_payout payout;
        struct entry_address address;
    };
};

/* Append the signed text of m. ERR_PROTO names the field that no reader would accept; ERR_LIMIT
 * when the text would exceed ENTRY_MAX_BYTES; ERR_NOMEM.
 */
int entry_sign(const struct entry *m, const struct key *k, struct buf *out,
               struct err *e) MUST_CHECK;

/* Check signature, every bound, and that the text is the one spelling. expect: the aggregator's
 * key; NULL: any signer. *ret (zeroed where the kind has no field) only on success. ERR_AUTH,
 * ERR_PROTO, ERR_LIMIT.
 */
int entry_verify(const void *jws, size_t n, const struct key_pub *expect, struct entry *ret,
                 struct err *e) MUST_CHECK;

/* What may follow the end of a run. */
bool entry_is_after_end(enum entry_kind k);

/* "open", "round", ...; "?" for what is no kind. */
const char *entry_kind_word(enum entry_kind k);
/* "inner_ms", ...; "?" */
const char *entry_field_word(enum entry_field f);

/* The host's secret of a round, from the 32 bytes its store was made with: the same after a
 * restart. SHA-256("potluck-round-secret+1" | seed | run | round, 8 bytes little endian).
 */
struct hash entry_secret(const uint8_t seed[32], const struct hash *run, uint64_t round);

/* What is published before the secret of `round` is:
 * SHA-256("potluck-secret+1" | run | round, 8 bytes little endian | secret).
 */
struct hash entry_commit(const struct hash *run, uint64_t round, const struct hash *secret);
