#pragma once
/* Why: any LLaMA-architecture model in a Hugging Face folder becomes potluck's flat block of fp32:
 * config.json and model.safetensors, or the shards that model.safetensors.index.json names. Every
 * tensor the model needs must be there once, with its shape, and nothing else: a model that would be
 * read by half is refused with the tensor's name.
 *
 * Passed over: rotary_emb.inv_freq (older files carry it; it follows from rope_theta), and
 * lm_head.weight of a tied model when it equals the embedding.
 * No name inside a file becomes a path but a shard's: letters, digits, '.', '_' and '-' only.
 *
 * Owner: hf_folder_open / hf_folder_close. Thread: any one; blocks on the disk.
 */

#include <stdint.h>

#include "base/err.h"
#include "engine/hf_config.h"
#include "engine/model.h"
#include "engine/safetensors.h"

enum { HF_FOLDER_MAX_SHARDS = 512 };

struct hf_folder_place {
    uint32_t i_shard;
    const struct safetensors_tensor *tensor;
};

struct hf_folder {
    struct model_config config;
    struct hf_config_ids ids;
    struct model_table table;
    struct hf_folder_place *places; /* [table.n_tensors] */
    struct hf_folder_place head;    /* tensor NULL, or a tied model's lm_head.weight */
    uint32_t n_shards;
    struct safetensors_file *shards;
};

/* Read and check everything but the values. ERR_NOTFOUND (with what is missing), ERR_PROTO, ERR_ARG
 * (a model that potluck does not compute), ERR_LIMIT, ERR_IO, ERR_NOMEM.
 */
int hf_folder_open(struct hf_folder *f, const char *dir, struct err *e) MUST_CHECK;
void hf_folder_close(struct hf_folder *f); /* accepts zeroed */

/* params [table.n_params] written; unspecified on failure. */
int hf_folder_load(const struct hf_folder *f, float *params, struct err *e) MUST_CHECK;

/* For tests and fuzzing: the shards' names in a model.safetensors.index.json, each once, ascending;
 * NUL-terminated, one after the other in ret. Checks names, and that there are at most
 * HF_FOLDER_MAX_SHARDS. Returns how many in ret_n.
 */
int hf_folder_index(const void *json, size_t n, struct buf *ret, uint32_t *ret_n,
                    struct err *e) MUST_CHECK;
