/* AVX2 with FMA: 12 accumulators of 8 floats, 4 rows by 3 (or 2) vectors. bfloat16 pairs are taken
 * apart in registers and cost two products; see micro.h for the order. Packing is the plain code,
 * compiled for AVX2.
 */
#include "engine/micro.h"

#if defined(__x86_64__)
#    include <immintrin.h>

/* As in micro_avx512.c: AddressSanitizer would move vectors to where they are not aligned. */
#    define TARGET __attribute__((target("avx2,fma"), no_sanitize("address")))
#    define INLINE static inline __attribute__((always_inline)) TARGET

enum { MXCSR_FLUSH = 0x8040, ROWS = 4 }; /* flush to zero, denormals are zero */

/* The part of a strip that one call works on: M rows, V vectors of 8 columns from column j. */
struct part {
    const struct micro_strip *s;
    uint32_t i, j, w;
};

INLINE __m256i mask_of(uint32_t n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane);
}

INLINE uint32_t left(const struct part *x, uint32_t v)
{
    uint32_t at = x->j + 8 * v;
    return x->s->n > at ? x->s->n - at : 0;
}

INLINE void begin(const struct part *x, __m256 acc[][3], const uint32_t M, const uint32_t V)
{
    const struct micro_strip *s = x->s;
#    pragma GCC unroll 4
    for (uint32_t i = 0; i < M; i++)
#    pragma GCC unroll 3
        for (uint32_t v = 0; v < V; v++)
            acc[i][v] = s->in ? _mm256_maskload_ps(s->in + (x->i + i) * s->in_ld + x->j + 8 * v,
                                                   mask_of(left(x, v)))
                              : _mm256_setzero_ps();
}

/* Round to bfloat16 as bf16.h says, in the low halves of 32 bits. */
INLINE __m256i round_bf16(__m256 f)
{
    __m256i bits = _mm256_castps_si256(f);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i up = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    __m256i top = _mm256_and_si256(bits, _mm256_set1_epi32(0x7f800000));
    __m256i tiny = _mm256_cmpeq_epi32(top, _mm256_setzero_si256());
    __m256i zero = _mm256_and_si256(bits, _mm256_set1_epi32((int)0x80000000u));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(f, f, _CMP_UNORD_Q));
    __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x00400000));
    up = _mm256_blendv_epi8(up, zero, tiny);
    return _mm256_srli_epi32(_mm256_blendv_epi8(up, quiet, nan), 16);
}

INLINE void end(const struct part *x, __m256 acc[][3], const uint32_t M, const uint32_t V)
{
    const struct micro_strip *s = x->s;
#    pragma GCC unroll 4
    for (uint32_t i = 0; i < M; i++)
#    pragma GCC unroll 3
        for (uint32_t v = 0; v < V; v++) {
            size_t at = (x->i + i) * s->out_ld + x->j + 8 * v;
            uint32_t n = left(x, v);
            if (!s->is_out_bf16) {
                _mm256_maskstore_ps((float *)s->out + at, mask_of(n), acc[i][v]);
                continue;
            }
            uint32_t words[8];
            _mm256_storeu_si256((__m256i *)(void *)words, round_bf16(acc[i][v]));
            for (uint32_t k = 0; k < n && k < 8; k++)
                ((uint16_t *)s->out)[at + k] = (uint16_t)words[k];
        }
}

INLINE size_t row_at(const struct part *x)
{
    return x->i / MICRO_LANES * x->s->a_block + x->i % MICRO_LANES * x->s->a_row;
}

INLINE void body_f32(const struct part *x, const uint32_t M, const uint32_t V)
{
    const struct micro_strip *s = x->s;
    __m256 acc[ROWS][3];
    const float *a = (const float *)s->a + row_at(x);
    const float *b = (const float *)s->b + x->j;
    begin(x, acc, M, V);
    for (uint32_t p = 0; p < s->k; p++, a += s->a_step, b += x->w) {
        __m256 y[3];
#    pragma GCC unroll 3
        for (uint32_t v = 0; v < V; v++)
            y[v] = _mm256_load_ps(b + 8 * v);
#    pragma GCC unroll 4
        for (uint32_t i = 0; i < M; i++) {
            __m256 f = _mm256_broadcast_ss(a + i * s->a_row);
#    pragma GCC unroll 3
            for (uint32_t v = 0; v < V; v++)
                acc[i][v] = _mm256_fmadd_ps(f, y[v], acc[i][v]);
        }
    }
    end(x, acc, M, V);
}

INLINE __m256 odd_half(__m256i unit)
{
    return _mm256_castsi256_ps(_mm256_and_si256(unit, _mm256_set1_epi32((int)0xffff0000u)));
}

INLINE __m256 even_half(__m256i unit)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(unit, 16));
}

INLINE void body_bf16(const struct part *x, const uint32_t M, const uint32_t V)
{
    const struct micro_strip *s = x->s;
    __m256 acc[ROWS][3];
    const uint32_t *a = (const uint32_t *)s->a + row_at(x);
    const uint32_t *b = (const uint32_t *)s->b + x->j;
    begin(x, acc, M, V);
    for (uint32_t p = 0; p < s->k; p++, a += s->a_step, b += x->w) {
#    pragma GCC unroll 3
        for (uint32_t v = 0; v < V; v++) {
            __m256i y = _mm256_load_si256((const __m256i *)(const void *)(b + 8 * v));
            __m256 hi = odd_half(y);
            __m256 lo = even_half(y);
#    pragma GCC unroll 4
            for (uint32_t i = 0; i < M; i++) {
                __m256i f = _mm256_set1_epi32((int)a[i * s->a_row]);
                acc[i][v] = _mm256_fmadd_ps(odd_half(f), hi, acc[i][v]);
                acc[i][v] = _mm256_fmadd_ps(even_half(f), lo, acc[i][v]);
            }
        }
    }
    end(x, acc, M, V);
}

/* clang-format off */
#    define SHAPE(type, M, V) \
         static TARGET void type##_##M##V(const struct part *x) { body_##type(x, M, V); }
#    define SHAPES(type) \
         SHAPE(type, 1, 2) SHAPE(type, 2, 2) SHAPE(type, 3, 2) SHAPE(type, 4, 2) \
         SHAPE(type, 1, 3) SHAPE(type, 2, 3) SHAPE(type, 3, 3) SHAPE(type, 4, 3)
#    define NAMES(type) {{type##_12, type##_22, type##_32, type##_42}, \
                         {type##_13, type##_23, type##_33, type##_43}}
SHAPES(f32)
SHAPES(bf16)
typedef void (*shape_fn)(const struct part *);
static const shape_fn shapes_f32[2][ROWS] = NAMES(f32);
static const shape_fn shapes_bf16[2][ROWS] = NAMES(bf16);
/* clang-format on */

/* 48 columns go as 24 + 24, 32 as 16 + 16. */
static void strip(const struct micro_strip *s, const shape_fn shapes[2][ROWS])
{
    struct part x = {.s = s, .w = micro_width(s->n)};
    uint32_t wide = x.w == MICRO_NR ? 3 : 2;
    for (x.j = 0; x.j < s->n; x.j += 8 * wide)
        for (x.i = 0; x.i < s->m; x.i += ROWS)
            shapes[wide - 2][(s->m - x.i < ROWS ? s->m - x.i : ROWS) - 1](&x);
}

static void strip_f32(const struct micro_strip *s)
{
    strip(s, shapes_f32);
}

static void strip_bf16(const struct micro_strip *s)
{
    unsigned was = _mm_getcsr();
    _mm_setcsr(was | MXCSR_FLUSH);
    strip(s, shapes_bf16);
    _mm_setcsr(was);
}

/* ---- packing ---- */

INLINE __m256i take8(const struct micro_source *s, size_t at)
{
    if (s->is_bf16)
        return _mm256_cvtepu16_epi32(
            _mm_loadu_si128((const __m128i *)(const void *)((const uint16_t *)s->data + at)));
    return round_bf16(_mm256_loadu_ps((const float *)s->data + at));
}

/* Two rows interleaved, whole panels only; what is ragged goes the plain way. */
static TARGET void rows_bf16(const struct micro_source *s, uint32_t k0, uint32_t k, uint32_t j0,
                             uint32_t n, const struct micro_panels *to)
{
    for (uint32_t p = 0; p < k; p += 2)
        for (uint32_t q = 0; q < n; q += to->w) {
            uint32_t *dst = (uint32_t *)to->dst + q / to->w * to->stride + (size_t)p / 2 * to->w;
            for (uint32_t j = 0; j < to->w; j += 8) {
                size_t at = (size_t)(k0 + p) * s->ld + j0 + q + j;
                __m256i hi = _mm256_slli_epi32(take8(s, at + s->ld), 16);
                _mm256_store_si256((__m256i *)(void *)(dst + j), _mm256_or_si256(take8(s, at), hi));
            }
        }
}

static void pack_bf16(const struct micro_source *s, uint32_t k0, uint32_t k, uint32_t j0,
                      uint32_t n, const struct micro_panels *to)
{
    if (s->is_k_rows && n % to->w == 0 && k % 2 == 0)
        rows_bf16(s, k0, k, j0, n, to);
    else
        micro_c_bf16.pack(s, k0, k, j0, n, to);
}

static void pack_f32(const struct micro_source *s, uint32_t k0, uint32_t k, uint32_t j0, uint32_t n,
                     const struct micro_panels *to)
{
    micro_c_f32.pack(s, k0, k, j0, n, to);
}

const struct micro micro_avx2_f32 = {"avx2", strip_f32, pack_f32};
const struct micro micro_avx2_bf16 = {"avx2", strip_bf16, pack_bf16};
#endif
