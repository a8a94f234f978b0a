#include <stdio.h>

#include "base/log.h"
#include "base/utf8.h"
#include "tui/rows.h"
#include "tui/screen.h"
#include "view/text.h"

#define INDENT 17 /* time, level: where the text begins */

/* Rows a line takes when its text is wrapped, and draw it when y is at hand. */
static int rows_of(const struct screen_frame *f, struct rect r, const struct view_log *l)
{
    int w = r.w - INDENT;
    int n = 1;
    if (w < 16) return 1;
    const char *s = l->text;
    for (;;) {
        s += canvas_break(f->c, s, w);
        while (*s == ' ')
            s++;
        if (!*s) return n;
        n++;
    }
}

static void draw_wrapped(const struct screen_frame *f, struct rect r, int y,
                         const struct view_log *l)
{
    int w = r.w - INDENT;
    if (w < 16) {
        screen_log_line(f, r, y, l);
        return;
    }
    struct view_log part = *l;
    size_t n = canvas_break(f->c, l->text, w);
    part.text[n] = 0;
    screen_log_line(f, r, y, &part);
    const char *s = l->text + n;
    for (;;) {
        while (*s == ' ')
            s++;
        if (!*s || ++y >= r.y + r.h) return;
        n = canvas_break(f->c, s, w);
        canvas_printf(f->c, r.x + INDENT, y, w, STYLE_TEXT, "%.*s", (int)n, s);
        s += n;
    }
}

/* "3 of 128 lines: warnings only, with \"late\"; following the newest line" */
static void put_choice(const struct screen_frame *f, int n, int back, char *dst, size_t cap)
{
    char a[TEXT_CAP];
    char find[TUI_TEXT];
    const struct tui *t = f->t;
    utf8_printable(t->find[SCREEN_LOG], find, sizeof find);
    dst[0] = 0;
    if (t->level >= LOG_WARN)
        screen_fact(dst, cap, "", t->level == LOG_WARN ? "warnings and errors" : "errors only", "");
    if (find[0]) screen_fact(dst, cap, "only", find, "");
    if (dst[0]) {
        char of[80];
        snprintf(of, sizeof of, "%d of %u lines", n, f->v->n_log);
        screen_fact(dst, cap, "", of, "");
    }
    if (back)
        screen_fact(dst, cap, "", text_count(back, a), "lines further back; End: newest");
    else
        screen_fact(dst, cap, "", "following the newest line", "");
}

void screen_log_draw(const struct screen_frame *f)
{
    struct rect r = f->body;
    const struct view *v = f->v;
    char extra[3 * TEXT_CAP + 80];
    uint16_t rows[VIEW_LOG];
    int n = rows_log(v, f->t, rows);
    int back = f->t->scroll[SCREEN_LOG];
    if (back > n - 1) back = n - 1;
    if (back < 0) back = 0;
    put_choice(f, n, back, extra, sizeof extra);
    screen_title(f, r, "Log", "", extra);
    r.y++;
    r.h--;
    if (n == 0) {
        canvas_text(f->c, r.x, r.y, r.w, STYLE_DIM,
                    v->n_log ? "no line fits; v: other levels, Esc: no search"
                             : "nothing has happened yet");
        return;
    }
    /* From the bottom up, as many whole lines as fit; then top down. */
    int last = n - 1 - back;
    int first = last;
    int used = rows_of(f, r, &v->log[rows[last]]);
    while (first > 0) {
        int more = rows_of(f, r, &v->log[rows[first - 1]]);
        if (used + more > r.h) break;
        used += more;
        first--;
    }
    int y = r.y;
    for (int i = first; i <= last && y < r.y + r.h; i++) {
        draw_wrapped(f, r, y, &v->log[rows[i]]);
        y += rows_of(f, r, &v->log[rows[i]]);
    }
}
