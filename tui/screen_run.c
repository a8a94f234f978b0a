#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tui/gauge.h"
#include "tui/screen.h"
#include "view/text.h"

#define LABEL_W 9
#define N_PARTS 5

/* Rows that are drawn top down until the space ends. */
struct list {
    const struct screen_frame *f;
    struct rect r;
    int y;
};

static void add(struct list *l, const char *label, enum style style, const char *value)
{
    screen_pair(l->f, l->r, l->y++, LABEL_W, label, style, value);
}

static void add_round(struct list *l)
{
    const struct view *v = l->f->v;
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char t[160];
    if (l->y >= l->r.y + l->r.h) return;
    text_count((int64_t)v->round, a);
    int n = v->n_rounds ? snprintf(t, sizeof t, "%s of %s", a, text_count((int64_t)v->n_rounds, b))
                        : snprintf(t, sizeof t, "%s", a);
    bool has_end = v->round_ends_at_ms != VIEW_NONE && v->round_ends_at_ms >= l->f->now_ms;
    screen_pair(l->f, l->r, l->y, LABEL_W, "round", STYLE_VALUE, t);
    int x = l->r.x + LABEL_W + n + 3;
    int w = l->r.x + l->r.w - x;
    x += gauge_draw(l->f->c, x, l->y, w < 24 ? w : 24, v->round_frac, l->f->glyphs, STYLE_GOOD) + 2;
    if (has_end)
        canvas_printf(l->f->c, x, l->y, l->r.x + l->r.w - x, STYLE_TEXT, "deadline in %s",
                      text_duration((v->round_ends_at_ms - l->f->now_ms) / 1000 * 1000, a));
    l->y++;
}

static void add_step(struct list *l)
{
    const struct view *v = l->f->v;
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char t[160];
    text_count((int64_t)v->i_step, a);
    if (v->n_steps)
        snprintf(t, sizeof t, "%s of %s in this round", a, text_count((int64_t)v->n_steps, b));
    else
        snprintf(t, sizeof t, "%s in this round; its time decides how many", a);
    add(l, "step", STYLE_TEXT, t);
}

/* Where the last round's time went, as a bar: each part as long as it took, with its name in it. */
static void draw_parts(struct canvas *c, int x, int y, int w, const int64_t *part,
                       const char *const *name, enum style style)
{
    double all = 0;
    double done = 0;
    int from = x;
    for (int i = 0; i < N_PARTS; i++)
        all += part[i] > 0 ? (double)part[i] : 0;
    for (int i = 0; i < N_PARTS; i++) {
        if (part[i] <= 0 || all <= 0) continue;
        done += (double)part[i];
        int to = x + (int)lround(done / all * w);
        int len = to - from;
        if (len < 1) continue;
        canvas_fill(c, from, y, len, i % 2 ? '-' : '=', style);
        canvas_put(c, from, y, '|', STYLE_DIM);
        if (len > (int)strlen(name[i]) + 1)
            canvas_text(c, from + 1, y, len - 1, STYLE_VALUE, name[i]);
        from = to;
    }
}

static void add_time(struct list *l)
{
    const struct view *v = l->f->v;
    const int64_t part[N_PARTS] = {v->ms_train, v->ms_pack, v->ms_upload, v->ms_wait, v->ms_apply};
    static const char *const name[N_PARTS] = {"train", "pack", "send", "wait", "apply"};
    char a[TEXT_CAP];
    char t[256] = "-";
    int n = 0;
    for (int i = 0; i < N_PARTS; i++)
        if (part[i] != VIEW_NONE)
            n += snprintf(t + n, sizeof t - (size_t)n, "%s%s %s", n ? ", " : "", name[i],
                          text_duration(part[i], a));
    add(l, "last", STYLE_TEXT, t);
    if (!n || l->y >= l->r.y + l->r.h || l->r.w < 40) return;
    draw_parts(l->f->c, l->r.x + LABEL_W + 1, l->y, l->r.w - LABEL_W - 1, part, name,
               l->f->is_old ? STYLE_DIM : STYLE_SPEED);
    l->y++;
}

/* At the pace of the last round, which is the only thing known; nothing before there was one. */
static void add_finish(struct list *l)
{
    const struct view *v = l->f->v;
    const int64_t part[N_PARTS] = {v->ms_train, v->ms_pack, v->ms_upload, v->ms_wait, v->ms_apply};
    double all = 0;
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char t[160] = "-";
    for (int i = 0; i < N_PARTS; i++)
        all += part[i] > 0 ? (double)part[i] : 0;
    if (!v->n_rounds)
        snprintf(t, sizeof t, "when its host ends it");
    else if (v->round >= v->n_rounds)
        snprintf(t, sizeof t, "this is the last round");
    else if (all > 0 && (double)(v->n_rounds - v->round) * all < 1e15)
        snprintf(t, sizeof t, "in about %s, at %s a round like the last one",
                 text_duration((int64_t)((double)(v->n_rounds - v->round) * all), a),
                 text_duration((int64_t)all, b));
    add(l, "finish", STYLE_TEXT, t);
}

static void add_checks(struct list *l)
{
    const struct view *v = l->f->v;
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char c[TEXT_CAP];
    char t[160];
    snprintf(t, sizeof t, "%s accepted, %s late, %s rejected",
             text_count((int64_t)v->n_accepted, a), text_count((int64_t)v->n_late, b),
             text_count((int64_t)v->n_rejected, c));
    add(l, "yours", v->n_rejected ? STYLE_BAD : STYLE_TEXT, t);
}

static void add_model(struct list *l)
{
    const struct view *v = l->f->v;
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char t[200] = "-";
    if (v->n_params)
        snprintf(t, sizeof t, "%s parameters: %u layers of %u, %s tokens, a context of %u",
                 text_number((double)v->n_params, a), v->n_layers, v->hidden_size,
                 text_count(v->vocab_size, b), v->seq_len);
    add(l, "model", STYLE_TEXT, t);
    if (v->model_hash[0])
        snprintf(t, sizeof t, "%.16s  %s", v->model_hash,
                 v->is_model_hash_agreed  ? "the same as the aggregator's"
                 : v->is_model_hash_wrong ? "DIFFERS from the aggregator's"
                                          : "not compared with the aggregator's yet");
    else
        snprintf(t, sizeof t, "-");
    add(l, "weights", v->is_model_hash_wrong ? STYLE_BAD : STYLE_TEXT, t);
}

static void add_wire(struct list *l)
{
    const struct view *v = l->f->v;
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char t[256] = "-";
    if (v->payload_bytes)
        snprintf(t, sizeof t, "%s a contribution, %s bits for each value sent",
                 text_bytes(v->payload_bytes, a), text_fixed(v->bits_per_value, 2, b));
    add(l, "packed", STYLE_TEXT, t);
    snprintf(t, sizeof t, "%s", v->aggregator[0] ? v->aggregator : "-");
    if (v->aggregator[0] && v->rtt_ms >= 0)
        snprintf(t, sizeof t, "%s, ping %s ms", v->aggregator, text_number(v->rtt_ms, a));
    add(l, "host", STYLE_TEXT, t);
    add(l, "engine", STYLE_DIM, v->engine[0] ? v->engine : "-");
}

static void draw_list(const struct screen_frame *f, struct rect r)
{
    struct list l = {f, r, r.y};
    add_round(&l);
    add_step(&l);
    add_finish(&l);
    add_checks(&l);
    add_time(&l);
    add_model(&l);
    add_wire(&l);
}

static void draw_curves(const struct screen_frame *f, struct rect r)
{
    bool is_pair = r.w >= 60;
    static const enum screen_graph which[] = {SCREEN_GRAPH_LOSS, SCREEN_GRAPH_HELD_OUT};
    for (int i = 0; i < (is_pair ? 2 : 1); i++) {
        struct rect g = is_pair ? layout_column(r, i, 2) : r;
        screen_graph_title(f, g, which[i]);
        screen_graph(f, (struct rect){g.x, g.y + 1, g.w, g.h - 1}, which[i], false);
    }
}

/* What the newest model wrote, at the bottom of r; returns the rows it takes, 0: no room or nothing
 * was said yet.
 */
static int draw_said(const struct screen_frame *f, struct rect r, int n_list)
{
    const int max_rows = 2;
    const struct view *v = f->v;
    char a[TEXT_CAP];
    char t[TEXT_CAP + 16];
    int n = screen_wrap(f, r, 0, max_rows, STYLE_TEXT, v->said, false) + 1;
    if (n == 1 || r.h < n_list + n) return 0;
    r.y += r.h - n;
    snprintf(t, sizeof t, "at round %s", text_count((int64_t)v->said_round, a));
    screen_title(f, r, "The model says now", "", t);
    r.y++;
    r.h = n - 1;
    screen_wrap(f, r, 0, max_rows, f->is_old ? STYLE_DIM : STYLE_TEXT, v->said, true);
    return n;
}

void screen_run_draw(const struct screen_frame *f)
{
    struct rect r = f->body;
    const struct view *v = f->v;
    screen_title(f, r, v->run_name[0] ? v->run_name : "No run joined", "",
                 v->run_name[0] ? v->run_note : "potluck join FILE|LINK");
    r.y++;
    r.h--;
    const int n_list = 11;
    r.h -= draw_said(f, r, n_list);
    int n_curves = r.h - n_list;
    if (n_curves >= 5) {
        draw_curves(f, (struct rect){r.x, r.y, r.w, n_curves});
        r.y += n_curves;
        r.h -= n_curves;
    }
    draw_list(f, r);
}
