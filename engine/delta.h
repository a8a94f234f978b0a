#pragma once
/* Why: the packed form of a pseudo-gradient (contribution payload) and of an update. Everything a
 * peer could lie about is checked here before it is believed. Byte layout: docs/PROTOCOL.md.
 *
 * Each tensor is cut into chunks of `chunk` consecutive values; the last may be shorter.
 *   contribution: in a chunk of n values of a two-dimensional tensor, the ceil(k * n / chunk)
 *     largest by magnitude are sent (ties: lowest index): places, signs, and one level or two.
 *     One-dimensional tensors (norms) are sent whole, 8 bits a value, one scale a chunk.
 *   update: in each chunk the coordinates that change, 8 bits a value (a value that would round
 *     to zero is left out), one scale a chunk.
 * All of it goes through an arithmetic coder, one stream a tensor; what its models have learnt goes
 * on from tensor to tensor. A chunk with nothing to send is one decision. One valid encoding per
 * content.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "engine/arith.h"
#include "engine/model.h"
#include "engine/places.h"
#include "engine/values.h"

#define DELTA_MAX_CHUNK 4096

enum delta_kind { DELTA_CONTRIBUTION = 1, DELTA_UPDATE = 2 };

struct delta_params {
    uint32_t chunk; /* values per chunk, 64..4096 */
    uint32_t k;     /* values sent of a full chunk of a two-dimensional tensor, 1..chunk */
};

struct delta_stats {
    uint64_t n_values;   /* values transmitted */
    double index_bits;   /* places */
    double value_bits;   /* signs, levels, scales */
    uint64_t total_bits; /* everything, headers and scales included */
};

/* Most bytes that a payload of this table may have. Far above what it has: 64 of 4096 values take
 * about 65 bytes a chunk, and may take 1080.
 */
size_t delta_max_bytes(const struct model_table *t, const struct delta_params *p,
                       enum delta_kind kind);

/* Pack values [n_params]. When residual is not NULL, residual[i] = values[i] - what a reader will
 * see (may alias values): the error feedback. ERR_PROTO if a value is not finite or above 2^60,
 * ERR_NOMEM, ERR_LIMIT for a payload above delta_max_bytes (the residual may be changed then); else
 * neither out nor residual is changed. Threads: any; allocates only `out`. stats may be NULL.
 */
int delta_pack(const struct model_table *t, const struct delta_params *p, enum delta_kind kind,
               const float *values, float *residual, struct buf *out, struct delta_stats *stats,
               struct err *e) MUST_CHECK;

/* The same packer, a chunk at a time: for who makes values as they go (record/merge). Walks the
 * table in order: init, delta_writer_chunk until delta_writer_left is 0, end. `out` must not be
 * used by others in between; after a failure it is cut back to what it held before.
 */
struct delta_writer {
    const struct model_table *table;
    struct delta_params params;
    enum delta_kind kind;
    struct buf *out;
    size_t began;    /* private, as all below: length of out at init */
    size_t most;     /* delta_max_bytes */
    size_t body;     /* where the current tensor's bytes begin */
    uint32_t tensor; /* current tensor */
    uint64_t done;   /* values of it already written */
    struct delta_stats stats;
    struct arith coder;
    struct places places;
    struct values values;
};

int delta_writer_init(struct delta_writer *w, const struct model_table *t,
                      const struct delta_params *p, enum delta_kind kind, struct buf *out,
                      struct err *e) MUST_CHECK;

/* Values in the next chunk; 0 after the last. */
uint32_t delta_writer_left(const struct delta_writer *w);

/* values [delta_writer_left], finite; residual as in delta_pack. */
int delta_writer_chunk(struct delta_writer *w, const float *values, float *residual,
                       struct err *e) MUST_CHECK;
int delta_writer_end(struct delta_writer *w, struct delta_stats *stats, struct err *e) MUST_CHECK;

/* One decoded chunk. pos ascending; value[i] finite. */
struct delta_chunk {
    uint32_t i_tensor;
    uint64_t start; /* offset in the flat parameter block */
    uint32_t len;   /* values in this chunk, sent or not */
    uint32_t n;     /* values sent */
    uint16_t pos[DELTA_MAX_CHUNK];
    float value[DELTA_MAX_CHUNK];
};

/* Reader over packed bytes (borrowed; must outlive it). Walks chunks in table order. About 40 KB. */
struct delta_reader {
    const struct model_table *table;
    struct delta_params params;
    enum delta_kind kind;
    const uint8_t *p;
    size_t n;
    size_t at;          /* private: byte offset of the next tensor */
    uint32_t tensor;    /* private */
    uint64_t done;      /* private: values of the current tensor already walked */
    struct arith coder; /* private, as all below */
    struct places places;
    struct values values;
};

int delta_reader_init(struct delta_reader *r, const struct model_table *t,
                      const struct delta_params *p, enum delta_kind kind, const void *bytes,
                      size_t n, struct err *e) MUST_CHECK;

/* OK and *ret filled; ERR_AGAIN after the last chunk (all bytes used); ERR_PROTO on anything that
 * the packer could not have written: scales out of range, a stream that ends otherwise, bytes
 * behind...
 */
int delta_reader_next(struct delta_reader *r, struct delta_chunk *ret, struct err *e) MUST_CHECK;

/* Walk the whole payload once: OK when well formed. norms [n_tensors] (may be NULL) receives each
 * tensor's L2 norm, summed in order in double.
 */
int delta_check(const struct model_table *t, const struct delta_params *p, enum delta_kind kind,
                const void *bytes, size_t n, double *norms, struct err *e) MUST_CHECK;
