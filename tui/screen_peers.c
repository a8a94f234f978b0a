#include <stdio.h>
#include <string.h>

#include "tui/screen.h"
#include "tui/table.h"
#include "view/text.h"

static const char promise[] = "Others see the name you chose and your speed, nothing else.";

static const struct table_column columns[] = {
    {"",            1,  false, false, 0},
    {"NAME",        16, false, true,  0},
    {"SPEED tok/s", 11, true,  false, 1},
    {"SHARE",       6,  true,  false, 3},
    {"LAST 10",     10, false, false, 5},
    {"SEEN",        13, true,  false, 4},
    {"STATE",       9,  false, false, 2},
};
static const char legend[] = "* is you. SHARE is the part of everybody's speed.";
#define N_COLUMNS ((int)(sizeof columns / sizeof columns[0]))

/* The host's words, as a person would say them. */
static const char *plain_word(const char *state)
{
    if (strcmp(state, "accepted") == 0) return "sent";
    if (strcmp(state, "uploading") == 0) return "sending";
    return state;
}

static void draw_row(const struct screen_frame *f, struct rect r, int y, const struct table *t,
                     const struct view_peer *p)
{
    char a[TEXT_CAP];
    char seen[TEXT_CAP + 8];
    enum style s = p->is_you ? STYLE_VALUE : STYLE_TEXT;
    table_cell(f->c, r.x, y, t, 0, s, p->is_you ? "*" : " ");
    table_cell(f->c, r.x, y, t, 1, s, p->name);
    table_cell(f->c, r.x, y, t, 2, s, text_number(p->tok_per_s, a));
    table_cell(f->c, r.x, y, t, 3, s, text_percent(p->share_frac, a));
    table_cell(f->c, r.x, y, t, 4, STYLE_DIM, p->last10);
    table_cell(f->c, r.x, y, t, 5, STYLE_DIM, screen_age(p->seen_ms_ago, seen, sizeof seen));
    table_cell(f->c, r.x, y, t, 6, s, plain_word(p->state));
}

static void draw_table(const struct screen_frame *f, struct rect r)
{
    struct table t;
    int n = (int)f->v->n_peer_rows;
    table_fit(&t, columns, N_COLUMNS, r.w);
    table_head(f->c, r.x, r.y, &t);
    if (n == 0 && r.h > 1)
        canvas_text(f->c, r.x + 3, r.y + 1, r.w - 3, STYLE_DIM,
                    "nobody is listed yet; the host publishes the list after a round");
    int first = f->t->scroll[SCREEN_PEERS];
    if (first > n - (r.h - 1)) first = n - (r.h - 1);
    if (first < 0) first = 0;
    for (int i = 0; i + 1 < r.h && first + i < n; i++)
        draw_row(f, r, r.y + 1 + i, &t, &f->v->peers[first + i]);
}

void screen_peers_draw(const struct screen_frame *f)
{
    const struct view *v = f->v;
    struct rect r = f->body;
    char a[TEXT_CAP];
    char value[TEXT_CAP];
    char extra[TEXT_CAP + 24] = "";
    screen_fact(extra, sizeof extra, "", text_number(v->swarm_tok_per_s, a), "tok/s together");
    screen_title(f, r, "Contributors", screen_peers_text(v, value), extra);
    r.y++;
    r.h--;
    if (r.h >= 6) {
        r.h--;
        canvas_text(f->c, r.x, r.y + r.h, r.w, STYLE_DIM, promise);
    }
    if (r.h >= 8) {
        r.h--;
        canvas_text(f->c, r.x, r.y + r.h, r.w, STYLE_DIM, legend);
    }
    if (r.h >= 16) {
        int h = r.h / 3;
        struct rect g = {r.x, r.y + r.h - h, r.w, h};
        screen_title(f, g, "In the run over time", "", "");
        screen_graph(f, (struct rect){g.x, g.y + 1, g.w, g.h - 1}, 3, false);
        r.h -= h;
    }
    draw_table(f, r);
}
