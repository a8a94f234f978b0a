#include <stdio.h>

#include "tui/gauge.h"
#include "tui/screen.h"
#include "view/text.h"

#define LABEL_W 8
#define SPARK_W 12

/* "speed    412 tok/s      .:##:.:#" */
static void row(const struct screen_frame *f, int *y, const char *label, const char *value,
                int which)
{
    struct rect r = f->body;
    if (*y >= r.y + r.h) return;
    struct rect text = r;
    if (which >= 0) {
        struct rect spark = {r.x + r.w - SPARK_W, *y, SPARK_W, 1};
        text.w -= SPARK_W + 1;
        screen_graph(f, spark, (enum screen_graph)which, true);
    }
    screen_pair(f, text, *y, LABEL_W, label, STYLE_VALUE, value);
    (*y)++;
}

void screen_compact_draw(const struct screen_frame *f)
{
    const struct view *v = f->v;
    struct rect r = f->body;
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char t[160];
    int y = r.y;
    row(f, &y, "speed", screen_unit(text_number(v->tok_per_s, a), "tok/s", t, sizeof t), 0);
    row(f, &y, "loss", text_fixed(v->loss, 3, a), 1);
    text_credits(v->credits_confirmed, t);
    if (v->credits_pending != VIEW_NONE)
        snprintf(t, sizeof t, "%s (%s)", text_credits(v->credits_confirmed, a),
                 text_credits_signed(v->credits_pending, b));
    row(f, &y, "earned", t, 2);
    row(f, &y, "peers", screen_peers_text(v, a), 3);
    snprintf(t, sizeof t, "%s accepted, %s late", text_count((int64_t)v->n_accepted, a),
             text_count((int64_t)v->n_late, b));
    row(f, &y, "yours", t, -1);
    if (y < r.y + r.h) {
        canvas_text(f->c, r.x, y, LABEL_W, STYLE_DIM, screen_gauge_label(v));
        gauge_draw(f->c, r.x + LABEL_W + 1, y, r.w - LABEL_W - 1,
                   v->fetch_frac >= 0 ? v->fetch_frac : v->round_frac, f->glyphs, STYLE_GOOD);
        y++;
    }
    for (int i = (int)v->n_log - 1; i >= 0 && y < r.y + r.h; i--, y++)
        canvas_printf(f->c, r.x, y, r.w, STYLE_TEXT, "%s %s", text_clock(v->log[i].at_ms, a),
                      v->log[i].text);
}
