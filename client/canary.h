#pragma once
/* Why: a computer with failing memory or an unstable overclock computes something else now and then,
 * and nobody else can tell its honest contribution from a forged one. So a small fixed batch is
 * computed when a round's training begins and once more before what was learned is packed: same
 * weights, same text, so the same bits, or nothing leaves. After a difference nothing leaves any more
 * until the agent is started anew.
 *
 * Cost: two forward passes of one sequence a round. Owner: caller's memory, zeroed is valid. Thread:
 * the trainer's.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "engine/trainer.h"

struct canary {
    struct hash base; /* of the weights it was computed with */
    uint64_t bits;    /* the loss's */
    bool is_set, is_dead;
};

/* Compute it with these weights, to be compared later. Does nothing when that was done, or when the gate
 * says CANCEL.
 */
int canary_begin(struct canary *c, struct trainer *t, const struct hash *base, uint32_t seq_len,
                 uint32_t vocab_size, struct err *e) MUST_CHECK;

/* Once more: OK when it is the same, or was never computed with these weights; ERR_IO when it is not,
 * and ever after.
 */
int canary_check(struct canary *c, struct trainer *t, const struct hash *base, uint32_t seq_len,
                 uint32_t vocab_size, struct err *e) MUST_CHECK;
