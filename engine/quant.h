#pragma once
/* Why: the arithmetic of what is sent: which values of a chunk, and with how few bits each. Plain
 * fp32 operations on the way back, so that every reader sees the same numbers.
 *
 * A scale is a number of five significant bits: the upper 13 bits of an fp32, of which the sign is
 * zero; the other 12 are its code (at most QUANT_SCALE_MAX), which grows with it. Two quantisers, both
 * symmetric, one scale a chunk:
 *   levels      +-lo, or +-lo and +-hi with hi = lo * one of 15 ratios, 1.25 to 5. The second level
 *               is used only where it is worth its bits: among the 64 largest of 4096 hardly ever.
 *   eight bits  code * scale, code -127..127; the scale is the smallest that fits.
 * Magnitudes below QUANT_MIN count as nothing and those above QUANT_MAX are refused, so that no
 * product of what passes overflows or becomes subnormal. A mean of such values (an update) may be
 * as large as 5 * QUANT_MAX and a little, which QUANT_UPDATE_MAX allows.
 */

#include <stdbool.h>
#include <stdint.h>

#define QUANT_MIN        0x1p-100F
#define QUANT_MAX        0x1p60F
#define QUANT_UPDATE_MAX 0x1p66F
#define QUANT_SCALE_MAX  4079u /* largest code of a scale that is a number */

/* Are all n values numbers of magnitude at most max? */
bool quant_all_sane(const float *v, uint64_t n, float max);

/* The k largest magnitudes of v[n], 1 <= k <= n <= 4096, positions ascending in pos[k]; among
 * equals the lowest index wins. Exact: a histogram of the magnitude's bits, no sort.
 */
void quant_top(const float *v, uint32_t n, uint32_t k, uint16_t *pos);

struct quant_levels {
    uint16_t lo_code; /* of lo as a scale; 0: nothing to send */
    uint8_t ratio;    /* 0: one level, else 1..15 */
    float lo;
    float hi; /* lo when there is one level */
};

/* Levels for the k largest v[k] of n values, near the least squared error by a few Lloyd steps
 * (Lloyd 1982). Two levels when the error they save, for each bit they take, is more than the
 * smallest of v would have saved, had it been sent. negative[k] and high[k] are written; at least
 * one value is not high.
 */
void quant_choose(const float *v, uint32_t k, uint32_t n, struct quant_levels *ret,
                  uint8_t *negative, uint8_t *high);

/* Levels from the wire; false when lo is out of range. */
bool quant_levels_read(uint32_t lo_code, uint32_t ratio, struct quant_levels *ret);

/* Code of the scale (0: nothing to send) and codes of v[n]. */
uint32_t quant_eight(const float *v, uint32_t n, int8_t *codes);

/* The scale with this code, and whether quant_eight could have chosen it for values up to max, the
 * largest of which got code `top`. Zero is none.
 */
float quant_scale(uint32_t code);
bool quant_scale_ok(uint32_t code, uint32_t top, float max);
