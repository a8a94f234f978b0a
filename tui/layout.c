#include "tui/layout.h"

#define GAP       2
#define BLOCK_H   5 /* a title and four lines */
#define GRAPH_MIN 5 /* a title, three rows, an axis */
#define LOG_MIN   4
#define LOG_MAX   12

static int least(int a, int b)
{
    return a < b ? a : b;
}

struct layout layout_frame(int w, int h, int n_state)
{
    struct layout l = {.kind = LAYOUT_LINE, .n_state = 1};
    if (w >= 60 && h >= 16)
        l.kind = LAYOUT_GRID;
    else if (w >= 40 && h >= 10)
        l.kind = LAYOUT_COMPACT;
    if (l.kind != LAYOUT_LINE) l.n_state = n_state;
    int top = l.n_state;
    if (l.kind == LAYOUT_GRID) l.tabs = (struct rect){0, top, w, 1};
    top += l.tabs.h;
    int bottom = l.kind == LAYOUT_LINE ? 0 : 1;
    if (bottom) l.keys = (struct rect){0, h - 1, w, 1};
    l.body = (struct rect){0, top, w, h - top - bottom};
    if (l.body.h < 0) l.body.h = 0;
    return l;
}

struct rect layout_column(struct rect r, int i, int n)
{
    int w = (r.w - GAP * (n - 1)) / n;
    int extra = (r.w - GAP * (n - 1)) % n; /* the first columns are one wider */
    int x = r.x + i * (w + GAP) + least(i, extra);
    return (struct rect){x, r.y, w + (i < extra), r.h};
}

struct layout_overview layout_overview(struct rect body)
{
    struct layout_overview o = {0};
    int left = body.h;
    int block_h = left >= BLOCK_H + 2 * GRAPH_MIN ? BLOCK_H : 0;
    left -= block_h;
    int spare = left - 2 * 10; /* what is above two comfortable rows of graphs */
    int log_h = block_h && spare >= LOG_MIN ? least(spare, LOG_MAX) : 0;
    left -= log_h;
    int y = body.y;
    for (int row = 0; row < 2; row++) {
        int h = row == 0 ? left - left / 2 : left / 2;
        struct rect line = {body.x, y, body.w, h};
        for (int i = 0; i < 2; i++)
            o.graph[row * 2 + i] = layout_column(line, i, 2);
        y += h;
    }
    struct rect blocks = {body.x, y, body.w, block_h};
    for (int i = 0; i < 3; i++)
        o.block[i] = layout_column(blocks, i, 3);
    o.log = (struct rect){body.x, y + block_h, body.w, log_h};
    return o;
}
