#include "app/dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/recording.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/utf8.h"
#include "tui/screen.h"
#include "tui/term.h"

static int dump_size(const char *text, int *ret_w, int *ret_h, struct err *e)
{
    char rest = 0;
    int n = sscanf(text, "%dx%d%c", ret_w, ret_h, &rest);
    if (n == 2 && *ret_w >= 1 && *ret_w <= CANVAS_MAX_W && *ret_h >= 1 && *ret_h <= CANVAS_MAX_H)
        return OK;
    err_set(e, ERR_ARG, 0, "'%s' is no size of a screen", text);
    err_hint(e, "give columns x rows, for example --dump 80x24");
    return ERR_ARG;
}

/* ---- as a picture --------------------------------------------------------------------------- */

#define CELL_W 8
#define CELL_H 16
#define DOT    4
#define MARGIN 10

/* xterm's palette: 16 colours, a cube of 6 x 6 x 6, 24 greys. */
static unsigned rgb_of(int index)
{
    static const unsigned base[16] = {0x000000, 0xcd3131, 0x2e9e5b, 0xb58900, 0x2472c8, 0xa347ba,
                                      0x11a8cd, 0xd0d0d0, 0x666666, 0xf14c4c, 0x23d18b, 0xf5f543,
                                      0x3b8eea, 0xd670d6, 0x29b8db, 0xffffff};
    static const unsigned step[6] = {0, 95, 135, 175, 215, 255};
    if (index < 16) return base[index < 0 ? 7 : index];
    if (index >= 232) return (unsigned)(8 + 10 * (index - 232)) * 0x010101u;
    int i = index - 16;
    return step[i / 36] << 16 | step[i / 6 % 6] << 8 | step[i % 6];
}

static void put_escaped(struct buf *out, uint32_t cp)
{
    char text[8];
    size_t n = utf8_encode(cp, (uint8_t *)text);
    if (cp == '<')
        buf_put_str(out, "&lt;");
    else if (cp == '&')
        buf_put_str(out, "&amp;");
    else
        buf_put(out, text, n);
}

/* Signs that graphs and rules are made of are drawn, not written: a font may not have them. */
static bool is_drawn(uint32_t cp)
{
    return (cp >= 0x2800 && cp <= 0x28ff) || (cp >= 0x2580 && cp <= 0x2591) || cp == 0x2500;
}

static bool is_braille(uint32_t cp)
{
    return cp >= 0x2800 && cp <= 0x28ff;
}

static bool has_dot(uint32_t cp, int column, int row)
{
    static const uint8_t bit[2][4] = {
        {0, 1, 2, 6},
        {3, 4, 5, 7}
    };
    return (cp - 0x2800) >> bit[column][row] & 1;
}

/* A row of dots is a dashed line: one stretch of dots costs no more than one dot. */
static void put_dots(struct buf *out, const struct cell *k, int n, int x, int y)
{
    for (int row = 0; row < 4; row++)
        for (int i = 0; i < 2 * n;) {
            int from = i;
            while (i < 2 * n && has_dot(k[i / 2].cp, i % 2, row))
                i++;
            if (i > from)
                buf_printf(out, "M%d %dh%d", x + from * DOT, y + row * DOT + 2,
                           (i - from) * DOT - 1);
            else
                i++;
        }
}

/* Blocks and rules: boxes, neighbours of one kind in one. */
static void put_boxes(struct buf *out, const struct cell *k, int n, int x, int y)
{
    for (int i = 0; i < n;) {
        int from = i;
        uint32_t cp = k[i].cp;
        while (i < n && k[i].cp == cp)
            i++;
        bool is_half = cp == 0x2580 || cp == 0x2584;
        int top = cp == 0x2584 || cp == 0x2500 ? CELL_H / 2 : cp == 0x2591 ? 5 : 0;
        int h = cp == 0x2500 ? 1 : cp == 0x2591 ? 6 : is_half ? CELL_H / 2 : CELL_H;
        int w = (i - from) * CELL_W;
        buf_printf(out, "M%d %dh%dv%dh-%dz", x + from * CELL_W, y + top, w, h, w);
    }
}

static void put_drawn(struct buf *out, const struct cell *k, int n, int x, int y, unsigned ink)
{
    bool is_dots = is_braille(k[0].cp);
    if (is_dots)
        buf_printf(out, "<path stroke=\"#%06x\" stroke-width=\"3\" stroke-dasharray=\"3 1\" d=\"",
                   ink);
    else
        buf_printf(out, "<path fill=\"#%06x\" d=\"", ink);
    (is_dots ? put_dots : put_boxes)(out, k, n, x, y);
    buf_put_str(out, "\"/>\n");
}

/* Cells x to end of row y, all of one style. */
static void put_run(struct buf *out, const struct canvas *c, int y, int x, int end,
                    enum theme theme)
{
    const struct cell *k = &c->cell[y * c->w];
    struct look l = theme_look((enum style)k[x].style, 256, theme);
    bool is_light = theme == THEME_LIGHT;
    unsigned ink = l.fg < 0 ? (is_light ? 0x222222u : 0xd8d8d8u) : rgb_of(l.fg);
    unsigned ground = is_light ? 0xfafafau : 0x16181du;
    int left = MARGIN + x * CELL_W;
    int top = MARGIN + y * CELL_H;
    int w = (end - x) * CELL_W;
    if (is_drawn(k[x].cp)) {
        put_drawn(out, k + x, end - x, left, top, ink);
        return;
    }
    if (l.is_reverse)
        buf_printf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#%06x\"/>", left,
                   top, w, CELL_H, ink);
    buf_printf(out, "<text x=\"%d\" y=\"%d\" textLength=\"%d\" fill=\"#%06x\"%s>", left, top + 12,
               w, l.is_reverse ? ground : ink, l.is_bold ? " font-weight=\"bold\"" : "");
    for (int i = x; i < end; i++)
        if (k[i].width) put_escaped(out, k[i].cp);
    buf_put_str(out, "</text>\n");
}

/* Blank cells inside a text belong to it. */
static bool is_alike(const struct cell *a, const struct cell *b)
{
    return a->style == b->style && is_drawn(a->cp) == is_drawn(b->cp) &&
           is_braille(a->cp) == is_braille(b->cp);
}

static bool is_blank(const struct cell *k, enum theme theme)
{
    return k->cp == ' ' && !theme_look((enum style)k->style, 256, theme).is_reverse;
}

static void put_svg(struct buf *out, const struct canvas *c, enum theme theme)
{
    int w = 2 * MARGIN + c->w * CELL_W;
    int h = 2 * MARGIN + c->h * CELL_H;
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
               "font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"13.3\" "
               "xml:space=\"preserve\">\n<rect width=\"100%%\" height=\"100%%\" rx=\"8\" "
               "fill=\"#%06x\"/>\n",
               w, h, w, theme == THEME_LIGHT ? 0xfafafau : 0x16181du);
    for (int y = 0; y < c->h; y++)
        for (int x = 0; x < c->w;) {
            const struct cell *k = &c->cell[y * c->w];
            int end = x + 1;
            while (end < c->w && is_alike(&k[end], &k[x]) &&
                   is_blank(&k[end], theme) == is_blank(&k[x], theme))
                end++;
            if (!is_blank(&k[x], theme)) put_run(out, c, y, x, end, theme);
            x = end;
        }
    buf_put_str(out, "</svg>\n");
}

static void put_text(struct buf *out, const struct canvas *c)
{
    for (int y = 0; y < c->h; y++) {
        canvas_row(c, y, out);
        buf_put_u8(out, '\n');
    }
}

/* ---- the frame ------------------------------------------------------------------------------ */

int dump_frame(const struct attach_options *o, enum screen screen, struct err *e)
{
    int w = 0;
    int h = 0;
    bool is_ascii = false;
    int rc = dump_size(o->dump, &w, &h, e);
    if (rc) return rc;
    if (!o->recording) {
        err_set(e, ERR_ARG, 0, "there is nothing to draw");
        err_hint(e, "name a file of views with --recording FILE");
        return ERR_ARG;
    }
    enum glyphs glyphs = term_glyphs_of("", &is_ascii);
    if (o->graphs && !is_ascii) glyphs = (enum glyphs)theme_glyphs(o->graphs);
    struct view *v = xmalloc(sizeof *v);
    view_init(v);
    struct recording r = {0};
    rc = recording_open(o->recording, &r, e);
    if (rc == OK && o->view > (long)r.n)
        rc = err_set(e, ERR_ARG, 0, "the recording has %zu views, not %ld", r.n, o->view);
    if (rc == OK) rc = recording_view(&r, o->view > 0 ? (size_t)o->view - 1 : r.n - 1, v, e);
    if (rc == OK) {
        struct canvas c;
        struct buf out = {0};
        struct tui t = {.screen = screen, .has_view = true, .look = {.graphs = -1}};
        if (o->theme) t.look.theme = theme_from_name(o->theme);
        struct screen_frame f = {.c = &c,
                                 .v = v,
                                 .t = &t,
                                 .glyphs = glyphs,
                                 .now_ms = o->frozen_time_ms ? o->frozen_time_ms : v->at_ms};
        canvas_init(&c, w, h, is_ascii);
        screen_draw(&f);
        if (o->is_svg)
            put_svg(&out, &c, o->theme ? (enum theme)theme_from_name(o->theme) : THEME_DEFAULT);
        else
            put_text(&out, &c);
        rc = buf_ok(&out, e);
        if (rc == OK) rc = file_write_all(STDOUT_FILENO, out.p, out.len, "standard output", e);
        buf_deinit(&out);
        canvas_deinit(&c);
    }
    recording_deinit(&r);
    free(v);
    return rc;
}
