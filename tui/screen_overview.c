#include <stdio.h>
#include <string.h>

#include "tui/gauge.h"
#include "tui/screen.h"
#include "view/text.h"

#define LABEL_W 8

/* Before the first step of one's own there is no speed: what is on its way, how long it will take and
 * what comes next, in place of an empty graph.
 */
static void draw_fetch(const struct screen_frame *f, struct rect r)
{
    const struct view *v = f->v;
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char t[200] = "";
    screen_title(f, r, "Getting ready", text_percent(v->fetch_frac, a), "");
    if (r.h < 3) return;
    gauge_draw(f->c, r.x, r.y + 1, r.w, v->fetch_frac, f->glyphs,
               f->is_old ? STYLE_DIM : STYLE_GOOD);
    if (v->down_per_s > 0)
        snprintf(t, sizeof t, "%s a second, ", text_bytes((uint64_t)v->down_per_s, a));
    snprintf(t + strlen(t), sizeof t - strlen(t), "about %s left",
             text_duration(v->fetch_left_ms, b));
    int y =
        2 + screen_wrap(f, r, 2, 2, STYLE_TEXT,
                        v->fetch_left_ms == VIEW_NONE ? "how long it takes shows soon" : t, true);
    snprintf(t, sizeof t, "Next: training begins with round %s, and your speed appears here.",
             text_count((int64_t)v->round, a));
    if (y < r.h) screen_wrap(f, r, y, r.h - y, STYLE_DIM, t, true);
}

static void draw_graphs(const struct screen_frame *f, const struct layout_overview *o)
{
    for (int i = 0; i < 4; i++) {
        struct rect r = o->graph[i];
        if (i == 0 && f->v->fetch_frac >= 0 && f->v->n_tokens == 0) {
            draw_fetch(f, r);
            continue;
        }
        screen_graph_title(f, r, (enum screen_graph)i);
        screen_graph(f, (struct rect){r.x, r.y + 1, r.w, r.h - 1}, (enum screen_graph)i, false);
    }
}

static void draw_your_part(const struct screen_frame *f, struct rect r)
{
    const struct view *v = f->v;
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char t[160];
    screen_title(f, r, "Your part", "", "");
    bool has_run = v->run_name[0] != 0;
    snprintf(t, sizeof t, "%s, %s late", text_count((int64_t)v->n_accepted, a),
             text_count((int64_t)v->n_late, b));
    screen_pair(f, r, r.y + 1, LABEL_W, "accepted", STYLE_TEXT, has_run ? t : "-");
    screen_pair(f, r, r.y + 2, LABEL_W, "rejected", v->n_rejected ? STYLE_BAD : STYLE_TEXT,
                text_count(has_run ? (int64_t)v->n_rejected : VIEW_NONE, a));
    snprintf(t, sizeof t, "%s tokens", text_number((double)v->n_tokens, a));
    screen_pair(f, r, r.y + 3, LABEL_W, "trained", STYLE_TEXT, has_run ? t : "-");
    screen_pair(f, r, r.y + 4, LABEL_W, "saved", STYLE_TEXT,
                screen_age(v->saved_ms_ago, t, sizeof t));
}

static void draw_this_computer(const struct screen_frame *f, struct rect r)
{
    const struct view *v = f->v;
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char t[160];
    screen_title(f, r, "This computer", "", "");
    snprintf(t, sizeof t, "%s, %u/%u cores", text_percent(v->cpu_frac, a), v->n_threads,
             v->n_cores);
    if (v->others_frac >= 0 && r.w >= 40)
        snprintf(t + strlen(t), sizeof t - strlen(t), ", others %s",
                 text_percent(v->others_frac, b));
    screen_pair(f, r, r.y + 1, LABEL_W, "CPU", STYLE_TEXT, v->n_cores ? t : "-");
    snprintf(t, sizeof t, "%s%s%s", text_bytes(v->rss_bytes, a), v->gear[0] ? ", " : "", v->gear);
    screen_pair(f, r, r.y + 2, LABEL_W, "memory", STYLE_TEXT, v->rss_bytes ? t : "-");
    snprintf(t, sizeof t, "%s, %s", text_bytes(v->bytes_up, a), text_bytes(v->bytes_down, b));
    if (v->up_per_s > 0 && v->down_per_s > 0 && r.w >= 40)
        snprintf(t + strlen(t), sizeof t - strlen(t), "  now %s, %s a second",
                 text_bytes((uint64_t)v->up_per_s, a), text_bytes((uint64_t)v->down_per_s, b));
    screen_pair(f, r, r.y + 3, LABEL_W, "up, down", STYLE_TEXT, f->t->has_view ? t : "-");
    screen_unit(text_number(v->rtt_ms, a), "ms", t, sizeof t);
    if (v->heat_c > 0)
        snprintf(t + strlen(t), sizeof t - strlen(t), ", heat %s C", text_fixed(v->heat_c, 0, b));
    screen_pair(f, r, r.y + 4, LABEL_W, "ping", STYLE_TEXT, t);
}

static void draw_progress(const struct screen_frame *f, struct rect r, int y)
{
    const struct view *v = f->v;
    bool is_fetching = v->fetch_frac >= 0;
    if (y >= r.y + r.h) return;
    canvas_text(f->c, r.x, y, LABEL_W, STYLE_DIM, screen_gauge_label(v));
    gauge_draw(f->c, r.x + LABEL_W + 1, y, r.w - LABEL_W - 1,
               is_fetching ? v->fetch_frac : v->round_frac, f->glyphs,
               f->is_old ? STYLE_DIM : STYLE_GOOD);
}

static void draw_the_run(const struct screen_frame *f, struct rect r)
{
    const struct view *v = f->v;
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char t[160];
    screen_title(f, r, "This round", "", "");
    text_count((int64_t)v->round, a);
    if (v->n_rounds)
        snprintf(t, sizeof t, "%s of %s", a, text_count((int64_t)v->n_rounds, b));
    else
        snprintf(t, sizeof t, "%s", a);
    screen_pair(f, r, r.y + 1, LABEL_W, "round", STYLE_TEXT, v->run_name[0] ? t : "-");
    draw_progress(f, r, r.y + 2);
    screen_pair(f, r, r.y + 3, LABEL_W, "held-out", STYLE_TEXT,
                screen_unit(text_fixed(v->val_bits_per_byte, 3, a), "bits/byte", t, sizeof t));
    if (v->model_hash[0])
        snprintf(t, sizeof t, "%.8s %s", v->model_hash,
                 v->is_model_hash_agreed  ? "agreed"
                 : v->is_model_hash_wrong ? "DIFFERS"
                                          : "pending");
    else
        snprintf(t, sizeof t, "-");
    screen_pair(f, r, r.y + 4, LABEL_W, "weights", v->is_model_hash_wrong ? STYLE_BAD : STYLE_TEXT,
                t);
}

static void draw_log(const struct screen_frame *f, struct rect r)
{
    if (r.h < 2) return;
    screen_title(f, r, "Log", "", "5: all of it");
    int n = (int)f->v->n_log;
    int rows = r.h - 1 < n ? r.h - 1 : n;
    for (int i = 0; i < rows; i++) /* newest on top */
        screen_log_line(f, r, r.y + 1 + i, &f->v->log[n - 1 - i]);
}

void screen_overview_draw(const struct screen_frame *f)
{
    struct layout_overview o = layout_overview(f->body);
    draw_graphs(f, &o);
    if (o.block[0].h) {
        draw_your_part(f, o.block[0]);
        draw_this_computer(f, o.block[1]);
        draw_the_run(f, o.block[2]);
    }
    draw_log(f, o.log);
}
