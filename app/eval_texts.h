#pragma once
/* Why: what `potluck eval` reads. A path is one token shard, a folder of them, a text file or a folder
 * of text (as prepare takes it); each shard and each path of text gives one row of figures.
 * Shards are mapped and checked chunk by chunk; text is read and tokenised a file at a time, each
 * file after a separator, so that its first token is predicted as well.
 */

#include <stdbool.h>
#include <stdint.h>

#include "app/loaded.h"
#include "base/path.h"
#include "engine/eval.h"

struct eval_row {
    char name[PATH_CAP];
    struct eval_sum sum;
    bool is_shard;
    uint64_t n_files;   /* of text */
    uint64_t n_skipped; /* files that could not be used; each was told */
};

struct eval_rows {
    struct eval_row *rows; /* owned */
    uint32_t n;
    uint64_t limit; /* at most so many tokens of each row; 0: all */
    bool (*progress)(void *ctx, const char *name, uint64_t n_done, uint64_t n_tokens);
    void *ctx;
};

/* Evaluate everything at path and add its rows. What is skipped is told on stderr. ERR_NOTFOUND,
 * ERR_IO, ERR_AUTH (a shard of another tokenizer), ERR_ARG (nothing usable), ERR_CANCELLED, and
 * those of the engine; rows that were complete stay.
 */
int eval_texts_run(struct loaded *l, const char *path, struct eval_rows *r,
                   struct err *e) MUST_CHECK;
void eval_texts_deinit(struct eval_rows *r);
