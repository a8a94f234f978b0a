#pragma once
/* Why: one place that turns a configuration into one table of tensors, and the whole forward and
 * backward pass over it. Field names are Hugging Face `LlamaConfig` names, so that a config.json
 * can be read and written without a dictionary.
 *
 * All parameters live in one flat float block; the table says where each tensor starts. The order
 * of the table is part of the protocol: model hashes, pseudo-gradients and updates follow it.
 *   model.embed_tokens.weight; per layer: input_layernorm, q, k, v, o, post_attention_layernorm,
 *   gate, up, down; model.norm.weight; lm_head.weight (only when not tied).
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

#define MODEL_NAME_CAP 80

struct model_config {
    uint32_t vocab_size;
    uint32_t hidden_size;
    uint32_t intermediate_size;
    uint32_t num_hidden_layers;
    uint32_t num_attention_heads;
    uint32_t num_key_value_heads;     /* divides num_attention_heads */
    uint32_t max_position_embeddings; /* longest sequence, T */
    double rms_norm_eps;
    double rope_theta;
    double initializer_range; /* standard deviation of initial weights */
    bool tie_word_embeddings;
};

/* One tensor: rows x cols, row-major. One-dimensional tensors (norms) have cols == 1. */
struct model_tensor {
    char name[MODEL_NAME_CAP];
    uint32_t rows;
    uint32_t cols;
    uint64_t offset; /* into the flat parameter block, in floats */
    uint64_t n;      /* rows * cols */
};

struct model_table {
    uint32_t n_tensors;
    uint64_t n_params;
    struct model_tensor *tensors; /* owned by the table */
};

/* OK, or ERR_ARG with the field and its rule ("hidden_size must be divisible by heads"). */
int model_config_check(const struct model_config *c, struct err *e) MUST_CHECK;

int model_table_init(struct model_table *t, const struct model_config *c, struct err *e) MUST_CHECK;
void model_table_deinit(struct model_table *t); /* accepts zeroed */

/* Initial weights from a seed: the same bits on every CPU. params [n_params] written. */
void model_init_weights(const struct model_table *t, const struct model_config *c, uint64_t seed,
                        float *params);

/* SHA-256 of the parameters as little-endian fp32 in table order: the model's name. */
struct hash model_hash(const struct model_table *t, const float *params);
