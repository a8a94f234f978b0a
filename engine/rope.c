#include "engine/kernels.h"
#include "engine/kernels_act.h"
#include "engine/layers.h"

struct job {
    const struct layers_dims *s;
    const float *table;
    void *qkv;
    void (*turn)(enum micro_type, void *, const float *, const float *, uint32_t);
};

size_t rope_table_floats(uint32_t T, uint32_t W)
{
    return (size_t)T * W; /* cosines and sines, W / 2 each */
}

void rope_init(float *table, uint32_t T, uint32_t W, double theta)
{
    uint32_t half = W / 2;
    double log_theta = kernels_log64(theta);
    for (uint32_t i = 0; i < half; i++) {
        double freq = kernels_exp64(-log_theta * (double)(2 * i) / (double)W);
        for (uint32_t t = 0; t < T; t++) {
            table[(size_t)t * half + i] = (float)kernels_cos64(freq * t);
            table[(size_t)(T + t) * half + i] = (float)kernels_sin64(freq * t);
        }
    }
}

static void turn_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    const struct layers_dims *s = j->s;
    uint32_t half = s->W / 2;
    for (uint32_t r = piece * LAYERS_ROWS; r < s->R && r < (piece + 1) * LAYERS_ROWS; r++) {
        uint32_t t = r % s->T;
        const float *c = j->table + (size_t)t * half;
        for (uint32_t h = 0; h < s->H + s->K; h++)
            j->turn(s->type, kernels_act_at(j->qkv, s->type, (size_t)r * s->S + (size_t)h * s->W),
                    c, c + (size_t)s->T * half, half);
    }
}

static void turn(struct pool *p, struct job j)
{
    pool_run(p, (j.s->R + LAYERS_ROWS - 1) / LAYERS_ROWS, turn_rows, &j);
}

void rope_forward(struct pool *p, const struct layers_dims *s, const float *table, void *qkv)
{
    turn(p, (struct job){.s = s, .table = table, .qkv = qkv, .turn = kernels_act_rope});
}

void rope_backward(struct pool *p, const struct layers_dims *s, const float *table, void *d_qkv)
{
    turn(p, (struct job){.s = s, .table = table, .qkv = d_qkv, .turn = kernels_act_rope_back});
}
