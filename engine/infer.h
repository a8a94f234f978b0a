#pragma once
/* Why: the model at work instead of in training: what it says next, and how likely it found a text.
 * Forward pass only, over the flat fp32 parameter block of model.h as it lies, with the keys and
 * values of what was read kept (kvcache.h). Many tokens at once go through gemm.h; one token goes
 * through matvec.h, at the speed of memory.
 *
 * The context is a row of tokens, 0 .. infer_length - 1. It never slides: rotary positions beyond
 * max_position_embeddings were never trained, so at the end of the context there is ERR_LIMIT and
 * the caller stops there or starts anew.
 *
 * Within a determinism class 1..N threads give the same bits. Reading a text at once and token by
 * token agree to rounding (the products sum in another order), not to the bit.
 *
 * Owner: infer_create / infer_destroy. Thread: one thread, the pool's owner. Memory: planned at
 * creation (infer_bytes) and touched at once; a call allocates nothing.
 */

#include <stddef.h>
#include <stdint.h>

#include "engine/model.h"
#include "engine/pool.h"

struct infer;

struct infer_shape {
    uint32_t n_ctx;  /* tokens the context can hold, 1..max_position_embeddings */
    uint32_t n_rows; /* tokens that go through together, 1..n_ctx; more is faster, and memory */
    uint32_t n_threads;
};

/* A shape that fits the model: the whole context (or n_ctx, when that is less and not 0), rows for
 * good speed.
 */
struct infer_shape infer_shape_for(const struct model_config *c, uint32_t n_ctx,
                                   uint32_t n_threads);

/* Bytes infer_create asks for, without the weights. SIZE_MAX when it does not fit in an address. */
size_t infer_bytes(const struct model_config *c, const struct infer_shape *s);

/* c is checked already; t and pool (of shape->n_threads) are borrowed.
 * ERR_ARG (a context longer than the model knows), ERR_NOMEM with the bytes in the text.
 */
int infer_create(const struct model_config *c, const struct model_table *t, struct pool *pool,
                 const struct infer_shape *shape, struct infer **ret, struct err *e) MUST_CHECK;
void infer_destroy(struct infer *x); /* accepts NULL */

uint32_t infer_length(const struct infer *x); /* tokens in the context */
uint32_t infer_room(const struct infer *x);   /* tokens that still fit */

/* Forget the tokens from n on; n <= infer_length. With 0 the context is empty; do so when the
 * weights have changed.
 */
void infer_rewind(struct infer *x, uint32_t n);

/* Read n >= 1 tokens, appended to the context. *ret_logits: [vocab_size] after the last of them,
 * valid until the next call; the caller may change them.
 * params [n_params] borrowed for the call. ERR_PROTO: a token outside the vocabulary; ERR_LIMIT: no
 * room; ERR_CANCELLED: the pool was cancelled. On any error the context is as before.
 */
int infer_feed(struct infer *x, const float *params, const uint32_t *tokens, uint32_t n,
               float **ret_logits, struct err *e) MUST_CHECK;

/* The same, and nats [n]: nats[i] = -log p(targets[i] | context and tokens 0 .. i). */
int infer_score(struct infer *x, const float *params, const uint32_t *tokens,
                const uint32_t *targets, uint32_t n, double *nats, struct err *e) MUST_CHECK;
