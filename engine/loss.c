#include "engine/gemm.h"
#include "engine/kernels.h"
#include "engine/layers.h"

enum { SOFT_ROWS = 4 };

struct job {
    const struct layers_dims *s;
    const uint32_t *targets;
    float *logits;
    float *row_nats;
    uint32_t n;
    float scale; /* 0: loss only */
};

/* Softmax of a row in place and, for training, its gradient: (p - onehot) * scale. */
static void soft_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    uint32_t V = j->s->V;
    for (uint32_t r = piece * SOFT_ROWS; r < j->n && r < (piece + 1) * SOFT_ROWS; r++) {
        float *x = j->logits + (size_t)r * V;
        float top = kernels_max(x, V);
        float target = x[j->targets[r]];
        float sum = kernels_exp_sum(x, top, V);
        j->row_nats[r] = (float)(kernels_log64((double)sum) + (double)top - (double)target);
        if (j->scale == 0) continue;
        kernels_scale(x, j->scale / sum, V);
        x[j->targets[r]] -= j->scale;
    }
}

double loss_run(struct pool *p, const struct layers_dims *s, const float *h, const float *head,
                const uint32_t *targets, float scale, float *d_h, float *d_head, float *logits,
                float *row_nats)
{
    double nats = 0;
    for (uint32_t r = 0; r < s->R; r += LAYERS_CE_ROWS) {
        uint32_t n = s->R - r < LAYERS_CE_ROWS ? s->R - r : LAYERS_CE_ROWS;
        const float *h_r = h + (size_t)r * s->D;
        struct gemm_job score = {.kind = GEMM_NT,
                                 .m = n,
                                 .n = s->V,
                                 .k = s->D,
                                 .a = h_r,
                                 .lda = s->D,
                                 .b = head,
                                 .ldb = s->D,
                                 .c = logits,
                                 .ldc = s->V};
        gemm_run(p, &score, 1);
        struct job j = {.s = s,
                        .targets = targets + r,
                        .logits = logits,
                        .row_nats = row_nats,
                        .n = n,
                        .scale = d_h ? scale : 0};
        pool_run(p, (n + SOFT_ROWS - 1) / SOFT_ROWS, soft_rows, &j);
        if (pool_cancelled(p)) return 0;
        for (uint32_t i = 0; i < n; i++)
            nats += (double)row_nats[i];
        if (!d_h) continue;
        struct gemm_job back[2] = {
            {.kind = GEMM_NN,
             .m = n,
             .n = s->D,
             .k = s->V,
             .a = logits,
             .lda = s->V,
             .b = head,
             .ldb = s->D,
             .c = d_h + (size_t)r * s->D,
             .ldc = s->D},
            { .kind = GEMM_TN,
             .add = true,
             .m = s->V,
             .n = s->D,
             .k = n,
             .a = logits,
             .lda = s->V,
             .b = h_r,
             .ldb = s->D,
             .c = d_head,
             .ldc = s->D},
        };
        gemm_run(p, back, 2);
    }
    return nats;
}
