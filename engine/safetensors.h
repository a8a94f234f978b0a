#pragma once
/* Why: safetensors is how models travel between programs: a length, a JSON header that says where
 * each tensor lies, then bare numbers; no code. Reading believes nothing: the header's length, every
 * type, shape and offset is checked, tensors may neither overlap nor leave holes, and the file ends
 * where the last one does. Writing streams, so that a model is never in memory twice.
 *
 *     u64 header bytes | {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...} | data
 *
 * Thread: any one at a time.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file_out.h"
#include "engine/dtype.h"

enum {
    SAFETENSORS_MAX_HEADER = 16 << 20,
    SAFETENSORS_MAX_TENSORS = 65536,
    SAFETENSORS_MAX_DIMS = 8
};

struct safetensors_tensor {
    const char *name; /* as the file says: not printable yet */
    const char *type; /* "F32", "BF16", ... */
    enum dtype dtype; /* 0: a type that safetensors_read cannot read */
    uint32_t n_dims;
    uint64_t dim[SAFETENSORS_MAX_DIMS];
    uint64_t n;  /* values: the product of dim */
    uint64_t at; /* first byte in the file */
    uint64_t n_bytes;
};

struct safetensors {
    uint32_t n_tensors;
    struct safetensors_tensor *tensors; /* ascending by name */
    void *header;                       /* owns the names */
    uint64_t data_at;                   /* where the header ends */
};

/* How long the header is, from the file's first 8 bytes and its length. ERR_PROTO, ERR_LIMIT. */
int safetensors_header_bytes(const uint8_t first[8], uint64_t total, uint64_t *ret,
                             struct err *e) MUST_CHECK;

/* bytes [n]: the file's beginning, at least 8 and the header; total: length of the whole file.
 * ERR_PROTO with the tensor's name, ERR_LIMIT, ERR_NOMEM.
 */
int safetensors_parse(const void *bytes, size_t n, uint64_t total, struct safetensors *ret,
                      struct err *e) MUST_CHECK;
void safetensors_deinit(struct safetensors *s); /* accepts zeroed */

/* NULL when there is no such tensor. */
const struct safetensors_tensor *safetensors_find(const struct safetensors *s, const char *name);

/* ---- a file on disk ---- */

struct safetensors_file {
    int fd; /* -1: not open */
    struct safetensors s;
    char path[PATH_CAP];
};

/* ERR_NOTFOUND, ERR_IO and what safetensors_parse gives, with the file's name in front. */
int safetensors_open(struct safetensors_file *f, const char *path, struct err *e) MUST_CHECK;
void safetensors_close(struct safetensors_file *f); /* fd -1: nothing to do */

/* Values first .. first + n - 1 of t, as fp32. io: scratch of SAFETENSORS_IO bytes. NaN and infinity
 * are refused: nothing can be trained from them. ERR_PROTO with the tensor's name, ERR_IO.
 */
enum { SAFETENSORS_IO = 1 << 20 };
int safetensors_read(const struct safetensors_file *f, const struct safetensors_tensor *t,
                     uint64_t first, uint64_t n, float *dst, uint8_t *io, struct err *e) MUST_CHECK;

/* ---- writing ---- */

struct safetensors_item {
    const char *name;
    uint32_t n_dims; /* 1 or 2 */
    uint32_t dim[2];
    const float *values;
};

/* The whole file, tensors in the order given (names differ, values finite and in dtype_max of the
 * type: f32, f16 or bf16), durably. __metadata__ says {"format": "pt"}, as other tools write and
 * want it. ERR_ARG with the tensor's name when a value does not fit the type; ERR_IO, ERR_NOMEM.
 */
int safetensors_write(const char *path, enum dtype type, const struct safetensors_item *items,
                      uint32_t n_items, struct err *e) MUST_CHECK;
