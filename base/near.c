#include "base/near.h"

#include <string.h>

#define NAME_CAP 40 /* longer ones are near to nothing */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Letters to add, drop, change, or swap with their neighbour (Damerau 1964, optimal string
 * alignment); above NAME_CAP - 1 letters: far away.
 */
static unsigned slips(const char *a, const char *b)
{
    unsigned d[NAME_CAP + 1][NAME_CAP + 1];
    size_t n = strlen(a);
    size_t m = strlen(b);
    if (n >= NAME_CAP || m >= NAME_CAP) return NAME_CAP;
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = (unsigned)(i + j);
                continue;
            }
            unsigned same = a[i - 1] == b[j - 1] ? 0 : 1;
            d[i][j] = least(d[i - 1][j - 1] + same, least(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[n][m];
}

const char *near_word(const char *text, const char *const *names)
{
    size_t n = strlen(text);
    unsigned best = n < 3 ? 0 : n < 6 ? 1 : 2;
    const char *ret = NULL;
    for (size_t i = 0; names[i]; i++) {
        unsigned k = slips(text, names[i]);
        if (k > best || (ret && k == best)) continue;
        best = k;
        ret = names[i];
    }
    for (size_t i = 0; names[i] && !ret && n >= 3; i++)
        if (strncmp(text, names[i], n) == 0) ret = names[i];
    return ret;
}
