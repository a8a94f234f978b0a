#pragma once
/* Why: bfloat16, the upper half of a float, with the one rounding everybody must agree on: to
 * nearest, ties to even, denormals to zero of the same sign, NaN to a quiet NaN. That is what
 * VCVTNEPS2BF16 does, whatever the rounding mode says; test_kernels.c compares.
 */

#include <stdint.h>
#include <string.h>

static inline float bf16_to_float(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float f = 0;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint16_t bf16_of_float(float f)
{
    uint32_t bits = 0;
    memcpy(&bits, &f, sizeof bits);
    uint32_t magnitude = bits & 0x7fffffffu;
    uint32_t up = bits + 0x7fffu + (bits >> 16 & 1u);
    up = magnitude < 0x00800000u ? bits & 0x80000000u : up; /* no branches: loops become vectors */
    up = magnitude > 0x7f800000u ? bits | 0x00400000u : up;
    return (uint16_t)(up >> 16);
}
