#pragma once
/* Why: the whole forward and backward pass over the flat parameter block of model.h: LLaMA with
 * RMSNorm, rotary positions, grouped-query attention and SwiGLU. All memory comes from one block
 * that is carved up at creation; what a layer keeps for its backward is kept per row, and what is
 * cheap to compute again (norms, SwiGLU, attention weights) is.
 *
 * Kept per row and layer, as activations: 2 D (normed residual before attention and before the
 * MLP) + S (q, k, v) + D (attention's output) + 2 F (gate, up); and H + 2 floats.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/layers.h"
#include "engine/model.h"

struct model_pass;

/* Rows of a micro-batch of bfloat16: B * T stays at or below this unless one sequence is longer.
 * Floats take twice the memory, and get half the rows.
 */
#define MODEL_PASS_ROWS 1024

/* Sequences that go through together, out of batch_seqs; a function of the shapes alone. */
uint32_t model_pass_seqs(enum micro_type type, uint32_t seq_len, uint32_t batch_seqs);

/* What a pass is made for. */
struct model_pass_shape {
    uint32_t n_seqs, seq_len; /* the largest micro-batch */
    enum micro_type type;     /* of activations and products; weights and gradients are floats */
    bool eval_only;           /* leaves out what only the backward needs */
    bool recompute;           /* keeps only each layer's input, and does its forward again */
};

/* Floats of the block. SIZE_MAX when it does not fit in an address. */
size_t model_pass_floats(const struct model_config *c, const struct model_pass_shape *shape,
                         uint32_t n_threads);

/* Carve `block` (borrowed, 64-byte aligned, model_pass_floats) up. pool and table are borrowed.
 * ERR_NOMEM.
 */
int model_pass_create(const struct model_config *c, const struct model_table *t, struct pool *pool,
                      const struct model_pass_shape *shape, float *block, struct model_pass **ret,
                      struct err *e) MUST_CHECK;
void model_pass_destroy(struct model_pass *m); /* accepts NULL */

/* tokens [n_seqs][T + 1], n_seqs <= B, each < vocab_size (the caller checks). Returns the summed
 * cross-entropy in nats. Unspecified when the pool was cancelled. Allocates nothing.
 */
double model_pass_loss(struct model_pass *m, const float *params, const uint32_t *tokens,
                       uint32_t n_seqs);

/* The same, and grads [n_params] += scale * d loss / d params; is_first: = instead of +=, whatever
 * was there.
 */
double model_pass_grads(struct model_pass *m, const float *params, const uint32_t *tokens,
                        uint32_t n_seqs, float scale, bool is_first, float *grads);
