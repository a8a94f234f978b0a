#pragma once
/* Why: what a model of the data knows saves bits only with a coder that can spend a fraction of a
 * bit. This is a binary arithmetic coder (Rissanen 1976; carries as in Schindler 1998) with whole
 * numbers only: the same bits on every CPU. Writing and reading are one walk over the same model,
 * told apart by `is_put`, which is a constant where it is called.
 *
 * State: an interval [low, low + range) of 64 bits, cut in two for each decision. A stream is the
 * multiple of the largest power of 256 in the last interval (the smallest such multiple), without
 * the zero bytes that follow it; so that a list of decisions has one stream and a stream, when
 * arith_at_end says yes, one list of decisions.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arith {
    uint64_t range;
    uint64_t low;      /* writing: lower end; reading: the stream's place above it */
    uint8_t *out;      /* writing: [n], owned by the caller */
    const uint8_t *in; /* reading: [n], borrowed */
    size_t n;
    size_t at; /* bytes written or read; reading runs past the end, into zeros */
    bool bad;  /* sticky: no room, or a stream that nobody writes */
};

/* The chance that a decision is 1, learnt as it goes: p / 65536 after n decisions. */
struct arith_ctx {
    uint16_t p;
    uint16_t n;
};

#define ARITH_FRESH ((struct arith_ctx){32768, 0})
#define ARITH_SLOW  8u /* a context forgets within 2^8 decisions */

void arith_write(struct arith *a, uint8_t *out, size_t cap);
void arith_read(struct arith *a, const uint8_t *in, size_t n);

/* Write what is missing; a->at is then the stream's length. */
void arith_end(struct arith *a);

/* After the last decision: is the stream read the one that arith_end would have written? */
bool arith_at_end(const struct arith *a);

/* Bits that the decisions so far have cost, for statistics. */
double arith_bits(const struct arith *a);

/* For the functions below: range has run low. */
void arith_shift_out(struct arith *a);
void arith_shift_in(struct arith *a);
void arith_carry(struct arith *a);

void arith_fresh(struct arith_ctx *c, size_t n);

/* One decision, 1 with chance p / 65536, 1 <= p <= 65535. Returns it. */
static inline uint32_t arith_chance(struct arith *a, bool is_put, uint32_t p, uint32_t bit)
{
    uint64_t cut = (a->range >> 16) * p;
    if (is_put) {
        uint64_t add = bit ? 0 : cut;
        a->low += add;
        if (a->low < add) arith_carry(a);
    } else {
        bit = a->low < cut;
        a->low -= bit ? 0 : cut;
    }
    a->range = bit ? cut : a->range - cut;
    if (a->range >> 32 == 0) {
        if (is_put)
            arith_shift_out(a);
        else
            arith_shift_in(a);
    }
    return bit;
}

/* One decision by a context, which learns it. */
static inline uint32_t arith_bit(struct arith *a, bool is_put, struct arith_ctx *c, uint32_t bit)
{
    uint32_t p = c->p;
    uint32_t n = c->n;
    bit = arith_chance(a, is_put, p, bit);
    uint32_t rate = 32u - (uint32_t)__builtin_clz(n + 1); /* 1, 2, 2, 3, 3, 3, 3, 4 ... */
    c->p = (uint16_t)(bit ? p + ((65536u - p) >> rate) : p - (p >> rate));
    c->n = (uint16_t)(n + (rate < ARITH_SLOW));
    return bit;
}

/* A number of n_bits, the highest first, by contexts c [1 << n_bits] of a tree. */
static inline uint32_t arith_tree(struct arith *a, bool is_put, struct arith_ctx *c,
                                  uint32_t n_bits, uint32_t v)
{
    uint32_t node = 1;
    for (uint32_t i = n_bits; i-- > 0;)
        node = 2 * node + arith_bit(a, is_put, &c[node], v >> i & 1);
    return node - (1u << n_bits);
}
