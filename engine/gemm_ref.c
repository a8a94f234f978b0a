#include "engine/gemm_ref.h"

#include <math.h>

#include "engine/bf16.h"

static float flush(float x)
{
    return fabsf(x) < 0x1p-126f ? copysignf(0.0F, x) : x;
}

static float half(const void *p, bool is_bf16, uint64_t i)
{
    return flush(
        bf16_to_float(is_bf16 ? ((const uint16_t *)p)[i] : bf16_of_float(((const float *)p)[i])));
}

static uint64_t a_at(const struct gemm_job *g, uint32_t i, uint32_t p)
{
    return g->kind == GEMM_TN ? (uint64_t)p * g->lda + i : (uint64_t)i * g->lda + p;
}

static uint64_t b_at(const struct gemm_job *g, uint32_t p, uint32_t j)
{
    return g->kind == GEMM_NT ? (uint64_t)j * g->ldb + p : (uint64_t)p * g->ldb + j;
}

static float sum_f32(const struct gemm_job *g, uint32_t i, uint32_t j, float c)
{
    for (uint32_t p = 0; p < g->k; p++)
        c = fmaf(((const float *)g->a)[a_at(g, i, p)], ((const float *)g->b)[b_at(g, p, j)], c);
    return c;
}

/* Pairs: the odd one first; a last one without its partner is multiplied after a zero. */
static float sum_bf16(const struct gemm_job *g, uint32_t i, uint32_t j, float c)
{
    for (uint32_t p = 0; p < g->k; p += 2)
        for (int odd = 1; odd >= 0; odd--) {
            bool is_there = p + (uint32_t)odd < g->k;
            uint32_t q = p + (is_there ? (uint32_t)odd : 0);
            float a = is_there ? half(g->a, true, a_at(g, i, q)) : 0;
            float b = is_there ? half(g->b, g->is_b_bf16, b_at(g, q, j)) : 0;
            c = flush(fmaf(a, b, flush(c)));
        }
    return c;
}

void gemm_ref(const struct gemm_job *g)
{
    for (uint32_t i = 0; i < g->m; i++)
        for (uint32_t j = 0; j < g->n; j++) {
            uint64_t at = (uint64_t)i * g->ldc + j;
            float c = g->add ? ((const float *)g->c)[at] : 0;
            c = g->type == MICRO_BF16 ? sum_bf16(g, i, j, c) : sum_f32(g, i, j, c);
            if (g->is_c_bf16)
                ((uint16_t *)g->c)[at] = bf16_of_float(c);
            else
                ((float *)g->c)[at] = c;
        }
}
