#include "tui/canvas.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/alloc.h"
#include "base/utf8.h"

static int clamp(int x, int lo, int hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

void canvas_init(struct canvas *c, int w, int h, bool is_ascii)
{
    c->w = clamp(w, 1, CANVAS_MAX_W);
    c->h = clamp(h, 1, CANVAS_MAX_H);
    c->is_ascii = is_ascii;
    c->cell = xmalloc((size_t)c->w * (size_t)c->h * sizeof *c->cell);
    canvas_clear(c);
}

void canvas_deinit(struct canvas *c)
{
    if (!c) return;
    free(c->cell);
    memset(c, 0, sizeof *c);
}

void canvas_clear(struct canvas *c)
{
    for (int i = 0; i < c->w * c->h; i++)
        c->cell[i] = (struct cell){.cp = ' ', .style = STYLE_TEXT, .width = 1};
}

/* A wide character that loses one half loses the other too. */
static void unlink_wide(struct canvas *c, int x, int y)
{
    struct cell *row = &c->cell[y * c->w];
    if (row[x].width == 0 && x > 0) row[x - 1] = (struct cell){' ', row[x - 1].style, 1};
    if (row[x].width == 2 && x + 1 < c->w) row[x + 1] = (struct cell){' ', row[x + 1].style, 1};
}

static void put(struct canvas *c, int x, int y, uint32_t cp, enum style style, int width)
{
    if (y < 0 || y >= c->h || x < 0 || x + width > c->w) return;
    unlink_wide(c, x, y);
    if (width == 2) unlink_wide(c, x + 1, y);
    c->cell[y * c->w + x] = (struct cell){cp, (uint8_t)style, (uint8_t)width};
    if (width == 2) c->cell[y * c->w + x + 1] = (struct cell){' ', (uint8_t)style, 0};
}

/* The next character as this terminal can show it: *ret_cp and its width (0: leave it out). */
static size_t next(const struct canvas *c, const char *s, uint32_t *ret_cp, int *ret_w)
{
    uint32_t cp = 0;
    size_t n = utf8_decode((const uint8_t *)s, strlen(s), &cp);
    int w = 1;
    if (n == 0 || cp < 0x20 || cp == 0x7f || (c->is_ascii && cp > 0x7e))
        cp = '?';
    else if (cp > 0x7e)
        w = wcwidth((wchar_t)cp);
    if (w < 0 || w > 2) {
        cp = '?';
        w = 1;
    }
    *ret_cp = cp;
    *ret_w = w;
    return n ? n : 1;
}

void canvas_put(struct canvas *c, int x, int y, uint32_t cp, enum style style)
{
    put(c, x, y, c->is_ascii && cp > 0x7e ? '?' : cp, style, 1);
}

int canvas_width(const struct canvas *c, const char *s)
{
    int total = 0;
    while (*s) {
        uint32_t cp = 0;
        int w = 0;
        s += next(c, s, &cp, &w);
        total += w;
    }
    return total;
}

int canvas_text(struct canvas *c, int x, int y, int max_w, enum style style, const char *s)
{
    if (max_w <= 0) return 0;
    bool is_cut = canvas_width(c, s) > max_w;
    int dots = is_cut ? (max_w >= 4 ? 2 : 0) : 0;
    int used = 0;
    while (*s) {
        uint32_t cp = 0;
        int w = 0;
        s += next(c, s, &cp, &w);
        if (used + w > max_w - dots) break;
        if (w) put(c, x + used, y, cp, style, w);
        used += w;
    }
    for (int i = 0; i < dots; i++)
        put(c, x + used++, y, '.', style, 1);
    return used;
}

int canvas_text_right(struct canvas *c, int x, int y, int w, enum style style, const char *s)
{
    int need = canvas_width(c, s);
    int pad = need < w ? w - need : 0;
    return canvas_text(c, x + pad, y, w, style, s);
}

int canvas_printf(struct canvas *c, int x, int y, int max_w, enum style style, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return canvas_text(c, x, y, max_w, style, text);
}

void canvas_fill(struct canvas *c, int x, int y, int w, uint32_t cp, enum style style)
{
    for (int i = 0; i < w; i++)
        canvas_put(c, x + i, y, cp, style);
}

size_t canvas_break(const struct canvas *c, const char *s, int w)
{
    size_t at = 0;
    size_t space = 0;
    int used = 0;
    while (s[at]) {
        uint32_t cp = 0;
        int cw = 0;
        size_t n = next(c, s + at, &cp, &cw);
        if (used + cw > w) return space ? space : at ? at : n;
        if (cp == ' ') space = at;
        used += cw;
        at += n;
    }
    return at;
}

void canvas_row(const struct canvas *c, int y, struct buf *out)
{
    if (y < 0 || y >= c->h) return;
    const struct cell *row = &c->cell[y * c->w];
    int end = c->w;
    while (end > 0 && row[end - 1].cp == ' ' && row[end - 1].width == 1)
        end--;
    for (int x = 0; x < end; x++) {
        uint8_t b[4];
        if (row[x].width) buf_put(out, b, utf8_encode(row[x].cp, b));
    }
}
