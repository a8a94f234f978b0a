#include <string.h>

#include "base/alloc.h"
#include "engine/gemm.h"
#include "engine/kernels.h"
#include "engine/kernels_act.h"
#include "engine/layers.h"

/* Rows that are dealt with at a time: more rows read and write the head's weights less often, and
 * their exponentials take memory (32 MiB either way for a vocabulary of 32768).
 */
enum { ROWS_F32 = 256, ROWS_BF16 = 512, SOFT_ROWS = 4, CACHE_LINE = 64 };

struct job {
    const struct layers_dims *s;
    const uint32_t *targets; /* of these rows */
    uint32_t n_rows;
    uint32_t panel;    /* columns of a panel of the product */
    uint32_t n_panels; /* in a row */
    float scale;
    float *top;       /* [n_rows, n_panels] largest logit of a panel; then its factor */
    float *sum;       /* [n_rows, n_panels] sum of exp(logit - top) */
    float *at_target; /* [n_rows] logit of the target */
    double *row_nats; /* [n_rows] */
    void *e;          /* [n_rows, ld] exp(logit - top), then the gradient; NULL: loss only */
    void *room;       /* for the product that makes the head's gradient */
    uint32_t ld;      /* V and a cache line: rows 64 KiB apart would share the same few sets */
};

uint32_t loss_rows(const struct layers_dims *s)
{
    uint32_t most = s->type == MICRO_BF16 ? ROWS_BF16 : ROWS_F32;
    return s->R < most ? s->R : most;
}

static uint32_t panels_of(const struct layers_dims *s)
{
    return (s->V + gemm_panel(s->V) - 1) / gemm_panel(s->V);
}

static uint32_t ld_of(const struct layers_dims *s)
{
    return s->V + CACHE_LINE / kernels_act_bytes(s->type);
}

static size_t padded(size_t bytes)
{
    return size_add(bytes, 63) / 64 * 64;
}

/* Carve scratch up; with NULL only measure. Returns bytes. */
static size_t carve(const struct layers_dims *s, bool is_eval, char *block, struct job *j)
{
    uint32_t n = loss_rows(s);
    size_t stats = padded(size_mul(size_mul(n, panels_of(s)), sizeof(float)));
    size_t each = padded(size_mul(n, sizeof(double)));
    size_t at = 0;
    j->top = block ? (float *)(void *)block : NULL;
    at = size_add(at, stats);
    j->sum = block ? (float *)(void *)(block + at) : NULL;
    at = size_add(at, stats);
    j->at_target = block ? (float *)(void *)(block + at) : NULL;
    at = size_add(at, each);
    j->row_nats = block ? (double *)(void *)(block + at) : NULL;
    at = size_add(at, each);
    j->e = block && !is_eval ? block + at : NULL;
    if (is_eval) return at;
    at = size_add(at, padded(size_mul(size_mul(n, ld_of(s)), kernels_act_bytes(s->type))));
    j->room = block ? block + at : NULL;
    return size_add(at, gemm_room(s->type, s->D, n));
}

size_t loss_scratch(const struct layers_dims *s, bool is_eval)
{
    struct job j = {0};
    return carve(s, is_eval, NULL, &j);
}

/* A strip of logits, fresh from the product. */
static void see_strip(void *ctx, uint32_t row, uint32_t m, uint32_t col, uint32_t n,
                      const float *tile, uint32_t ld)
{
    const struct job *j = ctx;
    enum micro_type type = j->s->type;
    for (uint32_t i = 0; i < m; i++) {
        const float *x = tile + (size_t)i * ld;
        size_t at = (size_t)(row + i) * j->n_panels + col / j->panel;
        uint32_t target = j->targets[row + i];
        void *e = j->e ? kernels_act_at(j->e, type, (size_t)(row + i) * j->ld + col) : NULL;
        j->sum[at] = kernels_act_logits(type, e, x, n, &j->top[at]);
        if (target >= col && target < col + n) j->at_target[row + i] = x[target - col];
    }
}

/* The panels of a row put together: its loss, and the factor of each panel's exponentials. */
static float join_panels(const struct job *j, uint32_t r)
{
    float *top = j->top + (size_t)r * j->n_panels;
    const float *sum = j->sum + (size_t)r * j->n_panels;
    float most = kernels_max(top, j->n_panels);
    kernels_exp_shift(top, most, j->n_panels);
    float all = kernels_dot(top, sum, j->n_panels);
    j->row_nats[r] = kernels_log64((double)all) + (double)most - (double)j->at_target[r];
    return 1.0F / all;
}

/* Gradient of a row: (p - onehot) * scale, in place of the exponentials. */
static void soft_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    enum micro_type type = j->s->type;
    for (uint32_t r = piece * SOFT_ROWS; r < j->n_rows && r < (piece + 1) * SOFT_ROWS; r++) {
        float share = join_panels(j, r);
        if (!j->e) continue;
        char *row = kernels_act_at(j->e, type, (size_t)r * j->ld);
        float at_target = 0;
        kernels_act_get(type, &at_target, kernels_act_in(row, type, j->targets[r]), 1);
        float *factor = j->top + (size_t)r * j->n_panels;
        kernels_scale(factor, share * j->scale, j->n_panels);
        kernels_act_scale_panels(type, row, factor, j->panel, j->s->V);
        at_target = at_target * factor[j->targets[r] / j->panel] - j->scale;
        kernels_act_put(type, kernels_act_at(row, type, j->targets[r]), &at_target, 1);
    }
}

static void score(struct pool *p, struct job *j, const void *h, const float *head)
{
    const struct layers_dims *s = j->s;
    struct gemm_job g = {.kind = GEMM_NT,
                         .type = s->type,
                         .m = j->n_rows,
                         .n = s->V,
                         .k = s->D,
                         .a = h,
                         .lda = s->D,
                         .b = head,
                         .ldb = s->D,
                         .done = see_strip,
                         .ctx = j};
    gemm_run(p, &g, 1);
    pool_run(p, (j->n_rows + SOFT_ROWS - 1) / SOFT_ROWS, soft_rows, j);
}

static void back(struct pool *p, const struct job *j, const void *h, const float *head, bool add,
                 void *d_h, float *d_head)
{
    const struct layers_dims *s = j->s;
    bool is_bf16 = s->type == MICRO_BF16;
    struct gemm_job g[2] = {
        {.kind = GEMM_NN,
         .type = s->type,
         .is_c_bf16 = is_bf16,
         .m = j->n_rows,
         .n = s->D,
         .k = s->V,
         .a = j->e,
         .lda = j->ld,
         .b = head,
         .ldb = s->D,
         .c = d_h,
         .ldc = s->D    },
        { .kind = GEMM_TN,
         .type = s->type,
         .add = add,
         .is_b_bf16 = is_bf16,
         .m = s->V,
         .n = s->D,
         .k = j->n_rows,
         .a = j->e,
         .lda = j->ld,
         .b = h,
         .ldb = s->D,
         .c = d_head,
         .ldc = s->D,
         .room = j->room},
    };
    gemm_run(p, g, 2);
}

double loss_run(struct pool *p, const struct layers_dims *s, const void *h, const float *head,
                const uint32_t *targets, float scale, bool is_first, void *d_h, float *d_head,
                void *scratch)
{
    double nats = 0;
    struct job j = {.s = s,
                    .panel = gemm_panel(s->V),
                    .n_panels = panels_of(s),
                    .ld = ld_of(s),
                    .scale = scale};
    carve(s, d_h == NULL, scratch, &j);
    for (uint32_t r = 0; r < s->R; r += loss_rows(s)) {
        const void *h_r = kernels_act_in(h, s->type, (size_t)r * s->D);
        j.targets = targets + r;
        j.n_rows = s->R - r < loss_rows(s) ? s->R - r : loss_rows(s);
        score(p, &j, h_r, head);
        if (pool_cancelled(p)) return 0;
        for (uint32_t i = 0; i < j.n_rows; i++)
            nats += j.row_nats[i];
        if (d_h)
            back(p, &j, h_r, head, r || !is_first, kernels_act_at(d_h, s->type, (size_t)r * s->D),
                 d_head);
    }
    return nats;
}
