#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "tui/rows.h"
#include "tui/screen.h"
#include "tui/table.h"
#include "view/text.h"

static const char promise[] = "Others see the name you chose and your speed, nothing else.";

static const struct table_column columns[] = {
    {"",            2,  false, false, 0},
    {"NAME",        16, false, true,  0},
    {"SPEED tok/s", 11, true,  false, 1},
    {"SHARE",       6,  true,  false, 3},
    {"",            12, false, false, 6},
    {"LAST 10",     10, false, false, 5},
    {"SEEN",        13, true,  false, 4},
    {"STATE",       9,  false, false, 2},
};
static const char legend[] = "* is you. SHARE is the part of everybody's speed.";
#define COLUMN_BAR 4
#define DETAIL_W   9
#define N_COLUMNS  ((int)(sizeof columns / sizeof columns[0]))

static double fastest(const struct view *v)
{
    double most = 1e-9;
    for (uint32_t i = 0; i < v->n_peer_rows && i < VIEW_PEERS; i++)
        if (v->peers[i].tok_per_s > most) most = v->peers[i].tok_per_s;
    return most;
}

static const char *state_in_words(const char *state)
{
    static const char *const words[][2] = {
        {"training",  "training in this round"                        },
        {"uploading", "sending what was learned"                      },
        {"accepted",  "this round's contribution was accepted"        },
        {"waiting",   "waiting for the round's end"                   },
        {"paused",    "paused by its owner"                           },
        {"gone",      "has left, or has not been heard of for a while"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(state, words[i][0]) == 0) return words[i][1];
    return state[0] ? state : "-";
}

/* The host's words, as a person would say them. */
static const char *plain_word(const char *state)
{
    if (strcmp(state, "accepted") == 0) return "sent";
    if (strcmp(state, "uploading") == 0) return "sending";
    return state;
}

/* As long as this contributor is fast, the fastest filling it. */
static void draw_bar(const struct screen_frame *f, struct rect r, int y, const struct table *t,
                     double part)
{
    int w = t->w[COLUMN_BAR];
    if (w <= 0 || !(part >= 0)) return;
    int n = (int)lround(part * w);
    canvas_fill(f->c, r.x + t->x[COLUMN_BAR], y, n > w ? w : n, theme_gauge_full(f->glyphs),
                f->is_old ? STYLE_DIM : STYLE_PEERS);
}

static void draw_row(const struct screen_frame *f, struct rect r, int y, const struct table *t,
                     const struct view_peer *p, bool is_here)
{
    char a[TEXT_CAP];
    char seen[TEXT_CAP + 8];
    static const char *const marker[2][2] = {
        {" ", " *"},
        {">", ">*"}
    };
    enum style s = p->is_you ? STYLE_VALUE : STYLE_TEXT;
    table_cell(f->c, r.x, y, t, 0, is_here ? STYLE_KEY : s, marker[is_here][p->is_you]);
    table_cell(f->c, r.x, y, t, 1, is_here ? STYLE_HERE : s, p->name);
    table_cell(f->c, r.x, y, t, 2, s, text_number(p->tok_per_s, a));
    table_cell(f->c, r.x, y, t, 3, s, text_percent(p->share_frac, a));
    draw_bar(f, r, y, t, p->tok_per_s / fastest(f->v));
    table_cell(f->c, r.x, y, t, 5, STYLE_DIM, p->last10);
    table_cell(f->c, r.x, y, t, 6, STYLE_DIM, screen_age(p->seen_ms_ago, seen, sizeof seen));
    table_cell(f->c, r.x, y, t, 7, s, plain_word(p->state));
}

static void draw_table(const struct screen_frame *f, struct rect r)
{
    struct table t;
    uint16_t rows[VIEW_PEERS];
    int n = rows_peers(f->v, f->t, rows);
    int pick = f->t->scroll[SCREEN_PEERS];
    if (pick >= n) pick = n - 1;
    table_fit(&t, columns, N_COLUMNS, r.w);
    table_head(f->c, r.x, r.y, &t);
    if (n == 0 && r.h > 1)
        canvas_text(f->c, r.x + 3, r.y + 1, r.w - 3, STYLE_DIM,
                    f->v->n_peer_rows ? "nobody fits what you look for; Esc: show all"
                                      : "nobody is listed yet; the host publishes the list after a "
                                        "round");
    int first = rows_first(pick, n, r.h - 1);
    for (int i = 0; i + 1 < r.h && first + i < n; i++)
        draw_row(f, r, r.y + 1 + i, &t, &f->v->peers[rows[first + i]], first + i == pick);
}

/* One contributor in words. */
static void draw_details(const struct screen_frame *f, struct rect r)
{
    uint16_t rows[VIEW_PEERS];
    int n = rows_peers(f->v, f->t, rows);
    int pick = f->t->scroll[SCREEN_PEERS];
    char a[TEXT_CAP];
    char b[TEXT_CAP + 8];
    char t[200];
    if (n == 0) return;
    const struct view_peer *p = &f->v->peers[rows[pick < n ? pick : n - 1]];
    snprintf(t, sizeof t, "%s%s", p->name, p->is_you ? " (you)" : "");
    screen_title(f, r, t, "", "Enter: back");
    screen_pair(f, r, r.y + 1, DETAIL_W, "speed", STYLE_TEXT,
                screen_unit(text_number(p->tok_per_s, a), "tok/s", t, sizeof t));
    snprintf(t, sizeof t, "%s of everybody's speed", text_percent(p->share_frac, a));
    screen_pair(f, r, r.y + 2, DETAIL_W, "share", STYLE_TEXT, p->share_frac >= 0 ? t : "-");
    screen_pair(f, r, r.y + 3, DETAIL_W, "now", STYLE_TEXT, state_in_words(p->state));
    screen_pair(f, r, r.y + 4, DETAIL_W, "heard of", STYLE_TEXT,
                screen_age(p->seen_ms_ago, b, sizeof b));
    int good = 0;
    for (const char *k = p->last10; *k; k++)
        good += *k == '#';
    snprintf(t, sizeof t, "%s  %d of the last %d rounds counted", p->last10, good,
             (int)strlen(p->last10));
    screen_pair(f, r, r.y + 5, DETAIL_W, "rounds", STYLE_TEXT, p->last10[0] ? t : "-");
}

void screen_peers_draw(const struct screen_frame *f)
{
    static const char *const order[TUI_SORTS] = {"as the host lists them", "fastest first",
                                                 "by name", "last heard of first"};
    const struct view *v = f->v;
    struct rect r = f->body;
    char a[TEXT_CAP];
    char value[TEXT_CAP];
    char extra[3 * TEXT_CAP + 24] = "";
    char find[TUI_TEXT];
    utf8_printable(f->t->find[SCREEN_PEERS], find, sizeof find);
    screen_fact(extra, sizeof extra, "", text_number(v->swarm_tok_per_s, a), "tok/s together");
    if (f->t->sort) screen_fact(extra, sizeof extra, "", order[f->t->sort], "");
    if (find[0]) screen_fact(extra, sizeof extra, "only", find, "");
    screen_title(f, r, "Contributors", screen_peers_text(v, value), extra);
    r.y++;
    r.h--;
    if (f->t->is_open && r.h >= 5) {
        int h = r.h >= 14 ? 7 : r.h / 2 + 1;
        draw_details(f, (struct rect){r.x, r.y + r.h - h, r.w, h});
        r.h -= h;
    }
    if (r.h >= 6 && !f->t->is_open) {
        r.h--;
        canvas_text(f->c, r.x, r.y + r.h, r.w, STYLE_DIM, promise);
    }
    if (r.h >= 8 && !f->t->is_open) {
        r.h--;
        canvas_text(f->c, r.x, r.y + r.h, r.w, STYLE_DIM, legend);
    }
    if (r.h >= 16) {
        char ranges[64];
        int h = r.h / 3;
        struct rect g = {r.x, r.y + r.h - h, r.w, h};
        screen_title(f, g, "In the run over time", "", screen_ranges(v, ranges, sizeof ranges));
        screen_graph(f, (struct rect){g.x, g.y + 1, g.w, g.h - 1}, SCREEN_GRAPH_PEERS, false);
        r.h -= h;
    }
    draw_table(f, r);
}
