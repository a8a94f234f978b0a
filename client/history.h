#pragma once
/* Why: what the graphs show must survive a restart of the agent: speed, loss and contributors over
 * time, validation by round. Plain memory, saved as one small file.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "view/series.h"

struct history {
    struct series speed, loss, peers;
    uint32_t n_val; /* newest last */
    uint64_t val_round[VIEW_SERIES];
    float val[VIEW_SERIES];       /* nats per token */
    double best_speed, best_loss; /* NaN: none yet */
};

void history_init(struct history *h);

/* Remember a validation; one a round, ascending. */
void history_val(struct history *h, uint64_t round, double nats);

int history_save(const struct history *h, struct buf *out, struct err *e) MUST_CHECK;
/* Leaves *ret untouched unless all of it is sound. */
int history_load(const void *p, size_t n, struct history *ret, struct err *e) MUST_CHECK;
