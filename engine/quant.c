#include "engine/quant.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define TOP_BITS 11u /* exponent and three bits of mantissa: the first histogram */
#define LOW_BITS 10u /* the second and third histogram */

#define SCALE_SHIFT 19u /* bits of an fp32 below those of a scale */

/* Fine steps where sparse chunks live (their values are alike), coarse ones up to what a whole
 * Laplacian chunk wants. All of them are exact in fp32. The first stands for one level.
 */
static const float RATIOS[16] = {1.0F,   1.25F, 1.375F, 1.5F, 1.625F, 1.75F, 1.875F, 2.0F,
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

/* The k largest among those whose magnitude is at least t, `equal` of which have just that. */
static void collect(const float *v, uint32_t n, uint32_t k, uint32_t t, uint32_t equal,
                    uint16_t *pos)
{
    uint32_t at = 0;
    for (uint32_t i = 0; at < k && i < n; i++) {
        uint32_t m = magnitude(v[i]);
        uint32_t tie = (m == t) & (equal > 0);
        pos[at] = (uint16_t)i;
        at += (m > t) | tie;
        equal -= tie;
    }
}

/* How many of m[n] are at least t. */
static uint32_t count_from(const int32_t *m, uint32_t n, int32_t t)
{
    int32_t count = 0;
    for (uint32_t i = 0; i < n; i++)
        count += m[i] >= t;
    return (uint32_t)count;
}

/* The largest t with at least k of m[n] from it on, in steps of 1 << shift. */
static int32_t kth_of(const int32_t *m, uint32_t n, uint32_t k, unsigned shift)
{
    int32_t t = 0;
    for (unsigned bit = 31; bit-- > shift;)
        if (count_from(m, n, t + (1 << bit)) >= k) t += 1 << bit;
    return t;
}

#define GROUPS   256u /* of the values of a chunk: every 256th is in the same */
#define FEW      (GROUPS / 4)
#define BLOCK    32u
#define MOST_FEW 1024u /* candidates; more only where many values are alike */

/* For few of many: the k-th largest of the groups' maxima is a bound that all of the k reach, and
 * hardly any other does; the rest is among some hundred candidates. False when there are too many.
 */
static bool top_of_groups(const float *v, uint32_t n, uint32_t k, uint16_t *pos)
{
    int32_t most[GROUPS] = {0};
    int32_t cand[MOST_FEW];
    float at[MOST_FEW];
    uint16_t where[MOST_FEW];
    for (uint32_t i = 0; i + GROUPS <= n; i += GROUPS)
        for (uint32_t j = 0; j < GROUPS; j++) {
            int32_t m = (int32_t)magnitude(v[i + j]);
            most[j] = m > most[j] ? m : most[j];
        }
    int32_t bound = kth_of(most, GROUPS, k, 16);
    uint32_t n_cand = 0;
    for (uint32_t i = 0; i < n; i += BLOCK) {
        uint32_t len = n - i < BLOCK ? n - i : BLOCK;
        int32_t any = 0;
        for (uint32_t j = 0; len == BLOCK && j < BLOCK; j++)
            any |= -((int32_t)magnitude(v[i + j]) >= bound);
        if (!any && len == BLOCK) continue;
        if (n_cand + BLOCK > MOST_FEW) return false;
        for (uint32_t j = 0; j < len; j++) {
            int32_t m = (int32_t)magnitude(v[i + j]);
            cand[n_cand] = m;
            at[n_cand] = v[i + j];
            where[n_cand] = (uint16_t)(i + j);
            n_cand += m >= bound;
        }
    }
    int32_t t = kth_of(cand, n_cand, k, 0);
    collect(at, n_cand, k, (uint32_t)t, k - count_from(cand, n_cand, t + 1), pos);
    for (uint32_t i = 0; i < k; i++)
        pos[i] = where[pos[i]];
    return true;
}

void quant_top(const float *v, uint32_t n, uint32_t k, uint16_t *pos)
{
    assert(k >= 1 && k <= n && n <= 4096);
    if (k == n) {
        for (uint32_t i = 0; i < n; i++)
            pos[i] = (uint16_t)i;
        return;
    }
    if (k <= FEW && n >= 2 * GROUPS && top_of_groups(v, n, k, pos)) return;
    uint32_t equal = 0;
    uint32_t t = threshold(v, n, k, &equal);
    collect(v, n, k, t, equal, pos);
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

float quant_scale(uint32_t code)
{
    uint32_t bits = code << SCALE_SHIFT;
    float v;
    memcpy(&v, &bits, 4);
    return v;
}

static uint32_t nearest_code(double v)
{
    return (magnitude((float)v) + (1u << (SCALE_SHIFT - 1))) >> SCALE_SHIFT;
}

bool quant_levels_read(uint32_t lo_code, uint32_t ratio, struct quant_levels *ret)
{
    float lo = quant_scale(lo_code);
    if (lo_code > QUANT_SCALE_MAX || !(lo >= QUANT_MIN && lo <= QUANT_MAX) || ratio > 15)
        return false;
    ret->lo_code = (uint16_t)lo_code;
    ret->ratio = (uint8_t)ratio;
    ret->lo = lo;
    ret->hi = lo * RATIOS[ratio];
    return true;
}

static uint8_t nearest_ratio(double ratio)
{
    uint8_t r = 1;
    while (r < 15 && ratio > ((double)RATIOS[r] + (double)RATIOS[r + 1]) / 2)
        r++;
    return r;
}

/* high[k] for magnitudes m[k]; returns the squared error. */
static double assign_levels(const float *m, uint32_t k, const struct quant_levels *q, uint8_t *high,
                            uint32_t *ret_high)
{
    float th = q->ratio ? (q->lo + q->hi) * 0.5F : 2 * QUANT_MAX;
    double sum = 0;
    *ret_high = 0;
    for (uint32_t i = 0; i < k; i++) {
        high[i] = m[i] > th;
        *ret_high += high[i];
        double miss = (double)(m[i] - (high[i] ? q->hi : q->lo));
        sum += miss * miss;
    }
    return sum;
}

/* Two levels for magnitudes m[k]; false when they are all alike. */
static bool two_levels(const float *m, uint32_t k, double total, struct quant_levels *ret)
{
    double lo = total / k;
    double th = lo;
    uint8_t r = 0;
    for (int i_step = 0; i_step < 6; i_step++) {
        double hi = 0;
        uint32_t n_hi = 0;
        split(m, k, (float)th, &hi, &n_hi);
        if (n_hi == 0 || n_hi == k) return false;
        double c = hi / n_hi / ((total - hi) / (k - n_hi));
        r = nearest_ratio(c);
        c = (double)RATIOS[r];
        lo = (total - hi + c * hi) / ((k - n_hi) + c * c * n_hi); /* best lo for this split */
        th = lo * (1 + c) / 2;
    }
    return quant_levels_read(nearest_code(lo), r, ret);
}

/* What one more value would have saved, for each bit it takes: a place costs about log2(n / k)
 * and 1.4, its sign one.
 */
static double worth_of_bit(const float *m, uint32_t k, uint32_t n)
{
    float least = m[0];
    for (uint32_t i = 1; i < k; i++)
        least = m[i] < least ? m[i] : least;
    double bits = k < n ? 2.4 : 1;
    for (uint32_t x = n / k; x > 1; x /= 2)
        bits += 1;
    return (double)least * (double)least / bits;
}

void quant_choose(const float *v, uint32_t k, uint32_t n, struct quant_levels *ret,
                  uint8_t *negative, uint8_t *high)
{
    assert(k >= 1 && k <= n && n <= 4096);
    float m[4096];
    uint8_t high_two[4096];
    double total = 0;
    uint32_t n_hi = 0;
    for (uint32_t i = 0; i < k; i++) {
        m[i] = fabsf(v[i]);
        negative[i] = signbit(v[i]) != 0;
    }
    split(m, k, -1.0F, &total, &n_hi);
    memset(ret, 0, sizeof *ret);
    if (!(total / k >= (double)QUANT_MIN)) return;
    uint32_t code = nearest_code(total / k);
    if (quant_scale(code) > QUANT_MAX) code--;
    (void)quant_levels_read(code, 0, ret);
    double miss = assign_levels(m, k, ret, high, &n_hi);
    struct quant_levels two;
    double worth = worth_of_bit(m, k, n);
    /* A level takes at least 4 p (1 - p) bits a value, and two have to be told apart. */
    if (miss <= 6 * worth || !two_levels(m, k, total, &two)) return;
    double left = assign_levels(m, k, &two, high_two, &n_hi);
    double bits = 6 + 4 * (double)n_hi * (double)(k - n_hi) / k;
    if (n_hi == 0 || n_hi == k || miss - left <= bits * worth) return;
    *ret = two;
    memcpy(high, high_two, k);
}

bool quant_scale_ok(uint32_t code, uint32_t top, float max)
{
    if (code == 0 || code > QUANT_SCALE_MAX || top > 127) return false;
    float scale = quant_scale(code);
    if (scale * 127.0F < QUANT_MIN || scale * 127.0F > 2 * max) return false;
    return scale * (float)top > quant_scale(code - 1) * 127.0F;
}

uint32_t quant_eight(const float *v, uint32_t n, int8_t *codes)
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
    uint32_t code = magnitude(max / 127.0F) >> SCALE_SHIFT;
    while (quant_scale(code) * 127.0F < max) /* at most twice; such products are exact */
        code++;
    /* When the largest would be rounded down to what the next smaller scale can say, that one. */
    uint32_t reach = (uint32_t)(max / quant_scale(code) + 0.5F);
    if (quant_scale(code) * (float)reach <= quant_scale(code - 1) * 127.0F) code--;
    float scale = quant_scale(code);
    for (uint32_t i = 0; i < n; i++) {
        float x = v[i] / scale;
        int c = (int)(x + (x < 0 ? -0.5F : 0.5F));
        c = c > 127 ? 127 : c;
        codes[i] = (int8_t)(c < -127 ? -127 : c);
    }
    return code;
}
