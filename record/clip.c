#include "record/clip.h"

#include <stdbool.h>

__extension__ typedef unsigned __int128 wide;

#define ONE 1000000u

/* Is t at most its share of what is left when all are bounded by it? */
static bool holds(const uint64_t *w, uint32_t n, uint64_t t, uint64_t share)
{
    wide sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += w[i] < t ? w[i] : t;
    return (wide)t * ONE <= sum * share;
}

void clip_weights(uint64_t *w, uint32_t n)
{
    uint64_t top = 0, n_heavy = 0;
    for (uint32_t i = 0; i < n; i++) {
        n_heavy += w[i] > 0;
        if (w[i] > top) top = w[i];
    }
    if (n_heavy <= CLIP_FAIR) return;
    uint64_t fair = (uint64_t)CLIP_FAIR * ONE / n_heavy;
    uint64_t share = fair > CLIP_SHARE_MIN ? fair : CLIP_SHARE_MIN;
    /* While t is small all are bounded by it, and t is 1/n of the sum; sum / t falls as t grows. */
    uint64_t lo = 1, hi = top;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo + 1) / 2;
        if (holds(w, n, mid, share))
            lo = mid;
        else
            hi = mid - 1;
    }
    for (uint32_t i = 0; i < n; i++)
        if (w[i] > lo) w[i] = lo;
}
