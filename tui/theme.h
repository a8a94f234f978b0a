#pragma once
/* Why: what a piece of the screen means is said once (enum style); how that looks on a terminal
 * with 256, 8 or no colours is said here. Colour only repeats what a word, a sign or a shape
 * says already, and the background always stays the person's own. Blue and orange are told apart
 * by nearly every eye, so they carry good and bad.
 */

#include <stdbool.h>
#include <stdint.h>

enum style {
    STYLE_TEXT = 0,
    STYLE_DIM,   /* labels, axes, rules */
    STYLE_TITLE, /* panel titles */
    STYLE_VALUE, /* the numbers people came for */
    STYLE_KEY,   /* a key to press */
    STYLE_HERE,  /* the chosen tab or row */
    STYLE_GOOD,
    STYLE_WARN,
    STYLE_BAD,
    STYLE_SPEED, /* the four graphs */
    STYLE_LOSS,
    STYLE_EARNED,
    STYLE_PENDING,
    STYLE_PEERS,
    STYLE_COUNT,
};

/* How finely a graph can be drawn; each level is a fallback of the next. */
enum glyphs { GLYPHS_ASCII = 0, GLYPHS_BLOCKS, GLYPHS_BRAILLE };

/* fg: palette index or -1 for the person's own colour. */
struct look {
    int16_t fg;
    bool is_bold, is_dim, is_reverse;
};

/* Sets of colours. Every one keeps the person's own background. */
enum theme { THEME_DEFAULT = 0, THEME_LIGHT, THEME_CONTRAST, THEME_SAFE, THEME_MONO, THEME_COUNT };

struct look theme_look(enum style s, int n_colors, enum theme theme);

/* "default", "light", ..., and a few words on it. theme_from_name: -1 when unknown. */
const char *theme_name(int theme);
const char *theme_about(int theme);
int theme_from_name(const char *name);

/* "braille", "blocks", "ascii" to a level; -1 when unknown. */
int theme_glyphs(const char *name);

/* Signs that exist on every level, the best one each. */
uint32_t theme_rule(enum glyphs g);
uint32_t theme_gauge_full(enum glyphs g);
uint32_t theme_gauge_rest(enum glyphs g);
