#pragma once
/* Why: the messages of a round, as plain structs, with one encoding each. The contributor's
 * session, the aggregator's round and the simulator exchange these; only net/ turns them into
 * HTTP. Signed messages are JWS (base/jws.h) of the typ given here; the rest is JSON.
 * Every decoder checks every bound. Units: ms of wall clock since 1970 for *_at_ms.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/key.h"

#define MSG_NAME_CAP    33         /* contributor's chosen name, printable, with NUL */
#define MSG_REASON_CAP  160        /* one sentence, printable */
#define MSG_CHUNK_BYTES (1u << 20) /* payload chunk; the last one is shorter */
#define MSG_MAX_CHUNKS  1024
#define MSG_MAX_PEERS   256 /* rows of a peers message */
#define MSG_INVITE_CAP  33  /* invite code: 16 random bytes in hex */
#define MSG_ID_HEX      33  /* contribution id: 16 bytes in hex */

/* A contributor asks to take part: JWS "potluck-join+1", signed by the contributor. */
struct msg_join {
    struct hash run;
    struct key_pub contributor;  /* the signer */
    char name[MSG_NAME_CAP];     /* "" = stay anonymous */
    char client[32];             /* "potluck/0.1.0" */
    char invite[MSG_INVITE_CAP]; /* code of a private run, 32 hex digits; "" = none */
    uint64_t proof;              /* nonce that solves the run's puzzle for this key; 0 = none */
    int64_t created_at_ms;
};

/* State of the current round: JSON, in answer to join and to every poll. */
enum msg_round_state { MSG_ROUND_OPEN = 1, MSG_ROUND_MERGING = 2, MSG_ROUND_ENDED = 3 };

struct msg_round {
    uint64_t round;             /* number of the round now open (or merging) */
    enum msg_round_state state; /* ENDED: the run is over; base is the final model */
    struct hash base;           /* model hash everybody trains from in this round */
    int64_t left_ms;            /* until the deadline, by the aggregator's monotonic clock */
    int64_t inner_left_ms;      /* until the inner phase should end; 0 when past or H decides */
    struct hash update;         /* hash of the update that made `base`; zero for round 0 */
    uint64_t update_bytes;
    uint64_t checkpoint_round; /* newest checkpoint: weights at the start of this round */
    struct hash checkpoint;    /* hash of its file */
    uint64_t checkpoint_bytes;
    uint64_t oldest_update_round; /* updates from this round on can still be fetched */
    uint64_t n_changes;           /* entries of the record that change the run: GET /v1/changes */
    uint32_t n_contributors;      /* active now */
    uint32_t n_received;          /* accepted contributions of this round so far */
    double val_loss;              /* newest validation: nats per token; NaN when none */
    double val_bits_per_byte;
    uint64_t val_round; /* base of which round that was measured on */
    double swarm_tok_per_s;
    char session[MSG_ID_HEX]; /* only in the answer to a join; else "" */
};

/* Published after a merge: JWS "potluck-update+1", signed by the aggregator. */
struct msg_update {
    struct hash run;
    uint64_t round;     /* the round that was merged */
    struct hash base;   /* model before */
    struct hash result; /* model after applying the update */
    struct hash update; /* SHA-256 of the update's bytes */
    uint64_t update_bytes;
    uint32_t n_merged;
    uint64_t n_tokens; /* of all merged contributions */
    double train_loss; /* token-weighted mean of the contributors' claims */
};

/* JWS "potluck-reserve+1", signed by the contributor, before any byte is uploaded. */
struct msg_reserve {
    struct hash run;
    struct key_pub contributor;
    uint64_t round;
    struct hash base;
    uint64_t max_bytes;
    int64_t created_at_ms;
};

/* Answer to a reservation: JSON. */
struct msg_slot {
    char id[MSG_ID_HEX];  /* names the upload */
    uint32_t chunk_bytes; /* cut the payload into chunks of this */
    int64_t left_ms;      /* manifest must arrive within */
    uint32_t n_have;      /* chunks already stored (after a cut): have[i] says which */
    uint8_t have[MSG_MAX_CHUNKS / 8];
};

/* JWS "potluck-manifest+1", signed by the contributor, after the last chunk. */
struct msg_manifest {
    struct hash run;
    struct key_pub contributor;
    char id[MSG_ID_HEX];
    uint64_t round;
    struct hash base;
    struct hash payload; /* SHA-256 of the whole payload */
    uint64_t n_bytes;
    uint32_t n_chunks;
    struct hash chunks[MSG_MAX_CHUNKS];
    uint64_t n_tokens; /* tokens trained on in this inner phase */
    uint32_t n_steps;
    double loss;      /* mean training loss of the phase */
    double tok_per_s; /* while training */
    char engine[96];  /* determinism class */
    int64_t created_at_ms;
};

/* JWS "potluck-receipt+1", signed by the aggregator: its answer to a manifest. */
enum msg_verdict { MSG_ACCEPTED = 1, MSG_LATE = 2, MSG_REJECTED = 3 };

struct msg_receipt {
    struct hash run;
    struct key_pub contributor;
    uint64_t seq; /* of this aggregator, ascending from 1 without gaps */
    uint64_t round;
    struct hash payload;
    uint64_t n_bytes;
    uint64_t n_tokens;
    enum msg_verdict verdict;
    char reason[MSG_REASON_CAP]; /* "" when accepted; else why, and what to do */
    int64_t created_at_ms;
    bool
        is_settled; /* it is on a sheet of the public record; else the next two are null on the wire */
    uint64_t reward; /* micro-units */
    uint64_t entry;  /* index of the round's entry (record/entry.h) */
};

/* What an aggregator publishes about contributors, for screens: JSON. */
struct msg_peer {
    struct key_pub key;
    char name[MSG_NAME_CAP];
    double tok_per_s;
    uint64_t n_tokens;   /* all accepted */
    uint64_t last_round; /* last accepted */
    int64_t seen_ms_ago;
    char state[16];  /* training, uploading, accepted, late, rejected, gone */
    char last10[11]; /* one letter a round, oldest first: # accepted, l late, x rejected, . none */
};

struct msg_peers {
    uint32_t n;
    struct msg_peer peers[MSG_MAX_PEERS];
};

/* One line of a contributor's ledger: JSON. amount in micro-credits. */
struct msg_credit {
    uint64_t round;
    uint64_t receipt_seq;
    uint64_t n_tokens;
    int64_t amount;
    bool is_settled;
    char reason[MSG_REASON_CAP];
    int64_t at_ms;
};

/* "accepted", "late", "rejected"; "?". And back; marks the reader bad at any other word. */
const char *msg_verdict_word(enum msg_verdict v);
struct json_reader;
struct json_t;
enum msg_verdict msg_verdict_get(struct json_reader *r, const struct json_t *o, const char *k);

/* Encoders append to out; decoders leave *ret alone on failure. verify_*: expect may be NULL, then
 * any signer is taken and its key lands in the struct's contributor field.
 */
#define MSG_SIGNED(x)                                                                              \
    int msg_##x##_sign(const struct msg_##x *m, const struct key *k, struct buf *out,              \
                       struct err *e) MUST_CHECK;                                                  \
    int msg_##x##_verify(const void *jws, size_t n, const struct key_pub *expect,                  \
                         struct msg_##x *ret, struct err *e) MUST_CHECK
#define MSG_PLAIN(x)                                                                               \
    int msg_##x##_encode(const struct msg_##x *m, struct buf *out, struct err *e) MUST_CHECK;      \
    int msg_##x##_decode(const void *json, size_t n, struct msg_##x *ret, struct err *e) MUST_CHECK

MSG_SIGNED(join);
MSG_SIGNED(reserve);
MSG_SIGNED(manifest);
MSG_SIGNED(receipt);
MSG_SIGNED(update);
MSG_PLAIN(round);
MSG_PLAIN(slot);
MSG_PLAIN(peers);

/* A list of ledger lines (at most MSG_MAX_PEERS, newest first) with the totals. */
struct msg_credits {
    int64_t confirmed;
    int64_t pending;
    uint64_t n_accepted;
    uint64_t n_late;
    uint64_t n_rejected;
    uint32_t n;
    struct msg_credit lines[MSG_MAX_PEERS];
};
MSG_PLAIN(credits);
