#pragma once
/* Why: what does an exchange cost, in bits and in seconds, on pseudo-gradients as a run makes them?
 * Contributors in one process train a model of a known size on real text, pack, merge and apply
 * the update, round after round, with the functions that a run uses; nothing here is drawn at
 * random. Beside our figures stand what places at random must cost, and the anchor's format.
 *
 * Speeds are GB/s of fp32 parameters in processor time of one thread, medians over all rounds and
 * contributors.
 */

#include <stdbool.h>
#include <stdint.h>

#include "app/bench_preset.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/path.h"
#include "engine/trainer.h"

#define BENCH_EXCHANGE_ROUNDS 1000
#define BENCH_EXCHANGE_PEERS  16

struct bench_exchange_options {
    struct bench_preset preset; /* its chunk and k too */
    enum trainer_precision precision;
    uint32_t n_threads;
    uint32_t n_rounds; /* 1..BENCH_EXCHANGE_ROUNDS */
    uint32_t n_peers;  /* 1..BENCH_EXCHANGE_PEERS */
    uint32_t n_inner;  /* steps of a round, at least 1 */
    uint64_t seed;
    const char *home;              /* of the cache, see base/path.h; may be NULL */
    const char *data;              /* folder of shards; NULL: text, or else bench_data_default */
    const char *text;              /* a file of text; NULL: data */
    void (*say)(const char *line); /* what takes long; may be NULL */
};

struct bench_exchange {
    struct bench_exchange_options o;
    uint64_t n_params;
    uint64_t n_values;    /* sent in all */
    double index_bits;    /* a placed value (those of norms need no place) */
    double value_bits;    /* a value: sign, level, size, its part of the scales */
    double total_bits;    /* a value: everything, headers included */
    double ratio_to_fp32; /* all weights at 32 bits over the payload */
    double random_bits;   /* log2(chunk choose k) / k: what places at random cost at least */
    double payload_bytes; /* mean */
    double update_bytes;  /* mean */
    double update_bits;   /* a value of the update */
    double select_gb_s, pack_gb_s, unpack_gb_s, merge_gb_s; /* merge: all contributions' weights */
    double loss; /* nats a token: mean of the last round */
    char class[256];
    char from[PATH_CAP]; /* the text */
};

/* The anchor's format: 12 bits of place and 2 of value, and two fp16 scales a chunk of 64 values. */
#define BENCH_EXCHANGE_ANCHOR_INDEX 12.0
#define BENCH_EXCHANGE_ANCHOR_TOTAL 14.5

/* ERR_ARG, ERR_NOMEM, ERR_IO, ERR_NOTFOUND. Call before any thread exists. */
int bench_exchange_run(const struct bench_exchange_options *o, struct bench_exchange *ret,
                       struct err *e) MUST_CHECK;

int bench_exchange_json(const struct bench_exchange *r, struct buf *out, struct err *e) MUST_CHECK;
void bench_exchange_text(const struct bench_exchange *r, struct buf *out);
