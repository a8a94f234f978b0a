#pragma once
/* Why: what a model will need is known before the first byte is asked for: a person is told "this
 * needs 3.1 GiB" instead of meeting the out-of-memory killer at night. The trainer allocates
 * exactly these blocks and nothing later.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/model.h"
#include "engine/model_pass.h"
#include "engine/trainer.h"

enum budget_kind {
    BUDGET_WEIGHTS,     /* base and local weights */
    BUDGET_GRADIENTS,   /* also scratch of trainer_pack */
    BUDGET_MOMENTS,     /* AdamW: two values a weight */
    BUDGET_FEEDBACK,    /* error feedback */
    BUDGET_ANCHOR,      /* local weights as packed, where steps are taken ahead of the update */
    BUDGET_ACTIVATIONS, /* of one micro-batch, with attention's memory for each worker */
    BUDGET_SCRATCH,     /* of the worker pool, which owns it */
    BUDGET_KINDS
};

struct budget {
    uint64_t bytes[BUDGET_KINDS];
    uint64_t total_bytes;
    uint64_t flops_per_token; /* one training step, forward and backward */
};

/* The micro-batch that a trainer with these options works on. */
struct model_pass_shape budget_shape(const struct train_params *p, const struct trainer_options *o);

/* c and p must be checked already. */
void budget_plan(const struct model_config *c, const struct train_params *p,
                 const struct trainer_options *o, struct budget *ret);

/* What grows with the weights alone: all but activations and scratch. */
uint64_t budget_param_bytes(const struct budget *b);

/* Does it fit into available_bytes (memfree_bytes; 0: not known, then it does)? A little is left to
 * the rest of the program and to others. ERR_NOMEM: "training this model needs 3.1 GiB of memory
 * (weights ...), 1.9 GiB is available", with a hint.
 */
int budget_check(const struct budget *b, uint64_t available_bytes, struct err *e) MUST_CHECK;

/* "3.1 GiB", "214.0 MiB": as in budget_text. Writes at most cap bytes; returns dst. */
char *budget_bytes(uint64_t n, char *dst, size_t cap);

/* "weights 46 MiB, gradients 23 MiB, ...: 214 MiB in all" into dst; returns dst. */
char *budget_text(const struct budget *b, char *dst, size_t cap);
