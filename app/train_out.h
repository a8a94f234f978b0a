#pragma once
/* Why: the folder that a model trained alone lives in, and the rule that no other folder is ever
 * written into:
 *
 *   train.lock       marks the folder as ours; locked while a training runs
 *   train.json       how it is trained (train_options), and where its text lies
 *   config.json      the model's shape, in Hugging Face names
 *   tokenizer.json   its tokenizer
 *   state            weights and optimizer (engine/trainer_state); its note: step, data, options
 *   history.ndjson   one object a line: what was measured at which step
 *   data/            the text as tokens, unless --data named a prepared folder
 *
 * Every file is replaced as a whole, durably. Owner: train_out_open / train_out_close.
 */

#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/path.h"
#include "engine/hf_config.h"
#include "engine/model.h"

enum train_out_kind {
    TRAIN_OUT_NEW,   /* missing, empty, or ours without a state */
    TRAIN_OUT_BEGUN, /* ours, with a state to go on from */
};

/* Look without touching. ERR_WRONG_STATE when the folder holds something else. */
int train_out_look(const char *dir, enum train_out_kind *ret, struct err *e) MUST_CHECK;

/* Could it be written into? Looks at the folder, or at the nearest one above it that is there.
 * ERR_IO.
 */
int train_out_may(const char *dir, struct err *e) MUST_CHECK;

struct train_out {
    char dir[PATH_CAP];
    int lock_fd;
};

/* Create and lock. ERR_WRONG_STATE when another training works there, or as above. */
int train_out_open(const char *dir, struct train_out *ret, struct err *e) MUST_CHECK;
void train_out_close(struct train_out *o); /* accepts a zeroed one with lock_fd -1 */

/* DIR/name. ERR_LIMIT. */
int train_out_path(const char *dir, const char *name, char ret[PATH_CAP], struct err *e) MUST_CHECK;

/* train.json. The caller owns *ret. ERR_NOTFOUND, ERR_PROTO. */
int train_out_read(const char *dir, json_t **ret, struct err *e) MUST_CHECK;
int train_out_write(const struct train_out *o, const char *name, const json_t *json,
                    struct err *e) MUST_CHECK;
int train_out_write_bytes(const struct train_out *o, const char *name, const void *p, size_t n,
                          struct err *e) MUST_CHECK;

/* config.json: the model's shape and the ids that text begins and ends with. */
int train_out_write_config(const struct train_out *o, const struct model_config *m,
                           const struct hf_config_ids *ids, struct err *e) MUST_CHECK;

/* The note of a state: all that resuming needs to know. Equal training gives equal text. */
struct train_note {
    uint64_t step;
    uint64_t n_tokens; /* predicted so far */
    uint64_t seed;
    struct hash data;    /* train_data's name */
    struct hash options; /* train_options_hash */
};

int train_note_write(const struct train_note *n, struct buf *out, struct err *e) MUST_CHECK;
int train_note_read(const char *text, struct train_note *ret, struct err *e) MUST_CHECK;
