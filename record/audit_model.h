#pragma once
/* Why: to see whether base and update give the result, the auditor must hold the base. It is made
 * from the run's first weights, or from any checkpoint, and the updates since; each step is held
 * against the hashes on record, so it does not matter where the weights came from.
 *
 * One set of weights, one update and, while it is read, one checkpoint are in memory.
 */

#include "record/audit_chain.h"

struct audit_model {
    const struct audit_source *source;
    const struct audit_chain *chain;
    const struct model_table *table;
    float *params; /* [n_params]; owned */
    bool has;      /* params are those of `base` */
    struct hash base;
    struct buf update; /* scratch */
    bool has_rounds;
    uint32_t n_rounds; /* rounds of which there is a checkpoint */
    uint64_t rounds[AUDIT_MAX_CHECKPOINTS];
    bool has_no_first; /* round 0's weights are not to be had */
    struct buf gaps;   /* uint64_t: rounds whose update cannot be had or does not fit */
};

/* ERR_NOMEM: the weights do not fit. */
int audit_model_init(struct audit_model *m, const struct audit_source *s,
                     const struct audit_chain *c, const struct model_table *t,
                     struct err *e) MUST_CHECK;
void audit_model_deinit(struct audit_model *m); /* accepts NULL and zeroed */

/* Hold the weights at the start of `round`. OK with *ret_has false when no way leads there. */
int audit_model_at(struct audit_model *m, uint64_t round, bool *ret_has, struct err *e) MUST_CHECK;

/* Apply an update to the weights held, by the rule of `round`; *ret_result is the hash of what came
 * out. ERR_PROTO: it is not an update; the weights are held no more.
 */
int audit_model_apply(struct audit_model *m, uint64_t round, const void *update, size_t n,
                      struct hash *ret_result, struct err *e) MUST_CHECK;
