#pragma once
/* Why: the vector loops that touch activations, which are floats or bfloat16 in memory (`type`) and
 * floats while they are computed with. As in kernels.h: sums run in a fixed tree, each operation
 * rounds once, so every instruction set gives the same bits. A value that is stored as bfloat16 is
 * rounded as bf16.h says.
 *
 * All loops accept any n >= 0; blocks are aligned to their element; rows may not overlap unless
 * said so. tests/unit/test_kernels_act.c holds each against plain double-precision C.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/micro.h"

static inline size_t kernels_act_bytes(enum micro_type type)
{
    return type == MICRO_BF16 ? 2 : 4;
}

/* Element i of a block. */
static inline void *kernels_act_at(void *p, enum micro_type type, size_t i)
{
    return (char *)p + i * kernels_act_bytes(type);
}
static inline const void *kernels_act_in(const void *p, enum micro_type type, size_t i)
{
    return (const char *)p + i * kernels_act_bytes(type);
}

/* y = x: between floats and activations. */
void kernels_act_put(enum micro_type type, void *y, const float *x, uint32_t n);
void kernels_act_get(enum micro_type type, float *y, const void *x, uint32_t n);

/* y = x * f, floats in, activations out. */
void kernels_act_scaled(enum micro_type type, void *y, const float *x, float f, uint32_t n);

/* RMSNorm of a row: unit = x * rstd, y = unit * w, each stored rounded. again: y from unit. */
void kernels_act_norm(enum micro_type type, void *unit, void *y, const float *x, const float *w,
                      float rstd, uint32_t n);
void kernels_act_norm_again(enum micro_type type, void *y, const void *unit, const float *w,
                            uint32_t n);

/* sum dy * w * unit. */
float kernels_act_norm_dot(enum micro_type type, const void *dy, const float *w, const void *unit,
                           uint32_t n);

/* dx += rstd * (dy * w - unit * c); dw += dy * unit; dx_act (may be NULL) receives the new dx. */
void kernels_act_norm_back(enum micro_type type, float *dx, void *dx_act, float *dw, const void *dy,
                           const float *w, const void *unit, float rstd, float c, uint32_t n);

/* act = silu(gate) * up; and its backward: act once more, and d_gate, d_up from d_act. */
void kernels_act_swiglu(enum micro_type type, void *act, const void *gate, const void *up,
                        uint32_t n);
void kernels_act_swiglu_back(enum micro_type type, void *act, void *d_gate, void *d_up,
                             const void *d_act, const void *gate, const void *up, uint32_t n);

/* x[i], x[i + half] rotated by the angle whose cosine and sine are c[i], s[i] (rotate-half);
 * backward: by minus that angle.
 */
void kernels_act_rope(enum micro_type type, void *x, const float *c, const float *s, uint32_t half);
void kernels_act_rope_back(enum micro_type type, void *x, const float *c, const float *s,
                           uint32_t half);

float kernels_act_dot(enum micro_type type, const void *x, const void *y, uint32_t n);

/* Softmax of attention, one key's row of n scores, a score for each query:
 *   exp: e = exp(scale * (x - top)), in place; sum += e
 *   back: p = exp(scale * x - lse), ds = p * (dp - delta) * scale; p and ds stored as activations,
 *   and ds in place of dp
 */
void kernels_act_attn_exp(float *x, const float *top, float *sum, float scale, uint32_t n);
void kernels_act_attn_back(enum micro_type type, void *p, void *ds, float *dp, const float *x,
                           const float *lse, const float *delta, float scale, uint32_t n);

/* Two rows of floats as one row of units (micro.h): pairs, even in the low half. */
void kernels_act_pair(uint32_t *units, const float *even, const float *odd, uint32_t n);

/* Part of a row of logits, 1 to MICRO_NR of them: e = exp(x - top) stored as activations (e may be NULL), their sum
 * returned; *ret_top is the largest x.
 */
float kernels_act_logits(enum micro_type type, void *e, const float *x, uint32_t n, float *ret_top);

/* e[i] *= f[i / panel], in place. */
void kernels_act_scale_panels(enum micro_type type, void *e, const float *f, uint32_t panel,
                              uint32_t n);
