#include <stdio.h>

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

void screen_log_draw(const struct screen_frame *f)
{
    struct rect r = f->body;
    const struct view *v = f->v;
    char a[TEXT_CAP];
    char extra[TEXT_CAP + 40];
    int back = f->t->scroll[SCREEN_LOG];
    if (back > (int)v->n_log - 1) back = (int)v->n_log - 1;
    if (back < 0) back = 0;
    if (back)
        snprintf(extra, sizeof extra, "%s lines further back; End: newest", text_count(back, a));
    else
        snprintf(extra, sizeof extra, "following the newest line");
    screen_title(f, r, "Log", "", extra);
    r.y++;
    r.h--;
    if (v->n_log == 0) {
        canvas_text(f->c, r.x, r.y, r.w, STYLE_DIM, "nothing has happened yet");
        return;
    }
    /* From the bottom up, as many whole lines as fit; then top down. */
    int last = (int)v->n_log - 1 - back;
    int first = last;
    int used = rows_of(f, r, &v->log[last]);
    while (first > 0) {
        int more = rows_of(f, r, &v->log[first - 1]);
        if (used + more > r.h) break;
        used += more;
        first--;
    }
    int y = r.y;
    for (int i = first; i <= last && y < r.y + r.h; i++) {
        draw_wrapped(f, r, y, &v->log[i]);
        y += rows_of(f, r, &v->log[i]);
    }
}
