#include "engine/kernels.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* One clone per instruction set, chosen when the program is loaded. The sanitizers are not ready
 * yet when that choice runs, so their builds keep the portable loop: the bits are the same.
 */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) &&             \
    !defined(__SANITIZE_THREAD__) && !defined(__clang__)
#    define CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#    define CLONES
#endif
#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };

/* The fixed tree: halves folded onto each other. */
INLINE float fold(float *s)
{
    for (int w = LANES / 2; w; w /= 2)
        for (int i = 0; i < w; i++)
            s[i] += s[i + w];
    return s[0];
}

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

/* Round to nearest by adding 1.5 * 2^23; its low bits are then the integer, ready to become the
 * exponent. Polynomial: Taylor to the seventh power, whose
 * rest on [-ln2/2, ln2/2] is below 6e-9.
 */
INLINE float exp1(float x)
{
    x = x > 88.0F ? 88.0F : x;
    float y = x < -87.0F ? -87.0F : x;
    float t = y * 1.44269504F + 12582912.0F;
    float k = t - 12582912.0F;
    float r = (y - k * 0.693359375F) - k * -2.12194440e-4F;
    float p = 1.9841270e-4F;
    p = p * r + 1.3888889e-3F;
    p = p * r + 8.3333333e-3F;
    p = p * r + 4.1666668e-2F;
    p = p * r + 0.16666667F;
    p = p * r + 0.5F;
    p = (p * r) * r + r;
    uint32_t bits = 0;
    memcpy(&bits, &t, 4);
    bits = (bits + 127u) << 23; /* the bias of 12582912 is a multiple of 2^9: it shifts out */
    float two_k = 0;
    memcpy(&two_k, &bits, 4);
    float e = two_k + two_k * p;
    return x < -87.0F ? 0.0F : e;
}

float kernels_exp(float x)
{
    return exp1(x);
}

/* ---- sums ---- */

CLONES float kernels_sumsq(const float *x, uint32_t n)
{
    float s[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            s[j] += x[i + (uint32_t)j] * x[i + (uint32_t)j];
    for (int j = 0; i < n; i++, j++)
        s[j] += x[i] * x[i];
    return fold(s);
}

CLONES double kernels_sumsq64(const float *x, uint32_t n)
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

CLONES float kernels_dot(const float *x, const float *y, uint32_t n)
{
    float s[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            s[j] += x[i + (uint32_t)j] * y[i + (uint32_t)j];
    for (int j = 0; i < n; i++, j++)
        s[j] += x[i] * y[i];
    return fold(s);
}

CLONES float kernels_dot3(const float *x, const float *y, const float *z, uint32_t n)
{
    float s[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            s[j] += x[i + (uint32_t)j] * y[i + (uint32_t)j] * z[i + (uint32_t)j];
    for (int j = 0; i < n; i++, j++)
        s[j] += x[i] * y[i] * z[i];
    return fold(s);
}

CLONES float kernels_max(const float *x, uint32_t n)
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

CLONES float kernels_exp_sum(float *restrict x, float shift, uint32_t n)
{
    float s[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        float v[LANES];
        for (int j = 0; j < LANES; j++)
            v[j] = exp1(x[i + (uint32_t)j] - shift);
        for (int j = 0; j < LANES; j++)
            x[i + (uint32_t)j] = v[j];
        for (int j = 0; j < LANES; j++)
            s[j] += v[j];
    }
    for (int j = 0; i < n; i++, j++) {
        x[i] = exp1(x[i] - shift);
        s[j] += x[i];
    }
    return fold(s);
}

/* ---- element-wise ---- */

CLONES void kernels_add(float *restrict y, const float *restrict x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] += x[i];
}

CLONES void kernels_scale(float *x, float s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] *= s;
}

CLONES void kernels_norm(float *restrict y, const float *restrict x, const float *restrict w,
                         float rstd, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] = x[i] * rstd * w[i];
}

CLONES void kernels_norm_back(float *restrict dx, const float *restrict dy, const float *restrict w,
                              const float *restrict x, float rstd, float c, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        dx[i] += rstd * (dy[i] * w[i]) - c * x[i];
}

CLONES void kernels_norm_dw(float *restrict dw, const float *restrict dy, const float *restrict x,
                            float rstd, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        dw[i] += dy[i] * (x[i] * rstd);
}

CLONES void kernels_swiglu(float *restrict act, const float *restrict gate,
                           const float *restrict up, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        act[i] = gate[i] / (1.0F + exp1(-gate[i])) * up[i];
}

CLONES void kernels_swiglu_back(float *restrict d_gate, float *restrict d_up,
                                const float *restrict d_act, const float *restrict gate,
                                const float *restrict up, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        float g = gate[i];
        float sig = 1.0F / (1.0F + exp1(-g));
        float silu = g * sig;
        d_up[i] = d_act[i] * silu;
        d_gate[i] = d_act[i] * up[i] * (sig + silu * (1.0F - sig));
    }
}

CLONES void kernels_rope(float *restrict x, const float *restrict c, const float *restrict s,
                         uint32_t half)
{
    for (uint32_t i = 0; i < half; i++) {
        float a = x[i];
        float b = x[i + half];
        x[i] = a * c[i] - b * s[i];
        x[i + half] = b * c[i] + a * s[i];
    }
}

CLONES void kernels_rope_back(float *restrict x, const float *restrict c, const float *restrict s,
                              uint32_t half)
{
    for (uint32_t i = 0; i < half; i++) {
        float a = x[i];
        float b = x[i + half];
        x[i] = a * c[i] + b * s[i];
        x[i + half] = b * c[i] - a * s[i];
    }
}

CLONES void kernels_exp_shift(float *x, float shift, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] = exp1(x[i] - shift);
}

CLONES void kernels_softmax_back(float *restrict dp, const float *restrict p, float delta,
                                 float scale, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        dp[i] = p[i] * (dp[i] - delta) * scale;
}

CLONES void kernels_adamw(const struct kernels_adamw *k, float *restrict w, float *restrict m,
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
