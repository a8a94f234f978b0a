#include "tui/table.h"

#include <string.h>

#include "base/err.h"

#define GAP 2

static int total(const struct table *t)
{
    int w = 0;
    for (int i = 0; i < t->n; i++)
        if (t->w[i]) w += t->w[i] + (w ? GAP : 0);
    return w;
}

/* The shown column that leaves next; -1 when only one is left. */
static int weakest(const struct table *t)
{
    int worst = -1;
    int shown = 0;
    for (int i = 0; i < t->n; i++) {
        if (!t->w[i]) continue;
        shown++;
        if (worst < 0 || t->col[i].rank >= t->col[worst].rank) worst = i;
    }
    return shown > 1 ? worst : -1;
}

void table_fit(struct table *t, const struct table_column *col, int n, int w)
{
    check(n >= 1 && n <= TABLE_COLUMNS);
    memset(t, 0, sizeof *t);
    t->col = col;
    t->n = n;
    for (int i = 0; i < n; i++)
        t->w[i] = col[i].w;
    for (int out = weakest(t); total(t) > w && out >= 0; out = weakest(t))
        t->w[out] = 0;
    int spare = w - total(t);
    for (int i = 0; i < n; i++)
        if (t->w[i] && (spare < 0 || col[i].is_wide)) {
            t->w[i] += spare;
            spare = 0;
        }
    int x = 0;
    for (int i = 0; i < n; i++) {
        t->x[i] = x;
        if (t->w[i] > 0) x += t->w[i] + GAP;
    }
}

void table_cell(struct canvas *c, int x, int y, const struct table *t, int i, enum style style,
                const char *text)
{
    if (t->w[i] <= 0) return;
    if (t->col[i].is_right)
        canvas_text_right(c, x + t->x[i], y, t->w[i], style, text);
    else
        canvas_text(c, x + t->x[i], y, t->w[i], style, text);
}

void table_head(struct canvas *c, int x, int y, const struct table *t)
{
    for (int i = 0; i < t->n; i++)
        table_cell(c, x, y, t, i, STYLE_DIM, t->col[i].title);
}
