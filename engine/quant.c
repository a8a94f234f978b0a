#include "engine/quant.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define TOP_BITS 11u /* exponent and three bits of mantissa: the first histogram */
#define LOW_BITS 10u /* the second and third histogram */

/* Fine steps where sparse chunks live (their values are alike), coarse ones up to what a whole
 * Laplacian chunk wants. All of them are exact in fp32.
 */
static const float RATIOS[16] = {1.125F, 1.25F, 1.375F, 1.5F, 1.625F, 1.75F, 1.875F, 2.0F,
                                 2.375F, 2.75F, 3.125F, 3.5F, 3.875F, 4.25F, 4.625F, 5.0F};

static uint32_t magnitude(float v)
{
    uint32_t b;
    memcpy(&b, &v, 4);
    return b & 0x7fffffffu;
}

bool quant_all_sane(const float *v, uint64_t n, float max)
{
    uint32_t worst = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t b = magnitude(v[i]);
        worst = b > worst ? b : worst; /* NaN and infinity have the largest bits */
    }
    return worst <= magnitude(max);
}

/* In count[n_buckets], the bucket that holds the k-th from the top; *k becomes its rank inside. */
static uint32_t bucket_of(const uint16_t *count, uint32_t n_buckets, uint32_t *k)
{
    uint32_t b = n_buckets;
    while (b > 0) {
        b--;
        if (count[b] >= *k) break;
        *k -= count[b];
    }
    return b;
}

/* Among cand[n], all alike above `shift + LOW_BITS`, keep those in the bucket of rank k. */
static uint32_t narrow(uint32_t *cand, uint32_t n, unsigned shift, uint32_t *k)
{
    uint16_t count[1u << LOW_BITS] = {0};
    uint32_t mask = (1u << LOW_BITS) - 1;
    for (uint32_t i = 0; i < n; i++)
        count[(cand[i] >> shift) & mask]++;
    uint32_t b = bucket_of(count, 1u << LOW_BITS, k);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (((cand[i] >> shift) & mask) == b) cand[kept++] = cand[i];
    return kept;
}

/* Bits of the k-th largest magnitude; *ret_equal: how many of its equals belong to the k. */
static uint32_t threshold(const float *v, uint32_t n, uint32_t k, uint32_t *ret_equal)
{
    uint16_t count[1u << TOP_BITS] = {0};
    uint32_t cand[4096 + 1]; /* one more: the walk below writes before it decides */
    const unsigned shift = 31 - TOP_BITS;
    cand[0] = 0;
    for (uint32_t i = 0; i < n; i++)
        count[magnitude(v[i]) >> shift]++;
    uint32_t b = bucket_of(count, 1u << TOP_BITS, &k);
    uint32_t n_cand = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t m = magnitude(v[i]);
        cand[n_cand] = m;
        n_cand += m >> shift == b;
    }
    n_cand = narrow(cand, n_cand, LOW_BITS, &k);
    (void)narrow(cand, n_cand, 0, &k);
    *ret_equal = k;
    return cand[0];
}

void quant_top(const float *v, uint32_t n, uint32_t k, uint16_t *pos)
{
    assert(k >= 1 && k <= n && n <= 4096);
    if (k == n) {
        for (uint32_t i = 0; i < n; i++)
            pos[i] = (uint16_t)i;
        return;
    }
    uint32_t equal = 0;
    uint32_t t = threshold(v, n, k, &equal);
    uint32_t at = 0;
    for (uint32_t i = 0; at < k; i++) {
        uint32_t m = magnitude(v[i]);
        uint32_t tie = (m == t) & (equal > 0);
        pos[at] = (uint16_t)i;
        at += (m > t) | tie;
        equal -= tie;
    }
}

/* Sum and number of the magnitudes above th: without branches, which would be guessed wrong half
 * of the time, and in eight lanes of a fixed order.
 */
static void split(const float *m, uint32_t n, float th, double *ret_sum, uint32_t *ret_n)
{
    double sum[8] = {0};
    int32_t count[8] = {0};
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (uint32_t j = 0; j < 8; j++) {
            int32_t above = m[i + j] > th;
            sum[j] += (double)(m[i + j] * (float)above);
            count[j] += above;
        }
    for (; i < n; i++) {
        int32_t above = m[i] > th;
        sum[0] += (double)(m[i] * (float)above);
        count[0] += above;
    }
    *ret_sum = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
    *ret_n = 0;
    for (uint32_t j = 0; j < 8; j++)
        *ret_n += (uint32_t)count[j];
}

static uint16_t to_bf16(double v)
{
    float f = (float)v;
    uint32_t b = magnitude(f);
    return (uint16_t)((b + 0x7fffu + ((b >> 16) & 1)) >> 16); /* nearest, ties to even */
}

bool quant_levels_read(uint16_t lo_bf16, uint8_t ratio, struct quant_levels *ret)
{
    uint32_t bits = (uint32_t)lo_bf16 << 16;
    if (bits > magnitude(QUANT_MAX) || bits < magnitude(QUANT_MIN) || ratio > 15) return false;
    ret->lo_bf16 = lo_bf16;
    ret->ratio = ratio;
    memcpy(&ret->lo, &bits, 4);
    ret->hi = ret->lo * RATIOS[ratio];
    return true;
}

static uint8_t nearest_ratio(double ratio)
{
    uint8_t r = 0;
    while (r < 15 && ratio > ((double)RATIOS[r] + (double)RATIOS[r + 1]) / 2)
        r++;
    return r;
}

/* Assign codes; returns how many got hi. */
static uint32_t assign_codes(const float *v, uint32_t n, const struct quant_levels *q,
                             uint8_t *codes)
{
    float th = (q->lo + q->hi) * 0.5F;
    uint32_t n_hi = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t hi = fabsf(v[i]) > th;
        codes[i] = (uint8_t)(hi | (signbit(v[i]) ? 2 : 0));
        n_hi += hi;
    }
    return n_hi;
}

void quant_four(const float *v, uint32_t n, struct quant_levels *ret, uint8_t *codes)
{
    assert(n >= 1 && n <= 4096);
    float m[4096];
    double total = 0;
    uint32_t n_hi = 0;
    for (uint32_t i = 0; i < n; i++)
        m[i] = fabsf(v[i]);
    split(m, n, -1.0F, &total, &n_hi);
    double mean = total / n;
    double lo = mean;
    double hi = 0;
    double th = mean;
    uint8_t r = 0;
    for (int i_step = 0; i_step < 6; i_step++) {
        split(m, n, (float)th, &hi, &n_hi);
        if (n_hi == 0 || n_hi == n) break;
        double c = hi / n_hi / ((total - hi) / (n - n_hi));
        r = nearest_ratio(c);
        c = (double)RATIOS[r];
        lo = (total - hi + c * hi) / ((n - n_hi) + c * c * n_hi); /* best lo for this split */
        th = lo * (1 + c) / 2;
    }
    memset(ret, 0, sizeof *ret);
    if (!(mean >= (double)QUANT_MIN) || !quant_levels_read(to_bf16(lo), r, ret)) return;
    n_hi = assign_codes(v, n, ret, codes);
    if (n_hi > 0 && n_hi < n) return;
    /* One level is enough, and there is one way to say so. The smallest magnitude is below the
     * mean, and the threshold above it, so that lo is surely used now.
     */
    (void)quant_levels_read(to_bf16(mean), 0, ret);
    (void)assign_codes(v, n, ret, codes);
}

bool quant_scale_ok(float scale, float max)
{
    uint32_t bits;
    memcpy(&bits, &scale, 4);
    return bits >= magnitude(QUANT_MIN / 127.0F) && bits <= magnitude(max / 127.0F);
}

float quant_eight(const float *v, uint32_t n, int8_t *codes)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t b = magnitude(v[i]);
        top = b > top ? b : top;
    }
    if (top < magnitude(QUANT_MIN)) {
        memset(codes, 0, n);
        return 0;
    }
    float max;
    memcpy(&max, &top, 4);
    float scale = max / 127.0F;
    for (uint32_t i = 0; i < n; i++) {
        float x = v[i] / scale;
        int c = (int)(x + (x < 0 ? -0.5F : 0.5F));
        c = c > 127 ? 127 : c;
        codes[i] = (int8_t)(c < -127 ? -127 : c);
    }
    return scale;
}
