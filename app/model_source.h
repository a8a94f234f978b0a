#pragma once
/* Why: export, sample, eval and a run's beginning all start with "a model from somewhere". This is
 * the one place that knows where, so that every command takes the same words for it:
 *
 *   a Hugging Face folder      config.json, model.safetensors (or its index), tokenizer.json
 *   a folder of potluck train  config.json, state, tokenizer.json: what it has trained so far
 *   an aggregator's home       run.potluck, checkpoints/, data/: the newest checkpoint
 *   one checkpoint file        of an aggregator; run.potluck lies beside it or one folder up
 *   a contributor's home       the joined run: the weights at the start of the round it is in
 *   nothing (path NULL)        the contributor's home that --home, POTLUCK_HOME or XDG name
 *
 * Nothing is written but a tokenizer.json that had to be fetched. What is read may be in use: an
 * agent or a server that runs goes on undisturbed.
 *
 * Owner: model_source_open / model_source_close. Thread: any one; blocks on the disk, and for a
 * contributor's home up to a minute on the network, once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "engine/hf_config.h"
#include "engine/model.h"
#include "engine/model_card.h"

enum model_source_kind {
    MODEL_SOURCE_HF = 1,
    MODEL_SOURCE_TRAINED,    /* folder of potluck train */
    MODEL_SOURCE_CHECKPOINT, /* file, or an aggregator's home */
    MODEL_SOURCE_RUN         /* a contributor's home */
};

struct model_source;

/* Find out what it is and read all but the weights. path: see above; home: --home, used when path
 * is NULL; both may be NULL. ERR_NOTFOUND (what was looked for, and what to do), ERR_PROTO,
 * ERR_VERSION, ERR_AUTH, ERR_ARG (a model that potluck cannot hold), ERR_IO, ERR_NOMEM.
 */
int model_source_open(const char *path, const char *home, struct model_source **ret,
                      struct err *e) MUST_CHECK;
void model_source_close(struct model_source *s); /* accepts NULL */

enum model_source_kind model_source_kind(const struct model_source *s);
const char *model_source_path(const struct model_source *s); /* the file or folder of the weights */
const struct model_config *model_source_config(const struct model_source *s);
const struct model_table *model_source_table(const struct model_source *s); /* its n_params */

/* Where text begins and ends (hf_config_ends; complete after model_source_tokenizer, before that what
 * config.json says); and the tokenizer_config.json of a Hugging Face folder, or NULL.
 */
const struct hf_config_ids *model_source_ids(const struct model_source *s);
const struct buf *model_source_tokenizer_config(const struct model_source *s);

/* tokenizer.json as it lies there, checked against the run's hash where a run names one. ERR_NOTFOUND
 * with a hint when there is none; the other calls work without it. The bytes live as long as s.
 */
int model_source_tokenizer(struct model_source *s, const struct buf **ret,
                           struct err *e) MUST_CHECK;

/* All weights into params [table n_params], in the order of the table. Checked: hash of the file
 * where there is one, every tensor's shape, no NaN or infinity. On failure params is unspecified.
 * A file that was replaced since model_source_open (the agent saved) gives the newer weights.
 */
int model_source_load(struct model_source *s, float *params, struct err *e) MUST_CHECK;

/* Ask the run's host for what only it knows (app/run_facts.h), for the card; after
 * model_source_load. Whatever cannot be asked stays unknown. Blocks, see there.
 */
void model_source_ask_host(struct model_source *s);

/* What is known of the model's history; complete after model_source_load. */
const struct model_card *model_source_card(const struct model_source *s);
