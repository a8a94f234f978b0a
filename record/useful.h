#pragma once
/* Why: is a contribution what it claims? Each one of a round is held against the others (norm,
 * support), and some, drawn when nobody can prepare for it any more, are tried out: applied alone,
 * do they lower the loss on the text that was to be trained on, and on text that nobody knew?
 *
 *   seed   H(the host's committed secret of the round | H(payload hashes, sorted)): fixed when the
 *          last contribution has come, known to nobody before
 *   order  keys that were never evaluated first, then by H(seed | key), as far as the budget goes
 *   trial  base - USEFUL_STEP * outer_lr * (contribution, each tensor clipped to the median norm)
 *   gain   loss before - loss after, nats a token, on n_seqs sequences of each kind
 *
 * What comes of it is a list of evaluations (record/score.h), which goes on record. Host and bench
 * call the same function. Source of the two losses: Gauntlet, arXiv 2505.21684.
 *
 * Thread: any one; blocks for as long as goes_on allows and one evaluation more.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"
#include "engine/trainer.h"
#include "record/assign.h"
#include "record/score.h"

#define USEFUL_STEP     0.5
#define USEFUL_MAX_SEQS 64

struct useful_contribution {
    struct key_pub contributor;
    uint64_t order; /* became durable in this order: the receipt's number */
    uint64_t n_tokens;
    uint64_t n_seqs; /* the first so many of its assignment it says it has trained on */
    struct hash payload;
};

struct useful_job {
    struct trainer *trainer; /* eval_only will do; its weights are overwritten */
    const float *base;       /* weights that the round began with */
    double outer_lr;
    struct delta_params delta;
    struct assign_space space;
    struct hash run;
    uint64_t round;
    struct hash secret; /* of this round */
    uint32_t n_seqs;    /* evaluated of each kind, 1..USEFUL_MAX_SEQS */
    const struct score_book *book;
    uint32_t n;
    const struct useful_contribution *in; /* ascending by key */
    /* The i-th payload, judged before, into out (empty). */
    int (*payload)(void *ctx, uint32_t i, struct buf *out, struct err *e);
    /* seq_len + 1 tokens of the training text. */
    int (*tokens)(void *ctx, struct assign_place at, uint32_t *dst, struct err *e);
    bool (*goes_on)(void *ctx); /* false: the budget is used up; NULL: everybody is evaluated */
    void *ctx;
};

/* Evaluations in the order of the keys into ret [job->n]. ERR_NOMEM, ERR_CANCELLED, and those of
 * the callbacks: nothing is found out.
 */
int useful_run(const struct useful_job *job, struct score_eval *ret, uint32_t *ret_n,
               struct err *e) MUST_CHECK;

struct hash useful_seed(const struct hash *secret, const struct useful_contribution *in,
                        uint32_t n);
