#pragma once
/* Why: the arithmetic of what is sent: which values of a chunk, and with how few bits each. Plain
 * fp32 operations on the way back, so that every reader sees the same numbers.
 *
 * Two quantisers, both symmetric, one scale a chunk:
 *   four levels   -hi -lo +lo +hi; lo is a bf16, hi = lo * one of 16 ratios, 1.125 to 5.
 *   eight bits    code * scale, code -127..127; the largest magnitude has code 127.
 * Magnitudes below QUANT_MIN count as nothing and those above QUANT_MAX are refused, so that no
 * product of what passes overflows or becomes subnormal. A mean of such values (an update) may be
 * as large as 5 * QUANT_MAX and a little, which QUANT_UPDATE_MAX allows.
 */

#include <stdbool.h>
#include <stdint.h>

#define QUANT_MIN        0x1p-100F
#define QUANT_MAX        0x1p60F
#define QUANT_UPDATE_MAX 0x1p66F

/* Are all n values numbers of magnitude at most max? */
bool quant_all_sane(const float *v, uint64_t n, float max);

/* The k largest magnitudes of v[n], 1 <= k <= n <= 4096, positions ascending in pos[k]; among
 * equals the lowest index wins. Exact: a histogram of the magnitude's bits, no sort.
 */
void quant_top(const float *v, uint32_t n, uint32_t k, uint16_t *pos);

struct quant_levels {
    uint16_t lo_bf16; /* top half of lo's fp32 bits; 0: nothing to send */
    uint8_t ratio;    /* 0..15 */
    float lo;
    float hi;
};

/* Levels near the least squared error for magnitudes of v[n], by a few Lloyd steps (Lloyd 1982).
 * codes[n]: bit 0 hi, bit 1 negative. At least one value gets lo; ratio is 0 when none gets hi.
 */
void quant_four(const float *v, uint32_t n, struct quant_levels *ret, uint8_t *codes);

/* Levels from the wire; false when lo is not a normal number in range. */
bool quant_levels_read(uint16_t lo_bf16, uint8_t ratio, struct quant_levels *ret);

static inline float quant_four_value(const struct quant_levels *q, uint32_t code)
{
    float v = code & 1 ? q->hi : q->lo;
    return code & 2 ? -v : v;
}

/* Scale (0: nothing to send) and codes of v[n]. */
float quant_eight(const float *v, uint32_t n, int8_t *codes);

/* Is a scale from the wire one that quant_eight could make of values up to max? Zero is not. */
bool quant_scale_ok(float scale, float max);
