#pragma once
/* Why: the number formats that models are exchanged in, to and from the fp32 that potluck trains
 * in. All little endian. Rounding is to nearest, ties to even, in integers: the same bits on every
 * CPU. q8_0 is llama.cpp's: blocks of 32 values, an f16 scale d = max|x| / 127, then 32 signed
 * bytes round(x / d), halves away from zero.
 *
 * Pure; any thread.
 */

#include <stddef.h>
#include <stdint.h>

enum dtype { DTYPE_F32 = 1, DTYPE_F16, DTYPE_BF16, DTYPE_Q8_0 };

enum { DTYPE_Q8_0_VALUES = 32, DTYPE_Q8_0_BYTES = 34 };

/* "f32", "f16", "bf16", "q8_0"; and back: 0 when it is none of them. */
const char *dtype_name(enum dtype t);
enum dtype dtype_find(const char *name);

/* Bytes of n values; q8_0: n is a multiple of 32. n < 2^60. */
uint64_t dtype_bytes(enum dtype t, uint64_t n);

/* The largest magnitude that becomes a finite number (for f32 every finite one). */
float dtype_max(enum dtype t);

/* n values from src to dst (dtype_bytes), and back. NaN stays NaN in f16 and bf16; q8_0 takes finite
 * values only.
 */
void dtype_pack(enum dtype t, const float *src, size_t n, uint8_t *dst);
void dtype_unpack(enum dtype t, const uint8_t *src, size_t n, float *dst);

/* One value. */
uint16_t dtype_to_bf16(float v);
float dtype_from_bf16(uint16_t b);
uint16_t dtype_to_f16(float v);
float dtype_from_f16(uint16_t h);

/* Index of the first value that does not become a finite number of type t, or n. */
size_t dtype_first_unfit(enum dtype t, const float *p, size_t n);

/* Index of the first NaN or infinity, or n. */
size_t dtype_first_bad(const float *p, size_t n);
