#pragma once
/* Why: two clocks that must not be confused. Durations and deadlines use the monotonic clock;
 * the wall clock is for people and for the `created` field of signed messages. Pure code takes
 * `now_ms` as an argument and never calls these.
 */

#include <stdint.h>

int64_t clock_mono_ms(void);
int64_t clock_mono_ns(void);
int64_t clock_thread_ns(void);              /* processor time of the calling thread */
int64_t clock_midnight_ms(int64_t wall_ms); /* the next one, local time */
int64_t clock_wall_ms(void);                /* since 1970, UTC */

/* "14:32:07" local time of a wall clock value; returns dst. */
char *clock_hms(int64_t wall_ms, char dst[16]);
