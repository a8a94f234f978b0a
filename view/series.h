#pragma once
/* Why: a screen that is opened today must show yesterday. The agent keeps a fixed amount of
 * history for each graph: one bucket a second for 10 minutes, one per 10 s for 2 hours, one per
 * 5 minutes for 30 days, each with the least, mean and greatest value that fell into it. Nothing
 * here grows, and nothing is invented: a time without a sample is a gap (NaN).
 *
 * Time is the wall clock. When the clock is set back, history moves with it (shift_ms), so the
 * graph stays whole; when it jumps ahead, a gap shows.
 *
 * Owner: the caller's memory, about 120 KB each; no pointers inside. One thread.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "view/view.h"

#define SERIES_RINGS    3
#define SERIES_BUCKETS  (600 + 720 + 8640)
#define SERIES_SPAN_MAX (INT64_C(300000) * 8640) /* ms of history kept */

struct series_bucket {
    float min, mean, max; /* NaN: nothing fell into it */
};

struct series_ring {
    int64_t newest; /* number of the newest bucket: time divided by its step */
    double sum;     /* of the samples in the newest bucket */
    uint32_t n_sum;
    uint32_t n; /* buckets in use */
};

struct series {
    int64_t newest_ms; /* newest time seen, on the series' own clock */
    int64_t shift_ms;  /* series' clock minus wall clock */
    struct series_ring ring[SERIES_RINGS];
    struct series_bucket bucket[SERIES_BUCKETS]; /* the rings one after the other */
};

void series_init(struct series *s);

/* Add a sample taken at wall clock t_ms. A value that is not finite is ignored. */
void series_push(struct series *s, double value, int64_t t_ms);

/* The newest samples for a graph: at most VIEW_SERIES means, one per step_ms (> 0), the last one
 * holding now_ms; gaps are NaN and gaps before the first sample are left out, as is a newest step
 * that has only just begun.
 */
void series_view(const struct series *s, int64_t now_ms, uint32_t step_ms, struct view_series *ret);

/* Least, mean and greatest value of the last span_ms; NaN without a sample. */
struct series_bucket series_stats(const struct series *s, int64_t now_ms, int64_t span_ms);

/* A small versioned byte form for the state folder, and back. load leaves *ret untouched unless
 * every byte is sound (ERR_PROTO, ERR_VERSION).
 */
int series_save(const struct series *s, struct buf *out, struct err *e) MUST_CHECK;
int series_load(const void *p, size_t n, struct series *ret, struct err *e) MUST_CHECK;
