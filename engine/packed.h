#pragma once
/* Why: the optimizer's moments and the error feedback are four bytes a weight each, and need not
 * be. A packed block keeps n floats in fewer bytes, in groups of PACKED_GROUP:
 *
 *   PACKED_F32   4 bytes      as they are
 *   PACKED_BF16  2 bytes      rounded to nearest even (bf16.h)
 *   PACKED_Q8    1 1/64 bytes signed codes of 8 bits and the group's largest magnitude:
 *                             x = sign(c) * max * (c / 127)^2, so that small values keep their
 *                             relative precision better than in equal steps
 *   PACKED_U8    1 1/64 bytes for values that are never negative: x = max * (c / 255)^4, rounded up to
 *                             the smallest code, so that what is not zero does not become zero
 *                             (AdamW divides by the root of it)
 *
 * Source of the idea: Dettmers et al. 2022 (8-bit optimizers via block-wise quantization); the
 * codes are our own, made of operations that every processor rounds alike. Thread: any.
 */

#include <stddef.h>
#include <stdint.h>

#define PACKED_GROUP 256u

enum packed_kind { PACKED_F32, PACKED_BF16, PACKED_Q8, PACKED_U8, PACKED_KINDS };

/* "fp32", "bf16" or "8bit": as options name them; NULL for other kinds. */
const char *packed_word(enum packed_kind kind);
/* The kind of such a word. 0, or -1 when it is none. */
int packed_of_word(const char *word, enum packed_kind *ret);

/* Bytes of n values; SIZE_MAX when that does not fit in an address. */
size_t packed_bytes(enum packed_kind kind, uint64_t n);

/* Values [at, at + n) of a block; at is a multiple of PACKED_GROUP, n at most PACKED_GROUP and
 * shorter only at the block's end.
 */
void packed_get(enum packed_kind kind, const void *block, uint64_t at, uint32_t n, float *dst);
void packed_put(enum packed_kind kind, void *block, uint64_t at, uint32_t n, const float *src);
