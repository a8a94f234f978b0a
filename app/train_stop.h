#pragma once
/* Why: a person ends training with Ctrl+C at any moment and loses nothing. Signals are taken by a
 * thread of their own, which may lock and call what a handler may not:
 *
 *     SIGINT, SIGTERM, SIGHUP   first: the running step is given up (weights are those of the step
 *                               before), the owner sees train_stop_asked, saves and ends
 *                               second: the process ends at once; the file saved before is whole
 *     SIGTSTP (Ctrl+Z)          the process stands still until `fg`; that time is not training time
 *
 * Owner: train_stop_create / train_stop_destroy, one at a time. All calls on the owner's thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/trainer.h"

struct train_stop;

/* Signals wait from now on; call before any thread exists. */
void train_stop_hold(void);

/* Start the thread; signals that waited are taken now. t is the trainer whose steps are given up;
 * it has to outlive the thread. ERR_NOMEM, ERR_IO.
 */
int train_stop_create(struct trainer *t, struct train_stop **ret, struct err *e) MUST_CHECK;
void train_stop_destroy(struct train_stop *s); /* accepts NULL */

bool train_stop_asked(struct train_stop *s);

/* Sleep; true at once when asked to stop. Nothing to sleep for when ms is below zero. */
bool train_stop_sleep(struct train_stop *s, int64_t ms);

/* Time that the process stood still so far. */
int64_t train_stop_suspended_ns(struct train_stop *s);
