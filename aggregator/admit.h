#pragma once
/* Why: who may take part. A public run lets in every key; a private one those on its list and those
 * who bring an invite code. Beside that a run may have a puzzle (record/puzzle.h), and one address
 * may bring only so many new keys. Every decision is made here, from facts, without I/O; keys that
 * are in already are never asked again. What is answered says what to do.
 *
 *   aggregator/door       asks, counts and answers     aggregator/store_admit   remembers
 *
 * Thread: any one.
 */

#include <stdbool.h>
#include <stdint.h>

#define ADMIT_NEW_BURST    64   /* new keys from one IPv4 address or IPv6 /48 at once, then ... */
#define ADMIT_NEW_PER_HOUR 60   /* ... so many an hour */
#define ADMIT_PLACES       4096 /* addresses remembered; the longest unseen is forgotten */
#define ADMIT_PROOFS       16   /* puzzle answers being checked at the same time */

/* How a key got in. The numbers are stored. */
enum admit_how {
    ADMIT_STRANGER = 0,
    ADMIT_PUBLIC = 1,  /* joined while the run was public */
    ADMIT_INVITED = 2, /* with a code */
    ADMIT_LISTED = 3,  /* the host put it on the list */
    ADMIT_REMOVED = 4, /* the host took it off: not let in again, whatever it brings */
};

/* An invite as it is remembered; the code itself is not, only its hash. */
struct admit_invite {
    uint64_t max_uses; /* 0: any number */
    uint64_t n_uses;
    int64_t expires_ms; /* wall clock; 0: never */
    bool is_revoked;
};

struct admit_facts {
    bool is_private;
    enum admit_how how;
    bool has_code;     /* the join carries one */
    bool is_code_ours; /* and it is one of ours: invite */
    struct admit_invite invite;
    bool needs_proof; /* the run has a puzzle */
    bool has_proof;
    int64_t now_ms; /* wall clock */
};

enum admit_answer {
    ADMIT_IN,  /* is in already */
    ADMIT_NEW, /* may come in, once its address and its proof are found to be in order */
    ADMIT_NO_CODE,
    ADMIT_BAD_CODE,
    ADMIT_OLD_CODE,
    ADMIT_USED_CODE,
    ADMIT_REVOKED_CODE,
    ADMIT_TAKEN_OFF,
    ADMIT_NO_PROOF,
    ADMIT_BAD_PROOF,
    ADMIT_TOO_MANY, /* new keys from this address */
    ADMIT_BUSY,     /* too many proofs to check at the moment */
    ADMIT_ANSWERS,
};

enum admit_answer admit_decide(const struct admit_facts *f);

/* Is the code what lets this key in, so that a use of it counts? */
bool admit_spends_code(const struct admit_facts *f);

/* Must this key's proof be checked before it is let in? */
bool admit_wants_proof(const struct admit_facts *f);

/* The problem document of a refusal: HTTP status, type ("potluck:problem/..."), and two sentences.
 * NULL for ADMIT_IN and ADMIT_NEW.
 */
struct admit_problem {
    int status;
    const char *type;
    const char *detail;
    const char *hint;
};
const struct admit_problem *admit_problem(enum admit_answer a);

/* Tokens of the addresses seen. Zero is a valid empty gate. */
struct admit_place {
    bool is_used;
    uint8_t prefix[8]; /* 4, then an IPv4 address; or 6, then 48 bits of an IPv6 one */
    double tokens;
    int64_t at_ms;
};

struct admit_gate {
    struct admit_place places[ADMIT_PLACES];
};

/* May this address bring one more new key now (monotonic clock)? It is counted. When not,
 * *ret_wait_ms until it may. Text that is no address counts as one place.
 */
bool admit_gate_pass(struct admit_gate *g, const char *address, int64_t now_ms,
                     int64_t *ret_wait_ms);
