#include <math.h>
#include <string.h>

#include "engine/kernels.h"
#include "engine/layers.h"

/* Weight gradients are first summed within blocks of DW_ROWS rows, then over blocks in order. */
enum { DW_ROWS = LAYERS_ROWS, DW_COLS = 64 };

struct job {
    const struct layers_dims *s;
    float eps;
    const float *x;
    const float *w;
    const float *d_y;
    const float *rstd_in;
    float *y;
    float *rstd;
    float *copy;
    float *d_x;
    float *d_w;
    float *part;
};

static uint32_t blocks(const struct layers_dims *s)
{
    return (s->R + LAYERS_ROWS - 1) / LAYERS_ROWS;
}

static uint32_t end_of(const struct layers_dims *s, uint32_t piece)
{
    uint32_t end = (piece + 1) * LAYERS_ROWS;
    return end < s->R ? end : s->R;
}

static void forward_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    uint32_t D = j->s->D;
    for (uint32_t r = piece * LAYERS_ROWS; r < end_of(j->s, piece); r++) {
        const float *x = j->x + (size_t)r * D;
        float rstd = 1.0F / sqrtf(kernels_sumsq(x, D) / (float)D + j->eps);
        kernels_norm(j->y + (size_t)r * D, x, j->w, rstd, D);
        j->rstd[r] = rstd;
        if (j->copy) memcpy(j->copy + (size_t)r * D, x, D * sizeof(float));
    }
}

void norm_forward(struct pool *p, const struct layers_dims *s, float eps, const float *x,
                  const float *w, float *y, float *rstd, float *copy)
{
    struct job j = {.s = s, .eps = eps, .x = x, .w = w, .y = y, .rstd = rstd, .copy = copy};
    pool_run(p, blocks(s), forward_rows, &j);
}

static void again_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    uint32_t D = j->s->D;
    for (uint32_t r = piece * LAYERS_ROWS; r < end_of(j->s, piece); r++)
        kernels_norm(j->y + (size_t)r * D, j->x + (size_t)r * D, j->w, j->rstd_in[r], D);
}

void norm_again(struct pool *p, const struct layers_dims *s, const float *x, const float *w,
                const float *rstd, float *y)
{
    struct job j = {.s = s, .x = x, .w = w, .rstd_in = rstd, .y = y};
    pool_run(p, blocks(s), again_rows, &j);
}

/* With n = x * rstd: d_x = rstd * (d_y w - n mean(d_y w n)), so the factor of x is
 * c = rstd^3 * sum(d_y w x) / D.
 */
static void backward_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    uint32_t D = j->s->D;
    float *part = j->part + (size_t)piece * D;
    memset(part, 0, D * sizeof(float));
    for (uint32_t r = piece * LAYERS_ROWS; r < end_of(j->s, piece); r++) {
        const float *x = j->x + (size_t)r * D;
        const float *d_y = j->d_y + (size_t)r * D;
        float rstd = j->rstd_in[r];
        float c = kernels_dot3(d_y, j->w, x, D) / (float)D * rstd * rstd * rstd;
        kernels_norm_back(j->d_x + (size_t)r * D, d_y, j->w, x, rstd, c, D);
        kernels_norm_dw(part, d_y, x, rstd, D);
    }
}

static void sum_parts(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    uint32_t at = piece * DW_COLS;
    uint32_t n = j->s->D - at < DW_COLS ? j->s->D - at : DW_COLS;
    for (uint32_t b = 0; b < blocks(j->s); b++)
        kernels_add(j->d_w + at, j->part + (size_t)b * j->s->D + at, n);
}

void norm_backward(struct pool *p, const struct layers_dims *s, const float *x, const float *w,
                   const float *rstd, const float *d_y, float *d_x, float *d_w, float *part)
{
    struct job j = {
        .s = s, .x = x, .w = w, .rstd_in = rstd, .d_y = d_y, .d_x = d_x, .d_w = d_w, .part = part};
    pool_run(p, blocks(s), backward_rows, &j);
    pool_run(p, (s->D + DW_COLS - 1) / DW_COLS, sum_parts, &j);
}

size_t norm_scratch(const struct layers_dims *s)
{
    return (size_t)blocks(s) * s->D;
}
