#pragma once
/* Why: every layer's forward beside its backward, on plain row-major blocks. Each call runs on
 * the trainer thread, splits its rows into fixed blocks and hands them to the pool; nothing here
 * allocates. When the pool is cancelled a call returns early with its outputs unspecified.
 *
 * Key to the shapes:
 *     B  sequences in a micro-batch     T  positions in a sequence    R  rows = B * T
 *     D  model width (hidden_size)      F  hidden width of the MLP    V  vocabulary
 *     H  attention heads                K  key/value heads, H % K == 0
 *     W  width of a head, D / H         S  width of a packed qkv row, (H + 2 * K) * W
 * Gradients are d_x. "add" means the output is added to what is there. A `void *` block holds
 * activations of s->type: floats, or bfloat16 (kernels_act.h); sums are made in floats either way.
 * The residual stream and its gradient are always floats.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/micro.h"
#include "engine/pool.h"

enum {
    LAYERS_ROWS = 32,  /* rows per piece of a row-wise loop */
    LAYERS_Q_ROWS = 64 /* query rows per block of attention */
};

struct layers_dims {
    uint32_t B, T, R, D, F, V, H, K, W, S;
    enum micro_type type;
};

/* embed - rows of the table. x [R, D] written; table [V, D]; tokens [R], each < V.
 * backward: d_table [V, D] add; rows are added in order of R for every token id.
 */
void embed_forward(struct pool *p, const struct layers_dims *s, const uint32_t *tokens,
                   const float *table, float *x);
void embed_backward(struct pool *p, const struct layers_dims *s, const uint32_t *tokens,
                    const float *d_x, float *d_table);

/* norm - RMSNorm (Zhang and Sennrich 2019): y = x / sqrt(mean(x^2) + eps) * w.
 *   unit [R, D] (x * rstd, kept for the backward), y [R, D], rstd [R] written; x [R, D] floats, w [D]
 * norm_again recomputes y from unit. backward: d_x [R, D] add, d_w [D] add; d_x_act (NULL when
 * type is MICRO_F32) receives the new d_x as activations; part is scratch of norm_scratch floats:
 * one partial d_w per block of rows, summed in order of blocks.
 */
void norm_forward(struct pool *p, const struct layers_dims *s, float eps, const float *x,
                  const float *w, void *unit, void *y, float *rstd);
void norm_again(struct pool *p, const struct layers_dims *s, const void *unit, const float *w,
                void *y);
void norm_backward(struct pool *p, const struct layers_dims *s, const void *unit, const float *w,
                   const float *rstd, const void *d_y, float *d_x, void *d_x_act, float *d_w,
                   float *part);
size_t norm_scratch(const struct layers_dims *s);

/* rope - rotary positions (Su et al. 2021), Hugging Face rotate-half convention, in place on the
 * query and key heads of qkv [R, S]. table: rope_table_floats(T, W) floats, written by rope_init
 * (cosines, then sines, each [T, W / 2]). backward turns the gradient back.
 */
size_t rope_table_floats(uint32_t T, uint32_t W);
void rope_init(float *table, uint32_t T, uint32_t W, double theta);
void rope_forward(struct pool *p, const struct layers_dims *s, const float *table, void *qkv);
void rope_backward(struct pool *p, const struct layers_dims *s, const float *table, void *d_qkv);

/* attn - causal grouped-query attention; scores divided by sqrt(W).
 *   qkv [R, S] read: H query heads, K key heads, K value heads of W each, rotated
 *   out [R, H*W] written; lse [R, H] written: log of each row's sum of exponentials
 *   scratch: attn_scratch floats for each worker
 * Scores exist LAYERS_Q_ROWS query rows at a time; backward computes them again from lse (Dao et
 * al. 2022). d_qkv [R, S] written.
 */
size_t attn_scratch(const struct layers_dims *s);
void attn_forward(struct pool *p, const struct layers_dims *s, const void *qkv, void *out,
                  float *lse, float *scratch);
void attn_backward(struct pool *p, const struct layers_dims *s, const void *qkv, const void *out,
                   const float *lse, const void *d_out, void *d_qkv, float *scratch);

/* mlp - the SwiGLU gate between the two products (Shazeer 2020): act = silu(gate) * up.
 *   gu [R, 2F] read: gate, then up; act [R, F] written. backward: act [R, F] once more, and
 *   d_gu [R, 2F] written.
 */
void mlp_forward(struct pool *p, const struct layers_dims *s, const void *gu, void *act);
void mlp_backward(struct pool *p, const struct layers_dims *s, const void *gu, const void *d_act,
                  void *act, void *d_gu);

/* loss - cross-entropy over the output head, loss_rows rows at a time.
 *   h [R, D] read, after the last norm; head [V, D] floats; targets [R], each < V
 *   d_h [R, D] written and d_head [V, D] add (is_first: written), both times `scale`; both NULL:
 *   loss only
 *   scratch: loss_scratch bytes (is_eval: for calls without gradients), 64-byte aligned
 * A logit is seen once, in the strip of the product that made it: the strip leaves its exponential
 * relative to the largest of its panel, and the panel's sum; the rows are put together afterwards.
 * Returns the sum of -log p(target) over rows, in nats, added in order of rows.
 */
double loss_run(struct pool *p, const struct layers_dims *s, const void *h, const float *head,
                const uint32_t *targets, float scale, bool is_first, void *d_h, float *d_head,
                void *scratch);
uint32_t loss_rows(const struct layers_dims *s);
size_t loss_scratch(const struct layers_dims *s, bool is_eval);
