#pragma once
/* Why: the file that carries a model from an aggregator to a late joiner: the weights at the
 * start of one round behind a 64-byte header. Both ends read it here; everything in it is checked
 * before a weight is believed. Layout (little endian): docs/PROTOCOL.md, "Checkpoint file".
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "engine/model.h"

#define CHECKPOINT_HEADER_BYTES 64u

struct checkpoint {
    uint64_t round; /* the weights are those at the start of this round */
    uint64_t n_params;
    struct hash model;   /* model_hash of the weights */
    const void *weights; /* n_params fp32, little endian, inside the bytes parsed */
    size_t n_bytes;      /* of weights */
};

/* Append the whole file. ERR_NOMEM. */
int checkpoint_write(uint64_t round, const struct model_table *t, const float *params,
                     struct buf *out, struct err *e) MUST_CHECK;

/* The header alone, from the first n >= CHECKPOINT_HEADER_BYTES bytes of a file of `total`; weights
 * stays NULL and their hash is not compared. ERR_PROTO, ERR_VERSION.
 */
int checkpoint_parse_head(const void *bytes, size_t n, uint64_t total, struct checkpoint *ret,
                          struct err *e) MUST_CHECK;

/* Check form, length, and that the weights have the hash the header names. ret points into bytes.
 * ERR_PROTO, ERR_VERSION, ERR_AUTH (the weights differ: damaged on disk or on the way).
 */
int checkpoint_parse(const void *bytes, size_t n, struct checkpoint *ret, struct err *e) MUST_CHECK;
