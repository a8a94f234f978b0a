#pragma once
/* Why: a Hugging Face config.json to potluck's model_config and back. Reading is strict about what
 * would change the numbers: whatever this engine does not compute (another activation, biases,
 * stretched rotary positions, quantised weights) is refused with a sentence that names it; what only
 * concerns other programs is passed over.
 *
 * Pure; any thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "engine/dtype.h"
#include "engine/model.h"

enum { HF_CONFIG_MAX = 1 << 20, HF_CONFIG_MAX_POSITIONS = 65536 };

struct tokenizer;

/* Ids that text generators begin and end with; -1: none. */
struct hf_config_ids {
    int64_t bos, eos;
};

/* Where a text begins and ends, by one rule for whoever asks: what config.json names (said; NULL:
 * there is none), else the tokenizer's own marks (t; NULL: not known). Without a config.json and a
 * mark that begins, the end of the text before is it: so text is trained on here.
 */
struct hf_config_ids hf_config_ends(const struct hf_config_ids *said, const struct tokenizer *t);

/* ERR_PROTO (not such a file), ERR_ARG (a model that this engine does not compute). Positions above
 * HF_CONFIG_MAX_POSITIONS become that: it only says how long a sequence may be. ids: may be NULL.
 */
int hf_config_parse(const void *json, size_t n, struct model_config *ret,
                    struct hf_config_ids *ret_ids, struct err *e) MUST_CHECK;

/* Append config.json for weights stored as type (f32, f16, bf16). ERR_NOMEM. */
int hf_config_write(const struct model_config *c, const struct hf_config_ids *ids, enum dtype type,
                    struct buf *out, struct err *e) MUST_CHECK;

/* Append generation_config.json, and a tokenizer_config.json for a tokenizer that has none: the marks
 * of ids are named as t (NULL: not known) spells them.
 */
int hf_config_write_generation(const struct hf_config_ids *ids, struct buf *out,
                               struct err *e) MUST_CHECK;
int hf_config_write_tokenizer(const struct model_config *c, const struct hf_config_ids *ids,
                              const struct tokenizer *t, struct buf *out, struct err *e) MUST_CHECK;

/* Append any JSON in lines for people, numbers as short as they can be; takes o over. */
struct json_t;
int hf_config_put(struct json_t *o, struct buf *out, struct err *e) MUST_CHECK;
