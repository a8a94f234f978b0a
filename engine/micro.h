#pragma once
/* Why: the innermost loops of every matrix product, one file per instruction set. A product is
 * cut into strips: some rows of C by one panel of at most MICRO_NR columns. What makes strips
 * special is their arithmetic, which is the same everywhere:
 *
 *     c = in (or 0);  for each unit p = 0 .. k-1 in order:  c = fma(a[p], b[p], c)
 *
 * one fused multiply-add after the other, each rounded once, so that AVX-512, AVX2 and plain C
 * give the same bits, and so does any cutting of k into slices, of C into tiles or of the work
 * over threads. There is nothing left for a processor to decide.
 *
 * A unit is four bytes: one float, or a pair of bfloat16 (k even in the low half). For a pair the
 * odd half is multiplied first, then the even one, denormals taken and left as zero: that is what
 * VDPBF16PS does (compared with this formula on millions of random values by test_micro.c), and
 * what the other sets compute by hand at half the speed.
 *
 * Panels: B is packed as [k][w] units, w = n rounded up to MICRO_LANES; missing columns are zero.
 * Thread: any; nothing here allocates or keeps state, but micro_force.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MICRO_LANES = 16, /* columns of a vector */
    MICRO_MR = 8,     /* rows whose sums are in registers at a time */
    MICRO_NR = 48,    /* most columns of a panel */
};

enum micro_type { MICRO_F32, MICRO_BF16 };

/* One strip. Strides count units (a), floats (in) and elements of out's own type. Rows of A come
 * in blocks of MICRO_LANES, as `pack` leaves them; where A lies as it is, a_block is MICRO_LANES
 * times a_row.
 */
struct micro_strip {
    const void *a; /* unit (i, p) at a[i / 16 * a_block + i % 16 * a_row + p * a_step] */
    size_t a_block, a_row, a_step;
    const void *b;   /* panel [k][w], 64-byte aligned */
    const float *in; /* [m][in_ld]: what the sums start from; NULL: zeros */
    size_t in_ld;
    void *out; /* [m][out_ld] float, or bfloat16 when is_out_bf16; may be in */
    size_t out_ld;
    bool is_out_bf16;
    uint32_t m, n, k; /* any, 1..MICRO_NR, units; rows go MICRO_MR at a time */
};

/* Where a panel's columns come from: element (p, j) of B as floats or bfloat16. */
struct micro_source {
    const void *data;
    size_t ld;      /* elements from one row of the matrix in memory to the next */
    bool is_bf16;   /* what lies in memory */
    bool is_k_rows; /* true: rows are k, columns lie side by side; false: the other way round */
};

/* Where they go: panels of w columns (a multiple of MICRO_LANES), `stride` units from one to the
 * next. The last panel is filled up with zero columns, and an odd k with a zero half.
 */
struct micro_panels {
    void *dst; /* 64-byte aligned, and so is stride */
    uint32_t w;
    size_t stride;
};

struct micro {
    const char *name;
    void (*strip)(const struct micro_strip *s);
    /* Pack elements [k0, k0 + k) of columns [j0, j0 + n). */
    void (*pack)(const struct micro_source *s, uint32_t k0, uint32_t k, uint32_t j0, uint32_t n,
                 const struct micro_panels *to);
};

enum micro_set { MICRO_C, MICRO_AVX2, MICRO_AVX512, MICRO_AVX512_BF16, MICRO_SETS };

/* The fastest set for this type that the processor has; or one of them, NULL when it lacks it. */
const struct micro *micro_best(enum micro_type type);
const struct micro *micro_of(enum micro_set set, enum micro_type type);

/* The highest set that may be used, for products and vector loops alike (kernels_act.h). */
enum micro_set micro_level(void);

/* For tests and audits: from now on use no higher set than this (MICRO_SETS: the best again). */
void micro_force(enum micro_set set);

/* Does this processor have bfloat16 products in hardware? */
bool micro_has_bf16(void);

/* Units that k elements take. */
static inline uint32_t micro_units(enum micro_type type, uint32_t k)
{
    return type == MICRO_BF16 ? (k + 1) / 2 : k;
}
static inline uint32_t micro_width(uint32_t n)
{
    return (n + MICRO_LANES - 1) / MICRO_LANES * MICRO_LANES;
}

/* The sets themselves; a file whose processor family this is not leaves its tables out. */
extern const struct micro micro_c_f32;
extern const struct micro micro_c_bf16;
#if defined(__x86_64__)
extern const struct micro micro_avx2_f32;
extern const struct micro micro_avx2_bf16;
extern const struct micro micro_avx512_f32;
extern const struct micro micro_avx512_bf16;
extern const struct micro micro_avx512_bf16_hw;
#endif
