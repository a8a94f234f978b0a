#pragma once
/* A model of a few thousand parameters and payloads for it, for tests of the aggregator. */

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "engine/delta.h"
#include "engine/model.h"
#include "record/rundesc.h"
#include "tests/check.h"

static inline void tinyrun_make(struct rundesc *d, struct model_table *t)
{
    struct err e = {0};
    *d = (struct rundesc){
        .name = "tiny",
        .id = hash_of("tiny", 4),
        .init_seed = 7,
        .model = {.vocab_size = 300,
                  .hidden_size = 16,
                  .intermediate_size = 32,
                  .num_hidden_layers = 1,
                  .num_attention_heads = 2,
                  .num_key_value_heads = 1,
                  .max_position_embeddings = 16,
                  .rms_norm_eps = 1e-5,
                  .rope_theta = 10000,
                  .initializer_range = 0.02,
                  .tie_word_embeddings = true     },
        .train = { .seq_len = 16,
                  .batch_seqs = 2,
                  .lr = 1e-3,
                  .lr_min_frac = 0.1,
                  .total_steps = 100,
                  .beta1 = 0.9,
                  .beta2 = 0.95,
                  .eps = 1e-8,
                  .clip_norm = 1,
                  .ef_beta = 0.95,
                  .outer_lr = 1,
                  .delta = {.chunk = 256, .k = 16}},
        .inner_steps = 4,
        .max_inner_steps = 4,
        .upload_ms = 10000,
        .min_contributions = 1,
        .merge_min_senders = 2,
        .reward_unit = "credits",
        .reward_per_round = 1000
    };
    assert_int_equal(model_table_init(t, &d->model, &e), OK);
    float *w = calloc(t->n_params, sizeof *w);
    assert_non_null(w);
    model_init_weights(t, &d->model, d->init_seed, w);
    d->initial_model = model_hash(t, w);
    free(w);
}

/* What contributor `who` would send. */
static inline void tinyrun_payload(const struct rundesc *d, const struct model_table *t,
                                   uint64_t who, struct buf *out)
{
    struct err e = {0};
    struct rng r;
    float *v = calloc(t->n_params, sizeof *v);
    assert_non_null(v);
    rng_init(&r, who, 1);
    for (uint64_t i = 0; i < t->n_params; i++)
        v[i] = rng_normal(&r) * 1e-3f;
    assert_int_equal(delta_pack(t, &d->train.delta, DELTA_CONTRIBUTION, v, NULL, out, NULL, &e),
                     OK);
    free(v);
}
