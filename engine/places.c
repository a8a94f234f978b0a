#include "engine/places.h"

#include <assert.h>
#include <string.h>

#define PRIOR     6u /* what each column weighs before it is seen */
#define MOST_SEEN 60000u

void places_init(struct places *s)
{
    memset(s, 0, sizeof *s);
    arith_fresh(&s->few[0][0][0][0], sizeof s->few / sizeof(struct arith_ctx));
    arith_fresh(&s->many[0][0], sizeof s->many / sizeof(struct arith_ctx));
    arith_fresh(s->side, sizeof s->side / sizeof(struct arith_ctx));
    arith_fresh(&s->low[0][0], sizeof s->low / sizeof(struct arith_ctx));
}

void places_tensor(struct places *s, uint32_t cols)
{
    s->cols = cols;
    s->n_group = (cols + PLACES_COLS - 1) / PLACES_COLS;
    memset(s->seen, 0, sizeof s->seen);
}

/* ahead[i], i = 0..len: weights of the chunk's first i places, by what their columns have shown. */
static void weigh(const struct places *s, uint64_t start, uint32_t len, uint32_t *ahead)
{
    uint32_t col = (uint32_t)(start % s->cols);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < len;) {
        uint32_t run = s->cols - col < len - i ? s->cols - col : len - i;
        if (s->n_group == 1)
            for (uint32_t j = 0; j < run; j++) {
                ahead[i + j] = sum;
                sum += s->seen[col + j] + PRIOR;
            }
        else
            for (uint32_t j = 0; j < run; j++) {
                ahead[i + j] = sum;
                sum += s->seen[(col + j) / s->n_group] + PRIOR;
            }
        i += run;
        col = 0;
    }
    ahead[len] = sum;
}

static void learn(struct places *s, uint64_t start, uint32_t n, const uint16_t *pos)
{
    uint32_t first = (uint32_t)(start % s->cols);
    uint16_t most = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t col = first + pos[i];
        if (col >= s->cols) col %= s->cols;
        uint16_t *x = &s->seen[col / s->n_group];
        (*x)++;
        most = *x > most ? *x : most;
    }
    for (uint32_t i = 0; most >= MOST_SEEN && i < PLACES_COLS; i++)
        s->seen[i] /= 2;
}

static uint32_t bits_of(uint32_t v)
{
    return 32u - (uint32_t)__builtin_clz(v);
}

/* part / whole in 65536ths, never quite 0 or 1. */
static uint32_t share_of(uint32_t part, uint32_t whole)
{
    uint32_t p = (uint32_t)(((uint64_t)part << 16) / whole);
    return p < 64 ? 64 : p > 65536 - 64 ? 65536 - 64 : p;
}

/* k of n in the first half, by halving [0, n]. */
static inline uint32_t code_few(struct places *s, struct arith *a, bool is_put, uint32_t kind,
                                uint32_t n, uint32_t share, uint32_t k)
{
    uint32_t lo = 0;
    uint32_t hi = n;
    while (lo < hi) {
        uint32_t mid = (lo + hi + 1) / 2;
        struct arith_ctx *c = &s->few[kind][n][mid][share * PLACES_SHARES >> 16];
        if (arith_bit(a, is_put, c, k >= mid))
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

/* k of n by its distance from what the share promises. */
static inline uint32_t code_many(struct places *s, struct arith *a, bool is_put, uint32_t n,
                                 uint32_t share, uint32_t k)
{
    uint32_t hope = (uint32_t)(((uint64_t)n * share + 32768) >> 16);
    uint32_t size = bits_of(n);
    uint32_t n_low = size / 2 > 2 ? size / 2 - 2 : 0;
    uint32_t is_less = k < hope;
    uint32_t away = is_less ? hope - k : k - hope;
    uint32_t high = 0;
    while (high < PLACES_STEPS - 1 &&
           arith_bit(a, is_put, &s->many[size][high], away >> n_low > high))
        high++;
    if (high == PLACES_STEPS - 1) /* far off: the rest plainly */
        for (uint32_t step = 4096u; step > 0; step /= 2) {
            uint32_t rest = (away >> n_low) - (PLACES_STEPS - 1);
            high += step * arith_chance(a, is_put, 32768, (rest & step) != 0);
        }
    uint32_t v =
        (high << n_low) + arith_tree(a, is_put, s->low[n_low], n_low, away & ((1u << n_low) - 1));
    if (v == 0) return hope;
    if (arith_bit(a, is_put, &s->side[size], is_less)) {
        if (v > hope) a->bad = true;
        return v > hope ? 0 : hope - v;
    }
    return hope + v;
}

/* The one value among places [lo, lo + len). */
static inline uint32_t code_one(const uint32_t *ahead, struct arith *a, bool is_put, uint32_t lo,
                                uint32_t len, uint32_t pos)
{
    while (len > 1) {
        uint32_t half = len / 2;
        uint32_t p = share_of(ahead[lo + half] - ahead[lo], ahead[lo + len] - ahead[lo]);
        if (arith_chance(a, is_put, p, pos < lo + half)) {
            len = half;
        } else {
            lo += half;
            len -= half;
        }
    }
    return lo;
}

struct part {
    uint16_t lo;
    uint16_t len;
    uint16_t n;
};

/* How many of part's values lie in its first half. */
static inline uint32_t code_half(struct places *s, const uint32_t *ahead, struct arith *a,
                                 bool is_put, struct part x, uint32_t half, uint32_t k)
{
    uint32_t rest = x.len - half;
    bool is_full = 2u * x.n > x.len; /* count what is missing */
    uint32_t n = is_full ? (uint32_t)(x.len - x.n) : x.n;
    uint32_t v = is_full ? half - k : k;
    uint32_t from = ahead[x.lo];
    uint32_t share = is_full ? share_of(half, x.len)
                             : share_of(ahead[x.lo + half] - from, ahead[x.lo + x.len] - from);
    uint32_t kind = is_full ? 2 : x.len > s->cols;
    if (n < PLACES_FEW)
        v = code_few(s, a, is_put, kind, n, share, v);
    else
        v = code_many(s, a, is_put, n, share, v);
    uint32_t least = n > rest ? n - rest : 0;
    uint32_t most = n < half ? n : half;
    if (v < least || v > most) {
        a->bad = true;
        v = v < least ? least : most;
    }
    return is_full ? half - v : v;
}

static inline void walk(struct places *s, struct arith *a, bool is_put, uint64_t start,
                        uint32_t len, uint32_t n, const uint16_t *put, uint16_t *get)
{
    assert(len <= PLACES_MAX_LEN && n <= len);
    uint32_t ahead[PLACES_MAX_LEN + 1];
    struct part todo[16]; /* second halves that wait; their lengths at least halve */
    uint32_t n_todo = 0;
    uint32_t at = 0; /* positions done */
    struct part x = {0, (uint16_t)len, (uint16_t)n};
    weigh(s, start, len, ahead);
    for (;;) {
        if (x.n == 0 || x.n == x.len) {
            for (uint32_t i = 0; i < x.n; i++, at++)
                if (!is_put) get[at] = (uint16_t)(x.lo + i);
        } else if (x.n == 1) {
            uint32_t pos = code_one(ahead, a, is_put, x.lo, x.len, is_put ? put[at] : 0);
            if (!is_put) get[at] = (uint16_t)pos;
            at++;
        } else {
            uint32_t half = x.len / 2;
            uint32_t k = 0;
            if (is_put)
                while (k < x.n && put[at + k] < x.lo + half)
                    k++;
            k = code_half(s, ahead, a, is_put, x, half, k);
            todo[n_todo++] = (struct part){(uint16_t)(x.lo + half), (uint16_t)(x.len - half),
                                           (uint16_t)(x.n - k)};
            x = (struct part){x.lo, (uint16_t)half, (uint16_t)k};
            continue;
        }
        if (n_todo == 0) return;
        x = todo[--n_todo];
    }
}

void places_put(struct places *s, struct arith *a, uint64_t start, uint32_t len, uint32_t n,
                const uint16_t *pos)
{
    walk(s, a, true, start, len, n, pos, NULL);
    learn(s, start, n, pos);
}

void places_get(struct places *s, struct arith *a, uint64_t start, uint32_t len, uint32_t n,
                uint16_t *pos)
{
    walk(s, a, false, start, len, n, NULL, pos);
    learn(s, start, n, pos);
}
