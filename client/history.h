#pragma once
/* Why: what the graphs show must survive a restart of the agent: speed, loss and contributors over
 * time, validation by round, what was confirmed day by day, and the marks that explain a dent: pauses,
 * rejections, restarts, a host that was away. Plain memory, saved as one small file.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "view/series.h"

#define HISTORY_DAYS (VIEW_DAYS + 1) /* the day before the first one shown is its zero */

struct history_day {
    int64_t at_ms;     /* last look at that day's total */
    int64_t confirmed; /* micro-credits, total at that time */
};

struct history {
    struct series speed, loss, peers;
    uint32_t n_val; /* newest last */
    uint64_t val_round[VIEW_SERIES];
    float val[VIEW_SERIES];       /* nats per token */
    double best_speed, best_loss; /* NaN: none yet */
    uint32_t n_marks;             /* oldest first */
    struct view_mark marks[VIEW_MARKS];
    uint32_t n_days; /* oldest first */
    struct history_day days[HISTORY_DAYS];
};

void history_init(struct history *h);

/* Remember a validation; one a round, ascending. */
void history_val(struct history *h, uint64_t round, double nats);

/* Something happened at this moment; one of the same kind within a second is not told again. */
void history_moment(struct history *h, const char *kind, const char *why, int64_t now_ms);

/* Training stands still because of kind ("" or NULL: it does not). Opens a mark, keeps it open while
 * the kind stays, and closes it otherwise; dents shorter than a second leave none.
 */
void history_still(struct history *h, const char *kind, const char *why, int64_t now_ms);

/* Close what a process that has died left open: it was there until its last sample at least. */
void history_begin(struct history *h, int64_t now_ms);

/* The host's total of confirmed micro-credits, as it is now. */
void history_confirmed(struct history *h, int64_t confirmed, int64_t now_ms);

/* What was confirmed on each of the last days, oldest first, local days. Returns how many. The very
 * first day of a run counts from the first look on.
 */
uint32_t history_days(const struct history *h, struct view_day ret[VIEW_DAYS]);

int history_save(const struct history *h, struct buf *out, struct err *e) MUST_CHECK;
/* Leaves *ret untouched unless all of it is sound. */
int history_load(const void *p, size_t n, struct history *ret, struct err *e) MUST_CHECK;
