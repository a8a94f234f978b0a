#pragma once
/* Why: what the person asked for, apart from every hold: run, pause, snooze until a time, finish the
 * round and then pause, leave. Pause and finish are the session's own; the snooze is kept here. It
 * survives restart and reboot by the wall clock, and a wall clock that jumps by the clock that
 * counts sleep as well. Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define WISH_MAX_SNOOZE_MS (INT64_C(30) * 24 * 3600 * 1000)

struct wish_snooze {
    int64_t ms;       /* asked for; 0: no snooze */
    int64_t until_ms; /* wall clock: what is kept on disk */
    int64_t end_ms;   /* on the clock of this process (boot time); not kept */
};

/* "90s", "30m", "2h", "1d", or "08:00": until then, today or tomorrow. second: of the local day. ERR_ARG
 * with examples; up to 30 days.
 */
int wish_span(const char *text, uint32_t second, int64_t *ret_ms, struct err *e) MUST_CHECK;

void wish_begin(struct wish_snooze *s, int64_t ms, int64_t wall_ms, int64_t boot_ms);

/* What was kept comes back: at most as long as was asked for, whatever the wall clock says now. */
void wish_restore(struct wish_snooze *s, int64_t wall_ms, int64_t boot_ms);

/* Ends it when it is over; returns whether it lasts. Corrects until_ms when the wall clock jumped. */
bool wish_lasts(struct wish_snooze *s, int64_t wall_ms, int64_t boot_ms);

/* The word for screens. */
const char *wish_word(const struct wish_snooze *s, bool is_paused, bool is_finishing,
                      bool is_leaving);
