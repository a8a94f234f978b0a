/* The oracle, and the fallback for every processor without a file of its own (compilers turn the
 * fmaf loops into vector instructions where the base instruction set has them, as Arm's does).
 */
#include <assert.h>
#include <math.h>

#include "engine/bf16.h"
#include "engine/micro.h"

static float flush(float x)
{
    return fabsf(x) < 0x1p-126f ? copysignf(0.0F, x) : x;
}

static size_t row_at(const struct micro_strip *s, uint32_t i)
{
    return i / MICRO_LANES * s->a_block + i % MICRO_LANES * s->a_row;
}

static void row_f32(const struct micro_strip *s, uint32_t i, float *acc, uint32_t w)
{
    const float *a = (const float *)s->a + row_at(s, i);
    const float *b = s->b;
    for (uint32_t p = 0; p < s->k; p++)
        for (uint32_t j = 0; j < w; j++)
            acc[j] = fmaf(a[p * s->a_step], b[(size_t)p * w + j], acc[j]);
}

static float half(uint32_t unit, int shift)
{
    return flush(bf16_to_float((uint16_t)(unit >> shift)));
}

static void row_bf16(const struct micro_strip *s, uint32_t i, float *acc, uint32_t w)
{
    const uint32_t *a = (const uint32_t *)s->a + row_at(s, i);
    const uint32_t *b = s->b;
    for (uint32_t j = 0; s->k && j < w; j++)
        acc[j] = flush(acc[j]);
    for (uint32_t p = 0; p < s->k; p++) {
        uint32_t x = a[p * s->a_step];
        for (uint32_t j = 0; j < w; j++) {
            uint32_t y = b[(size_t)p * w + j];
            acc[j] = flush(fmaf(half(x, 16), half(y, 16), acc[j]));
            acc[j] = flush(fmaf(half(x, 0), half(y, 0), acc[j]));
        }
    }
}

typedef void (*row_fn)(const struct micro_strip *, uint32_t, float *, uint32_t);

static void strip(const struct micro_strip *s, row_fn row)
{
    assert(s->n >= 1 && s->n <= MICRO_NR);
    for (uint32_t i = 0; i < s->m; i++) {
        float acc[MICRO_NR] = {0};
        for (uint32_t j = 0; s->in && j < s->n; j++)
            acc[j] = s->in[i * s->in_ld + j];
        row(s, i, acc, micro_width(s->n));
        for (uint32_t j = 0; j < s->n; j++) {
            if (s->is_out_bf16)
                ((uint16_t *)s->out)[i * s->out_ld + j] = bf16_of_float(acc[j]);
            else
                ((float *)s->out)[i * s->out_ld + j] = acc[j];
        }
    }
}

static void strip_f32(const struct micro_strip *s)
{
    strip(s, row_f32);
}

static void strip_bf16(const struct micro_strip *s)
{
    strip(s, row_bf16);
}

static size_t at(const struct micro_source *s, uint32_t p, uint32_t j)
{
    return s->is_k_rows ? p * s->ld + j : j * s->ld + p;
}

/* Where unit p of column j goes. */
static size_t place(const struct micro_panels *to, uint32_t p, uint32_t j)
{
    return j / to->w * to->stride + (size_t)p * to->w + j % to->w;
}

static uint32_t padded(const struct micro_panels *to, uint32_t n)
{
    return (n + to->w - 1) / to->w * to->w;
}

static void pack_f32(const struct micro_source *s, uint32_t k0, uint32_t k, uint32_t j0, uint32_t n,
                     const struct micro_panels *to)
{
    float *dst = to->dst;
    for (uint32_t p = 0; p < k; p++)
        for (uint32_t j = 0; j < padded(to, n); j++)
            dst[place(to, p, j)] = j < n ? ((const float *)s->data)[at(s, k0 + p, j0 + j)] : 0.0F;
}

static uint16_t take(const struct micro_source *s, size_t i)
{
    return s->is_bf16 ? ((const uint16_t *)s->data)[i] : bf16_of_float(((const float *)s->data)[i]);
}

static void pack_bf16(const struct micro_source *s, uint32_t k0, uint32_t k, uint32_t j0,
                      uint32_t n, const struct micro_panels *to)
{
    uint32_t *dst = to->dst;
    for (uint32_t p = 0; p < k; p += 2)
        for (uint32_t j = 0; j < padded(to, n); j++) {
            uint32_t lo = j < n ? take(s, at(s, k0 + p, j0 + j)) : 0;
            uint32_t hi = j < n && p + 1 < k ? take(s, at(s, k0 + p + 1, j0 + j)) : 0;
            dst[place(to, p / 2, j)] = lo | hi << 16;
        }
}

const struct micro micro_c_f32 = {"c", strip_f32, pack_f32};
const struct micro micro_c_bf16 = {"c", strip_bf16, pack_bf16};
