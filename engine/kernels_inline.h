#pragma once
/* Why: what the vector loops of kernels.c, kernels_act.c, matvec.c and kvcache.c share: how they are
 * compiled for each instruction set, the lanes of their sums, and exp. For these files alone.
 */

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "engine/micro.h"

/* A loop is written once as an always-inline function and compiled for each instruction set; which
 * one runs is decided by each call (micro_level). All of them know fused multiply-add, as fmaf says
 * it in C: where the compiler has no instruction for it, it calls the library's, right and slow.
 */
#define KERNELS_INLINE static inline __attribute__((always_inline))
#if defined(__x86_64__)
#    define KERNELS_AVX2 __attribute__((target("avx2,fma")))
#    if defined(__clang__)
#        define KERNELS_AVX512                                                                     \
            __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")))
#    else
#        define KERNELS_AVX512                                                                     \
            __attribute__((                                                                        \
                target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))
#    endif
#    define KERNELS_LOOP(name, params, ...)                                                        \
        static void name##_c params                                                                \
        {                                                                                          \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
        static KERNELS_AVX2 void name##_avx2 params                                                \
        {                                                                                          \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
        static KERNELS_AVX512 void name##_avx512 params                                            \
        {                                                                                          \
            __VA_ARGS__;                                                                           \
        }
#    define KERNELS_SUM(ret, name, params, ...)                                                    \
        static ret name##_c params                                                                 \
        {                                                                                          \
            return __VA_ARGS__;                                                                    \
        }                                                                                          \
        static KERNELS_AVX2 ret name##_avx2 params                                                 \
        {                                                                                          \
            return __VA_ARGS__;                                                                    \
        }                                                                                          \
        static KERNELS_AVX512 ret name##_avx512 params                                             \
        {                                                                                          \
            return __VA_ARGS__;                                                                    \
        }
#    define KERNELS_PICK(name)                                                                     \
        (micro_level() >= MICRO_AVX512 ? name##_avx512                                             \
         : micro_level() == MICRO_AVX2 ? name##_avx2                                               \
                                       : name##_c)
#else
#    define KERNELS_LOOP(name, params, ...)                                                        \
        static void name##_c params                                                                \
        {                                                                                          \
            __VA_ARGS__;                                                                           \
        }
#    define KERNELS_SUM(ret, name, params, ...)                                                    \
        static ret name##_c params                                                                 \
        {                                                                                          \
            return __VA_ARGS__;                                                                    \
        }
#    define KERNELS_PICK(name) name##_c
#endif

enum { KERNELS_LANES = 16 };

/* Sixteen floats wherever they lie. A compiler splits the type into what the instruction set has,
 * element by element, so the bits are the same everywhere.
 */
typedef float kernels_lanes __attribute__((vector_size(64), aligned(4), may_alias));

/* The fixed tree: halves folded onto each other. */
KERNELS_INLINE float kernels_fold(float *s)
{
    for (int w = KERNELS_LANES / 2; w; w /= 2)
        for (int i = 0; i < w; i++)
            s[i] += s[i + w];
    return s[0];
}

/* Single precision, relative error below 2e-7; 0 below -87, clamped above 88. Round to nearest by
 * adding 1.5 * 2^23; its low bits are then the integer, ready to become the exponent. Polynomial:
 * Taylor to the seventh power, whose rest on [-ln2/2, ln2/2] is below 6e-9.
 */
KERNELS_INLINE float kernels_exp1(float x)
{
    x = x > 88.0F ? 88.0F : x;
    float y = x < -87.0F ? -87.0F : x;
    float t = fmaf(y, 1.44269504F, 12582912.0F);
    float k = t - 12582912.0F;
    float r = fmaf(k, 2.12194440e-4F, fmaf(k, -0.693359375F, y));
    float p = 1.9841270e-4F;
    p = fmaf(p, r, 1.3888889e-3F);
    p = fmaf(p, r, 8.3333333e-3F);
    p = fmaf(p, r, 4.1666668e-2F);
    p = fmaf(p, r, 0.16666667F);
    p = fmaf(p, r, 0.5F);
    p = fmaf(p * r, r, r);
    uint32_t bits = 0;
    memcpy(&bits, &t, 4);
    bits = (bits + 127u) << 23; /* the bias of 12582912 is a multiple of 2^9: it shifts out */
    float two_k = 0;
    memcpy(&two_k, &bits, 4);
    float e = fmaf(two_k, p, two_k);
    return x < -87.0F ? 0.0F : e;
}
