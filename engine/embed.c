#include <string.h>

#include "engine/kernels.h"
#include "engine/layers.h"

enum { ID_BLOCKS = 32 };

struct job {
    const struct layers_dims *s;
    const uint32_t *tokens;
    const float *in;
    float *out;
};

static void copy_rows(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    uint32_t D = j->s->D;
    for (uint32_t r = piece * LAYERS_ROWS; r < j->s->R && r < (piece + 1) * LAYERS_ROWS; r++)
        memcpy(j->out + (size_t)r * D, j->in + (size_t)j->tokens[r] * D, D * sizeof(float));
}

void embed_forward(struct pool *p, const struct layers_dims *s, const uint32_t *tokens,
                   const float *table, float *x)
{
    struct job j = {.s = s, .tokens = tokens, .in = table, .out = x};
    pool_run(p, (s->R + LAYERS_ROWS - 1) / LAYERS_ROWS, copy_rows, &j);
}

/* A piece owns the ids that leave its number when divided by ID_BLOCKS, so that two pieces never
 * touch the same row of the table and each row is added to in order.
 */
static void add_ids(void *ctx, uint32_t piece, uint32_t i_worker)
{
    (void)i_worker;
    const struct job *j = ctx;
    uint32_t D = j->s->D;
    for (uint32_t r = 0; r < j->s->R; r++)
        if (j->tokens[r] % ID_BLOCKS == piece)
            kernels_add(j->out + (size_t)j->tokens[r] * D, j->in + (size_t)r * D, D);
}

void embed_backward(struct pool *p, const struct layers_dims *s, const uint32_t *tokens,
                    const float *d_x, float *d_table)
{
    struct job j = {.s = s, .tokens = tokens, .in = d_x, .out = d_table};
    pool_run(p, ID_BLOCKS, add_ids, &j);
}
