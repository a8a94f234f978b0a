#include <math.h>
#include <stdio.h>

#include "tui/graph.h"
#include "tui/screen.h"
#include "view/text.h"

#define MARKS_MAX 6

static const struct view_series *series_of(const struct view *v, enum screen_graph which)
{
    switch (which) {
    case SCREEN_GRAPH_SPEED: return &v->speed;
    case SCREEN_GRAPH_LOSS: return &v->loss_curve;
    case SCREEN_GRAPH_EARNED: return &v->earned;
    case SCREEN_GRAPH_PEERS: return &v->peers_curve;
    case SCREEN_GRAPH_HELD_OUT: break;
    }
    return NULL; /* its unit is another than its numbers' */
}

/* "least 280  mean 398  most 530" of what the graph shows. */
static void put_stats(const struct view_series *s, char *dst, size_t cap)
{
    double lo = (double)NAN;
    double hi = (double)NAN;
    double sum = 0;
    uint32_t n = 0;
    char a[TEXT_CAP];
    dst[0] = 0;
    if (!s) return;
    for (uint32_t i = 0; i < s->n && i < VIEW_SERIES; i++) {
        double x = (double)s->v[i];
        if (!isfinite(x)) continue;
        lo = fmin(lo, x);
        hi = fmax(hi, x);
        sum += x;
        n++;
    }
    if (!n) return;
    screen_fact(dst, cap, "least", text_number(lo, a), "");
    screen_fact(dst, cap, "mean", text_number(sum / n, a), "");
    screen_fact(dst, cap, "most", text_number(hi, a), "");
}

/* What happened in the time shown, newest on top. Returns the rows used. */
static int draw_marks(const struct screen_frame *f, struct rect r, int64_t from_ms)
{
    const struct view *v = f->v;
    int y = 0;
    for (int i = (int)v->n_marks - 1; i >= 0 && y < r.h; i--) {
        char at[TEXT_CAP];
        char text[160];
        const struct view_mark *m = &v->marks[i];
        if (m->at_ms == VIEW_NONE || m->at_ms < from_ms) break;
        v->range >= VIEW_7D ? text_date(m->at_ms, at) : text_clock(m->at_ms, at);
        int x = canvas_text(f->c, r.x, r.y + y, r.w, STYLE_DIM, at) + 2;
        graph_mark_text(m, v->at_ms, true, text, sizeof text);
        canvas_text(f->c, r.x + x, r.y + y, r.w - x, STYLE_TEXT, text);
        y++;
    }
    return y;
}

static int n_marks(const struct view *v, int64_t from_ms)
{
    int n = 0;
    for (uint32_t i = 0; i < v->n_marks; i++)
        n += v->marks[i].at_ms != VIEW_NONE && v->marks[i].at_ms >= from_ms;
    return n;
}

void screen_zoom_draw(const struct screen_frame *f)
{
    const struct view *v = f->v;
    struct rect r = f->body;
    int picked = screen_picked(f);
    enum screen_graph which = picked < 0 ? SCREEN_GRAPH_SPEED : (enum screen_graph)picked;
    bool is_time = which != SCREEN_GRAPH_EARNED && which != SCREEN_GRAPH_HELD_OUT;
    char text[160];
    char stats[160];
    screen_graph_title(f, r, which);
    r.y++;
    r.h--;
    int64_t span_ms = (int64_t)view_range_step_ms((enum view_range)v->range) * VIEW_SERIES;
    int n = is_time && which != SCREEN_GRAPH_PEERS ? n_marks(v, v->at_ms - span_ms) : 0;
    if (n > MARKS_MAX) n = MARKS_MAX;
    if (r.h < n + 8) n = r.h > 8 ? r.h - 8 : 0;
    int foot = r.h >= 5 ? 1 : 0;
    screen_graph(f, (struct rect){r.x, r.y, r.w, r.h - n - foot}, which, false);
    r.y += r.h - n - foot;
    r.h = n + foot;
    if (foot) {
        put_stats(series_of(v, which), stats, sizeof stats);
        screen_ranges(v, text, sizeof text);
        bool fits = canvas_width(f->c, stats) + 2 + canvas_width(f->c, text) <= r.w;
        if (is_time && fits) canvas_text_right(f->c, r.x, r.y, r.w, STYLE_KEY, text);
        canvas_text(f->c, r.x, r.y, r.w, STYLE_DIM, stats);
        r.y++;
        r.h--;
    }
    draw_marks(f, r, v->at_ms - span_ms);
}
