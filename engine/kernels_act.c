#include "engine/kernels_act.h"

#include "base/err.h"
#include "engine/bf16.h"
#include "engine/kernels_bf16.h"
#include "engine/kernels_inline.h"

#define INLINE KERNELS_INLINE
enum { LANES = KERNELS_LANES };

INLINE float get(const void *p, uint32_t i, const bool is_bf16)
{
    return is_bf16 ? bf16_to_float(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}

INLINE void put(void *p, uint32_t i, float v, const bool is_bf16)
{
    if (is_bf16)
        ((uint16_t *)p)[i] = bf16_of_float(v);
    else
        ((float *)p)[i] = v;
}

/* What `put` stores, as a float again: later readers see the rounded value. */
INLINE float seen(float v, const bool is_bf16)
{
    return is_bf16 ? bf16_to_float(bf16_of_float(v)) : v;
}

/* Each loop is written once, for a constant is_bf16. */
#define LOOP(fn, params, ...)                                                                      \
    KERNELS_LOOP(fn##_f32, params, fn(__VA_ARGS__, false))                                         \
    KERNELS_LOOP(fn##_bf16, params, fn(__VA_ARGS__, true))
#define SUM(fn, params, ...)                                                                       \
    KERNELS_SUM(float, fn##_f32, params, fn(__VA_ARGS__, false))                                   \
    KERNELS_SUM(float, fn##_bf16, params, fn(__VA_ARGS__, true))
#if defined(__x86_64__)
#    define PICK(fn)                                                                               \
        (type == MICRO_F32                    ? KERNELS_PICK(fn##_f32)                             \
         : micro_level() >= MICRO_AVX512_BF16 ? kernels_bf16_##fn                                  \
                                              : KERNELS_PICK(fn##_bf16))
#else
#    define PICK(fn) (type == MICRO_F32 ? fn##_f32_c : fn##_bf16_c)
#endif

/* A loop over floats that ends in pairs. */
#if defined(__x86_64__)
#    define ONE(fn) (micro_level() >= MICRO_AVX512_BF16 ? kernels_bf16_##fn : KERNELS_PICK(fn))
#else
#    define ONE(fn) KERNELS_PICK(fn)
#endif

/* ---- moves ---- */

INLINE void scaled(void *y, const float *x, float f, uint32_t n, const bool is_bf16)
{
    for (uint32_t i = 0; i < n; i++)
        put(y, i, x[i] * f, is_bf16);
}
LOOP(scaled, (void *restrict y, const float *restrict x, float f, uint32_t n), y, x, f, n)

void kernels_act_scaled(enum micro_type type, void *y, const float *x, float f, uint32_t n)
{
    PICK(scaled)(y, x, f, n);
}

void kernels_act_put(enum micro_type type, void *y, const float *x, uint32_t n)
{
    if (type == MICRO_F32)
        memcpy(y, x, n * sizeof *x);
    else
        PICK(scaled)(y, x, 1.0F, n);
}

INLINE void widen(float *y, const void *x, uint32_t n, const bool is_bf16)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] = get(x, i, is_bf16);
}
LOOP(widen, (float *restrict y, const void *restrict x, uint32_t n), y, x, n)

void kernels_act_get(enum micro_type type, float *y, const void *x, uint32_t n)
{
    PICK(widen)(y, x, n);
}

INLINE void scale(void *e, float f, uint32_t from, uint32_t n, const bool is_bf16)
{
    for (uint32_t i = from; i < from + n; i++)
        put(e, i, get(e, i, is_bf16) * f, is_bf16);
}

INLINE void scale_panels(void *e, const float *f, uint32_t panel, uint32_t n, const bool is_bf16)
{
    uint32_t i = 0;
    for (; panel == MICRO_NR && i + MICRO_NR <= n; i += MICRO_NR) /* the usual width, unrolled */
        scale(e, f[i / MICRO_NR], i, MICRO_NR, is_bf16);
    for (; i < n; i += panel)
        scale(e, f[i / panel], i, n - i < panel ? n - i : panel, is_bf16);
}
LOOP(scale_panels, (void *restrict e, const float *restrict f, uint32_t panel, uint32_t n), e, f,
     panel, n)

void kernels_act_scale_panels(enum micro_type type, void *e, const float *f, uint32_t panel,
                              uint32_t n)
{
    PICK(scale_panels)(e, f, panel, n);
}

INLINE void pair(uint32_t *units, const float *even, const float *odd, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        units[i] = bf16_of_float(even[i]) | (uint32_t)bf16_of_float(odd[i]) << 16;
}
KERNELS_LOOP(pair,
             (uint32_t *restrict units, const float *restrict even, const float *restrict odd,
              uint32_t n),
             pair(units, even, odd, n))

void kernels_act_pair(uint32_t *units, const float *even, const float *odd, uint32_t n)
{
    ONE(pair)(units, even, odd, n);
}

/* ---- RMSNorm ---- */

INLINE void norm(void *unit, void *y, const float *x, const float *w, float rstd, uint32_t n,
                 const bool is_bf16)
{
    for (uint32_t i = 0; i < n; i++) {
        float u = seen(x[i] * rstd, is_bf16);
        put(unit, i, u, is_bf16);
        put(y, i, u * w[i], is_bf16);
    }
}
LOOP(norm,
     (void *restrict unit, void *restrict y, const float *restrict x, const float *restrict w,
      float rstd, uint32_t n),
     unit, y, x, w, rstd, n)

void kernels_act_norm(enum micro_type type, void *unit, void *y, const float *x, const float *w,
                      float rstd, uint32_t n)
{
    PICK(norm)(unit, y, x, w, rstd, n);
}

INLINE void again(void *y, const void *unit, const float *w, uint32_t n, const bool is_bf16)
{
    for (uint32_t i = 0; i < n; i++)
        put(y, i, get(unit, i, is_bf16) * w[i], is_bf16);
}
LOOP(again, (void *restrict y, const void *restrict unit, const float *restrict w, uint32_t n), y,
     unit, w, n)

void kernels_act_norm_again(enum micro_type type, void *y, const void *unit, const float *w,
                            uint32_t n)
{
    PICK(again)(y, unit, w, n);
}

INLINE float norm_dot(const void *dy, const float *w, const void *unit, uint32_t n,
                      const bool is_bf16)
{
    float s[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (uint32_t j = 0; j < LANES; j++)
            s[j] = fmaf(get(dy, i + j, is_bf16) * w[i + j], get(unit, i + j, is_bf16), s[j]);
    for (uint32_t j = 0; i < n; i++, j++)
        s[j] = fmaf(get(dy, i, is_bf16) * w[i], get(unit, i, is_bf16), s[j]);
    return kernels_fold(s);
}
SUM(norm_dot, (const void *dy, const float *w, const void *unit, uint32_t n), dy, w, unit, n)

float kernels_act_norm_dot(enum micro_type type, const void *dy, const float *w, const void *unit,
                           uint32_t n)
{
    return PICK(norm_dot)(dy, w, unit, n);
}

INLINE void norm_back(float *dx, void *dx_act, float *dw, const void *dy, const float *w,
                      const void *unit, float rstd, float c, uint32_t n, const bool is_bf16)
{
    for (uint32_t i = 0; i < n; i++) {
        float d = get(dy, i, is_bf16);
        float u = get(unit, i, is_bf16);
        float v = fmaf(rstd, fmaf(d, w[i], -(u * c)), dx[i]);
        dw[i] = fmaf(d, u, dw[i]);
        dx[i] = v;
        if (is_bf16) put(dx_act, i, v, true);
    }
}
LOOP(norm_back,
     (float *restrict dx, void *restrict dx_act, float *restrict dw, const void *restrict dy,
      const float *restrict w, const void *restrict unit, float rstd, float c, uint32_t n),
     dx, dx_act, dw, dy, w, unit, rstd, c, n)

void kernels_act_norm_back(enum micro_type type, float *dx, void *dx_act, float *dw, const void *dy,
                           const float *w, const void *unit, float rstd, float c, uint32_t n)
{
    PICK(norm_back)(dx, dx_act, dw, dy, w, unit, rstd, c, n);
}

/* ---- SwiGLU, rotary positions ---- */

INLINE void swiglu(void *act, const void *gate, const void *up, uint32_t n, const bool is_bf16)
{
    for (uint32_t i = 0; i < n; i++) {
        float g = get(gate, i, is_bf16);
        float sig = 1.0F / (1.0F + kernels_exp1(-g));
        put(act, i, g * sig * get(up, i, is_bf16), is_bf16);
    }
}
LOOP(swiglu, (void *restrict act, const void *restrict gate, const void *restrict up, uint32_t n),
     act, gate, up, n)

void kernels_act_swiglu(enum micro_type type, void *act, const void *gate, const void *up,
                        uint32_t n)
{
    PICK(swiglu)(act, gate, up, n);
}

INLINE void swiglu_back(void *act, void *d_gate, void *d_up, const void *d_act, const void *gate,
                        const void *up, uint32_t n, const bool is_bf16)
{
    for (uint32_t i = 0; i < n; i++) {
        float g = get(gate, i, is_bf16);
        float u = get(up, i, is_bf16);
        float d = get(d_act, i, is_bf16);
        float sig = 1.0F / (1.0F + kernels_exp1(-g));
        float silu = g * sig;
        put(act, i, silu * u, is_bf16);
        put(d_up, i, d * silu, is_bf16);
        put(d_gate, i, d * u * fmaf(silu, 1.0F - sig, sig), is_bf16);
    }
}
LOOP(swiglu_back,
     (void *restrict act, void *restrict d_gate, void *restrict d_up, const void *restrict d_act,
      const void *restrict gate, const void *restrict up, uint32_t n),
     act, d_gate, d_up, d_act, gate, up, n)

void kernels_act_swiglu_back(enum micro_type type, void *act, void *d_gate, void *d_up,
                             const void *d_act, const void *gate, const void *up, uint32_t n)
{
    PICK(swiglu_back)(act, d_gate, d_up, d_act, gate, up, n);
}

/* turn: 1, or -1 for the way back. */
INLINE void rope(void *x, void *y, const float *c, const float *s, float turn, uint32_t half,
                 const bool is_bf16)
{
    for (uint32_t i = 0; i < half; i++) {
        float a = get(x, i, is_bf16);
        float b = get(y, i, is_bf16);
        float sine = s[i] * turn;
        put(x, i, fmaf(a, c[i], -(b * sine)), is_bf16);
        put(y, i, fmaf(b, c[i], a * sine), is_bf16);
    }
}
LOOP(rope,
     (void *restrict x, void *restrict y, const float *restrict c, const float *restrict s,
      float turn, uint32_t half),
     x, y, c, s, turn, half)

void kernels_act_rope(enum micro_type type, void *x, const float *c, const float *s, uint32_t half)
{
    PICK(rope)(x, kernels_act_at(x, type, half), c, s, 1.0F, half);
}

void kernels_act_rope_back(enum micro_type type, void *x, const float *c, const float *s,
                           uint32_t half)
{
    PICK(rope)(x, kernels_act_at(x, type, half), c, s, -1.0F, half);
}

/* ---- attention ---- */

INLINE float dot(const void *x, const void *y, uint32_t n, const bool is_bf16)
{
    float s[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (uint32_t j = 0; j < LANES; j++)
            s[j] = fmaf(get(x, i + j, is_bf16), get(y, i + j, is_bf16), s[j]);
    for (uint32_t j = 0; i < n; i++, j++)
        s[j] = fmaf(get(x, i, is_bf16), get(y, i, is_bf16), s[j]);
    return kernels_fold(s);
}
SUM(dot, (const void *x, const void *y, uint32_t n), x, y, n)

float kernels_act_dot(enum micro_type type, const void *x, const void *y, uint32_t n)
{
    return PICK(dot)(x, y, n);
}

INLINE void attn_exp(float *x, const float *top, float *sum, float scale_by, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        float e = kernels_exp1((x[i] - top[i]) * scale_by);
        x[i] = e;
        sum[i] += e;
    }
}
KERNELS_LOOP(attn_exp,
             (float *restrict x, const float *restrict top, float *restrict sum, float scale_by,
              uint32_t n),
             attn_exp(x, top, sum, scale_by, n))

void kernels_act_attn_exp(float *x, const float *top, float *sum, float scale_by, uint32_t n)
{
    KERNELS_PICK(attn_exp)(x, top, sum, scale_by, n);
}

INLINE void attn_back(void *p, void *ds, float *dp, const float *x, const float *lse,
                      const float *delta, float scale_by, uint32_t n, const bool is_bf16)
{
    for (uint32_t i = 0; i < n; i++) {
        float w = kernels_exp1(fmaf(x[i], scale_by, -lse[i]));
        float d = w * (dp[i] - delta[i]) * scale_by;
        put(p, i, w, is_bf16);
        put(ds, i, d, is_bf16);
        dp[i] = d;
    }
}
LOOP(attn_back,
     (void *restrict p, void *restrict ds, float *restrict dp, const float *restrict x,
      const float *restrict lse, const float *restrict delta, float scale_by, uint32_t n),
     p, ds, dp, x, lse, delta, scale_by, n)

void kernels_act_attn_back(enum micro_type type, void *p, void *ds, float *dp, const float *x,
                           const float *lse, const float *delta, float scale_by, uint32_t n)
{
    PICK(attn_back)(p, ds, dp, x, lse, delta, scale_by, n);
}

/* ---- loss ---- */

INLINE float most(const float *x, uint32_t n)
{
    float s[LANES];
    for (uint32_t j = 0; j < LANES; j++)
        s[j] = x[0];
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (uint32_t j = 0; j < LANES; j++)
            s[j] = x[i + j] > s[j] ? x[i + j] : s[j];
    for (uint32_t j = 0; i < n; i++, j++)
        s[j] = x[i] > s[j] ? x[i] : s[j];
    for (uint32_t w = LANES / 2; w; w /= 2)
        for (uint32_t j = 0; j < w; j++)
            s[j] = s[j + w] > s[j] ? s[j + w] : s[j];
    return s[0];
}

INLINE float logits(void *e, const float *x, uint32_t n, float *ret_top, const bool is_bf16)
{
    float top = most(x, n);
    float v[MICRO_NR];
    float s[LANES] = {0};
    for (uint32_t i = 0; i < n; i++)
        v[i] = kernels_exp1(x[i] - top);
    for (uint32_t i = 0; e && i < n; i++)
        put(e, i, v[i], is_bf16);
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (uint32_t j = 0; j < LANES; j++)
            s[j] += v[i + j];
    for (uint32_t j = 0; i < n; i++, j++)
        s[j] += v[i];
    *ret_top = top;
    return kernels_fold(s);
}
SUM(logits, (void *restrict e, const float *restrict x, uint32_t n, float *restrict ret_top), e, x,
    n, ret_top)

float kernels_act_logits(enum micro_type type, void *e, const float *x, uint32_t n, float *ret_top)
{
    check(n >= 1 && n <= MICRO_NR);
    return PICK(logits)(e, x, n, ret_top);
}
