#pragma once
/* Why: a run may go on from a model that others made. `init --from DIR` reads a Hugging Face folder
 * once and keeps what the run needs, so that DIR may disappear afterwards:
 *
 *   HOME/model/config.json      shape, and the ids that begin and end a text
 *   HOME/model/tokenizer.json   the very bytes that were given
 *   HOME/model/weights          checkpoint file of round 0 (record/checkpoint.h)
 *
 * aggregator.json says that it counts (setup.from); without that, a folder "model" means nothing.
 *
 * Owner: origin_open / origin_close. Thread: any one; blocks on the disk.
 */

#include <stdbool.h>
#include <stdint.h>

#include "aggregator/setup.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/path.h"
#include "engine/hf_config.h"
#include "engine/model.h"

struct origin {
    struct model_config config;
    struct hf_config_ids ids;
    struct model_table table;
    float *params; /* [table.n_params] */
    struct buf tokenizer;
};

/* Read and check everything, the values too. Beyond engine/hf_folder.h's errors: ERR_NOTFOUND
 * without a tokenizer.json, ERR_PROTO for one that potluck does not read, ERR_ARG when the two do
 * not fit, when nothing ends a document, or when the weights are more than a contributor fetches.
 */
int origin_open(struct origin *o, const char *dir, struct err *e) MUST_CHECK;
void origin_close(struct origin *o); /* accepts zeroed */

/* Shape of s from the model; what was not chosen and depends on it, too: --seq as far as the model
 * reads, and a learning rate for weights that know something already. given: bit i set when option i
 * of setup_options was chosen. ERR_ARG when one of those contradicts the model.
 */
int origin_fit(const struct origin *o, uint64_t given, struct setup *s, struct err *e) MUST_CHECK;

/* Write HOME/model; durable when OK. */
int origin_store(const struct origin *o, const char *home, struct err *e) MUST_CHECK;

/* What HOME/model says, but for the weights. */
struct origin_kept {
    struct model_config config;
    bool has_eos; /* config.json names what ends a document */
    uint32_t eos;
    char tokenizer_path[PATH_CAP];
};

int origin_kept(const char *home, struct origin_kept *ret, struct err *e) MUST_CHECK;

/* The weights in HOME/model: params [t->n_params] written (NULL: only checked), ret_model their hash.
 * ERR_NOTFOUND, ERR_PROTO (of another model), ERR_AUTH (damaged), ERR_NOMEM.
 */
int origin_weights(const char *home, const struct model_table *t, float *params,
                   struct hash *ret_model, struct err *e) MUST_CHECK;
