#include "app/train_walk.h"

#define N_TURNS 4
#define GOLDEN  UINT64_C(0x9e3779b97f4a7c15)

/* splitmix64's finisher: every bit of the result depends on every bit of x. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t key_of(const struct train_walk *w, uint64_t pass)
{
    return mix(w->seed + GOLDEN) ^ mix((pass + 1) * GOLDEN);
}

uint64_t train_walk_permute(uint64_t key, uint64_t n, uint64_t i)
{
    unsigned half = 1;
    while (half < 32 && ((n - 1) >> (2 * half)) != 0)
        half++;
    uint64_t mask = (UINT64_C(1) << half) - 1;
    do { /* at most 4 times as many numbers as n: a few turns on average */
        uint64_t left = i >> half;
        uint64_t right = i & mask;
        for (uint64_t turn = 1; turn <= N_TURNS; turn++) {
            uint64_t next = left ^ (mix(right + key + turn * GOLDEN) & mask);
            left = right;
            right = next;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}

/* Windows of a shard that fit at every offset below T. */
static uint64_t windows_in(uint64_t n_tokens, uint32_t seq_len)
{
    return n_tokens < seq_len ? 0 : (n_tokens - seq_len) / seq_len;
}

int train_walk_init(struct train_walk *w, uint64_t seed, uint32_t seq_len, const uint64_t *n_tokens,
                    uint32_t n_shards, struct err *e)
{
    struct train_walk x = {
        .seed = seed, .seq_len = seq_len, .n_shards = n_shards, .n_tokens = n_tokens};
    for (uint32_t i = 0; i < n_shards; i++)
        x.n_windows += windows_in(n_tokens[i], seq_len);
    if (x.n_windows == 0) {
        err_set(e, ERR_ARG, 0, "the text is too short for sequences of %u tokens", seq_len);
        err_hint(e, "add text, or choose a smaller --seq");
        return ERR_ARG;
    }
    *w = x;
    return OK;
}

struct train_place train_walk_place(const struct train_walk *w, uint64_t i_seq)
{
    struct train_place p = {.pass = i_seq / w->n_windows};
    uint64_t key = key_of(w, p.pass);
    uint64_t i = train_walk_permute(key, w->n_windows, i_seq % w->n_windows);
    uint64_t n = windows_in(w->n_tokens[0], w->seq_len);
    while (i >= n) {
        i -= n;
        n = windows_in(w->n_tokens[++p.shard], w->seq_len);
    }
    p.at = i * w->seq_len + mix(key) % w->seq_len;
    return p;
}
