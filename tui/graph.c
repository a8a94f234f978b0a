#include "tui/graph.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "view/text.h"

/* Dots in one cell, across and up, for each glyph level. */
static const int dots_x[] = {1, 1, 2};
static const int dots_y[] = {3, 2, 4};

#define BRIDGE 4 /* samples */

/* One column of dots: [lo, hi) from the bottom in the main sign, [hi, top) in the light one. */
struct span {
    int lo, hi, top;
};

/* ---- scale ---------------------------------------------------------------------------------- */

/* The smallest of 1, 2, 5 times a power of ten that is not below x > 0. */
static double step_125(double x)
{
    double p = pow(10, floor(log10(x)));
    double m = x / p;
    return p * (m <= 1.0000001 ? 1 : m <= 2.0000001 ? 2 : m <= 5.0000001 ? 5 : 10);
}

static float sample(const struct view_series *s, uint32_t i)
{
    return s && i < s->n && i < VIEW_SERIES ? s->v[i] : (float)NAN;
}

static uint32_t count(const struct view_series *s)
{
    return s->n < VIEW_SERIES ? s->n : VIEW_SERIES;
}

/* The stacked series is aligned at the newest end. */
static double stacked(const struct graph *g, uint32_t i)
{
    uint32_t n = count(g->s);
    double v = (double)sample(g->s, i);
    if (!g->on_top) return v;
    uint32_t n_top = count(g->on_top);
    double top = i + n_top >= n ? (double)sample(g->on_top, i + n_top - n) : (double)NAN;
    if (isnan(top)) return v;
    return isnan(v) ? top : v + fmax(top, 0);
}

struct graph_scale graph_scale_of(const struct graph *g)
{
    double lo = INFINITY;
    double hi = -INFINITY;
    for (uint32_t i = 0; i < count(g->s); i++) {
        double v = stacked(g, i);
        if (!isfinite(v)) continue;
        lo = fmin(lo, v);
        hi = fmax(hi, v);
    }
    struct graph_scale s = {.is_empty = hi < lo};
    if (s.is_empty) return s;
    if (g->kind != GRAPH_LINE) {
        lo = 0;
        if (hi <= 0) hi = 1;
    }
    if (hi - lo < 1e-9 * fmax(fabs(hi), 1e-9)) { /* flat: sits at mid height */
        double pad = fabs(hi) > 1e-6 ? fabs(hi) * 0.1 : 1;
        lo -= pad;
        hi += pad;
    }
    double tick = step_125((hi - lo) / 4);
    s.lo = floor(lo / tick + 1e-6) * tick;
    s.hi = ceil(hi / tick - 1e-6) * tick;
    if (!(s.hi > s.lo)) s.hi = s.lo + tick;
    return s;
}

/* ---- what stands in a column ---------------------------------------------------------------- */

/* Samples that the whole width stands for: a few fixed sizes, so that a young graph does not
 * squeeze a little more every second.
 */
static uint32_t window(const struct graph *g)
{
    uint32_t n = count(g->s);
    if (g->s->step_ms == 0) return n > 2 ? n : 2;
    for (uint32_t w = 30; w < VIEW_SERIES; w *= 2)
        if (n <= w) return w;
    return VIEW_SERIES;
}

/* Mean of samples [a, b), or NaN. */
static double mean(const struct graph *g, uint32_t a, uint32_t b)
{
    double sum = 0;
    int n = 0;
    for (uint32_t i = a; i < b; i++) {
        double v = (double)sample(g->s, i);
        if (!isfinite(v)) continue;
        sum += v;
        n++;
    }
    return n ? sum / n : (double)NAN;
}

/* A line's samples come when a step ends, and steps may be longer than a sample: between two that are
 * near each other the line goes on. What stood still for longer stays a gap.
 */
static double across(const struct graph *g, double at)
{
    if (g->kind != GRAPH_LINE || !g->s->step_ms || at < 0) return NAN;
    int left = (int)at;
    int right = left + 1;
    while (left >= 0 && !isfinite(sample(g->s, (uint32_t)left)))
        left--;
    while (right < (int)count(g->s) && !isfinite(sample(g->s, (uint32_t)right)))
        right++;
    if (left < 0 || right >= (int)count(g->s) || right - left > BRIDGE) return NAN;
    double a = (double)sample(g->s, (uint32_t)left);
    double b = (double)sample(g->s, (uint32_t)right);
    return a + (b - a) * (at - left) / (right - left);
}

/* The value of dot column x of n_x: a mean where samples are dense, a straight line between
 * neighbours where they are sparse.
 */
static double value_at(const struct graph *g, int x, int n_x)
{
    uint32_t n = count(g->s);
    double win = window(g);
    double first = (double)n - win; /* may be negative: nothing there yet */
    double from = first + x * win / n_x;
    double to = first + (x + 1) * win / n_x;
    if (to - from >= 1) {
        if (to <= 0) return NAN;
        double m = mean(g, from < 0 ? 0 : (uint32_t)from, (uint32_t)to);
        return isfinite(m) ? m : across(g, (from + to) / 2);
    }
    double at = first + (n_x > 1 ? x * (win - 1) / (n_x - 1) : win - 1);
    if (at < 0) return NAN;
    uint32_t i = (uint32_t)at;
    double a = (double)sample(g->s, i);
    double b = (double)sample(g->s, i + 1);
    double part = at - i;
    if (part < 1e-6) return a;
    if (!isnan(a) && !isnan(b)) return a + (b - a) * part;
    double near = part < 0.5 ? a : b;
    return isfinite(near) ? near : across(g, at);
}

static int dot_of(double v, struct graph_scale sc, int n_y)
{
    double f = (v - sc.lo) / (sc.hi - sc.lo) * n_y;
    return f < 0 ? 0 : f > n_y ? n_y : (int)lround(f);
}

/* Columns of an area or a line. prev is the line's last dot, -1 after a gap. */
static struct span span_of(const struct graph *g, double v, struct graph_scale sc, int n_y,
                           int *prev)
{
    struct span s = {0};
    if (!isfinite(v)) {
        *prev = -1;
        return s;
    }
    if (g->kind != GRAPH_LINE) {
        int hi = dot_of(v, sc, n_y);
        s.hi = s.top = hi > 0 ? hi : 1; /* a zero is a dot, a gap is nothing */
        return s;
    }
    int y = dot_of(v, sc, n_y - 1);
    s.lo = y;
    s.hi = y + 1;
    if (*prev >= 0 && *prev < y) s.lo = *prev + 1;
    if (*prev > y) s.hi = *prev;
    s.top = s.hi;
    *prev = y;
    return s;
}

/* Bars: `per` cells each, the newest at the right edge, a free cell between wide ones. */
static struct span bar_of(const struct graph *g, int x, int w, struct graph_scale sc, int n_y)
{
    struct span s = {0};
    int dx = dots_x[g->glyphs];
    int n = (int)count(g->s);
    int per = w / (n > 8 ? n : 8);
    per = per < 1 ? 1 : per > 6 ? 6 : per;
    int from_right = w * dx - 1 - x;
    int i = n - 1 - from_right / (per * dx);
    int in_bar = from_right % (per * dx);
    int gap = per >= 3 ? dx : per == 2 ? 1 : 0;
    if (i < 0 || in_bar >= per * dx - gap) return s;
    double v = (double)sample(g->s, (uint32_t)i);
    double all = stacked(g, (uint32_t)i);
    if (!isfinite(all)) return s;
    s.hi = isfinite(v) ? dot_of(v, sc, n_y) : 0;
    s.top = dot_of(all, sc, n_y);
    if (s.top == 0) s.top = s.hi = 1;
    if (all > v && s.top == s.hi && s.top < n_y) s.top++; /* something pending is seen */
    return s;
}

/* ---- signs ---------------------------------------------------------------------------------- */

/* Main and light dots of one cell, up to 2 columns: bit = column * 4 + dot from the bottom. */
struct mask {
    unsigned main, light;
};

static unsigned bits(int lo, int hi, int bottom, int n)
{
    unsigned m = 0;
    for (int k = 0; k < n; k++)
        if (bottom + k >= lo && bottom + k < hi) m |= 1U << k;
    return m;
}

static uint32_t braille(unsigned m)
{
    static const uint8_t dot[8] = {0x40, 0x04, 0x02, 0x01, 0x80, 0x20, 0x10, 0x08};
    uint32_t cp = 0;
    for (int i = 0; i < 8; i++)
        if (m >> i & 1) cp |= dot[i];
    return cp ? 0x2800 + cp : ' ';
}

static uint32_t sign(enum glyphs glyphs, enum graph_kind kind, struct mask m)
{
    static const uint32_t half[4] = {' ', 0x2584, 0x2580, 0x2588};
    static const char area[8] = {' ', '.', '\'', ':', '\'', ':', ':', '#'};
    static const char line[8] = {' ', '.', '-', '|', '\'', '|', '|', '|'};
    if (glyphs == GLYPHS_BRAILLE) { /* light: every other dot */
        unsigned light = m.light & 0x5aU ? m.light & 0x5aU : m.light;
        return braille(m.main | light);
    }
    if (m.main == 0 && m.light) return glyphs == GLYPHS_BLOCKS ? 0x2591 : '+';
    if (glyphs == GLYPHS_BLOCKS) return half[m.main & 3];
    return (uint32_t)(kind == GRAPH_LINE ? line : area)[m.main & 7];
}

static void draw_cells(struct canvas *c, struct rect r, int x, const struct graph *g,
                       const struct span *sp)
{
    int dx = dots_x[g->glyphs];
    int dy = dots_y[g->glyphs];
    for (int row = 0; row < r.h; row++) {
        int bottom = (r.h - 1 - row) * dy;
        struct mask m = {0};
        for (int k = 0; k < dx; k++) {
            m.main |= bits(sp[k].lo, sp[k].hi, bottom, dy) << (4 * k);
            m.light |= bits(sp[k].hi, sp[k].top, bottom, dy) << (4 * k);
        }
        if (!m.main && !m.light) continue;
        canvas_put(c, r.x + x, r.y + row, sign(g->glyphs, g->kind, m),
                   m.main ? g->style : STYLE_PENDING);
    }
}

static void draw_plot(struct canvas *c, struct rect r, const struct graph *g, struct graph_scale sc)
{
    int dx = dots_x[g->glyphs];
    int n_y = r.h * dots_y[g->glyphs];
    int prev = -1;
    for (int x = 0; x < r.w; x++) {
        struct span sp[2] = {{0}};
        for (int k = 0; k < dx; k++) {
            int at = x * dx + k;
            if (g->kind == GRAPH_BARS)
                sp[k] = bar_of(g, at, r.w, sc, n_y);
            else
                sp[k] = span_of(g, value_at(g, at, r.w * dx), sc, n_y, &prev);
        }
        draw_cells(c, r, x, g, sp);
    }
}

/* ---- labels --------------------------------------------------------------------------------- */

char *graph_mark_text(const struct view_mark *m, int64_t now_ms, bool has_why, char *dst,
                      size_t cap)
{
    char t[TEXT_CAP];
    int64_t until = m->is_open ? now_ms : m->until_ms;
    bool has_length = until != VIEW_NONE && m->at_ms != VIEW_NONE && until - m->at_ms >= 1000;
    if (has_why && strncmp(m->why, m->kind, strlen(m->kind)) == 0) { /* "late by 40 s: ..." */
        snprintf(dst, cap, "%s", m->why);
        return dst;
    }
    snprintf(dst, cap, "%s%s%s%s%s", m->kind, has_length ? " " : "",
             has_length ? text_duration((until - m->at_ms) / 1000 * 1000, t) : "",
             has_why && m->why[0] ? ": " : "", has_why ? m->why : "");
    return dst;
}

/* Column of a mark on an axis of w cells; -1 outside. */
static int mark_column(const struct graph *g, const struct view_mark *m, int w)
{
    double span_ms = (double)window(g) * (double)g->s->step_ms;
    double ago_ms = (double)g->now_ms - (double)m->at_ms;
    if (m->at_ms == VIEW_NONE || ago_ms < 0 || ago_ms >= span_ms) return -1;
    int x = w - 1 - (int)(ago_ms / span_ms * w);
    return x < 0 ? 0 : x;
}

/* Cells of the axis that a mark stands on; "now" at the right end stays readable. */
static bool is_marked(const struct graph *g, int x, int w, int end)
{
    for (uint32_t i = 0; i < g->n_marks && i < VIEW_MARKS; i++) {
        int at = mark_column(g, &g->marks[i], w);
        if (at >= 0 && (at > end - 1 ? end - 1 : at) == x) return true;
    }
    return false;
}

static bool is_free(const struct graph *g, int from, int to, int w, int end)
{
    if (from < 0 || to >= end) return false;
    for (int x = from; x <= to; x++)
        if (is_marked(g, x, w, end)) return false;
    return true;
}

/* The newest mark's words beside it, where they fit: right of it, else left, from begin on. Returns the first cell
 * used, w when nothing was said.
 */
static int say_mark(struct canvas *c, struct rect r, const struct graph *g, int i, int begin,
                    int end)
{
    char text[128];
    int x = mark_column(g, &g->marks[i], r.w);
    if (x > end - 1) x = end - 1;
    for (int why = 1; why >= 0; why--) {
        graph_mark_text(&g->marks[i], g->now_ms, why != 0, text, sizeof text);
        int need = canvas_width(c, text);
        int left = x - 1 - need;
        if (is_free(g, x + 1, x + 2 + need, r.w, end)) {
            canvas_text(c, r.x + x + 2, r.y, need, STYLE_DIM, text);
            return x;
        }
        if (left >= begin && is_free(g, left, x - 1, r.w, end)) {
            canvas_text(c, r.x + left, r.y, need, STYLE_DIM, text);
            return left;
        }
    }
    return r.w;
}

/* Returns the first cell in use. */
static int draw_marks(struct canvas *c, struct rect r, const struct graph *g, int begin, int end)
{
    int first = r.w;
    int newest = -1;
    for (uint32_t i = 0; i < g->n_marks && i < VIEW_MARKS; i++)
        if (mark_column(g, &g->marks[i], r.w) >= 0) newest = (int)i;
    if (newest < 0 || end < 1) return first;
    first = say_mark(c, r, g, newest, begin, end);
    for (int x = 0; x < end; x++) {
        if (!is_marked(g, x, r.w, end)) continue;
        canvas_put(c, r.x + x, r.y, '^', STYLE_WARN);
        if (x < first) first = x;
    }
    return first;
}

static void draw_time_axis(struct canvas *c, struct rect r, const struct graph *g)
{
    char left[TEXT_CAP + 16];
    char right[TEXT_CAP + 16];
    char t[TEXT_CAP];
    int first = r.w;
    if (g->s->step_ms) {
        int64_t span_ms = (int64_t)window(g) * g->s->step_ms;
        snprintf(left, sizeof left, "%s ago", text_duration(span_ms, t));
        snprintf(right, sizeof right, "now");
    } else if (g->left && g->right) {
        snprintf(left, sizeof left, "%s", g->left);
        snprintf(right, sizeof right, "%s", g->right);
    } else {
        uint64_t back = count(g->s) ? count(g->s) - 1 : 0;
        uint64_t last = g->last_round;
        snprintf(left, sizeof left, "%s", "earlier rounds");
        if (g->kind == GRAPH_LINE && last >= back)
            snprintf(left, sizeof left, "round %s", text_count((int64_t)(last - back), t));
        snprintf(right, sizeof right, "round %s", text_count((int64_t)last, t));
    }
    int need = canvas_width(c, right);
    if (need <= r.w) canvas_text_right(c, r.x, r.y, r.w, STYLE_DIM, right);
    if (g->s->step_ms && g->n_marks)
        first = draw_marks(c, r, g, canvas_width(c, left) + 2, r.w - need - 1);
    if (first > r.w - need) first = r.w - need;
    if (canvas_width(c, left) + 2 <= first) canvas_text(c, r.x, r.y, r.w, STYLE_DIM, left);
}

/* "1.00k" is "1k" on an axis. */
static void shorten(char *text)
{
    char *dot = strchr(text, '.');
    if (!dot || strchr(text, 'e')) return;
    char *end = dot + strspn(dot, ".0123456789");
    char *keep = end;
    while (keep > dot && (keep[-1] == '0' || keep[-1] == '.'))
        if (*--keep == '.') break;
    memmove(keep, end, strlen(end) + 1);
}

static struct rect draw_value_axis(struct canvas *c, struct rect r, struct graph_scale sc)
{
    char hi[TEXT_CAP];
    char lo[TEXT_CAP];
    text_number(sc.hi, hi);
    text_number(sc.lo, lo);
    shorten(hi);
    shorten(lo);
    int w = canvas_width(c, hi);
    if (canvas_width(c, lo) > w) w = canvas_width(c, lo);
    if (w + 1 + 4 > r.w) return r; /* the shape is worth more than its labels */
    canvas_text_right(c, r.x, r.y, w, STYLE_DIM, hi);
    if (r.h > 1) canvas_text_right(c, r.x, r.y + r.h - 1, w, STYLE_DIM, lo);
    return (struct rect){r.x + w + 1, r.y, r.w - w - 1, r.h};
}

void graph_draw(struct canvas *c, struct rect r, const struct graph *g)
{
    static const char empty[] = "no data yet";
    if (r.w < 1 || r.h < 1) return;
    struct graph_scale sc = graph_scale_of(g);
    if (sc.is_empty) {
        int w = (int)strlen(empty);
        int x = g->is_bare ? r.x : r.x + (r.w - w) / 2;
        if (w <= r.w) canvas_text(c, x, r.y + r.h / 2, w, STYLE_DIM, empty);
        return;
    }
    struct rect axis = {r.x, r.y + r.h - 1, r.w, 1};
    bool has_axis = !g->is_bare && r.h >= 3;
    if (has_axis) r.h--;
    struct rect plot = g->is_bare ? r : draw_value_axis(c, r, sc);
    axis.x = plot.x;
    axis.w = plot.w;
    if (has_axis) draw_time_axis(c, axis, g);
    draw_plot(c, plot, g, sc);
}
