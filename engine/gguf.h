#pragma once
/* Why: GGUF is what llama.cpp and everything built on it read: one file with the model's settings,
 * its tokenizer and its tensors. Here is its form, version 3, little endian, and a reader that
 * believes nothing: counts, lengths, types and places are checked before they are used, no key or
 * tensor comes twice, tensors neither overlap nor leave more than the padding between them.
 *
 *     "GGUF" | u32 version | u64 tensors | u64 settings | settings | tensor infos | pad | data
 *     setting: string key, u32 type, value     string: u64 bytes, bytes
 *     tensor:  string name, u32 dims, u64 dim[], u32 type, u64 offset in data
 *
 * Thread: any one at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/path.h"
#include "engine/dtype.h"

#define GGUF_MAGIC     "GGUF"
#define GGUF_VERSION   3u
#define GGUF_ALIGNMENT 32u

enum {
    GGUF_MAX_HEADER = 256 << 20, /* everything before the tensors */
    GGUF_MAX_SETTINGS = 1024,
    GGUF_MAX_TENSORS = 65536,
    GGUF_MAX_NAME = 256,
    GGUF_MAX_DIMS = 4
};

enum gguf_type {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64
};

/* How a file numbers the types of tensors; 0 back when potluck does not read it. */
uint32_t gguf_tensor_type(enum dtype t);
enum dtype gguf_tensor_dtype(uint32_t type);

struct gguf_text { /* not terminated, not printable yet */
    const char *p;
    size_t n;
};

struct gguf_setting {
    struct gguf_text key;
    enum gguf_type type;
    enum gguf_type item; /* of an array */
    uint64_t n_items;    /* of an array */
    const uint8_t *p;    /* the value, or an array's items */
    size_t n_bytes;
};

struct gguf_tensor {
    struct gguf_text name;
    uint32_t n_dims;
    uint64_t dim[GGUF_MAX_DIMS]; /* the first one varies fastest: rows of dim[0] values */
    enum dtype dtype;
    uint64_t n;  /* values */
    uint64_t at; /* first byte in the file */
    uint64_t n_bytes;
};

/* Points into the bytes that were parsed. */
struct gguf {
    uint32_t n_settings;
    struct gguf_setting *settings; /* as in the file */
    uint32_t n_tensors;
    struct gguf_tensor *tensors; /* ascending by name */
    uint64_t data_at;
};

/* bytes [n]: the file's beginning, up to its data at least; total: length of the whole file.
 * ERR_PROTO with what is wrong, ERR_VERSION, ERR_LIMIT, ERR_NOMEM.
 */
int gguf_parse(const void *bytes, size_t n, uint64_t total, struct gguf *ret,
               struct err *e) MUST_CHECK;
void gguf_deinit(struct gguf *g); /* accepts zeroed */

const struct gguf_setting *gguf_find(const struct gguf *g, const char *key); /* or NULL */
const struct gguf_tensor *gguf_find_tensor(const struct gguf *g, const char *name);

/* The value of a setting: true when it is there and of that kind. Whole numbers of every width that
 * are not negative; f32 and f64; text.
 */
bool gguf_whole(const struct gguf *g, const char *key, uint64_t *ret);
bool gguf_real(const struct gguf *g, const char *key, double *ret);
bool gguf_string(const struct gguf *g, const char *key, struct gguf_text *ret);

/* The items of an array of strings, one after the other: begin with *at = 0; false after the last. */
bool gguf_next(const struct gguf_setting *s, size_t *at, struct gguf_text *ret);

/* ---- a file on disk ---- */

struct gguf_file {
    int fd; /* -1: not open */
    uint8_t *bytes;
    struct gguf g;
    char path[PATH_CAP];
};

/* ERR_NOTFOUND, ERR_IO and what gguf_parse gives. */
int gguf_open(struct gguf_file *f, const char *path, struct err *e) MUST_CHECK;
void gguf_close(struct gguf_file *f); /* fd -1: nothing to do */

/* All values of t as fp32, dst [t->n]. ERR_IO, ERR_PROTO, ERR_NOMEM. */
int gguf_read(const struct gguf_file *f, const struct gguf_tensor *t, float *dst,
              struct err *e) MUST_CHECK;

/* ERR_VERSION, with what to give instead, when path is a GGUF file: no command goes on from one. OK
 * for everything else, also for what is not there.
 */
int gguf_refuse(const char *path, struct err *e) MUST_CHECK;
