#include <math.h>
#include <string.h>

#include "engine/kernels.h"
#include "engine/kernels_act.h"
#include "engine/layers.h"

/* Weight gradients are first summed within blocks of DW_ROWS rows, then over blocks in order. */
enum { DW_ROWS = LAYERS_ROWS, DW_COLS = 64 };

struct job {
    const struct layers_dims *s;
    float eps;
    const float *x;
    const float *w;
    const void *d_y;
    const void *unit_in;
    const float *rstd_in;
    void *unit;
    void *y;
    float *rstd;
    float *d_x;
    void *d_x_act;
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
    enum micro_type type = j->s->type;
    for (uint32_t r = piece * LAYERS_ROWS; r < end_of(j->s, piece); r++) {
        const float *x = j->x + (size_t)r * D;
        size_t at = (size_t)r * D;
        float rstd = 1.0F / sqrtf(kernels_sumsq(x, D) / (float)D + j->eps);
        kernels_act_norm(type, kernels_act_at(j->unit, type, at), kernels_act_at(j->y, type, at), x,
                         j->w, rstd, D);
        j->rstd[r] = rstd;
    }
}

void norm_forward(struct pool *p, const struct layers_dims *s, float eps, const float *x,
                  const float *w, void *unit, void *y, float *rstd)
{
    struct job j = {.s = s, .eps = eps, .x = x, .w = w, .unit = unit, .y = y, .rstd = rstd};
    pool_run(p, blocks(s), forward_rows, &j);
}

static void again_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    uint32_t D = j->s->D;
    enum micro_type type = j->s->type;
    for (uint32_t r = piece * LAYERS_ROWS; r < end_of(j->s, piece); r++)
        kernels_act_norm_again(type, kernels_act_at(j->y, type, (size_t)r * D),
                               kernels_act_in(j->unit_in, type, (size_t)r * D), j->w, D);
}

void norm_again(struct pool *p, const struct layers_dims *s, const void *unit, const float *w,
                void *y)
{
    struct job j = {.s = s, .unit_in = unit, .w = w, .y = y};
    pool_run(p, blocks(s), again_rows, &j);
}

/* With u = x * rstd: d_x = rstd * (d_y w - u mean(d_y w u)). */
static void backward_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    uint32_t D = j->s->D;
    enum micro_type type = j->s->type;
    float *part = j->part + (size_t)piece * D;
    memset(part, 0, D * sizeof(float));
    for (uint32_t r = piece * LAYERS_ROWS; r < end_of(j->s, piece); r++) {
        size_t at = (size_t)r * D;
        const void *unit = kernels_act_in(j->unit_in, type, at);
        const void *d_y = kernels_act_in(j->d_y, type, at);
        float c = kernels_act_norm_dot(type, d_y, j->w, unit, D) / (float)D;
        void *copy = j->d_x_act ? kernels_act_at(j->d_x_act, type, at) : NULL;
        kernels_act_norm_back(type, j->d_x + at, copy, part, d_y, j->w, unit, j->rstd_in[r], c, D);
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

void norm_backward(struct pool *p, const struct layers_dims *s, const void *unit, const float *w,
                   const float *rstd, const void *d_y, float *d_x, void *d_x_act, float *d_w,
                   float *part)
{
    struct job j = {.s = s,
                    .unit_in = unit,
                    .w = w,
                    .rstd_in = rstd,
                    .d_y = d_y,
                    .d_x = d_x,
                    .d_x_act = d_x_act,
                    .d_w = d_w,
                    .part = part};
    pool_run(p, blocks(s), backward_rows, &j);
    pool_run(p, (s->D + DW_COLS - 1) / DW_COLS, sum_parts, &j);
}

size_t norm_scratch(const struct layers_dims *s)
{
    return (size_t)blocks(s) * s->D;
}
