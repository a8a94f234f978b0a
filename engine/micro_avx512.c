/* AVX-512: 24 accumulators of 16 floats, 8 rows by 3 vectors; with BF16 in hardware 0.93 to 0.97
 * of the processor's peak on Zen 5, measured by `potluck bench`. Every shape of a strip is its own
 * straight-line loop: the compiler keeps the accumulators in registers when both counts are
 * constants.
 */
#include "engine/micro.h"

#if defined(__x86_64__)
#    include <immintrin.h>

/* AddressSanitizer of GCC 12 keeps locals in a heap of its own where vectors of 64 bytes are not
 * aligned (with detect_stack_use_after_return): these functions stay on the stack.
 */
#    define SETS      "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl"
#    define TARGET    __attribute__((target(SETS), no_sanitize("address")))
#    define TARGET_HW __attribute__((target(SETS ",avx512bf16"), no_sanitize("address")))
#    define INLINE    static inline __attribute__((always_inline))

enum { MXCSR_FLUSH = 0x8040 }; /* flush to zero, denormals are zero */

INLINE TARGET __mmask16 mask_of(uint32_t n)
{
    return (__mmask16)(n >= 16 ? 0xffffu : (1u << n) - 1u);
}

/* ---- strips ---- */

/* Up to MICRO_MR rows of a strip at work. */
struct rows {
    const struct micro_strip *s;
    const uint32_t *a;
    const float *in;
    void *out;
    const uint32_t *next_a; /* of the rows after these; NULL: none */
    const float *next_in;
};

INLINE TARGET void begin(const struct rows *x, __m512 acc[][3], const uint32_t M, const uint32_t V)
{
    const struct micro_strip *s = x->s;
#    pragma GCC unroll 8
    for (uint32_t i = 0; i < M; i++)
#    pragma GCC unroll 3
        for (uint32_t v = 0; v < V; v++)
            acc[i][v] = s->in ? _mm512_maskz_loadu_ps(mask_of(s->n - 16 * v),
                                                      x->in + i * s->in_ld + 16 * (size_t)v)
                              : _mm512_setzero_ps();
}

INLINE TARGET void end_f32(const struct rows *x, __m512 acc[][3], const uint32_t M,
                           const uint32_t V)
{
    const struct micro_strip *s = x->s;
#    pragma GCC unroll 8
    for (uint32_t i = 0; i < M; i++)
#    pragma GCC unroll 3
        for (uint32_t v = 0; v < V; v++)
            _mm512_mask_storeu_ps((float *)x->out + i * s->out_ld + 16 * (size_t)v,
                                  mask_of(s->n - 16 * v), acc[i][v]);
}

/* Round to bfloat16 as bf16.h says, in the low halves of 32 bits. */
INLINE TARGET __m512i round_bf16(__m512 x)
{
    __m512i bits = _mm512_castps_si512(x);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i up = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    __mmask16 tiny = _mm512_testn_epi32_mask(bits, _mm512_set1_epi32(0x7f800000));
    __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    up = _mm512_mask_and_epi32(up, tiny, bits, _mm512_set1_epi32((int)0x80000000u));
    up = _mm512_mask_or_epi32(up, nan, bits, _mm512_set1_epi32(0x00400000));
    return _mm512_srli_epi32(up, 16);
}

INLINE TARGET void end_bf16(const struct rows *x, __m512 acc[][3], const uint32_t M,
                            const uint32_t V)
{
    const struct micro_strip *s = x->s;
#    pragma GCC unroll 8
    for (uint32_t i = 0; i < M; i++)
#    pragma GCC unroll 3
        for (uint32_t v = 0; v < V; v++)
            _mm256_mask_storeu_epi16((uint16_t *)x->out + i * s->out_ld + 16 * (size_t)v,
                                     mask_of(s->n - 16 * v),
                                     _mm512_cvtepi32_epi16(round_bf16(acc[i][v])));
}

INLINE TARGET_HW void end_hw(const struct rows *x, __m512 acc[][3], const uint32_t M,
                             const uint32_t V)
{
    const struct micro_strip *s = x->s;
#    pragma GCC unroll 8
    for (uint32_t i = 0; i < M; i++)
#    pragma GCC unroll 3
        for (uint32_t v = 0; v < V; v++)
            _mm256_mask_storeu_epi16((uint16_t *)x->out + i * s->out_ld + 16 * (size_t)v,
                                     mask_of(s->n - 16 * v),
                                     (__m256i)_mm512_cvtneps_pbh(acc[i][v]));
}

/* One unit of the reduction for all M x V sums; y: its row of B. */
INLINE TARGET void step_f32(__m512 acc[][3], const uint32_t *a, size_t a_row, const uint32_t *b,
                            const uint32_t M, const uint32_t V)
{
    __m512 y[3];
#    pragma GCC unroll 3
    for (uint32_t v = 0; v < V; v++)
        y[v] = _mm512_load_ps(b + 16 * (size_t)v);
#    pragma GCC unroll 8
    for (uint32_t i = 0; i < M; i++) {
        __m512 x = _mm512_castsi512_ps(_mm512_set1_epi32((int)a[i * a_row]));
#    pragma GCC unroll 3
        for (uint32_t v = 0; v < V; v++)
            acc[i][v] = _mm512_fmadd_ps(x, y[v], acc[i][v]);
    }
}

INLINE TARGET __m512 odd_half(__m512i unit)
{
    return _mm512_castsi512_ps(_mm512_and_si512(unit, _mm512_set1_epi32((int)0xffff0000u)));
}

INLINE TARGET __m512 even_half(__m512i unit)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(unit, 16));
}

/* Without the hardware's pairs: 4 rows by 3 vectors, since both halves of B want registers. */
INLINE TARGET void step_bf16(__m512 acc[][3], const uint32_t *a, size_t a_row, const uint32_t *b,
                             const uint32_t M, const uint32_t V)
{
    __m512 hi[3], lo[3];
#    pragma GCC unroll 3
    for (uint32_t v = 0; v < V; v++) {
        __m512i y = _mm512_load_si512(b + 16 * (size_t)v);
        hi[v] = odd_half(y);
        lo[v] = even_half(y);
    }
#    pragma GCC unroll 4
    for (uint32_t i = 0; i < M; i++) {
        __m512i x = _mm512_set1_epi32((int)a[i * a_row]);
#    pragma GCC unroll 3
        for (uint32_t v = 0; v < V; v++)
            acc[i][v] = _mm512_fmadd_ps(odd_half(x), hi[v], acc[i][v]);
#    pragma GCC unroll 3
        for (uint32_t v = 0; v < V; v++)
            acc[i][v] = _mm512_fmadd_ps(even_half(x), lo[v], acc[i][v]);
    }
}

INLINE TARGET_HW void step_hw(__m512 acc[][3], const uint32_t *a, size_t a_row, const uint32_t *b,
                              const uint32_t M, const uint32_t V)
{
    __m512bh y[3];
#    pragma GCC unroll 3
    for (uint32_t v = 0; v < V; v++)
        y[v] = (__m512bh)_mm512_load_si512(b + 16 * (size_t)v);
#    pragma GCC unroll 8
    for (uint32_t i = 0; i < M; i++) {
        __m512bh x = (__m512bh)_mm512_set1_epi32((int)a[i * a_row]);
#    pragma GCC unroll 3
        for (uint32_t v = 0; v < V; v++)
            acc[i][v] = _mm512_dpbf16_ps(acc[i][v], x, y[v]);
    }
}

enum { FETCH = 16 }; /* units between two looks ahead: a cache line of each row of A */

/* The rows that come after these, on their way while these are worked on: A may be larger than the
 * second-level cache, and C's rows are too short and too many for the hardware to foresee.
 */
INLINE void look_ahead(const struct rows *x, uint32_t p, const uint32_t M, const uint32_t V)
{
    const struct micro_strip *s = x->s;
    uint32_t i_c = p / FETCH;
    if (s->a_step == 1)
#    pragma GCC unroll 8
        for (uint32_t i = 0; i < M; i++)
            __builtin_prefetch(x->next_a + i * s->a_row + p, 0, 2);
    else if (x->next_a != x->a + M) /* those lie in the lines that are read now */
#    pragma GCC unroll 8
        for (uint32_t i = 0; i < FETCH; i++)
            __builtin_prefetch(x->next_a + (p + i) * s->a_step);
    if (s->in && i_c < M)
#    pragma GCC unroll 3
        for (uint32_t v = 0; v < V; v++)
            __builtin_prefetch(x->next_in + i_c * s->in_ld + 16 * (size_t)v, 1);
}

#    define BODY(set, target, end_bf)                                                              \
        INLINE target void body_##set(const struct rows *x, const uint32_t M, const uint32_t V)    \
        {                                                                                          \
            const struct micro_strip *s = x->s;                                                    \
            __m512 acc[MICRO_MR][3];                                                               \
            const uint32_t *a = x->a;                                                              \
            const uint32_t *b = s->b;                                                              \
            begin(x, acc, M, V);                                                                   \
            uint32_t p = 0;                                                                        \
            for (; p + FETCH <= s->k; p += FETCH) {                                                \
                if (x->next_a) look_ahead(x, p, M, V);                                             \
                _Pragma("GCC unroll 16") for (uint32_t i = 0; i < FETCH; i++)                      \
                {                                                                                  \
                    step_##set(acc, a, s->a_row, b, M, V);                                         \
                    a += s->a_step;                                                                \
                    b += 16 * (size_t)V;                                                           \
                }                                                                                  \
            }                                                                                      \
            for (; p < s->k; p++, a += s->a_step, b += 16 * (size_t)V)                             \
                step_##set(acc, a, s->a_row, b, M, V);                                             \
            if (s->is_out_bf16)                                                                    \
                end_bf(x, acc, M, V);                                                              \
            else                                                                                   \
                end_f32(x, acc, M, V);                                                             \
        }
BODY(f32, TARGET, end_bf16)
BODY(bf16, TARGET, end_bf16)
BODY(hw, TARGET_HW, end_hw)

/* clang-format off */
#    define SHAPE(set, target, M, V) \
         static target void set##_##M##V(const struct rows *x) { body_##set(x, M, V); }
#    define ROWS(set, target, M) SHAPE(set, target, M, 1) SHAPE(set, target, M, 2) SHAPE(set, target, M, 3)
#    define NAMES(set, M) {set##_##M##1, set##_##M##2, set##_##M##3}
#    define FOUR(set, target) ROWS(set, target, 1) ROWS(set, target, 2) ROWS(set, target, 3) ROWS(set, target, 4)
#    define EIGHT(set, target) FOUR(set, target) ROWS(set, target, 5) ROWS(set, target, 6) \
         ROWS(set, target, 7) ROWS(set, target, 8)
EIGHT(f32, TARGET)
FOUR(bf16, TARGET)
EIGHT(hw, TARGET_HW)
typedef void (*shape_fn)(const struct rows *);
static const shape_fn shapes_f32[MICRO_MR][3] = {
    NAMES(f32, 1), NAMES(f32, 2), NAMES(f32, 3), NAMES(f32, 4),
    NAMES(f32, 5), NAMES(f32, 6), NAMES(f32, 7), NAMES(f32, 8)};
static const shape_fn shapes_hw[MICRO_MR][3] = {
    NAMES(hw, 1), NAMES(hw, 2), NAMES(hw, 3), NAMES(hw, 4),
    NAMES(hw, 5), NAMES(hw, 6), NAMES(hw, 7), NAMES(hw, 8)};
static const shape_fn shapes_bf16[4][3] = {
    NAMES(bf16, 1), NAMES(bf16, 2), NAMES(bf16, 3), NAMES(bf16, 4)};
/* clang-format on */

INLINE const uint32_t *row_of(const struct micro_strip *s, uint32_t i)
{
    return (const uint32_t *)s->a + i / MICRO_LANES * s->a_block + i % MICRO_LANES * s->a_row;
}

/* All rows, `step` at a time. */
INLINE void all_rows(const struct micro_strip *s, const shape_fn shapes[][3], const uint32_t step)
{
    uint32_t vectors = (s->n - 1) / 16;
    struct rows x = {.s = s, .a = s->a, .in = s->in, .out = s->out};
    for (uint32_t i = 0; i < s->m; i += step) {
        uint32_t m = s->m - i < step ? s->m - i : step;
        bool is_last = s->m - i < 2 * step; /* fewer rows after these: not worth the care */
        x.next_a = is_last ? NULL : row_of(s, i + step);
        x.next_in = s->in ? x.in + step * s->in_ld : NULL;
        shapes[m - 1][vectors](&x);
        x.a = row_of(s, i + step);
        x.in = x.next_in;
        x.out = (char *)x.out + step * s->out_ld * (s->is_out_bf16 ? 2 : 4);
    }
}

static void strip_f32(const struct micro_strip *s)
{
    all_rows(s, shapes_f32, MICRO_MR);
}

static void strip_hw(const struct micro_strip *s)
{
    all_rows(s, shapes_hw, MICRO_MR);
}

static void strip_bf16(const struct micro_strip *s)
{
    unsigned was = _mm_getcsr();
    _mm_setcsr(was | MXCSR_FLUSH);
    all_rows(s, shapes_bf16, 4);
    _mm_setcsr(was);
}

/* ---- packing ---- */

/* 16 x 16 units turned over, in registers. */
INLINE TARGET void transpose(__m512i r[16])
{
    __m512i t[16];
#    pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
#    pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
#    pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
#    pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    }
}

/* Units [p, p + n) of one column: floats as they are, or pairs out of floats or bfloat16. `k` is
 * what is left of the column in elements.
 */
typedef __m512i (*column_fn)(const struct micro_source *s, size_t at, uint32_t k);

INLINE TARGET __m512i column_f32(const struct micro_source *s, size_t at, uint32_t k)
{
    return _mm512_maskz_loadu_epi32(mask_of(k), (const float *)s->data + at);
}

INLINE TARGET __mmask32 mask32_of(uint32_t n)
{
    return n >= 32 ? 0xffffffffu : (1u << n) - 1u;
}

/* The low halves of 16 + 16 words side by side. */
INLINE TARGET __m512i pack_words(__m512i lo, __m512i hi)
{
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi32_epi16(lo)),
                              _mm512_cvtepi32_epi16(hi), 1);
}

INLINE TARGET __m512i column_pairs(const struct micro_source *s, size_t at, uint32_t k)
{
    if (s->is_bf16) return _mm512_maskz_loadu_epi16(mask32_of(k), (const uint16_t *)s->data + at);
    const float *x = (const float *)s->data + at;
    __m512i lo = round_bf16(_mm512_maskz_loadu_ps(mask_of(k), x));
    __m512i hi = round_bf16(_mm512_maskz_loadu_ps(mask_of(k > 16 ? k - 16 : 0), x + 16));
    return _mm512_permutex2var_epi64(_mm512_castsi256_si512(_mm512_cvtepi32_epi16(lo)),
                                     _mm512_set_epi64(11, 10, 9, 8, 3, 2, 1, 0),
                                     _mm512_castsi256_si512(_mm512_cvtepi32_epi16(hi)));
}

INLINE TARGET_HW __m512i column_hw(const struct micro_source *s, size_t at, uint32_t k)
{
    if (s->is_bf16) return _mm512_maskz_loadu_epi16(mask32_of(k), (const uint16_t *)s->data + at);
    const float *x = (const float *)s->data + at;
    return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(mask_of(k > 16 ? k - 16 : 0), x + 16),
                                        _mm512_maskz_loadu_ps(mask_of(k), x));
}

/* Columns lie along k: blocks of 16 columns by 16 units are turned over. */
/* The next 16 columns' part, on its way while these are turned over. */
INLINE void fetch_column(const struct micro_source *s, size_t at)
{
    const char *x = (const char *)s->data + at * (s->is_bf16 ? 2 : 4);
    __builtin_prefetch(x, 0, 2);
    if (!s->is_bf16) __builtin_prefetch(x + 64, 0, 2);
}

#    define PACK_COLUMNS(name, target, column, per_unit)                                           \
        static target void name(const struct micro_source *s, uint32_t k0, uint32_t k,             \
                                uint32_t j0, uint32_t n, const struct micro_panels *to)            \
        {                                                                                          \
            uint32_t units = (k + (per_unit)-1) / (per_unit);                                      \
            uint32_t w = to->w;                                                                    \
            for (uint32_t j = 0; j < (n + w - 1) / w * w; j += 16)                                 \
                for (uint32_t p = 0; p < units; p += 16) {                                         \
                    __m512i r[16];                                                                 \
                    uint32_t left = k - (per_unit)*p;                                              \
                    size_t at = (size_t)(j0 + j) * s->ld + k0 + (size_t)(per_unit)*p;              \
                    _Pragma("GCC unroll 16") for (uint32_t i = 0; i < 16; i++)                     \
                    {                                                                              \
                        fetch_column(s, at + (i + 16) * s->ld);                                    \
                        r[i] =                                                                     \
                            j + i < n ? column(s, at + i * s->ld, left) : _mm512_setzero_si512();  \
                    }                                                                              \
                    transpose(r);                                                                  \
                    uint32_t rows = units - p < 16 ? units - p : 16;                               \
                    uint32_t *dst =                                                                \
                        (uint32_t *)to->dst + j / w * to->stride + (size_t)p * w + j % w;          \
                    _Pragma("GCC unroll 16") for (uint32_t i = 0; i < 16; i++) if (i < rows)       \
                        _mm512_store_si512(dst + (size_t)i * w, r[i]);                             \
                }                                                                                  \
        }
PACK_COLUMNS(columns_f32, TARGET, column_f32, 1)
PACK_COLUMNS(columns_bf16, TARGET, column_pairs, 2)
PACK_COLUMNS(columns_hw, TARGET_HW, column_hw, 2)

enum {
    AHEAD = 16
}; /* rows fetched ahead of a packing loop: they lie too far apart to be foreseen */

INLINE void fetch_row(const void *p)
{
    __builtin_prefetch(p);
}

/* Whole panels of a row: V vectors each. */
INLINE TARGET void row_panels(const float *x, size_t ahead, uint32_t *dst, size_t stride,
                              uint32_t n_panels, const uint32_t V)
{
    for (uint32_t q = 0; q < n_panels; q++, dst += stride)
#    pragma GCC unroll 3
        for (uint32_t v = 0; v < V; v++, x += 16) {
            fetch_row(x + ahead);
            _mm512_store_si512(dst + 16 * (size_t)v, _mm512_loadu_si512(x));
        }
}

static TARGET void rows_f32(const struct micro_source *s, uint32_t k0, uint32_t k, uint32_t j0,
                            uint32_t n, const struct micro_panels *to)
{
    uint32_t w = to->w;
    uint32_t whole = n / w;
    size_t ahead = AHEAD * s->ld;
    for (uint32_t p = 0; p < k; p++) {
        const float *x = (const float *)s->data + (size_t)(k0 + p) * s->ld + j0;
        uint32_t *dst = (uint32_t *)to->dst + (size_t)p * w;
        if (w == 16)
            row_panels(x, ahead, dst, to->stride, whole, 1);
        else if (w == 32)
            row_panels(x, ahead, dst, to->stride, whole, 2);
        else
            row_panels(x, ahead, dst, to->stride, whole, 3);
        dst += whole * to->stride;
        for (uint32_t j = whole * w; j < n; j += 16)
            _mm512_store_si512(dst + j % w, _mm512_maskz_loadu_epi32(mask_of(n - j), x + j));
        for (uint32_t j = (n + 15) / 16 * 16; j < (n + w - 1) / w * w; j += 16)
            _mm512_store_si512(dst + j % w, _mm512_setzero_si512());
    }
}

/* 32 elements of a row of k in bfloat16, the first n of them. */
INLINE TARGET __m512i row_bf16(const struct micro_source *s, size_t at, uint32_t n)
{
    if (s->is_bf16) {
        const uint16_t *x = (const uint16_t *)s->data + at;
        fetch_row(x + AHEAD * s->ld);
        return _mm512_maskz_loadu_epi16(mask32_of(n), x);
    }
    const float *x = (const float *)s->data + at;
    fetch_row(x + AHEAD * s->ld);
    fetch_row(x + AHEAD * s->ld + 16);
    __m512i lo = round_bf16(_mm512_maskz_loadu_ps(mask_of(n), x));
    __m512i hi = round_bf16(_mm512_maskz_loadu_ps(mask_of(n > 16 ? n - 16 : 0), x + 16));
    return pack_words(lo, hi);
}

INLINE TARGET_HW __m512i row_hw(const struct micro_source *s, size_t at, uint32_t n)
{
    if (s->is_bf16) return row_bf16(s, at, n);
    const float *x = (const float *)s->data + at;
    fetch_row(x + AHEAD * s->ld);
    fetch_row(x + AHEAD * s->ld + 16);
    return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(mask_of(n > 16 ? n - 16 : 0), x + 16),
                                        _mm512_maskz_loadu_ps(mask_of(n), x));
}

/* Where the next 16 columns of a row go. */
struct place {
    uint32_t *dst;
    uint32_t in; /* columns of the panel that are behind us */
};

INLINE TARGET void put_columns(struct place *at, const struct micro_panels *to, __m512i x)
{
    _mm512_store_si512(at->dst + at->in, x);
    at->in += 16;
    if (at->in != to->w) return;
    at->dst += to->stride;
    at->in = 0;
}

/* Rows lie along the columns: two rows are interleaved, 32 columns at a time; whole ones first,
 * without masks to be worked out.
 */
#    define PACK_ROWS(name, target, row)                                                           \
        INLINE target void name##_32(const struct micro_source *s, size_t i, uint32_t left,        \
                                     bool has_hi, const struct micro_panels *to, struct place *at, \
                                     bool is_last)                                                 \
        {                                                                                          \
            const __m512i mix =                                                                    \
                _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, \
                                 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);              \
            const __m512i mix_hi = _mm512_add_epi16(mix, _mm512_set1_epi16(16));                   \
            __m512i lo = row(s, i, left);                                                          \
            __m512i hi = has_hi ? row(s, i + s->ld, left) : _mm512_setzero_si512();                \
            put_columns(at, to, _mm512_permutex2var_epi16(lo, mix, hi));                           \
            if (!is_last) put_columns(at, to, _mm512_permutex2var_epi16(lo, mix_hi, hi));          \
        }                                                                                          \
        static target void name(const struct micro_source *s, uint32_t k0, uint32_t k,             \
                                uint32_t j0, uint32_t n, const struct micro_panels *to)            \
        {                                                                                          \
            uint32_t end = (n + to->w - 1) / to->w * to->w;                                        \
            for (uint32_t p = 0; 2 * p < k; p++) {                                                 \
                struct place at = {.dst = (uint32_t *)to->dst + (size_t)p * to->w};                \
                size_t from = (size_t)(k0 + 2 * p) * s->ld + j0;                                   \
                bool has_hi = 2 * p + 1 < k;                                                       \
                uint32_t j = 0;                                                                    \
                for (; has_hi && j + 32 <= n; j += 32)                                             \
                    name##_32(s, from + j, 32, true, to, &at, false);                              \
                for (; j < end; j += 32)                                                           \
                    name##_32(s, from + j, j < n ? n - j : 0, has_hi, to, &at, j + 16 >= end);     \
            }                                                                                      \
        }
PACK_ROWS(rows_bf16, TARGET, row_bf16)
PACK_ROWS(rows_hw, TARGET_HW, row_hw)

static void pack_f32(const struct micro_source *s, uint32_t k0, uint32_t k, uint32_t j0, uint32_t n,
                     const struct micro_panels *to)
{
    (s->is_k_rows ? rows_f32 : columns_f32)(s, k0, k, j0, n, to);
}

static void pack_bf16(const struct micro_source *s, uint32_t k0, uint32_t k, uint32_t j0,
                      uint32_t n, const struct micro_panels *to)
{
    (s->is_k_rows ? rows_bf16 : columns_bf16)(s, k0, k, j0, n, to);
}

static void pack_hw(const struct micro_source *s, uint32_t k0, uint32_t k, uint32_t j0, uint32_t n,
                    const struct micro_panels *to)
{
    (s->is_k_rows ? rows_hw : columns_hw)(s, k0, k, j0, n, to);
}

const struct micro micro_avx512_f32 = {"avx512", strip_f32, pack_f32};
const struct micro micro_avx512_bf16 = {"avx512", strip_bf16, pack_bf16};
const struct micro micro_avx512_bf16_hw = {"avx512-bf16", strip_hw, pack_hw};
#endif
