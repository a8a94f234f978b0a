#pragma once
/* Why: a model leaves potluck as a folder that other tools open as they open any other: config.json,
 * model.safetensors, tokenizer.json, tokenizer_config.json, generation_config.json and a model card.
 *
 * Thread: any one; blocks on the disk. Weights are written straight from the parameter block.
 */

#include "base/buf.h"
#include "base/err.h"
#include "engine/hf_config.h"
#include "engine/model.h"
#include "engine/model_card.h"

struct hf_export {
    const struct model_config *config;
    const struct model_table *table;
    const float *params; /* [table n_params] */
    enum dtype type;     /* f32, f16 or bf16 */
    struct hf_config_ids ids;
    const struct buf *tokenizer;        /* tokenizer.json */
    const struct buf *tokenizer_config; /* NULL: one is written */
    const struct model_card *card;
};

/* Write all files into dir, which exists; each durably, the weights first, config.json last: a
 * folder with a config.json is whole. ERR_ARG (a weight does not fit the type), ERR_IO, ERR_NOMEM.
 */
int hf_export_write(const struct hf_export *x, const char *dir, struct err *e) MUST_CHECK;

/* README.md alone, for weights in `file` of a format named `type`. */
int hf_export_card(const struct hf_export *x, const char *dir, const char *file, const char *type,
                   struct err *e) MUST_CHECK;
