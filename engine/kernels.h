#pragma once
/* Why: the vector loops. Each is written so that a compiler vectorises it without being allowed to
 * reorder arithmetic: element-wise loops are independent, sums run in LANES interleaved partial
 * sums that are added in one fixed tree. Multiply and add fuse only where fmaf says so
 * (-ffp-contract=off), so plain C, AVX2 and AVX-512 (kernels_inline.h) give the same bits, and so
 * does any other CPU.
 * exp, log, sin and cos are ours for the same reason: libm differs between systems.
 *
 * All loops accept any n >= 0 and unaligned pointers; rows may not overlap unless said so.
 * tests/unit/test_kernels.c holds each against plain double-precision C.
 */

#include <stdint.h>

/* Bumped when any loop below may give other bits than before; part of the determinism class. */
#define KERNELS_VERSION 2

/* Scalar double precision, relative error below 1e-13 (sin, cos: absolute, |x| < 2^24). */
double kernels_exp64(double x);
double kernels_log64(double x); /* x > 0 */
double kernels_cos64(double x);
double kernels_sin64(double x);
double kernels_pow_int(double x, uint64_t n); /* x^n by squaring */

/* exp in single precision, relative error below 2e-7; 0 below -87, clamped above 88. */
float kernels_exp(float x);

float kernels_sumsq(const float *x, uint32_t n);
double kernels_sumsq64(const float *x, uint32_t n);
float kernels_dot(const float *x, const float *y, uint32_t n);
float kernels_max(const float *x, uint32_t n); /* n > 0 */

void kernels_max_rows(float *y, const float *x, uint32_t n); /* y = max(y, x) */

void kernels_add(float *y, const float *x, uint32_t n); /* y += x */
void kernels_scale(float *x, float s, uint32_t n);      /* x *= s */

/* x = exp(x - shift). In place. */
void kernels_exp_shift(float *x, float shift, uint32_t n);
/* AdamW with decoupled decay (Loshchilov and Hutter 2019), one block. */
struct kernels_adamw {
    float grad_scale; /* clipping */
    float beta1, beta2, eps;
    float keep;      /* 1 - lr * weight_decay */
    float step;      /* lr / (1 - beta1^t) */
    float root_bias; /* sqrt(1 - beta2^t) */
};
void kernels_adamw(const struct kernels_adamw *k, float *w, float *m, float *v, const float *g,
                   uint32_t n);
