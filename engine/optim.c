#include "engine/optim.h"

#include <math.h>
#include <string.h>

#include "engine/kernels.h"

struct norm_job {
    const float *g;
    uint64_t n;
    double *part;
};

uint64_t optim_blocks(uint64_t n)
{
    return (n + OPTIM_BLOCK - 1) / OPTIM_BLOCK;
}

static void norm_block(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct norm_job *j = ctx;
    uint64_t at = (uint64_t)piece * OPTIM_BLOCK;
    uint64_t n = j->n - at < OPTIM_BLOCK ? j->n - at : OPTIM_BLOCK;
    j->part[piece] = kernels_sumsq64(j->g + at, (uint32_t)n);
}

double optim_norm(struct pool *p, const float *g, uint64_t n, double *part)
{
    struct norm_job j = {.g = g, .n = n, .part = part};
    uint64_t blocks = optim_blocks(n);
    pool_run(p, (uint32_t)blocks, norm_block, &j);
    if (pool_cancelled(p)) return 0;
    double s = 0;
    for (uint64_t i = 0; i < blocks; i++)
        s += part[i];
    return sqrt(s);
}

struct step_job {
    const struct optim_state *s;
    struct kernels_adamw decay; /* for matrices */
    struct kernels_adamw plain; /* for one-dimensional tensors */
};

static uint32_t tensor_at(const struct model_table *t, uint64_t at)
{
    uint32_t lo = 0;
    uint32_t hi = t->n_tensors - 1;
    while (lo < hi) {
        uint32_t mid = (lo + hi + 1) / 2;
        if (t->tensors[mid].offset <= at)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

/* Values [at, end), tensor by tensor; m and v belong to value `at`. */
static void step_range(const struct step_job *j, uint64_t at, uint64_t end, float *m, float *v)
{
    const struct optim_state *s = j->s;
    for (uint32_t i = tensor_at(s->table, at); at < end; i++) {
        const struct model_tensor *x = &s->table->tensors[i];
        uint64_t stop = x->offset + x->n < end ? x->offset + x->n : end;
        uint32_t n = (uint32_t)(stop - at);
        kernels_adamw(x->cols == 1 ? &j->plain : &j->decay, s->w + at, m, v, s->g + at, n);
        at = stop;
        m += n;
        v += n;
    }
}

static void step_block(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct step_job *j = ctx;
    const struct optim_state *s = j->s;
    uint64_t n = s->table->n_params;
    uint64_t at = (uint64_t)piece * OPTIM_BLOCK;
    uint64_t end = n - at < OPTIM_BLOCK ? n : at + OPTIM_BLOCK;
    if (s->m_kind == PACKED_F32) {
        step_range(j, at, end, (float *)s->m + at, (float *)s->v + at);
        return;
    }
    for (; at < end; at += PACKED_GROUP) {
        float m[PACKED_GROUP], v[PACKED_GROUP];
        uint32_t part = end - at < PACKED_GROUP ? (uint32_t)(end - at) : PACKED_GROUP;
        packed_get(s->m_kind, s->m, at, part, m);
        packed_get(s->v_kind, s->v, at, part, v);
        step_range(j, at, at + part, m, v);
        packed_put(s->m_kind, s->m, at, part, m);
        packed_put(s->v_kind, s->v, at, part, v);
    }
}

void optim_step(struct pool *p, const struct optim_state *s, const struct optim_params *o,
                uint64_t t, double grad_norm)
{
    double clip = grad_norm > o->clip_norm ? o->clip_norm / grad_norm : 1;
    struct step_job j = {.s = s};
    j.plain = (struct kernels_adamw){
        .grad_scale = (float)clip,
        .beta1 = (float)o->beta1,
        .beta2 = (float)o->beta2,
        .eps = (float)o->eps,
        .keep = 1.0F,
        .step = (float)(o->lr / (1 - kernels_pow_int(o->beta1, t))),
        .root_bias = (float)sqrt(1 - kernels_pow_int(o->beta2, t)),
    };
    j.decay = j.plain;
    j.decay.keep = (float)(1 - o->lr * o->weight_decay);
    pool_protect(p, true);
    pool_run(p, (uint32_t)optim_blocks(s->table->n_params), step_block, &j);
    pool_protect(p, false);
}

_Static_assert(OPTIM_BLOCK % PACKED_GROUP == 0, "a piece holds whole groups");
