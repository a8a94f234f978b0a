#pragma once
/* A small LLaMA with known weights, and its tensors as items for safetensors_write. */

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/hf_export.h"
#include "engine/hf_folder.h"
#include "engine/safetensors.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

struct hf_case {
    struct model_config config;
    struct model_table table;
    float *params;
    struct safetensors_item items[64];
    uint32_t n_items;
};

static inline struct hf_case *hf_case_make(bool is_tied)
{
    struct hf_case *k = calloc(1, sizeof *k);
    k->config = (struct model_config){.vocab_size = 300,
                                      .hidden_size = 64,
                                      .intermediate_size = 96,
                                      .num_hidden_layers = 2,
                                      .num_attention_heads = 4,
                                      .num_key_value_heads = 2,
                                      .max_position_embeddings = 32,
                                      .rms_norm_eps = 1e-5,
                                      .rope_theta = 10000,
                                      .initializer_range = 0.1,
                                      .tie_word_embeddings = is_tied};
    assert_int_equal(model_table_init(&k->table, &k->config, NULL), OK);
    k->params = calloc(k->table.n_params, sizeof(float));
    model_init_weights(&k->table, &k->config, 3, k->params);
    for (uint32_t i = 0; i < k->table.n_tensors; i++) {
        const struct model_tensor *t = &k->table.tensors[i];
        bool is_vector = t->cols == 1;
        for (uint64_t j = 0; is_vector && j < t->n; j++)
            k->params[t->offset + j] = 1 + (float)j / 64;
        k->items[k->n_items++] = (struct safetensors_item){
            t->name, is_vector ? 1 : 2, {t->rows, t->cols},
                  k->params + t->offset
        };
    }
    return k;
}

static inline void hf_case_free(struct hf_case *k)
{
    model_table_deinit(&k->table);
    free(k->params);
    free(k);
}

static inline void hf_case_config(const struct hf_case *k, const char *dir)
{
    struct buf b = {0};
    const struct hf_config_ids ids = {0, 0};
    assert_int_equal(hf_config_write(&k->config, &ids, DTYPE_F32, &b, NULL), OK);
    scratch_write(dir, "config.json", b.p, b.len);
    buf_deinit(&b);
}

/* Items first .. first + n - 1 of the model into one file. */
static inline void hf_case_shard(const struct hf_case *k, const char *dir, const char *name,
                                 enum dtype type, uint32_t first, uint32_t n)
{
    char path[PATH_CAP];
    assert_int_equal(path_format(path, "%s/%s", dir, name), 0);
    assert_int_equal(safetensors_write(path, type, k->items + first, n, NULL), OK);
}
