#include "engine/arith.h"

#include <math.h>

void arith_write(struct arith *a, uint8_t *out, size_t cap)
{
    *a = (struct arith){.range = UINT64_MAX, .out = out, .n = cap};
}

static uint64_t big_u64(const uint8_t *p, size_t n, size_t at)
{
    uint64_t v = 0;
    for (size_t i = at; i < at + 8; i++)
        v = v << 8 | (i < n ? p[i] : 0);
    return v;
}

void arith_read(struct arith *a, const uint8_t *in, size_t n)
{
    *a = (struct arith){.range = UINT64_MAX, .in = in, .n = n, .at = 8};
    a->low = big_u64(in, n, 0);
    a->bad = a->low >= a->range;
    if (a->bad) a->low = 0;
}

/* The bytes written so far are one number, and it grows by one. They are not all 255: the whole
 * stream stays below the end of the first interval.
 */
void arith_carry(struct arith *a)
{
    for (size_t i = a->at; i-- > 0;)
        if (++a->out[i] != 0) return;
}

void arith_shift_out(struct arith *a)
{
    a->range <<= 32;
    if (a->n - a->at < 4) {
        a->bad = true;
        return;
    }
    for (unsigned i = 0; i < 4; i++)
        a->out[a->at++] = (uint8_t)(a->low >> (56 - 8 * i));
    a->low <<= 32;
}

void arith_shift_in(struct arith *a)
{
    a->range <<= 32;
    uint32_t next = (uint32_t)(big_u64(a->in, a->n, a->at) >> 32);
    a->low = a->low << 32 | next;
    a->at += 4;
}

double arith_bits(const struct arith *a)
{
    return 8.0 * (double)a->at + 64 - log2((double)a->range);
}

void arith_fresh(struct arith_ctx *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        c[i] = ARITH_FRESH;
}

/* Multiples of 256^j, as the mask of the bits below; j = 8 leaves one of them. */
static uint64_t mask_of(unsigned j)
{
    return j >= 8 ? UINT64_MAX : ((uint64_t)1 << (8 * j)) - 1;
}

/* How far above low the first multiple lies. */
static uint64_t way_to(uint64_t low, unsigned j)
{
    return (0 - low) & mask_of(j);
}

void arith_end(struct arith *a)
{
    unsigned j = 8;
    while (way_to(a->low, j) >= a->range)
        j--;
    uint64_t way = way_to(a->low, j);
    a->low += way;
    if (a->low < way) arith_carry(a);
    if (a->n - a->at < 8 - j) {
        a->bad = true;
        return;
    }
    for (unsigned i = 0; i < 8 - j; i++)
        a->out[a->at++] = (uint8_t)(a->low >> (56 - 8 * i));
}

bool arith_at_end(const struct arith *a)
{
    if (a->bad || a->n > a->at || a->at - a->n > 8) return false;
    unsigned j = (unsigned)(a->at - a->n);
    if (j < 8 && a->low > mask_of(j)) return false; /* a smaller multiple was there */
    uint64_t low = big_u64(a->in, a->n, a->at - 8) - a->low;
    return j == 8 || way_to(low, j + 1) >= a->range;
}
