#pragma once
/* Why: a frame is drawn into memory first and only then shown, so that it is a pure function of
 * the view, can be compared as text in a test, and only what differs goes over the wire. Widths
 * are counted in cells by wcwidth (the program must have set LC_CTYPE), never in bytes.
 *
 * Owner: canvas_init / canvas_deinit. Drawing outside is cut silently. One thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "tui/theme.h"

#define CANVAS_MAX_W 1000
#define CANVAS_MAX_H 400

struct rect {
    int x, y, w, h;
};

struct cell {
    uint32_t cp;
    uint8_t style; /* enum style */
    uint8_t width; /* 1 or 2; 0: covered by the wide character to the left */
};

struct canvas {
    int w, h;
    bool is_ascii; /* the terminal can show nothing else: others become '?' */
    struct cell *cell;
};

/* Any size is taken and brought into 1 .. CANVAS_MAX; aborts when memory is gone. */
void canvas_init(struct canvas *c, int w, int h, bool is_ascii);
void canvas_deinit(struct canvas *c);
void canvas_clear(struct canvas *c);

/* One character of width 1. */
void canvas_put(struct canvas *c, int x, int y, uint32_t cp, enum style style);

/* UTF-8 text from x, y on, at most max_w cells; what does not fit is cut and ends in "..".
 * Returns the cells used.
 */
int canvas_text(struct canvas *c, int x, int y, int max_w, enum style style, const char *s);

/* The same with its last cell at x + w - 1. */
int canvas_text_right(struct canvas *c, int x, int y, int w, enum style style, const char *s);

int canvas_printf(struct canvas *c, int x, int y, int max_w, enum style style, const char *fmt, ...)
    PRINTF_LIKE(6, 7);

/* Repeat one character over w cells. */
void canvas_fill(struct canvas *c, int x, int y, int w, uint32_t cp, enum style style);

/* Cells that the text needs on this canvas. */
int canvas_width(const struct canvas *c, const char *s);

/* Bytes of s that fit into w cells, broken at a space where there is one; skips no character. */
size_t canvas_break(const struct canvas *c, const char *s, int w);

/* Row y as UTF-8 without the spaces at its end. */
void canvas_row(const struct canvas *c, int y, struct buf *out);
