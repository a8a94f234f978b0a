#include "engine/kernels_bf16.h"

#if defined(__x86_64__)
#    include <immintrin.h>
#    include <stddef.h>

#    define TARGET __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#    define INLINE static inline __attribute__((always_inline)) TARGET

/* Every loop goes 16 elements at a time; the last time under a mask, which reads zeros. */
#    define EACH16(i, n) for (uint32_t i = 0; (i) < (n); (i) += 16)

INLINE __mmask16 mask_of(uint32_t left)
{
    return (__mmask16)(left >= 16 ? 0xffffu : (1u << left) - 1u);
}

INLINE __m512 load(const float *x, __mmask16 m)
{
    return _mm512_maskz_loadu_ps(m, x);
}

INLINE void store(float *y, __mmask16 m, __m512 v)
{
    _mm512_mask_storeu_ps(y, m, v);
}

INLINE __m512 widen16(__m256i h)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

INLINE __m512 load16(const void *x, uint32_t i, __mmask16 m)
{
    return widen16(_mm256_maskz_loadu_epi16(m, (const uint16_t *)x + i));
}

INLINE __m256i round16(__m512 v)
{
    return (__m256i)_mm512_cvtneps_pbh(v);
}

INLINE void store16(void *y, uint32_t i, __mmask16 m, __m512 v)
{
    if (m == 0xffff)
        _mm256_storeu_si256((__m256i *)(void *)((uint16_t *)y + i), round16(v));
    else
        _mm256_mask_storeu_epi16((uint16_t *)y + i, m, round16(v));
}

/* kernels_exp1, 16 at a time. */
INLINE __m512 exp16(__m512 x)
{
    const __m512 low = _mm512_set1_ps(-87.0F);
    const __m512 magic = _mm512_set1_ps(12582912.0F);
    x = _mm512_min_ps(_mm512_set1_ps(88.0F), x); /* a NaN stays one */
    __m512 y = _mm512_max_ps(low, x);
    __m512 t = _mm512_fmadd_ps(y, _mm512_set1_ps(1.44269504F), magic);
    __m512 k = _mm512_sub_ps(t, magic);
    __m512 r = _mm512_fmadd_ps(k, _mm512_set1_ps(-0.693359375F), y);
    r = _mm512_fmadd_ps(k, _mm512_set1_ps(2.12194440e-4F), r);
    __m512 p = _mm512_set1_ps(1.9841270e-4F);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3888889e-3F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3333333e-3F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1666668e-2F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.16666667F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5F));
    p = _mm512_fmadd_ps(_mm512_mul_ps(p, r), r, r);
    __m512i bits = _mm512_add_epi32(_mm512_castps_si512(t), _mm512_set1_epi32(127));
    __m512 two_k = _mm512_castsi512_ps(_mm512_slli_epi32(bits, 23));
    __mmask16 keep = _mm512_cmp_ps_mask(x, low, _CMP_NLT_UQ);
    return _mm512_maskz_fmadd_ps(keep, two_k, p, two_k);
}

/* The fixed tree of kernels_fold. */
INLINE float fold(__m512 s)
{
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_shuffle_ps(b, b, 1)));
}

TARGET void kernels_bf16_scaled(void *y, const float *x, float f, uint32_t n)
{
    EACH16(i, n)
    {
        __mmask16 m = mask_of(n - i);
        store16(y, i, m, _mm512_mul_ps(load(x + i, m), _mm512_set1_ps(f)));
    }
}

TARGET void kernels_bf16_widen(float *y, const void *x, uint32_t n)
{
    EACH16(i, n)
    {
        __mmask16 m = mask_of(n - i);
        store(y + i, m, load16(x, i, m));
    }
}

TARGET void kernels_bf16_scale_panels(void *e, const float *f, uint32_t panel, uint32_t n)
{
    for (uint32_t from = 0; from < n; from += panel) {
        __m512 factor = _mm512_set1_ps(f[from / panel]);
        uint32_t end = n - from < panel ? n : from + panel;
        for (uint32_t i = from; i < end; i += 16) {
            __mmask16 m = mask_of(end - i);
            store16(e, i, m, _mm512_mul_ps(load16(e, i, m), factor));
        }
    }
}

TARGET void kernels_bf16_pair(uint32_t *units, const float *even, const float *odd, uint32_t n)
{
    const __m512i mix = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    EACH16(i, n)
    {
        __mmask16 m = mask_of(n - i);
        __m512i both = (__m512i)_mm512_cvtne2ps_pbh(load(odd + i, m), load(even + i, m));
        _mm512_mask_storeu_epi32(units + i, m, _mm512_permutexvar_epi16(mix, both));
    }
}

TARGET void kernels_bf16_norm(void *unit, void *y, const float *x, const float *w, float rstd,
                              uint32_t n)
{
    EACH16(i, n)
    {
        __mmask16 m = mask_of(n - i);
        __m256i u = round16(_mm512_mul_ps(load(x + i, m), _mm512_set1_ps(rstd)));
        _mm256_mask_storeu_epi16((uint16_t *)unit + i, m, u);
        store16(y, i, m, _mm512_mul_ps(widen16(u), load(w + i, m)));
    }
}

TARGET void kernels_bf16_again(void *y, const void *unit, const float *w, uint32_t n)
{
    EACH16(i, n)
    {
        __mmask16 m = mask_of(n - i);
        store16(y, i, m, _mm512_mul_ps(load16(unit, i, m), load(w + i, m)));
    }
}

TARGET float kernels_bf16_norm_dot(const void *dy, const float *w, const void *unit, uint32_t n)
{
    __m512 s = _mm512_setzero_ps();
    EACH16(i, n)
    {
        __mmask16 m = mask_of(n - i);
        __m512 dw = _mm512_mul_ps(load16(dy, i, m), load(w + i, m));
        s = _mm512_mask3_fmadd_ps(dw, load16(unit, i, m), s, m);
    }
    return fold(s);
}

TARGET void kernels_bf16_norm_back(float *dx, void *dx_act, float *dw, const void *dy,
                                   const float *w, const void *unit, float rstd, float c,
                                   uint32_t n)
{
    EACH16(i, n)
    {
        __mmask16 m = mask_of(n - i);
        __m512 d = load16(dy, i, m);
        __m512 u = load16(unit, i, m);
        __m512 v = _mm512_fmsub_ps(d, load(w + i, m), _mm512_mul_ps(u, _mm512_set1_ps(c)));
        v = _mm512_fmadd_ps(_mm512_set1_ps(rstd), v, load(dx + i, m));
        store(dw + i, m, _mm512_fmadd_ps(d, u, load(dw + i, m)));
        store(dx + i, m, v);
        store16(dx_act, i, m, v);
    }
}

/* 1 / (1 + exp(-x)) */
INLINE __m512 sigmoid(__m512 x)
{
    const __m512 one = _mm512_set1_ps(1.0F);
    __m512 e = exp16(_mm512_xor_ps(x, _mm512_set1_ps(-0.0F)));
    return _mm512_div_ps(one, _mm512_add_ps(one, e));
}

TARGET void kernels_bf16_swiglu(void *act, const void *gate, const void *up, uint32_t n)
{
    EACH16(i, n)
    {
        __mmask16 m = mask_of(n - i);
        __m512 g = load16(gate, i, m);
        __m512 silu = _mm512_mul_ps(g, sigmoid(g));
        store16(act, i, m, _mm512_mul_ps(silu, load16(up, i, m)));
    }
}

TARGET void kernels_bf16_swiglu_back(void *act, void *d_gate, void *d_up, const void *d_act,
                                     const void *gate, const void *up, uint32_t n)
{
    EACH16(i, n)
    {
        __mmask16 m = mask_of(n - i);
        __m512 g = load16(gate, i, m);
        __m512 u = load16(up, i, m);
        __m512 d = load16(d_act, i, m);
        __m512 sig = sigmoid(g);
        __m512 silu = _mm512_mul_ps(g, sig);
        __m512 slope = _mm512_fmadd_ps(silu, _mm512_sub_ps(_mm512_set1_ps(1.0F), sig), sig);
        store16(act, i, m, _mm512_mul_ps(silu, u));
        store16(d_up, i, m, _mm512_mul_ps(d, silu));
        store16(d_gate, i, m, _mm512_mul_ps(_mm512_mul_ps(d, u), slope));
    }
}

TARGET void kernels_bf16_rope(void *x, void *y, const float *c, const float *s, float turn,
                              uint32_t half)
{
    EACH16(i, half)
    {
        __mmask16 m = mask_of(half - i);
        __m512 a = load16(x, i, m);
        __m512 b = load16(y, i, m);
        __m512 cosine = load(c + i, m);
        __m512 sine = _mm512_mul_ps(load(s + i, m), _mm512_set1_ps(turn));
        store16(x, i, m, _mm512_fmsub_ps(a, cosine, _mm512_mul_ps(b, sine)));
        store16(y, i, m, _mm512_fmadd_ps(b, cosine, _mm512_mul_ps(a, sine)));
    }
}

TARGET float kernels_bf16_dot(const void *x, const void *y, uint32_t n)
{
    __m512 s = _mm512_setzero_ps();
    EACH16(i, n)
    {
        __mmask16 m = mask_of(n - i);
        s = _mm512_mask3_fmadd_ps(load16(x, i, m), load16(y, i, m), s, m);
    }
    return fold(s);
}

TARGET void kernels_bf16_attn_exp(float *x, const float *top, float *sum, float scale, uint32_t n)
{
    EACH16(i, n)
    {
        __mmask16 m = mask_of(n - i);
        __m512 d = _mm512_sub_ps(load(x + i, m), load(top + i, m));
        __m512 e = exp16(_mm512_mul_ps(d, _mm512_set1_ps(scale)));
        store(x + i, m, e);
        store(sum + i, m, _mm512_add_ps(load(sum + i, m), e));
    }
}

TARGET void kernels_bf16_attn_back(void *p, void *ds, float *dp, const float *x, const float *lse,
                                   const float *delta, float scale, uint32_t n)
{
    const __m512 by = _mm512_set1_ps(scale);
    EACH16(i, n)
    {
        __mmask16 m = mask_of(n - i);
        __m512 w = exp16(_mm512_fmsub_ps(load(x + i, m), by, load(lse + i, m)));
        __m512 d = _mm512_mul_ps(w, _mm512_sub_ps(load(dp + i, m), load(delta + i, m)));
        d = _mm512_mul_ps(d, by);
        store16(p, i, m, w);
        store16(ds, i, m, d);
        store(dp + i, m, d);
    }
}

/* The largest of 16, in kernels_act.c's order; which of two equal zeros it is does not matter. */
INLINE float most16(__m512 s)
{
    __m256 a = _mm256_max_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(b, _mm_shuffle_ps(b, b, 1)));
}

TARGET float kernels_bf16_logits(void *e, const float *x, uint32_t n, float *ret_top)
{
    __m512 most = _mm512_set1_ps(x[0]);
    EACH16(i, n) most = _mm512_mask_max_ps(most, mask_of(n - i), most, load(x + i, mask_of(n - i)));
    *ret_top = most16(most);
    const __m512 top = _mm512_set1_ps(*ret_top);
    __m512 s = _mm512_setzero_ps();
    EACH16(i, n)
    {
        __mmask16 m = mask_of(n - i);
        __m512 v = exp16(_mm512_sub_ps(load(x + i, m), top));
        if (e) store16(e, i, m, v);
        s = _mm512_mask_add_ps(s, m, s, v);
    }
    return fold(s);
}
#endif
