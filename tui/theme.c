#include "tui/theme.h"

#include <string.h>

/* clang-format off */
static const struct look rich[STYLE_COUNT] = {
    [STYLE_TEXT]    = {-1,  false, false, false},
    [STYLE_DIM]     = {245, false, false, false},
    [STYLE_TITLE]   = {-1,  true,  false, false},
    [STYLE_VALUE]   = {-1,  true,  false, false},
    [STYLE_KEY]     = {75,  true,  false, false},
    [STYLE_HERE]    = {-1,  true,  false, true},
    [STYLE_GOOD]    = {75,  true,  false, false},
    [STYLE_WARN]    = {220, true,  false, false},
    [STYLE_BAD]     = {208, true,  false, false},
    [STYLE_SPEED]   = {75,  false, false, false},
    [STYLE_LOSS]    = {214, false, false, false},
    [STYLE_EARNED]  = {79,  false, false, false},
    [STYLE_PENDING] = {244, false, false, false},
    [STYLE_PEERS]   = {141, false, false, false},
};
static const struct look plain[STYLE_COUNT] = {
    [STYLE_TEXT]    = {-1, false, false, false},
    [STYLE_DIM]     = {-1, false, true,  false},
    [STYLE_TITLE]   = {-1, true,  false, false},
    [STYLE_VALUE]   = {-1, true,  false, false},
    [STYLE_KEY]     = {6,  true,  false, false},
    [STYLE_HERE]    = {-1, true,  false, true},
    [STYLE_GOOD]    = {6,  true,  false, false},
    [STYLE_WARN]    = {3,  true,  false, false},
    [STYLE_BAD]     = {3,  true,  false, true},
    [STYLE_SPEED]   = {6,  false, false, false},
    [STYLE_LOSS]    = {3,  false, false, false},
    [STYLE_EARNED]  = {2,  false, false, false},
    [STYLE_PENDING] = {-1, false, true,  false},
    [STYLE_PEERS]   = {5,  false, false, false},
};
/* clang-format on */

struct look theme_look(enum style s, int n_colors)
{
    if ((unsigned)s >= STYLE_COUNT) s = STYLE_TEXT;
    if (n_colors >= 256) return rich[s];
    struct look l = plain[s];
    if (n_colors < 8) l.fg = -1;
    return l;
}

int theme_glyphs(const char *name)
{
    static const char *const names[] = {"ascii", "blocks", "braille"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

uint32_t theme_rule(enum glyphs g)
{
    return g == GLYPHS_ASCII ? '-' : 0x2500;
}

uint32_t theme_gauge_full(enum glyphs g)
{
    return g == GLYPHS_ASCII ? '#' : g == GLYPHS_BLOCKS ? 0x2588 : 0x28ff;
}

uint32_t theme_gauge_rest(enum glyphs g)
{
    return g == GLYPHS_ASCII ? '-' : g == GLYPHS_BLOCKS ? 0x2591 : 0x28c0;
}
