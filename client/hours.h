#pragma once
/* Why: "only at night and on weekends" in one line that people can write, and what it means for a
 * given minute. Pure.
 *
 *   always
 *   20:00-08:00                            each day, over midnight
 *   mon-fri 20:00-08:00, sat-sun 00:00-24:00
 *
 * A stretch that passes midnight belongs to the day on which it begins. Days are mon tue wed thu fri
 * sat sun, alone, as a stretch, or joined by '+'. At most HOURS_MAX stretches.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HOURS_MAX  16
#define HOURS_WEEK (7 * 24 * 60) /* minutes; minute 0 is monday 00:00 */

struct hours_stretch {
    uint8_t days;      /* bit 0: monday */
    uint16_t from, to; /* minutes of the day; to may pass 24 * 60 */
};

struct hours {
    uint32_t n; /* 0: always */
    struct hours_stretch s[HOURS_MAX];
};

/* ERR_ARG with what is wrong, and a hint with an example; ret is then as it was. */
int hours_parse(const char *text, struct hours *ret, struct err *e) MUST_CHECK;

/* Is this minute of the week (0 .. HOURS_WEEK - 1) within? */
bool hours_hold(const struct hours *h, uint32_t minute);

/* Minutes until the next one that is within; 0 when this one is. */
uint32_t hours_until(const struct hours *h, uint32_t minute);
