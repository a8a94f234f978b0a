#pragma once
/* Why: the loops of kernels_act.h for bfloat16, by hand, for processors that round to it in one
 * instruction (AVX512-BF16). Compilers make poor vectors of mixed 16- and 32-bit loops, and these
 * are a quarter of a training step. Same bits as the plain loops; arguments as in kernels_act.h.
 */

#include <stdint.h>

#if defined(__x86_64__)
void kernels_bf16_scaled(void *y, const float *x, float f, uint32_t n);
void kernels_bf16_widen(float *y, const void *x, uint32_t n);
void kernels_bf16_scale_panels(void *e, const float *f, uint32_t panel, uint32_t n);
void kernels_bf16_pair(uint32_t *units, const float *even, const float *odd, uint32_t n);
void kernels_bf16_norm(void *unit, void *y, const float *x, const float *w, float rstd, uint32_t n);
void kernels_bf16_again(void *y, const void *unit, const float *w, uint32_t n);
float kernels_bf16_norm_dot(const void *dy, const float *w, const void *unit, uint32_t n);
void kernels_bf16_norm_back(float *dx, void *dx_act, float *dw, const void *dy, const float *w,
                            const void *unit, float rstd, float c, uint32_t n);
void kernels_bf16_swiglu(void *act, const void *gate, const void *up, uint32_t n);
void kernels_bf16_swiglu_back(void *act, void *d_gate, void *d_up, const void *d_act,
                              const void *gate, const void *up, uint32_t n);
void kernels_bf16_rope(void *x, void *y, const float *c, const float *s, float turn, uint32_t half);
float kernels_bf16_dot(const void *x, const void *y, uint32_t n);
void kernels_bf16_attn_exp(float *x, const float *top, float *sum, float scale, uint32_t n);
void kernels_bf16_attn_back(void *p, void *ds, float *dp, const float *x, const float *lse,
                            const float *delta, float scale, uint32_t n);
float kernels_bf16_logits(void *e, const float *x, uint32_t n, float *ret_top);
#endif
