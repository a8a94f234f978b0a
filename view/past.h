#pragma once
/* Why: a graph is asked for as far back as a person wants to look, and a dent in it is explained: these
 * are the ranges, and the marks on the axis of time.
 */

#include <stdbool.h>
#include <stdint.h>

#define VIEW_MARKS 24
#define VIEW_DAYS  30

/* How far back the graphs over time reach; a screen asks for one of them. */
enum view_range {
    VIEW_10M = 0,
    VIEW_1H,
    VIEW_24H,
    VIEW_7D,
    VIEW_ALL, /* all that is kept: up to 30 days */
    VIEW_RANGES,
};

/* Something that explains a dent in a graph: a pause, a host that was away, a rejection. */
struct view_mark {
    int64_t at_ms;    /* wall clock */
    int64_t until_ms; /* VIEW_NONE: a moment, or not over yet */
    bool is_open;     /* not over yet */
    char kind[12];    /* "paused", "no host", "stopped", "late", "rejected", "started" */
    char why[64];     /* "" or the reason in words */
};

struct view_day {
    int64_t at_ms;  /* wall clock: a time within that day */
    int64_t amount; /* micro-credits confirmed on it */
};

/* "10 m" ..., and its name in a request: "10m". Back: VIEW_RANGES when unknown. Milliseconds of one
 * sample when a graph of VIEW_SERIES samples covers it.
 */
const char *view_range_text(enum view_range r);
const char *view_range_name(enum view_range r);
enum view_range view_range_from_name(const char *name);
uint32_t view_range_step_ms(enum view_range r);
