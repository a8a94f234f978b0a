#pragma once
/* Why: a plain table that keeps its most important columns on a narrow screen: columns leave in
 * the order of `rank`, one may stretch, and nothing overlaps.
 */

#include "tui/canvas.h"

#define TABLE_COLUMNS 10

struct table_column {
    const char *title;
    int w;         /* cells wanted */
    bool is_right; /* numbers */
    bool is_wide;  /* takes what is left over (one column) */
    int rank;      /* 0 stays longest */
};

struct table {
    const struct table_column *col;
    int n;
    int x[TABLE_COLUMNS]; /* from the table's left edge */
    int w[TABLE_COLUMNS]; /* 0: left out */
};

/* Choose and place the columns for w cells. n <= TABLE_COLUMNS. */
void table_fit(struct table *t, const struct table_column *col, int n, int w);

void table_head(struct canvas *c, int x, int y, const struct table *t);
void table_cell(struct canvas *c, int x, int y, const struct table *t, int i, enum style style,
                const char *text);
