#pragma once
/* Why: what `prepare` left in HOME/data, checked and ready to be put into a run description and
 * to be served: tokenizer.json, the indexes of the shards, and where the shards lie. The list is
 * HOME/data/prepare.json.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/path.h"
#include "engine/data.h"
#include "record/rundesc.h"

struct dataset_shard {
    char path[PATH_CAP];
    struct buf index; /* the bytes that contributors fetch */
    struct hash hash; /* their SHA-256 */
    struct data_index x;
};

struct dataset {
    struct buf tokenizer; /* tokenizer.json */
    struct hash tokenizer_hash;
    uint32_t vocab_size;
    bool has_text;    /* text is known: lists written before it was noted lack it */
    struct hash text; /* what it was prepared from: prepare_report's */
    uint32_t n_train;
    struct dataset_shard *train; /* [n_train] */
    struct dataset_shard val;
};

/* Is there anything prepared under home? */
bool dataset_exists(const char *home);

/* Read and check everything but the chunks. ERR_NOTFOUND when prepare has not run; ERR_PROTO or
 * ERR_AUTH when a file does not fit the list. Owner: dataset_close.
 */
int dataset_open(const char *home, struct dataset *ret, struct err *e) MUST_CHECK;
/* The same for the folder that holds prepare.json itself: HOME/data, or a copy of it. */
bool dataset_exists_in(const char *folder);
int dataset_open_in(const char *folder, struct dataset *ret, struct err *e) MUST_CHECK;
void dataset_close(struct dataset *d); /* accepts zeroed */

/* Fill the data part of a run description; or check that it names exactly this data. */
void dataset_describe(const struct dataset *d, struct rundesc *r);
int dataset_check(const struct dataset *d, const struct rundesc *r, struct err *e) MUST_CHECK;

/* Read and check chunk i of a shard: its bytes into out (cleared). */
int dataset_chunk(const struct dataset_shard *s, uint32_t i, struct buf *out,
                  struct err *e) MUST_CHECK;

/* All tokens of a shard; *ret is the caller's (free). For the validation shard. */
int dataset_tokens(const struct dataset_shard *s, uint32_t **ret, struct err *e) MUST_CHECK;
