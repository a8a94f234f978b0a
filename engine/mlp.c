#include "engine/kernels.h"
#include "engine/layers.h"

struct job {
    const struct layers_dims *s;
    const float *gu;
    const float *d_act;
    float *out;
};

static uint32_t blocks(const struct layers_dims *s)
{
    return (s->R + LAYERS_ROWS - 1) / LAYERS_ROWS;
}

static void forward_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    uint32_t F = j->s->F;
    for (uint32_t r = piece * LAYERS_ROWS; r < j->s->R && r < (piece + 1) * LAYERS_ROWS; r++) {
        const float *gate = j->gu + (size_t)r * 2 * F;
        kernels_swiglu(j->out + (size_t)r * F, gate, gate + F, F);
    }
}

void mlp_forward(struct pool *p, const struct layers_dims *s, const float *gu, float *act)
{
    struct job j = {.s = s, .gu = gu, .out = act};
    pool_run(p, blocks(s), forward_rows, &j);
}

static void backward_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    uint32_t F = j->s->F;
    for (uint32_t r = piece * LAYERS_ROWS; r < j->s->R && r < (piece + 1) * LAYERS_ROWS; r++) {
        const float *gate = j->gu + (size_t)r * 2 * F;
        float *d_gate = j->out + (size_t)r * 2 * F;
        kernels_swiglu_back(d_gate, d_gate + F, j->d_act + (size_t)r * F, gate, gate + F, F);
    }
}

void mlp_backward(struct pool *p, const struct layers_dims *s, const float *gu, const float *d_act,
                  float *d_gu)
{
    struct job j = {.s = s, .gu = gu, .d_act = d_act, .out = d_gu};
    pool_run(p, blocks(s), backward_rows, &j);
}
