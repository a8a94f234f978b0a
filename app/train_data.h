#pragma once
/* Why: the text that `potluck train` reads: token shards in a folder, mapped (engine/shardmap), and
 * the tokenizer they were made with. The folder is one that `prepare` wrote (prepare.json names
 * the shards), or any with tokenizer.json and *.shard files; val.shard is held out.
 *
 * Owner: train_data_open / train_data_close. Thread: one at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "app/train_walk.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/path.h"
#include "engine/shardmap.h"
#include "engine/tokenizer.h"

#define TRAIN_MAX_SHARDS 4096

struct train_data {
    struct buf tokenizer_json;
    struct tokenizer *tokenizer;
    uint32_t vocab_size;
    uint32_t n_train;
    struct shardmap *train; /* [n_train], owned */
    uint64_t *n_tokens;     /* [n_train] of each, owned */
    uint64_t n_train_tokens;
    uint64_t n_text_bytes; /* of the training shards */
    bool has_val, has_text;
    struct shardmap val;
    struct hash text; /* what it was prepared from, when has_text */
    struct hash name; /* of tokenizer and training shards, in order: a state belongs to this data */
};

/* Is this a folder of prepared tokens? Then ret is where they lie: path itself or path/data. */
bool train_data_find(const char *path, char ret[PATH_CAP]);

/* ERR_NOTFOUND, ERR_IO, ERR_PROTO, ERR_AUTH, ERR_VERSION, ERR_LIMIT, ERR_NOMEM. Chunks are checked
 * when they are read.
 */
int train_data_open(const char *folder, struct train_data *ret, struct err *e) MUST_CHECK;
void train_data_close(struct train_data *d); /* accepts NULL and zeroed */

/* The batch_seqs sequences of step i_step: tokens [batch_seqs][seq_len + 1]. */
int train_data_batch(struct train_data *d, const struct train_walk *w, uint64_t i_step,
                     uint32_t batch_seqs, uint32_t *tokens, struct err *e) MUST_CHECK;

/* Held-out sequences, evenly spread over val.shard. */
struct train_sample {
    uint32_t *tokens; /* [n_seqs][seq_len + 1], owned; NULL: nothing is held out */
    uint32_t n_seqs;
    uint64_t n_bytes; /* of text that the predicted tokens spell */
};

/* At most n_seqs of them; none when there is no val.shard or it is too short. */
int train_data_sample(struct train_data *d, uint32_t seq_len, uint32_t n_seqs,
                      struct train_sample *ret, struct err *e) MUST_CHECK;
void train_sample_deinit(struct train_sample *s);
