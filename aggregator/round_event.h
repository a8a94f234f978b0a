#pragma once
/* Why: what goes into the round machine (events) and what comes out of it (actions), as plain
 * data copied by value. The machine itself and its rules are in aggregator/round.h.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/key.h"
#include "record/msg.h"

#define ROUND_MAX_ACTIONS 16

/* What a manifest claims, as far as decisions need it. */
struct round_claim {
    struct hash payload;
    uint64_t n_bytes;
    uint64_t n_tokens;
    uint32_t n_steps;
    double loss;
    double tok_per_s;
    struct hash manifest; /* SHA-256 of the signed manifest's text */
};

/* What is looked at, in this order, and the first failure is the verdict. */
enum round_check {
    ROUND_CHECK_TIME,   /* the manifest came before the round closed */
    ROUND_CHECK_BASE,   /* trained from this round's weights */
    ROUND_CHECK_STEPS,  /* as many as the run allows */
    ROUND_CHECK_TOKENS, /* no more than those steps can take */
    ROUND_CHECK_LOSS,   /* a number */
    ROUND_CHECK_UNIQUE, /* nobody else's payload of this round */
    ROUND_CHECK_FORM,   /* the payload is what this run's packing can give */
    ROUND_CHECK_NEW,    /* not counted in an earlier round */
    ROUND_CHECKS
};

/* A piece of work and the name it comes back under. The driver echoes it unchanged. */
struct round_op {
    uint64_t round;
    struct key_pub contributor; /* of slot work; else zero */
    char id[MSG_ID_HEX];        /* the slot; "" for a late manifest */
    uint32_t i_chunk;           /* STORE_CHUNK, FIND_PART */
    uint64_t offset;            /* STORE_CHUNK: where in the chunk the bytes begin */
    bool is_part;               /* STORE_CHUNK: more of this chunk is to come */
    uint64_t max_bytes;         /* STORE_SLOT */
    uint64_t req;               /* who asked */
    struct round_claim claim;   /* JUDGE, STORE_RECEIPT, FIND_RECEIPT */
    enum msg_verdict verdict;   /* STORE_RECEIPT */
    char reason[MSG_REASON_CAP];
    uint32_t n_passed; /* STORE_RECEIPT: checks passed in a row; ROUND_CHECKS when accepted */
    uint64_t attempt;  /* MERGE, PUBLISH: grows with each try */
};

/* Who waits to hear how much of a chunk is stored. */
struct round_asker {
    uint64_t req;
    uint32_t i_chunk;
};

enum round_action_kind {
    /* Work; answer with ROUND_EV_DONE. Durable means: survives a power cut. */
    ROUND_DO_STORE_SLOT = 1, /* op.id, contributor, round, max_bytes: durable */
    ROUND_DO_STORE_CHUNK,    /* the chunk of the event being stepped: check its hash, durable. What
                              * follows op.offset bytes stored before is put behind them; is_part:
                              * kept until the rest comes. ROUND_GAP: other than op.offset are
                              * there. n_stored: bytes of it that are durable now */
    ROUND_DO_FIND_PART,      /* n_stored: durable bytes of a chunk that is not complete */
    ROUND_DO_JUDGE,          /* the manifest of the event being stepped: chunks against hashes,
                              * payload well-formed, not counted in an earlier round; when good
                              * the payload is durable under its hash before the answer */
    ROUND_DO_STORE_RECEIPT,  /* durable; the store numbers it (seq = last + 1). When the pair
                              * (contributor, round) has one already, that one is the answer */
    ROUND_DO_FIND_RECEIPT,   /* receipt of (contributor, round), if any */
    ROUND_DO_MERGE,          /* round_inputs; the update's bytes are durable under their hash */
    ROUND_DO_PUBLISH,        /* round_update, round_shares: one durable transaction */
    /* Replies and news. */
    ROUND_DO_REPLY_SLOT,    /* req, slot */
    ROUND_DO_REPLY_STORED,  /* req: the chunk is on disk */
    ROUND_DO_REPLY_OFFSET,  /* req, status: n_stored bytes of a chunk are on disk; is_complete */
    ROUND_DO_REPLY_RECEIPT, /* req: the stored receipt of op.contributor, op.round */
    ROUND_DO_REPLY_ERROR,   /* req, status (HTTP), detail, hint */
    ROUND_DO_ANNOUNCE,      /* round, base or state changed: wake whoever polls */
};

struct round_action {
    enum round_action_kind kind;
    struct round_op op;
    uint64_t req;
    int status;
    char detail[MSG_REASON_CAP];
    char hint[128];
    struct msg_slot slot;
    uint64_t n_stored; /* REPLY_OFFSET */
    bool is_complete;
};

struct round_actions {
    uint32_t n;
    struct round_action a[ROUND_MAX_ACTIONS];
};

enum round_event_kind {
    ROUND_EV_SEEN = 1, /* contributor joined or polled; is_paused */
    ROUND_EV_GONE,     /* contributor said goodbye */
    ROUND_EV_RESERVE,  /* req, reserve (signature checked), room_bytes */
    ROUND_EV_CHUNK,    /* req (0: it was cut off), id, i_chunk, offset, n_bytes, is_part */
    ROUND_EV_OFFSET,   /* req, id, i_chunk: how much of it is stored? */
    ROUND_EV_MANIFEST, /* req, manifest (signature checked) */
    ROUND_EV_DONE,     /* kind and op of the work, outcome, and what it yielded */
    ROUND_EV_TICK,
    ROUND_EV_END, /* the host ends the run: with the open round; is_now: which closes now */
};

enum round_outcome {
    ROUND_OK = 1,
    ROUND_NONE,     /* FIND_RECEIPT: there is none */
    ROUND_MISMATCH, /* STORE_CHUNK: bytes differ from the announced hash; JUDGE: a stored chunk
                     * differs from the manifest, so it must be sent again */
    ROUND_BAD,      /* JUDGE: reason says why the payload is refused; MERGE: cannot happen for
                     * judged inputs, treated as failed */
    ROUND_GAP,      /* STORE_CHUNK: does not begin where the stored part ends */
    ROUND_FULL,     /* no space left */
    ROUND_FAILED,   /* other I/O trouble */
};

struct round_event {
    enum round_event_kind kind;
    uint64_t req;
    struct key_pub contributor; /* SEEN, GONE */
    bool is_paused;             /* SEEN */
    const struct msg_reserve *reserve;
    uint64_t room_bytes;      /* RESERVE: free bytes on the disk */
    const char *id;           /* CHUNK, OFFSET */
    uint32_t i_chunk;         /* CHUNK, OFFSET */
    uint64_t n_bytes, offset; /* CHUNK */
    bool is_part;             /* CHUNK */
    uint64_t n_stored;        /* DONE of STORE_CHUNK, FIND_PART */
    const struct msg_manifest *manifest;
    struct hash manifest_hash;   /* MANIFEST: SHA-256 of its signed text */
    enum round_action_kind work; /* DONE */
    struct round_op op;
    enum round_outcome outcome;
    char reason[MSG_REASON_CAP]; /* JUDGE: ROUND_BAD */
    uint32_t n_passed;           /* same: enum round_check of what failed */
    uint64_t seq;                /* STORE_RECEIPT, FIND_RECEIPT: the receipt's number */
    enum msg_verdict verdict;    /* same: of the receipt that is stored */
    struct hash result, update;  /* MERGE: model after it; SHA-256 of the update's bytes */
    uint64_t update_bytes;
    bool is_over; /* PUBLISH: the record ends with this round */
    bool is_now;  /* END */
};

/* A contributor as the store remembers it, for round_restore. */
struct round_stored {
    struct key_pub contributor; /* took part in this round or the one before: waited for */
    bool has_slot;              /* of the open round */
    char id[MSG_ID_HEX];
    uint64_t max_bytes;
    uint8_t have[MSG_MAX_CHUNKS / 8]; /* chunks on disk */
    bool has_receipt;                 /* for the open round */
    enum msg_verdict verdict;
    uint64_t seq;
    struct round_claim claim;
};
