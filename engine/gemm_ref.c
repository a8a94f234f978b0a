#include "engine/gemm_ref.h"

/* The innermost loop runs over columns of C where B's rows allow it, so that the compiler can use
 * vectors and the TSan row stays bearable; the order of additions per element is k either way.
 */
static void row_axpy(float *c, const float *b, float x, uint32_t n)
{
    for (uint32_t j = 0; j < n; j++)
        c[j] += x * b[j];
}

static void row_by_axpy(const struct gemm_job *g, float alpha, uint32_t i)
{
    float *c = g->c + (uint64_t)i * g->ldc;
    for (uint32_t k = 0; k < g->k; k++) {
        float a =
            g->kind == GEMM_TN ? g->a[(uint64_t)k * g->lda + i] : g->a[(uint64_t)i * g->lda + k];
        row_axpy(c, g->b + (uint64_t)k * g->ldb, alpha * a, g->n);
    }
}

static void row_by_dot(const struct gemm_job *g, float alpha, uint32_t i)
{
    const float *a = g->a + (uint64_t)i * g->lda;
    float *c = g->c + (uint64_t)i * g->ldc;
    for (uint32_t j = 0; j < g->n; j++) {
        const float *b = g->b + (uint64_t)j * g->ldb;
        float s = 0;
        for (uint32_t k = 0; k < g->k; k++)
            s += a[k] * b[k];
        c[j] += alpha * s;
    }
}

void gemm_ref_small(const struct gemm_job *g, float alpha)
{
    for (uint32_t i = 0; i < g->m; i++) {
        float *c = g->c + (uint64_t)i * g->ldc;
        for (uint32_t j = 0; !g->add && j < g->n; j++)
            c[j] = 0;
        if (g->kind == GEMM_NT)
            row_by_dot(g, alpha, i);
        else
            row_by_axpy(g, alpha, i);
    }
}
