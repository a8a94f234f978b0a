#pragma once
/* Why: sample and eval both need a model in memory and something to run it: weights from wherever
 * model_source finds them, its tokenizer, workers, a context. What will not fit into memory is
 * refused with the bytes it needs.
 *
 * Owner: loaded_open / loaded_close. Thread: one.
 */

#include "app/interrupt.h"
#include "app/model_source.h"
#include "engine/infer.h"
#include "engine/tokenizer.h"

struct loaded {
    struct model_source *source;
    const struct model_config *config;
    struct hash tokenizer_hash;
    struct tokenizer *tokenizer; /* NULL: the model has none (only when it need not) */
    uint32_t start, end;         /* ids before and after a text; TOKENIZER_NONE: none */
    float *params;
    struct pool *pool;
    struct infer *infer;         /* NULL until loaded_begin */
    struct interrupt *interrupt; /* borrowed */
};

/* Find the model (`from` and `home` as in model_source.h) and read all but the weights. Errors as
 * there.
 */
int loaded_open(const char *from, const char *home, bool needs_tokenizer, struct loaded *ret,
                struct err *e) MUST_CHECK;

/* Weights, workers and a context of n_ctx tokens (0: all the model knows). Ctrl+C, as `i` sees it,
 * cancels the workers from here on. ERR_NOMEM, and those of model_source_load.
 */
int loaded_begin(struct loaded *l, struct interrupt *i, uint32_t n_ctx, uint32_t n_threads,
                 struct err *e) MUST_CHECK;
void loaded_close(struct loaded *l); /* accepts NULL and zeroed */

/* Ids that both the model and its tokenizer know. */
uint32_t loaded_vocab(const struct loaded *l);
