#pragma once
/* Why: `potluck-aggregator plan`: what a run will ask of its contributors and of its host, before
 * anybody joins: bytes, seconds, cores, memory, disk. All of it arithmetic on record/controller's
 * choice and on what this program was measured to do; no file, no clock.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/controller.h"

struct plan_facts {
    struct controller_facts c;
    uint32_t inner_steps; /* 0: chosen by the controller, as k */
    uint32_t k;
    uint64_t retention;         /* rounds whose contributions are kept */
    uint64_t n_checkpoints;     /* kept at a time */
    uint64_t contributor_bytes; /* of memory that training needs; engine/budget */
};

struct plan {
    struct plan_facts facts;
    struct controller_round round;
    uint64_t in_bytes, out_bytes; /* the host's, a round */
    double in_mbit, out_mbit;     /* while contributions come and the update goes, at full speed */
    double host_core_s;           /* a round */
    uint64_t memory_bytes;     /* the host's: weights twice, held-out loss, contributions, update */
    uint64_t round_disk_bytes; /* kept of a round */
    uint64_t disk_bytes;       /* all that is kept, with checkpoints */
    uint64_t checkpoint_bytes;
    double tok_per_s; /* of all contributors, waiting included */
};

/* f->c must have every field in its bounds. */
void plan_make(const struct plan_facts *f, struct plan *ret);

/* Append one JSON object; or a page for people. ERR_NOMEM. */
int plan_json(const struct plan *p, struct buf *out, struct err *e) MUST_CHECK;
int plan_text(const struct plan *p, struct buf *out, struct err *e) MUST_CHECK;
