#pragma once
/* Why: four questions are answered by a shape faster than by a number: am I fast, is the model
 * learning, am I paid, am I alone. A graph never lies: missing data is a gap, speed starts at
 * zero, a shortened axis is labelled, and scales move in 1-2-5 steps so that they do not jump.
 *
 *      600|   . .. .        top label: a multiple of a 1-2-5 step
 *         |.:#######:
 *        0|##########       bottom label: 0, or the least value's step
 *          4 min ^ paused   newest at the right; a mark says what made the dent
 */

#include "tui/canvas.h"
#include "view/view.h"

enum graph_kind {
    GRAPH_AREA, /* filled from the bottom */
    GRAPH_LINE, /* connected, the axis need not hold zero */
    GRAPH_BARS, /* one bar a sample, for rounds */
};

struct graph {
    enum graph_kind kind;
    enum glyphs glyphs;
    enum style style;
    const struct view_series *s;
    const struct view_series *on_top; /* stacked on s in a lighter sign; NULL: nothing */
    uint64_t last_round;              /* number of the newest sample when step_ms is 0 */
    const struct view_mark *marks;    /* shown on the time axis, the newest with its reason */
    uint32_t n_marks;
    int64_t now_ms;           /* wall clock of the newest sample; for marks */
    const char *left, *right; /* ends of the axis when step_ms is 0; NULL: rounds */
    bool is_bare;             /* no labels, no axis: a line in a table */
};

/* The axis: whole multiples of a 1-2-5 step around the data. */
struct graph_scale {
    double lo, hi;
    bool is_empty; /* nothing to show */
};

struct graph_scale graph_scale_of(const struct graph *g);

/* "paused 45 s: by you", at most cap bytes. Returns dst. */
char *graph_mark_text(const struct view_mark *m, int64_t now_ms, bool has_why, char *dst,
                      size_t cap);

/* Draw into r; any size from 1 x 1. Says "no data yet" where there is none and room to say so. */
void graph_draw(struct canvas *c, struct rect r, const struct graph *g);
