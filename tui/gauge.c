#include "tui/gauge.h"

#include <math.h>

#include "view/text.h"

#define NUMBER_W 5 /* " 100%" */

int gauge_draw(struct canvas *c, int x, int y, int w, double frac, enum glyphs glyphs,
               enum style style)
{
    char t[TEXT_CAP];
    if (!isfinite(frac)) return canvas_text(c, x, y, w, STYLE_DIM, "-");
    double f = frac < 0 ? 0 : frac > 1 ? 1 : frac;
    text_percent(f, t);
    bool has_ends = glyphs == GLYPHS_ASCII;
    int bar = w - NUMBER_W - (has_ends ? 2 : 0);
    if (bar < 3) return canvas_text(c, x, y, w, STYLE_VALUE, t);
    int full = (int)lround(f * bar);
    int at = x;
    if (has_ends) canvas_put(c, at++, y, '[', STYLE_DIM);
    canvas_fill(c, at, y, full, theme_gauge_full(glyphs), style);
    canvas_fill(c, at + full, y, bar - full, theme_gauge_rest(glyphs), STYLE_DIM);
    at += bar;
    if (has_ends) canvas_put(c, at++, y, ']', STYLE_DIM);
    canvas_text(c, at + 1, y, NUMBER_W - 1, STYLE_VALUE, t);
    return at + NUMBER_W - x;
}
