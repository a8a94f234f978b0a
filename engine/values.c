#include "engine/values.h"

#include <string.h>

#define MOST_VOTES 31

static void near_init(struct values_near *s)
{
    arith_fresh(s->away, VALUES_NEAR);
    s->side = ARITH_FRESH;
    s->last = 0;
}

void values_init(struct values *s)
{
    memset(s, 0, sizeof *s);
    arith_fresh(s->is_empty, 2);
    near_init(&s->scale);
    near_init(&s->count);
    arith_fresh(s->ratio, 16);
    arith_fresh(s->high, 16);
    arith_fresh(&s->sign[0][0][0], sizeof s->sign / sizeof(struct arith_ctx));
}

void values_tensor(struct values *s, uint32_t cols)
{
    s->cols = cols;
    s->n_group = (cols + PLACES_COLS - 1) / PLACES_COLS;
    s->row = UINT64_MAX;
    s->agreed = 0;
    s->settled = 0;
    memset(s->vote, 0, sizeof s->vote);
}

uint32_t values_near(struct values_near *s, struct arith *a, bool is_put, uint32_t max, uint32_t v)
{
    uint32_t last = s->last;
    bool is_less = v < last;
    uint32_t away = is_less ? last - v : v - last;
    uint32_t n = 0;
    while (n < VALUES_NEAR && arith_bit(a, is_put, &s->away[n], away > n))
        n++;
    if (n == VALUES_NEAR) { /* far from it: 16 bits as they are */
        uint32_t far = 0;
        for (unsigned i = 16; i-- > 0;)
            far = far << 1 | arith_chance(a, is_put, 32768, v >> i & 1);
        a->bad |= (far < last ? last - far : far - last) < VALUES_NEAR;
        v = far;
    } else if (n > 0) {
        is_less = arith_bit(a, is_put, &s->side, is_less);
        v = is_less ? last - n : last + n; /* below 0 is far above max */
    } else {
        v = last;
    }
    if (v > max) { /* the number before may have had another max */
        a->bad = true;
        v = 0;
    }
    s->last = v;
    return v;
}

bool values_empty(struct values *s, struct arith *a, bool is_put, bool v)
{
    v = arith_bit(a, is_put, &s->is_empty[s->was_empty], v);
    s->was_empty = v;
    return v;
}

static uint32_t rank_of(int32_t v)
{
    uint32_t u = (uint32_t)(v < 0 ? -v : v);
    uint32_t bits = u ? 32u - (uint32_t)__builtin_clz(u) : 0;
    return bits < 5 ? bits : 5;
}

static void row_ends(struct values *s, const uint16_t *pos, const uint8_t *negative, uint32_t from,
                     uint32_t to, uint64_t start)
{
    int8_t turn = s->agreed < 0 ? -1 : 1;
    for (uint32_t i = from; i < to; i++) {
        int8_t *vote = &s->vote[(start + pos[i]) % s->cols / s->n_group];
        int8_t v = (int8_t)(*vote + (negative[i] ? -turn : turn));
        if (v >= -MOST_VOTES && v <= MOST_VOTES) *vote = v;
    }
}

static inline void code_signs(struct values *s, struct arith *a, bool is_put, uint64_t start,
                              uint32_t n, const uint16_t *pos, uint8_t *negative)
{
    uint32_t from = 0; /* first value of this row in this chunk */
    uint64_t row = start / s->cols;
    uint64_t next = (row + 1) * s->cols - start; /* where the next row begins */
    for (uint32_t i = 0; i < n; i++) {
        if (pos[i] >= next) {
            row_ends(s, pos, negative, from, i, start);
            from = i;
            row = (start + pos[i]) / s->cols;
            next = (row + 1) * s->cols - start;
        }
        if (row != s->row) s->agreed = 0;
        s->row = row;
        int32_t vote = s->vote[(start + pos[i] - row * s->cols) / s->n_group];
        int32_t guess = s->agreed < 0 ? -vote : vote;
        uint32_t kind = s->agreed ? 0 : 1 + (uint32_t)(s->settled + 24) / 8;
        uint32_t wrong = arith_bit(a, is_put, &s->sign[kind][rank_of(vote)][rank_of(s->agreed / 2)],
                                   (guess < 0) != (is_put && negative[i]));
        bool is_negative = (guess < 0) != (wrong != 0);
        negative[i] = is_negative;
        if (!s->agreed && vote) {
            s->settled += wrong ? -1 : 1;
            s->settled = s->settled > 23 ? 23 : s->settled < -24 ? -24 : s->settled;
        }
        s->agreed += is_negative ? -vote : vote;
    }
    row_ends(s, pos, negative, from, n, start);
}

void values_signs(struct values *s, struct arith *a, bool is_put, uint64_t start, uint32_t n,
                  const uint16_t *pos, uint8_t *negative)
{
    if (is_put)
        code_signs(s, a, true, start, n, pos, negative);
    else
        code_signs(s, a, false, start, n, pos, negative);
}

void values_high(struct values *s, struct arith *a, bool is_put, uint32_t ratio, uint32_t n,
                 uint8_t *high)
{
    for (uint32_t i = 0; i < n; i++)
        high[i] = (uint8_t)arith_bit(a, is_put, &s->high[ratio], is_put ? high[i] : 0);
}

uint32_t values_ratio(struct values *s, struct arith *a, bool is_put, uint32_t ratio)
{
    return arith_tree(a, is_put, s->ratio, 4, ratio);
}

void values_sizes(struct values *s, struct arith *a, bool is_put, uint32_t n, uint8_t *size)
{
    arith_fresh(s->size, 128);
    for (uint32_t i = 0; i < n; i++)
        size[i] = (uint8_t)arith_tree(a, is_put, s->size, 7, is_put ? size[i] : 0);
}
