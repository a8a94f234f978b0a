#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tui/gauge.h"
#include "tui/graph.h"
#include "tui/screen.h"
#include "view/text.h"

#define LABEL_W 9

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

static void add_time(struct list *l)
{
    const struct view *v = l->f->v;
    const int64_t part[] = {v->ms_train, v->ms_pack, v->ms_upload, v->ms_wait, v->ms_apply};
    static const char *const name[] = {"train", "pack", "send", "wait", "apply"};
    char a[TEXT_CAP];
    char t[256] = "-";
    int n = 0;
    for (int i = 0; i < 5; i++)
        if (part[i] != VIEW_NONE)
            n += snprintf(t + n, sizeof t - (size_t)n, "%s%s %s", n ? ", " : "", name[i],
                          text_duration(part[i], a));
    add(l, "timing", STYLE_TEXT, t);
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
    add_checks(&l);
    add_time(&l);
    add_model(&l);
    add_wire(&l);
}

/* The curve is remembered in nats a token; the text measured on is the same in every round, and so
 * is what a nat a token is in bits a byte.
 */
static struct view_series in_bits(const struct view *v)
{
    struct view_series s = v->val_curve;
    double by = v->val_bits_per_byte / v->val_loss;
    if (!isfinite(by)) s.n = 0;
    for (uint32_t i = 0; i < s.n; i++)
        s.v[i] = (float)((double)s.v[i] * by);
    return s;
}

static void draw_curves(const struct screen_frame *f, struct rect r)
{
    const struct view *v = f->v;
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char value[TEXT_CAP];
    char extra[160] = "";
    bool is_pair = r.w >= 60;
    struct rect left = is_pair ? layout_column(r, 0, 2) : r;
    screen_fact(extra, sizeof extra, "best", text_fixed(v->loss_best, 3, a), "");
    screen_title(f, left, "Training loss", text_fixed(v->loss, 3, value), extra);
    screen_graph(f, (struct rect){left.x, left.y + 1, left.w, left.h - 1}, 1, false);
    if (!is_pair) return;
    struct rect right = layout_column(r, 1, 2);
    bool is_known = isfinite(v->val_bits_per_byte);
    snprintf(extra, sizeof extra, "round %s", text_count((int64_t)v->val_round, b));
    screen_unit(text_fixed(v->val_bits_per_byte, 3, a), "bits/byte", value, sizeof value);
    screen_title(f, right, "Held-out", value, is_known ? extra : "");
    struct view_series bits = in_bits(v);
    struct graph g = {.kind = GRAPH_LINE,
                      .glyphs = f->glyphs,
                      .style = f->is_old ? STYLE_DIM : STYLE_LOSS,
                      .s = &bits,
                      .last_round = v->val_round};
    graph_draw(f->c, (struct rect){right.x, right.y + 1, right.w, right.h - 1}, &g);
}

/* The text over at most max_rows rows, the last one cut; returns how many it wants. */
static int wrap_said(const struct screen_frame *f, struct rect r, int max_rows, bool is_drawn)
{
    const char *s = f->v->said;
    int row = 0;
    for (; *s && row < max_rows; row++) {
        size_t cut = row == max_rows - 1 ? strlen(s) : canvas_break(f->c, s, r.w);
        char part[VIEW_SAID_CAP];
        snprintf(part, sizeof part, "%.*s", (int)cut, s);
        if (is_drawn)
            canvas_text(f->c, r.x, r.y + row, r.w, f->is_old ? STYLE_DIM : STYLE_TEXT, part);
        s += cut;
        while (*s == ' ')
            s++;
    }
    return row;
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
    int n = wrap_said(f, r, max_rows, false) + 1;
    if (n == 1 || r.h < n_list + n) return 0;
    r.y += r.h - n;
    snprintf(t, sizeof t, "at round %s", text_count((int64_t)v->said_round, a));
    screen_title(f, r, "The model says now", "", t);
    r.y++;
    wrap_said(f, r, max_rows, true);
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
    const int n_list = 9;
    r.h -= draw_said(f, r, n_list);
    int n_curves = r.h - n_list;
    if (n_curves >= 5) {
        draw_curves(f, (struct rect){r.x, r.y, r.w, n_curves});
        r.y += n_curves;
        r.h -= n_curves;
    }
    draw_list(f, r);
}
