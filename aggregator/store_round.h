#pragma once
/* Why: the store's half about merged rounds: what is needed to start again, checkpoints,
 * validation, and which files nobody needs any more. How a round comes in: store_record.h.
 */

#include "aggregator/store.h"

/* The newest merged round; ERR_NOTFOUND (no text) before the first. */
int store_round_last(struct store *s, struct msg_update *ret, struct err *e) MUST_CHECK;

/* One merged round; head (may be NULL) gets its signed text. ERR_NOTFOUND (no text). */
int store_round_get(struct store *s, uint64_t round, struct msg_update *ret, struct buf *head,
                    struct err *e) MUST_CHECK;

struct store_checkpoint {
    uint64_t round;
    struct hash file;
    uint64_t n_bytes;
};

int store_round_checkpoint_put(struct store *s, const struct store_checkpoint *c,
                               struct err *e) MUST_CHECK;
int store_round_checkpoint_drop(struct store *s, uint64_t round, struct err *e) MUST_CHECK;
/* Newest first, at most cap. */
int store_round_checkpoints(struct store *s, struct store_checkpoint *ret, uint32_t cap,
                            uint32_t *ret_n, struct err *e) MUST_CHECK;

/* Validation of the base of one round. */
struct store_val {
    uint64_t round;
    double nats;
    uint64_t n_tokens;
    uint64_t n_bytes;
    double unigram_bits; /* empirical entropy of exactly these tokens, in bits, summed */
};

int store_round_val_put(struct store *s, const struct store_val *v, struct err *e) MUST_CHECK;
/* The oldest or the newest; ERR_NOTFOUND (no text) when there is none. */
int store_round_val(struct store *s, bool is_newest, struct store_val *ret,
                    struct err *e) MUST_CHECK;

/* Files of round `round`: its update, and the accepted payloads; each hash is given to fn. */
typedef void (*store_round_file_fn)(const struct hash *h, void *ctx);
int store_round_payloads(struct store *s, uint64_t round, store_round_file_fn fn, void *ctx,
                         struct err *e) MUST_CHECK;
