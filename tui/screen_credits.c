#include <stdio.h>
#include <string.h>

#include "tui/graph.h"
#include "tui/rows.h"
#include "tui/screen.h"
#include "tui/table.h"
#include "view/text.h"

static const char rule[] = "Pending until the round is settled. Credits promise no value.";

static const struct table_column columns[] = {
    {"WHEN",   12, false, false, 2},
    {"ROUND",  7,  true,  false, 1},
    {"TOKENS", 8,  true,  false, 4},
    {"RESULT", 34, false, true,  3},
    {"CREDIT", 12, true,  false, 0},
    {"",       8,  false, false, 5},
};
#define COLUMN_RESULT 3
#define N_COLUMNS     ((int)(sizeof columns / sizeof columns[0]))

static void draw_row(const struct screen_frame *f, struct rect r, int y, const struct table *t,
                     const struct view_credit *k, bool is_here)
{
    char a[TEXT_CAP];
    char amount[TEXT_CAP + 4];
    table_cell(f->c, r.x, y, t, 0, is_here ? STYLE_HERE : STYLE_DIM, text_date(k->at_ms, a));
    table_cell(f->c, r.x, y, t, 1, STYLE_TEXT, text_count((int64_t)k->round, a));
    table_cell(f->c, r.x, y, t, 2, STYLE_TEXT, text_number((double)k->n_tokens, a));
    table_cell(f->c, r.x, y, t, 3, STYLE_TEXT, k->result);
    text_credits_signed(k->amount, a);
    snprintf(amount, sizeof amount, k->is_settled ? "%s " : "(%s)", a);
    table_cell(f->c, r.x, y, t, 4, k->is_settled ? STYLE_VALUE : STYLE_DIM, amount);
    table_cell(f->c, r.x, y, t, 5, STYLE_DIM, k->is_settled ? "settled" : "pending");
}

static void draw_table(const struct screen_frame *f, struct rect r)
{
    struct table t;
    int n = (int)f->v->n_credit_rows;
    struct table_column col[N_COLUMNS];
    memcpy(col, columns, sizeof col);
    if (r.w < 80) col[COLUMN_RESULT].w = 14;
    table_fit(&t, col, N_COLUMNS, r.w);
    table_head(f->c, r.x, r.y, &t);
    if (n == 0 && r.h > 1)
        canvas_text(f->c, r.x, r.y + 1, r.w, STYLE_DIM,
                    "nothing earned yet; the first line comes with your first contribution");
    int pick = f->t->scroll[SCREEN_CREDITS];
    if (pick >= n) pick = n - 1;
    int first = rows_first(pick, n, r.h - 1);
    for (int i = 0; i + 1 < r.h && first + i < n; i++)
        draw_row(f, r, r.y + 1 + i, &t, &f->v->credits[first + i], first + i == pick);
}

/* One line of the table, with all of its reason. */
static void draw_details(const struct screen_frame *f, struct rect r)
{
    const struct view *v = f->v;
    int pick = f->t->scroll[SCREEN_CREDITS];
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char t[240];
    if (!v->n_credit_rows) return;
    const struct view_credit *k =
        &v->credits[pick < (int)v->n_credit_rows ? pick : (int)v->n_credit_rows - 1];
    snprintf(t, sizeof t, "Round %s", text_count((int64_t)k->round, a));
    screen_title(f, r, t, text_credits_signed(k->amount, b),
                 k->is_settled ? "settled  Enter: back" : "pending  Enter: back");
    snprintf(t, sizeof t, "%s  %s tokens trained", text_date(k->at_ms, a),
             text_count((int64_t)k->n_tokens, b));
    screen_wrap(f, r, 1, 1, STYLE_DIM, t, true);
    int y = 2 + screen_wrap(f, r, 2, 3, STYLE_VALUE, k->result, true);
    screen_wrap(f, r, y, r.h - y, STYLE_DIM,
                k->is_settled ? "Settled: it is in the run's public record and stays."
                              : "Pending: it can still change until the round is settled.",
                true);
}

/* What each day brought; the newest day is the one under way. */
static void draw_days(const struct screen_frame *f, struct rect r)
{
    const struct view *v = f->v;
    struct view_series s = {.n = v->n_days};
    char a[TEXT_CAP];
    char left[TEXT_CAP];
    for (uint32_t i = 0; i < v->n_days && i < VIEW_DAYS; i++)
        s.v[i] = (float)((double)v->days[i].amount / 1e6);
    text_date(v->n_days ? v->days[0].at_ms : VIEW_NONE, left);
    char *clock = strrchr(left, ' ');
    if (clock) *clock = 0;
    struct graph g = {.kind = GRAPH_BARS,
                      .glyphs = f->glyphs,
                      .style = f->is_old ? STYLE_DIM : STYLE_EARNED,
                      .s = &s,
                      .left = left,
                      .right = "today"};
    text_credits_signed(v->n_days ? v->days[v->n_days - 1].amount : VIEW_NONE, a);
    screen_title(f, r, "Each day", a, v->n_days ? "today" : "");
    graph_draw(f->c, (struct rect){r.x, r.y + 1, r.w, r.h - 1}, &g);
}

static void draw_bars(const struct screen_frame *f, struct rect r)
{
    bool has_days = r.w >= 60;
    struct rect left = has_days ? layout_column(r, 0, 2) : r;
    screen_title(f, left, "Each round", "", "");
    screen_graph(f, (struct rect){left.x, left.y + 1, left.w, left.h - 1}, SCREEN_GRAPH_EARNED,
                 false);
    if (has_days) draw_days(f, layout_column(r, 1, 2));
}

/* ---- what is to come ------------------------------------------------------------------------- */

/* "today 9.10 to 12.3", two spaces after what stands there; left out where it does not fit. */
static int put_band(const struct screen_frame *f, int x, int y, int end, const char *label,
                    int64_t lo, int64_t hi)
{
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char t[3 * TEXT_CAP];
    if (lo == VIEW_NONE || hi == VIEW_NONE) return x;
    snprintf(t, sizeof t, "%s to %s", text_credits(lo, a), text_credits(hi, b));
    char marked[sizeof t + 2];
    screen_mark(f, t, marked, sizeof marked);
    int label_w = canvas_width(f->c, label) + 1;
    if (x + label_w + canvas_width(f->c, marked) > end) return x;
    canvas_text(f->c, x, y, end - x, STYLE_DIM, label);
    x += label_w;
    return x + canvas_text(f->c, x, y, end - x, STYLE_VALUE, marked) + 2;
}

static void put_record(const struct view *v, char *dst, size_t cap)
{
    if (v->n_forecasts)
        snprintf(dst, cap, "meant to hold 4 times in 5; held %u of %u", v->n_forecasts_held,
                 v->n_forecasts);
    else
        snprintf(dst, cap, "meant to hold 4 times in 5; none is over yet");
}

static bool has_range(const struct view *v)
{
    return v->today_lo != VIEW_NONE || v->day_lo != VIEW_NONE || v->week_lo != VIEW_NONE;
}

/* Ranges in one row and, where there are two, how they are meant and how they did so far. A range
 * that is not known is not drawn; what a new machine would earn stands in for it.
 */
static void draw_forecast(const struct screen_frame *f, struct rect r)
{
    const struct view *v = f->v;
    char a[TEXT_CAP];
    char record[96];
    char hour[2 * TEXT_CAP] = "";
    int end = r.x + r.w;
    int begin = r.x + (r.w >= 72 ? 10 : 0);
    if (begin > r.x) canvas_text(f->c, r.x, r.y, r.w, STYLE_TITLE, "To come");
    if (v->credits_per_hour != VIEW_NONE)
        snprintf(hour, sizeof hour, "%s an hour at this speed",
                 text_credits(v->credits_per_hour, a));
    put_record(v, record, sizeof record);
    if (!has_range(v)) {
        canvas_printf(f->c, begin, r.y, end - begin, STYLE_DIM,
                      "%s%sno range yet: too little history", hour, hour[0] ? "; " : "");
        if (r.h > 1 && v->n_forecasts)
            canvas_text(f->c, begin, r.y + 1, end - begin, STYLE_DIM, record);
        return;
    }
    int x = put_band(f, begin, r.y, end, "today", v->today_lo, v->today_hi);
    x = put_band(f, x, r.y, end, r.w >= 72 ? "next 24 h" : "24 h", v->day_lo, v->day_hi);
    put_band(f, x, r.y, end, "week", v->week_lo, v->week_hi);
    if (r.h < 2) return;
    x = begin + canvas_text(f->c, begin, r.y + 1, end - begin, STYLE_DIM, record) + 2;
    if (hour[0] && x + canvas_width(f->c, hour) <= end)
        canvas_text(f->c, x, r.y + 1, end - x, STYLE_DIM, hour);
}

void screen_credits_draw(const struct screen_frame *f)
{
    const struct view *v = f->v;
    struct rect r = f->body;
    char a[TEXT_CAP];
    char value[2 * TEXT_CAP];
    char extra[TEXT_CAP + 16] = "";
    screen_unit(text_credits(v->credits_confirmed, a),
                v->reward_unit[0] ? v->reward_unit : "credits", value, sizeof value);
    screen_fact(extra, sizeof extra, "", text_credits_signed(v->credits_pending, a), "pending");
    screen_title(f, r, "Earned", value, extra);
    r.y++;
    r.h--;
    if (r.h >= 6 && !f->t->is_open) {
        r.h--;
        canvas_text(f->c, r.x, r.y + r.h, r.w, STYLE_DIM, rule);
    }
    if (r.h >= (f->t->is_open ? 10 : 6) && v->run_name[0]) {
        int h = r.h >= 10 && (has_range(v) || v->n_forecasts) ? 2 : 1;
        draw_forecast(f, (struct rect){r.x, r.y, r.w, h});
        r.y += h;
        r.h -= h;
    }
    if (f->t->is_open && r.h >= 5) {
        int h = r.h >= 14 ? 7 : r.h - 3;
        draw_details(f, (struct rect){r.x, r.y + r.h - h, r.w, h});
        r.h -= h;
    }
    if (r.h >= 12) {
        int h = r.h * 2 / 5;
        draw_bars(f, (struct rect){r.x, r.y, r.w, h});
        r.y += h;
        r.h -= h;
    }
    draw_table(f, r);
}
