#pragma once
/* A model of a few thousand weights with a byte tokenizer, for tests of what uses a model. */

#include <stdlib.h>

#include "engine/infer.h"
#include "engine/tokenizer.h"
#include "tests/layer_case.h"

enum { TINY_CTX = 40 };

struct tiny {
    struct model_config c;
    struct model_table table;
    struct pool *pool;
    struct infer *x;
    struct tokenizer *tk; /* separator and 256 bytes */
    float *params;
};

static inline struct tiny tiny_make(void)
{
    struct tiny t = {
        .c = {.vocab_size = 260, /* more than the tokenizer spells */
              .hidden_size = 16,
              .intermediate_size = 24,
              .num_hidden_layers = 2,
              .num_attention_heads = 2,
              .num_key_value_heads = 1,
              .max_position_embeddings = TINY_CTX,
              .rms_norm_eps = 1e-5,
              .rope_theta = 10000,
              .initializer_range = 0.3,
              .tie_word_embeddings = true}
    };
    t.pool = case_pool(2);
    assert_int_equal(model_table_init(&t.table, &t.c, NULL), OK);
    t.params = case_block(t.table.n_params, 2, 0, 0);
    model_init_weights(&t.table, &t.c, 1, t.params);
    assert_int_equal(tokenizer_train("a", 1, TOKENIZER_FIRST, NULL, NULL, &t.tk, NULL), OK);
    struct infer_shape s = infer_shape_for(&t.c, 0, 2);
    assert_int_equal(infer_create(&t.c, &t.table, t.pool, &s, &t.x, NULL), OK);
    return t;
}

static inline void tiny_unmake(struct tiny *t)
{
    infer_destroy(t->x);
    tokenizer_destroy(t->tk);
    pool_destroy(t->pool);
    model_table_deinit(&t->table);
    free(t->params);
}

/* -log p of targets after tokens, one call. */
static inline double tiny_nats(struct tiny *t, const uint32_t *tokens, uint32_t n, uint32_t first)
{
    double nats[TINY_CTX];
    double sum = 0;
    infer_rewind(t->x, 0);
    assert_int_equal(infer_score(t->x, t->params, tokens, tokens + 1, n - 1, nats, NULL), OK);
    for (uint32_t i = first; i < n - 1; i++)
        sum += nats[i];
    return sum;
}
