#pragma once
/* Why: one set of workers for the whole engine, and the gate that makes a pause quick. Work is a
 * parallel-for over numbered pieces; which worker takes a piece never changes what the piece
 * computes, so 1..N threads give the same bits. A piece is at most about 10 ms of work on a slow
 * core; longer ones call pool_go between their parts.
 *
 * The gate, as a timeline:
 *     pool_gate(PAUSE)     every worker and the caller finish the part they are in, then sleep on
 *                          a condition variable (no spinning: a paused pool uses no processor)
 *     pool_gate(RUN)       they go on where they were
 *     pool_gate(CANCEL)    sleepers wake; no further piece starts; pool_run returns; the pool
 *                          stays cancelled until pool_begin, which fails while the gate says CANCEL
 * Between pool_protect(true) and (false) CANCEL is held back and PAUSE still works: the optimizer
 * may be interrupted for a while, but never torn.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define POOL_MAX_THREADS 64

enum pool_gate { POOL_RUN, POOL_PAUSE, POOL_CANCEL };

struct pool;

/* One piece of a parallel-for. i_worker < n_threads names the scratch memory it may use. */
typedef void (*pool_fn)(void *ctx, uint32_t piece, uint32_t i_worker);

/* n_threads 1..POOL_MAX_THREADS, the calling thread included. ERR_ARG, ERR_NOMEM. */
int pool_create(uint32_t n_threads, struct pool **ret, struct err *e) MUST_CHECK;
void pool_destroy(struct pool *p); /* accepts NULL; joins the workers */
uint32_t pool_threads(const struct pool *p);

/* Any thread, returns at once: use at most so many of them from the next parallel-for on (a piece under
 * way is completed; at least the caller works). The others sleep. What is computed stays the same.
 */
void pool_limit(struct pool *p, uint32_t n_threads);

/* Any thread: let the workers have only what no other program wants (SCHED_IDLE), or a share like
 * others. The caller of pool_run sees to itself.
 */
void pool_idle_priority(struct pool *p, bool on);

/* Memory of a worker's own for the length of a piece, 64-byte aligned. */
#define POOL_SCRATCH_BYTES (1024u * 1024)
void *pool_scratch(const struct pool *p, uint32_t i_worker);

/* Any thread, returns at once. */
void pool_gate(struct pool *p, enum pool_gate gate);

/* Owner thread: begin a stretch of work. OK, or ERR_CANCELLED while the gate says CANCEL. */
int pool_begin(struct pool *p) MUST_CHECK;
bool pool_cancelled(const struct pool *p);
void pool_protect(struct pool *p, bool on);

/* Owner thread: run fn for pieces 0..n-1 and return when all are done (or the pool is cancelled,
 * then the rest is skipped). Allocates nothing.
 */
void pool_run(struct pool *p, uint32_t n, pool_fn fn, void *ctx);

/* Inside a piece, between parts: sleeps while paused. false: cancelled, return at once. */
bool pool_go(struct pool *p);

/* Owner thread, between blocks of work outside pool_run (hashing, writing a file): sleeps while
 * paused; goes on at RUN and at CANCEL. What it stands in is never given up half done.
 */
void pool_wait(struct pool *p);

/* Time the gate has been shut so far, on the monotonic clock. */
int64_t pool_paused_ns(struct pool *p);
