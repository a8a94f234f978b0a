#pragma once
/* Why: AdamW (Loshchilov and Hutter 2019) with decoupled decay and global-norm clipping, on the
 * flat parameter block. One-dimensional tensors (norms) do not decay. Order of operations follows
 * torch.optim.AdamW, so that the outside reference can be compared number by number.
 */

#include <stdint.h>

#include "engine/model.h"
#include "engine/packed.h"
#include "engine/pool.h"

/* Values per piece of work; also the block of the gradient norm's fixed tree. */
#define OPTIM_BLOCK 16384

struct optim_params {
    double lr, beta1, beta2, eps, weight_decay;
    double clip_norm;
};

/* L2 norm of g [n]: blocks of OPTIM_BLOCK summed in double, then the blocks in order.
 * part: scratch of optim_blocks(n) doubles.
 */
uint64_t optim_blocks(uint64_t n);
double optim_norm(struct pool *p, const float *g, uint64_t n, double *part);

/* What a step works on. m and v are packed blocks of table->n_params values. */
struct optim_state {
    const struct model_table *table;
    float *w;
    void *m, *v;
    enum packed_kind m_kind, v_kind; /* both PACKED_F32, or neither */
    const float *g;
};

/* One step, t counting from 1. grad_norm is what optim_norm gave. Runs to its end once begun
 * (pool_protect), pausing if asked.
 */
void optim_step(struct pool *p, const struct optim_state *s, const struct optim_params *o,
                uint64_t t, double grad_norm);
