#include <stdio.h>

#include "tui/screen.h"
#include "tui/table.h"
#include "view/text.h"

static const char rule[] = "Pending until the round is settled. Credits promise no value.";

static const struct table_column columns[] = {
    {"WHEN",   12, false, false, 2},
    {"ROUND",  7,  true,  false, 1},
    {"TOKENS", 8,  true,  false, 4},
    {"RESULT", 16, false, true,  3},
    {"CREDIT", 12, true,  false, 0},
    {"",       8,  false, false, 5},
};
#define N_COLUMNS ((int)(sizeof columns / sizeof columns[0]))

static void draw_row(const struct screen_frame *f, struct rect r, int y, const struct table *t,
                     const struct view_credit *k)
{
    char a[TEXT_CAP];
    char amount[TEXT_CAP + 4];
    table_cell(f->c, r.x, y, t, 0, STYLE_DIM, text_date(k->at_ms, a));
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
    table_fit(&t, columns, N_COLUMNS, r.w);
    table_head(f->c, r.x, r.y, &t);
    if (n == 0 && r.h > 1)
        canvas_text(f->c, r.x, r.y + 1, r.w, STYLE_DIM,
                    "nothing earned yet; the first line comes with your first contribution");
    int first = f->t->scroll[SCREEN_CREDITS];
    if (first > n - (r.h - 1)) first = n - (r.h - 1);
    if (first < 0) first = 0;
    for (int i = 0; i + 1 < r.h && first + i < n; i++)
        draw_row(f, r, r.y + 1 + i, &t, &f->v->credits[first + i]);
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
    if (r.h >= 6) {
        r.h--;
        canvas_text(f->c, r.x, r.y + r.h, r.w, STYLE_DIM, rule);
    }
    if (r.h >= 12) {
        int h = r.h * 2 / 5;
        screen_graph(f, (struct rect){r.x, r.y, r.w, h}, 2, false);
        r.y += h;
        r.h -= h;
        screen_title(f, r, "Each round", "", "");
        r.y++;
        r.h--;
    }
    draw_table(f, r);
}
