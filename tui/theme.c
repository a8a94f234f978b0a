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

/* clang-format off */
/* What differs from the tables above; 0 leaves it (black on the person's own ground is never asked
 * for). 256 colours, then 8.
 */
static const int16_t light[STYLE_COUNT][2] = {
    [STYLE_DIM] = {241, 0}, [STYLE_KEY] = {25, 4}, [STYLE_GOOD] = {25, 4}, [STYLE_WARN] = {130, 3},
    [STYLE_BAD] = {160, 1}, [STYLE_SPEED] = {25, 4}, [STYLE_LOSS] = {130, 3}, [STYLE_EARNED] = {29, 2},
    [STYLE_PENDING] = {243, 0}, [STYLE_PEERS] = {91, 5},
};
static const int16_t contrast[STYLE_COUNT][2] = {
    [STYLE_DIM] = {-1, -1}, [STYLE_KEY] = {51, 6}, [STYLE_GOOD] = {51, 6}, [STYLE_WARN] = {226, 3},
    [STYLE_BAD] = {226, 3}, [STYLE_SPEED] = {51, 6}, [STYLE_LOSS] = {226, 3},
    [STYLE_EARNED] = {-1, -1}, [STYLE_PENDING] = {-1, -1}, [STYLE_PEERS] = {-1, -1},
};
/* Okabe and Ito, "Color Universal Design" (2008): blue, orange, sky, yellow, bluish green. */
static const int16_t safe[STYLE_COUNT][2] = {
    [STYLE_KEY] = {74, 6}, [STYLE_GOOD] = {74, 6}, [STYLE_WARN] = {227, 3}, [STYLE_BAD] = {214, 3},
    [STYLE_SPEED] = {74, 6}, [STYLE_LOSS] = {214, 3}, [STYLE_EARNED] = {36, 2},
    [STYLE_PENDING] = {248, 0}, [STYLE_PEERS] = {227, 3},
};
static const struct {
    const char *name, *about;
    const int16_t (*fg)[2];
} themes[THEME_COUNT] = {
    [THEME_DEFAULT] = {"default", "blue and orange on the ground you have", NULL},
    [THEME_LIGHT] = {"light", "darker colours, for a light ground", light},
    [THEME_CONTRAST] = {"high contrast", "nothing grey or dim", contrast},
    [THEME_SAFE] = {"colour-blind safe", "hues that every kind of eye tells apart", safe},
    [THEME_MONO] = {"mono", "no colour: words, signs and bold say it all", NULL},
};
/* clang-format on */

struct look theme_look(enum style s, int n_colors, enum theme theme)
{
    if ((unsigned)s >= STYLE_COUNT) s = STYLE_TEXT;
    if ((unsigned)theme >= THEME_COUNT) theme = THEME_DEFAULT;
    bool is_rich = n_colors >= 256;
    struct look l = is_rich && theme != THEME_MONO ? rich[s] : plain[s];
    if (themes[theme].fg && themes[theme].fg[s][is_rich ? 0 : 1])
        l.fg = themes[theme].fg[s][is_rich ? 0 : 1];
    if (theme == THEME_CONTRAST) {
        l.is_dim = false;
        if (s == STYLE_BAD) l.is_reverse = true;
    }
    if (n_colors < 8 || theme == THEME_MONO) l.fg = -1;
    return l;
}

const char *theme_name(int theme)
{
    return themes[(unsigned)theme < THEME_COUNT ? theme : THEME_DEFAULT].name;
}

const char *theme_about(int theme)
{
    return themes[(unsigned)theme < THEME_COUNT ? theme : THEME_DEFAULT].about;
}

int theme_from_name(const char *name)
{
    for (int i = 0; i < THEME_COUNT; i++)
        if (strcmp(name, themes[i].name) == 0) return i;
    return -1;
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
