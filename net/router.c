#include "net/router.h"

#include <stdbool.h>
#include <string.h>

static bool is_segment_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("._~-", c));
}

/* Length of the segment at p, or 0 when it is empty, too long, only dots or holds other bytes. */
static size_t segment_of(const char *p)
{
    size_t n = 0;
    bool is_dots = true;
    while (is_segment_char(p[n]))
        is_dots = is_dots && p[n] == '.', n++;
    return n > ROUTER_SEGMENT_BYTES || is_dots || (p[n] && p[n] != '/') ? 0 : n;
}

/* Length of all that follows: segments with one slash between them; 0 when one is unfit. */
static size_t rest_of(const char *p)
{
    size_t at = 0;
    for (;;) {
        size_t n = segment_of(p + at);
        at += n;
        if (!n || at > ROUTER_SEGMENT_BYTES) return 0;
        if (!p[at]) return at;
        at++;
    }
}

static bool fits(const char *pattern, const char *path, struct router_match *m)
{
    m->n = 0;
    while (*pattern && *path) {
        if (*pattern != '*') {
            if (*pattern++ != *path++) return false;
            continue;
        }
        bool is_rest = pattern[1] == '*';
        size_t n = is_rest ? rest_of(path) : segment_of(path);
        if (!n || m->n == ROUTER_CAPTURES) return false;
        memcpy(m->segment[m->n], path, n);
        m->segment[m->n++][n] = 0;
        path += n;
        pattern += is_rest ? 2 : 1;
    }
    return !*pattern && !*path;
}

int router_find(const struct router_entry *table, size_t n, const char *method, const char *path,
                struct router_match *ret)
{
    int found = ROUTER_NOT_FOUND;
    for (size_t i = 0; i < n; i++) {
        struct router_match m;
        if (!fits(table[i].pattern, path, &m)) continue;
        if (strcmp(table[i].method, method) == 0) {
            *ret = m;
            return (int)i;
        }
        found = ROUTER_NOT_METHOD;
    }
    return found;
}
