#pragma once
/* Why: what fits where is arithmetic, kept apart from the drawing so that every size from 1 x 1
 * can be checked. Nothing is ever refused for being small: first the log leaves, then the
 * blocks, then the graphs, and at the end one line says state, speed and keys.
 */

#include "tui/canvas.h"

enum layout_kind {
    LAYOUT_LINE,    /* below 40 x 10: the one line, then as many plain rows as there are */
    LAYOUT_COMPACT, /* below 60 x 16: label, number, small graph */
    LAYOUT_GRID,    /* four graphs, blocks, log */
};

struct layout {
    enum layout_kind kind;
    int n_state;      /* rows of the state line: 1, more when its text needs them */
    struct rect tabs; /* h 0: none */
    struct rect body;
    struct rect keys;
};

/* n_state: rows that the state line would like. */
struct layout layout_frame(int w, int h, int n_state);

struct layout_overview {
    struct rect graph[4]; /* w 0: no room */
    struct rect block[3];
    struct rect log;
};

/* The Overview inside body, for LAYOUT_GRID. */
struct layout_overview layout_overview(struct rect body);

/* Cut r into n columns with a gap of two cells; the i-th. */
struct rect layout_column(struct rect r, int i, int n);
