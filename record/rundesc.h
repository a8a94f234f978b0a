#pragma once
/* Why: the run description is the signed constitution of a run: what is trained, on what data, by
 * which rule, and who aggregates. Its bytes never change while the run lives; its SHA-256 is the
 * run's id. It travels as a file (run.potluck, a compact JWS of typ "potluck-run+1") or is fetched
 * by an invite link: potluck://HOST:PORT/#<host key hex>.<TLS pin hex>[.<invite code>]
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/key.h"
#include "engine/model.h"
#include "engine/trainer.h"
#include "record/msg.h"
#include "record/puzzle.h"

#define RUNDESC_WIRE_VERSION    1u
#define RUNDESC_MAX_AGGREGATORS 8
#define RUNDESC_MAX_SHARDS      256
#define RUNDESC_MAX_BYTES       (256u * 1024)
#define RUNDESC_CODE_CAP        MSG_INVITE_CAP /* of an invite code */

/* One address of the run. All of them carry the same aggregator key's signature. */
struct rundesc_aggregator {
    char host[128]; /* name or address; IPv6 without brackets */
    uint16_t port;
    struct key_pub key;  /* signs receipts and rounds */
    struct hash tls_pin; /* SHA-256 of the certificate's SubjectPublicKeyInfo */
};

struct rundesc {
    struct hash id;      /* SHA-256 of the JWS text; filled by parse and sign */
    struct key_pub host; /* who signed it */
    char name[48];       /* printable */
    char note[256];      /* what is trained, in a sentence; licence of text and weights */
    struct model_config model;
    struct hash initial_model; /* model_hash of round 0's base */
    bool is_from_checkpoint;   /* those weights are fetched: GET /v1/checkpoints/0 */
    uint64_t init_seed;        /* else they come from this seed (model_init_weights) */
    struct train_params train;
    uint32_t inner_steps;       /* H; 0 when the time budget decides */
    uint32_t inner_ms;          /* time budget of an inner phase; 0 when H decides */
    uint32_t max_inner_steps;   /* what one contribution may claim */
    uint32_t ahead_steps;       /* of a phase, taken before the last update lands; 0: none */
    uint32_t upload_ms;         /* from the end of the inner phase to the round's deadline */
    uint32_t min_contributions; /* a round does not close with fewer */
    uint64_t n_rounds;          /* 0: until the host ends it */
    uint64_t retention;         /* rounds whose payloads are kept; 0: all of them */
    double merge_min_senders;   /* m of sum / max(senders, m) */
    struct hash tokenizer;      /* SHA-256 of tokenizer.json */
    uint64_t tokenizer_bytes;
    uint32_t n_train_shards;
    struct hash train_shards[RUNDESC_MAX_SHARDS];   /* SHA-256 of each shard's index */
    uint64_t train_index_bytes[RUNDESC_MAX_SHARDS]; /* length of each index */
    struct hash val_shard;
    uint64_t val_index_bytes;
    char reward_unit[24];      /* "credits" */
    uint64_t reward_per_round; /* emission, integer units (micro-credits) */
    struct puzzle puzzle;      /* what a new key has to solve; bits 0: nothing */
    uint32_t n_aggregators;
    struct rundesc_aggregator aggregators[RUNDESC_MAX_AGGREGATORS];
};

/* Fill d from a JWS; checks signature, every bound, and the wire version (ERR_VERSION with a
 * sentence that names both versions). expect_host may be NULL.
 */
int rundesc_parse(const void *jws, size_t n, const struct key_pub *expect_host, struct rundesc *ret,
                  struct err *e) MUST_CHECK;

/* Sign d as host; appends the JWS text and sets d->id and d->host. */
int rundesc_sign(struct rundesc *d, const struct key *host, struct buf *out,
                 struct err *e) MUST_CHECK;

struct rundesc_invite {
    char host[128];
    uint16_t port;
    struct key_pub key; /* host key: the description must be signed by it */
    struct hash tls_pin;
    char code[RUNDESC_CODE_CAP]; /* lets one into a private run; "" = none */
};

bool rundesc_is_code(const char *text); /* 32 lower-case hex digits */

/* Invite link to and from text. ERR_ARG with a sentence when it is not one. */
int rundesc_invite_parse(const char *link, struct rundesc_invite *ret, struct err *e) MUST_CHECK;
int rundesc_invite_format(const struct rundesc_invite *v, char *dst, size_t cap,
                          struct err *e) MUST_CHECK;

/* The inner phase's length for planning: time budget, or 0 when steps decide. The deadline of a
 * round is opened_at + rundesc_round_ms(d): inner phase (or 4 x upload_ms when H decides) + upload.
 */
uint64_t rundesc_round_ms(const struct rundesc *d);

#define RUNDESC_STEPS_PER_S 4 /* of the schedule, when time ends inner phases */

/* Number of inner step i_step of `round` in the schedule of the learning rate, the same for every
 * contributor whatever its speed: round * S + min(i_step, S - 1). S is inner_steps; when time
 * decides it is inner_ms * RUNDESC_STEPS_PER_S / 1000, at least 1: who is faster stays at the end
 * of the round's stretch of the curve, who is slower leaves out the rest of it.
 */
uint64_t rundesc_schedule_step(const struct rundesc *d, uint64_t round, uint64_t i_step);
