#include "record/reward.h"

#include <stdbool.h>

__extension__ typedef unsigned __int128 wide; /* emission * tokens, and sums of tokens */

static wide total_tokens(const struct reward_share *shares, uint32_t n)
{
    wide total = 0;
    for (uint32_t i = 0; i < n; i++)
        total += shares[i].n_tokens;
    return total;
}

/* Does a's remainder come before b's when the last units are handed out? */
static bool comes_first(uint64_t emission, wide total, const struct reward_share *a,
                        const struct reward_share *b)
{
    wide x = (wide)emission * a->n_tokens % total;
    wide y = (wide)emission * b->n_tokens % total;
    if (x != y) return x > y;
    for (int i = 0; i < KEY_BYTES; i++)
        if (a->contributor.b[i] != b->contributor.b[i])
            return a->contributor.b[i] < b->contributor.b[i];
    return a < b; /* one key twice: the earlier line */
}

void reward_split(uint64_t emission, struct reward_share *shares, uint32_t n)
{
    wide total = total_tokens(shares, n);
    uint64_t left = emission;
    for (uint32_t i = 0; i < n; i++) {
        shares[i].amount = total ? (uint64_t)((wide)emission * shares[i].n_tokens / total) : 0;
        left -= shares[i].amount;
    }
    if (!total) return;
    /* `left` is below n; whoever has fewer than `left` shares before them gets one unit. */
    for (uint32_t i = 0; i < n && left > 0; i++) {
        uint32_t before = 0;
        for (uint32_t j = 0; j < n; j++)
            before += j != i && comes_first(emission, total, &shares[j], &shares[i]);
        shares[i].amount += before < left;
    }
}
