#include <stdio.h>

#include "tui/gauge.h"
#include "tui/screen.h"
#include "view/text.h"

#define LABEL_W 8

static const char *unit(const struct view *v)
{
    return v->reward_unit[0] ? v->reward_unit : "credits";
}

static void draw_panel(const struct screen_frame *f, struct rect r, int which, const char *title,
                       const char *value, const char *extra)
{
    screen_title(f, r, title, value, extra);
    screen_graph(f, (struct rect){r.x, r.y + 1, r.w, r.h - 1}, which, false);
}

static void draw_graphs(const struct screen_frame *f, const struct layout_overview *o)
{
    const struct view *v = f->v;
    char a[TEXT_CAP];
    char value[128];
    char extra[128] = "";

    screen_unit(text_number(v->tok_per_s, a), "tok/s", value, sizeof value);
    screen_fact(extra, sizeof extra, "avg", text_number(v->tok_per_s_avg, a), "");
    screen_fact(extra, sizeof extra, "best", text_number(v->tok_per_s_best, a), "");
    draw_panel(f, o->graph[0], 0, "Your speed", value, extra);

    extra[0] = 0;
    screen_fact(extra, sizeof extra, "best", text_fixed(v->loss_best, 3, a), "");
    draw_panel(f, o->graph[1], 1, "Training loss", text_fixed(v->loss, 3, value), extra);

    extra[0] = 0;
    screen_unit(text_credits(v->credits_confirmed, a), unit(v), value, sizeof value);
    screen_fact(extra, sizeof extra, "", text_credits_signed(v->credits_pending, a), "pending");
    draw_panel(f, o->graph[2], 2, "Earned", value, extra);

    extra[0] = 0;
    screen_fact(extra, sizeof extra, "", text_number(v->swarm_tok_per_s, a), "tok/s together");
    draw_panel(f, o->graph[3], 3, "Contributors", screen_peers_text(v, value), extra);
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
    screen_pair(f, r, r.y + 1, LABEL_W, "CPU", STYLE_TEXT, v->n_cores ? t : "-");
    screen_pair(f, r, r.y + 2, LABEL_W, "memory", STYLE_TEXT,
                v->rss_bytes ? text_bytes(v->rss_bytes, a) : "-");
    snprintf(t, sizeof t, "%s, %s", text_bytes(v->bytes_up, a), text_bytes(v->bytes_down, b));
    screen_pair(f, r, r.y + 3, LABEL_W, "up, down", STYLE_TEXT, f->t->has_view ? t : "-");
    screen_pair(f, r, r.y + 4, LABEL_W, "ping", STYLE_TEXT,
                screen_unit(text_number(v->rtt_ms, a), "ms", t, sizeof t));
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
