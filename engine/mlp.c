#include "engine/kernels_act.h"
#include "engine/layers.h"

struct job {
    const struct layers_dims *s;
    const void *gu;
    const void *d_act;
    void *act;
    void *d_gu;
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
    enum micro_type t = j->s->type;
    for (uint32_t r = piece * LAYERS_ROWS; r < j->s->R && r < (piece + 1) * LAYERS_ROWS; r++) {
        const void *gate = kernels_act_in(j->gu, t, (size_t)r * 2 * F);
        kernels_act_swiglu(t, kernels_act_at(j->act, t, (size_t)r * F), gate,
                           kernels_act_in(gate, t, F), F);
    }
}

void mlp_forward(struct pool *p, const struct layers_dims *s, const void *gu, void *act)
{
    struct job j = {.s = s, .gu = gu, .act = act};
    pool_run(p, blocks(s), forward_rows, &j);
}

static void backward_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    uint32_t F = j->s->F;
    enum micro_type t = j->s->type;
    for (uint32_t r = piece * LAYERS_ROWS; r < j->s->R && r < (piece + 1) * LAYERS_ROWS; r++) {
        const void *gate = kernels_act_in(j->gu, t, (size_t)r * 2 * F);
        void *d_gate = kernels_act_at(j->d_gu, t, (size_t)r * 2 * F);
        kernels_act_swiglu_back(
            t, kernels_act_at(j->act, t, (size_t)r * F), d_gate, kernels_act_at(d_gate, t, F),
            kernels_act_in(j->d_act, t, (size_t)r * F), gate, kernels_act_in(gate, t, F), F);
    }
}

void mlp_backward(struct pool *p, const struct layers_dims *s, const void *gu, const void *d_act,
                  void *act, void *d_gu)
{
    struct job j = {.s = s, .gu = gu, .d_act = d_act, .act = act, .d_gu = d_gu};
    pool_run(p, blocks(s), backward_rows, &j);
}
