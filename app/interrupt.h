#pragma once
/* Why: Ctrl+C ends a command that computes within a tenth of a second, and lets it say what it has.
 * Signals are taken by a thread of their own, which may lock and call what a handler may not:
 *
 *     before interrupt_pool    SIGINT, SIGTERM, SIGHUP end the process: there is nothing to show yet
 *     afterwards, the first    the pool is cancelled, interrupt_asked is true
 *     and the second           the process ends
 *
 * Owner: interrupt_create / interrupt_destroy, one at a time, before any other thread exists (all
 * threads inherit that these signals wait). Thread: the owner's, but interrupt_asked: any.
 */

#include <stdbool.h>

#include "base/err.h"
#include "engine/pool.h"

struct interrupt;

/* ERR_NOMEM, ERR_IO. */
int interrupt_create(struct interrupt **ret, struct err *e) MUST_CHECK;
void interrupt_destroy(struct interrupt *i); /* accepts NULL */

/* The pool to cancel; NULL before it is destroyed. */
void interrupt_pool(struct interrupt *i, struct pool *p);

bool interrupt_asked(struct interrupt *i);
