#include "engine/kernels.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "engine/kernels_inline.h"

#define INLINE KERNELS_INLINE
enum { LANES = KERNELS_LANES };

/* ---- scalar double ---- */

static double from_bits(uint64_t b)
{
    double x = 0;
    memcpy(&x, &b, 8);
    return x;
}

static const double LN2_HI = 0x1.62e42fee00000p-1;
static const double LN2_LO = 0x1.a39ef35793c76p-33;

double kernels_exp64(double x)
{
    if (x < -700) return 0;
    if (x > 700) x = 700;
    double k = floor(x * 0x1.71547652b82fep0 + 0.5);
    double r = (x - k * LN2_HI) - k * LN2_LO; /* |r| <= ln2 / 2 */
    double s = 1;
    for (int i = 16; i > 0; i--) /* Taylor; the 17th term is below 1e-22 */
        s = 1 + s * r / i;
    return s * from_bits((uint64_t)((int64_t)k + 1023) << 52);
}

double kernels_log64(double x)
{
    int k = 0;
    double m = frexp(x, &k); /* [0.5, 1) */
    if (m < 0x1.6a09e667f3bcdp-1) {
        m *= 2;
        k--;
    }
    double t = (m - 1) / (m + 1); /* log m = 2 atanh t, |t| < 0.172 */
    double t2 = t * t;
    double s = 0;
    for (int i = 23; i > 0; i -= 2)
        s = 1.0 / i + s * t2;
    return k * LN2_HI + (2 * t * s + k * LN2_LO);
}

/* sin and cos of r in [-pi/4, pi/4] by Taylor, after taking off q quarter turns. */
static double quarter(double r, int q)
{
    double r2 = r * r;
    double s = 1;
    bool odd = q & 1;
    for (int i = odd ? 18 : 19; i > 1; i -= 2)
        s = 1 - s * r2 / (i * (i - 1.0));
    double v = odd ? s : s * r;
    return q & 2 ? -v : v;
}

static double circle(double x, int shift)
{
    double k = floor(x * 0x1.45f306dc9c883p-1 + 0.5);
    double r = ((x - k * 0x1.921fb54400000p0) - k * 0x1.0b4611a600000p-34) -
               k * 0x1.3198a2e037073p-69; /* pi/2 in three parts */
    return quarter(r, (int)((int64_t)k + shift) & 3);
}

double kernels_sin64(double x)
{
    return circle(x, 0);
}

double kernels_cos64(double x)
{
    return circle(x, 1);
}

double kernels_pow_int(double x, uint64_t n)
{
    double y = 1;
    for (; n; n >>= 1) {
        if (n & 1) y *= x;
        x *= x;
    }
    return y;
}

/* ---- exp, single precision ---- */

float kernels_exp(float x)
{
    return kernels_exp1(x);
}

/* ---- sums ---- */

INLINE float sumsq(const float *x, uint32_t n)
{
    float s[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            s[j] += x[i + (uint32_t)j] * x[i + (uint32_t)j];
    for (int j = 0; i < n; i++, j++)
        s[j] += x[i] * x[i];
    return kernels_fold(s);
}
KERNELS_SUM(float, sumsq, (const float *x, uint32_t n), sumsq(x, n))

float kernels_sumsq(const float *x, uint32_t n)
{
    return KERNELS_PICK(sumsq)(x, n);
}

INLINE double sumsq64(const float *x, uint32_t n)
{
    double s[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            s[j] += (double)x[i + (uint32_t)j] * (double)x[i + (uint32_t)j];
    for (int j = 0; i < n; i++, j++)
        s[j] += (double)x[i] * (double)x[i];
    for (int w = LANES / 2; w; w /= 2)
        for (int j = 0; j < w; j++)
            s[j] += s[j + w];
    return s[0];
}
KERNELS_SUM(double, sumsq64, (const float *x, uint32_t n), sumsq64(x, n))

double kernels_sumsq64(const float *x, uint32_t n)
{
    return KERNELS_PICK(sumsq64)(x, n);
}

INLINE float dot(const float *x, const float *y, uint32_t n)
{
    float s[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            s[j] += x[i + (uint32_t)j] * y[i + (uint32_t)j];
    for (int j = 0; i < n; i++, j++)
        s[j] += x[i] * y[i];
    return kernels_fold(s);
}
KERNELS_SUM(float, dot, (const float *x, const float *y, uint32_t n), dot(x, y, n))

float kernels_dot(const float *x, const float *y, uint32_t n)
{
    return KERNELS_PICK(dot)(x, y, n);
}

INLINE float max(const float *x, uint32_t n)
{
    float s[LANES];
    for (int j = 0; j < LANES; j++)
        s[j] = x[0];
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            s[j] = x[i + (uint32_t)j] > s[j] ? x[i + (uint32_t)j] : s[j];
    for (int j = 0; i < n; i++, j++)
        s[j] = x[i] > s[j] ? x[i] : s[j];
    float m = s[0];
    for (int j = 1; j < LANES; j++)
        m = s[j] > m ? s[j] : m;
    return m;
}
KERNELS_SUM(float, max, (const float *x, uint32_t n), max(x, n))

float kernels_max(const float *x, uint32_t n)
{
    return KERNELS_PICK(max)(x, n);
}

/* ---- element-wise ---- */

INLINE void add(float *restrict y, const float *restrict x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] += x[i];
}
KERNELS_LOOP(add, (float *restrict y, const float *restrict x, uint32_t n), add(y, x, n))

void kernels_add(float *y, const float *x, uint32_t n)
{
    KERNELS_PICK(add)(y, x, n);
}

INLINE void max_rows(float *restrict y, const float *restrict x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] = x[i] > y[i] ? x[i] : y[i];
}
KERNELS_LOOP(max_rows, (float *restrict y, const float *restrict x, uint32_t n), max_rows(y, x, n))

void kernels_max_rows(float *y, const float *x, uint32_t n)
{
    KERNELS_PICK(max_rows)(y, x, n);
}

INLINE void scale(float *x, float s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] *= s;
}
KERNELS_LOOP(scale, (float *x, float s, uint32_t n), scale(x, s, n))

void kernels_scale(float *x, float s, uint32_t n)
{
    KERNELS_PICK(scale)(x, s, n);
}

INLINE void exp_shift(float *x, float shift, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] = kernels_exp1(x[i] - shift);
}
KERNELS_LOOP(exp_shift, (float *x, float shift, uint32_t n), exp_shift(x, shift, n))

void kernels_exp_shift(float *x, float shift, uint32_t n)
{
    KERNELS_PICK(exp_shift)(x, shift, n);
}

INLINE void adamw(const struct kernels_adamw *k, float *restrict w, float *restrict m,
                  float *restrict v, const float *restrict g, uint32_t n)
{
    const struct kernels_adamw h = *k;
    const float one_b1 = 1.0F - h.beta1;
    const float one_b2 = 1.0F - h.beta2;
    for (uint32_t i = 0; i < n; i++) {
        float d = g[i] * h.grad_scale;
        m[i] = h.beta1 * m[i] + one_b1 * d;
        v[i] = h.beta2 * v[i] + one_b2 * d * d;
        float root = sqrtf(v[i]) / h.root_bias + h.eps;
        w[i] = w[i] * h.keep - h.step * m[i] / root;
    }
}
KERNELS_LOOP(adamw,
             (const struct kernels_adamw *k, float *restrict w, float *restrict m,
              float *restrict v, const float *restrict g, uint32_t n),
             adamw(k, w, m, v, g, n))

void kernels_adamw(const struct kernels_adamw *k, float *w, float *m, float *v, const float *g,
                   uint32_t n)
{
    KERNELS_PICK(adamw)(k, w, m, v, g, n);
}
