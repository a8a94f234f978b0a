#pragma once
/* Why: how far something is, as a bar with its number beside it: "[#####-----] 52%". */

#include "tui/canvas.h"

/* At most w cells. A fraction that is not finite shows "-". Returns the cells used. */
int gauge_draw(struct canvas *c, int x, int y, int w, double frac, enum glyphs glyphs,
               enum style style);
