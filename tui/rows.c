#include "tui/rows.h"

#include <math.h>
#include <string.h>
#include <strings.h>

bool rows_holds(const char *text, const char *what)
{
    size_t n = strlen(what);
    for (const char *s = text; strlen(s) >= n; s++)
        if (strncasecmp(s, what, n) == 0) return true;
    return false;
}

static int by_number(double a, double b)
{
    if (isnan(a) || isnan(b)) return isnan(a) - isnan(b); /* unknown ones last */
    return a < b ? 1 : a > b ? -1 : 0;
}

static double freshness(const struct view_peer *p)
{
    return p->seen_ms_ago == VIEW_NONE ? (double)NAN : -(double)p->seen_ms_ago;
}

/* Negative: a comes before b. */
static int compare(const struct view_peer *a, const struct view_peer *b, enum tui_sort sort)
{
    switch (sort) {
    case TUI_BY_SPEED: return by_number(a->tok_per_s, b->tok_per_s);
    case TUI_BY_NAME: return strcasecmp(a->name, b->name);
    case TUI_BY_SEEN: return by_number(freshness(a), freshness(b));
    case TUI_BY_HOST:
    case TUI_SORTS: break;
    }
    return 0;
}

int rows_peers(const struct view *v, const struct tui *t, uint16_t ret[VIEW_PEERS])
{
    int n = 0;
    for (uint32_t i = 0; i < v->n_peer_rows && i < VIEW_PEERS; i++) {
        if (!rows_holds(v->peers[i].name, t->find[SCREEN_PEERS]) &&
            !rows_holds(v->peers[i].state, t->find[SCREEN_PEERS]))
            continue;
        int k = n++; /* insertion keeps equal rows in the host's order */
        while (k > 0 && compare(&v->peers[i], &v->peers[ret[k - 1]], t->sort) < 0) {
            ret[k] = ret[k - 1];
            k--;
        }
        ret[k] = (uint16_t)i;
    }
    return n;
}

int rows_log(const struct view *v, const struct tui *t, uint16_t ret[VIEW_LOG])
{
    int n = 0;
    for (uint32_t i = 0; i < v->n_log && i < VIEW_LOG; i++)
        if (v->log[i].level >= t->level && rows_holds(v->log[i].text, t->find[SCREEN_LOG]))
            ret[n++] = (uint16_t)i;
    return n;
}

int rows_first(int pick, int n, int h)
{
    int first = pick - h / 2;
    if (first > n - h) first = n - h;
    return first < 0 ? 0 : first;
}
