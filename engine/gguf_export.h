#pragma once
/* Why: a potluck model as one GGUF file for llama.cpp and what is built on it. Matrices are stored
 * as asked (f32, f16, bf16, q8_0), norms as f32; a matrix whose rows are no whole q8_0 blocks is
 * stored as f16, as llama.cpp's own converter does.
 *
 * llama.cpp turns neighbouring pairs of a head, Hugging Face's convention (and ours) turns its
 * halves: the rows of q and k are put into the other order, so that the products are the same.
 *
 * Thread: any one; blocks on the disk. Streams from the parameter block.
 */

#include "base/buf.h"
#include "base/err.h"
#include "engine/dtype.h"
#include "engine/hf_config.h"
#include "engine/model.h"

struct gguf_export {
    const struct model_config *config;
    const struct model_table *table;
    const float *params; /* [table n_params] */
    enum dtype type;
    struct hf_config_ids ids;
    const struct buf *tokenizer; /* tokenizer.json */
    const char *name;            /* of the model; "" = none */
    const char *description;     /* a sentence; "" = none */
};

/* Write the file, durably. ERR_ARG (a weight does not fit the type; a tokenizer that has no equal in
 * llama.cpp), ERR_IO, ERR_NOMEM.
 */
int gguf_export_write(const struct gguf_export *x, const char *path, struct err *e) MUST_CHECK;

/* Row r of a q or k matrix as it is written is row gguf_export_row(r, width) of ours; width: of a
 * head, even.
 */
uint32_t gguf_export_row(uint32_t r, uint32_t width);

/* "blk.3.attn_q.weight" for "model.layers.3.self_attn.q_proj.weight". */
enum { GGUF_EXPORT_NAME = 64 };
void gguf_export_name(const char *name, char dst[GGUF_EXPORT_NAME]);
