#pragma once
/* Why: how fast does a model of a known size read and write here, and what share of the memory's
 * speed is that? Writing reads every weight once a token; so the bytes it needs, over the rate at
 * which all threads together can read memory, is the best it could be. Both are measured in one
 * run, the memory before, between and after. Weights and tokens are random: they cost what others
 * cost. Speeds are medians unless they say best.
 */

#include <stdint.h>

#include "app/bench_preset.h"
#include "base/buf.h"
#include "base/err.h"

struct bench_sample_options {
    struct bench_preset preset;
    uint32_t n_threads;
    uint32_t n_prompt; /* tokens read at once; with n_tokens at most the preset's positions */
    uint32_t n_tokens; /* tokens written, one by one, at least 1 */
    uint64_t seed;
};

struct bench_sample {
    struct bench_sample_options o;
    uint64_t n_params;
    double prompt_tok_per_s, prompt_tok_per_s_best;
    double tok_per_s, tok_per_s_best;
    double bytes_per_tok; /* weights, and the keys and values of the mean context */
    double read_gb_per_s; /* of memory, the best seen; a model that fits in a cache may pass it */
    double cpu_share;     /* as in bench_engine.h */
    uint64_t n_bytes;     /* weights and working memory */
    char logits[65];      /* SHA-256 of all logits: what must not change with a faster kernel */
};

/* ERR_ARG (lengths), ERR_NOMEM. Before any thread. */
int bench_sample_run(const struct bench_sample_options *o, struct bench_sample *ret,
                     struct err *e) MUST_CHECK;

int bench_sample_json(const struct bench_sample *r, struct buf *out, struct err *e) MUST_CHECK;
void bench_sample_text(const struct bench_sample *r, struct buf *out);
