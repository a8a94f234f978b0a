#include "engine/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"

#define METADATA "__metadata__"

/* ---- reading the header ---- */

static const struct {
    const char *name;
    uint32_t bytes;
    enum dtype dtype;
} types[] = {
    {"F32",     4, DTYPE_F32    },
    {"F16",     2, DTYPE_F16    },
    {"BF16",    2, DTYPE_BF16   },
    {"F64",     8, (enum dtype)0},
    {"I64",     8, (enum dtype)0},
    {"U64",     8, (enum dtype)0},
    {"I32",     4, (enum dtype)0},
    {"U32",     4, (enum dtype)0},
    {"I16",     2, (enum dtype)0},
    {"U16",     2, (enum dtype)0},
    {"I8",      1, (enum dtype)0},
    {"U8",      1, (enum dtype)0},
    {"BOOL",    1, (enum dtype)0},
    {"F8_E4M3", 1, (enum dtype)0},
    {"F8_E5M2", 1, (enum dtype)0},
};

static int damaged(struct err *e, const char *how)
{
    err_set(e, ERR_PROTO, 0, "this is no sound safetensors file: %s", how);
    err_hint(e, "copy or download it again");
    return ERR_PROTO;
}

static int bad_tensor(struct err *e, const char *name, const char *how)
{
    char safe[80];
    err_set(e, ERR_PROTO, 0, "the tensor '%s' %s", utf8_printable(name, safe, sizeof safe), how);
    err_hint(e, "copy or download the file again");
    return ERR_PROTO;
}

int safetensors_header_bytes(const uint8_t first[8], uint64_t total, uint64_t *ret, struct err *e)
{
    if (total < 10) return damaged(e, "it is too short for a header");
    uint64_t n = bytes_u64(first);
    if (n < 2 || n > total - 8) return damaged(e, "its header would be longer than the file");
    if (n > SAFETENSORS_MAX_HEADER)
        return err_set(e, ERR_LIMIT, 0, "its header claims %" PRIu64 " bytes; the most is %d", n,
                       SAFETENSORS_MAX_HEADER);
    *ret = n;
    return OK;
}

/* The type, and how many bytes a value has. */
static int read_type(const json_t *o, struct safetensors_tensor *t, uint32_t *ret_bytes,
                     struct err *e)
{
    const char *name = json_string_value(json_object_get(o, "dtype"));
    if (!name) return bad_tensor(e, t->name, "has no dtype");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].name, name) != 0) continue;
        t->type = types[i].name;
        t->dtype = types[i].dtype;
        *ret_bytes = types[i].bytes;
        return OK;
    }
    return bad_tensor(e, t->name, "has a type that is not known");
}

static int read_shape(const json_t *o, struct safetensors_tensor *t, struct err *e)
{
    const json_t *shape = json_object_get(o, "shape");
    size_t i = 0;
    json_t *v = NULL;
    if (!json_is_array(shape) || json_array_size(shape) > SAFETENSORS_MAX_DIMS)
        return bad_tensor(e, t->name, "has no shape, or too many dimensions");
    t->n = 1;
    json_each (i, v, shape) {
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return bad_tensor(e, t->name, "has a shape that is not whole numbers");
        t->dim[t->n_dims] = (uint64_t)json_integer_value(v);
        if (__builtin_mul_overflow(t->n, t->dim[t->n_dims], &t->n) || t->n > UINT64_MAX / 8)
            return bad_tensor(e, t->name, "is larger than any memory");
        t->n_dims++;
    }
    return OK;
}

static int read_place(const json_t *o, struct safetensors_tensor *t, uint64_t data_at,
                      uint64_t total, struct err *e)
{
    const json_t *a = json_object_get(o, "data_offsets");
    const json_t *from = json_array_get(a, 0);
    const json_t *to = json_array_get(a, 1);
    if (json_array_size(a) != 2 || !json_is_integer(from) || !json_is_integer(to))
        return bad_tensor(e, t->name, "has no data_offsets");
    int64_t begin = json_integer_value(from);
    int64_t end = json_integer_value(to);
    if (begin < 0 || end < begin || (uint64_t)end > total - data_at)
        return bad_tensor(e, t->name, "lies outside of the file");
    if ((uint64_t)(end - begin) != t->n_bytes)
        return bad_tensor(e, t->name, "has another length than its shape");
    t->at = data_at + (uint64_t)begin;
    return OK;
}

static int read_tensor(const char *name, const json_t *o, uint64_t data_at, uint64_t total,
                       struct safetensors_tensor *t, struct err *e)
{
    uint32_t bytes = 0;
    t->name = name;
    if (!*name) return damaged(e, "a tensor has no name");
    if (!json_is_object(o) || json_object_size(o) != 3)
        return bad_tensor(e, name, "is not described by dtype, shape and data_offsets");
    int rc = read_type(o, t, &bytes, e);
    if (!rc) rc = read_shape(o, t, e);
    if (rc) return rc;
    t->n_bytes = t->n * bytes;
    return read_place(o, t, data_at, total, e);
}

static int check_metadata(const json_t *o, struct err *e)
{
    const char *k = NULL;
    const json_t *v = NULL;
    if (!json_is_object(o)) return damaged(e, "its " METADATA " is not an object");
    for (void *it = json_object_iter((json_t *)(uintptr_t)o); it;
         it = json_object_iter_next((json_t *)(uintptr_t)o, it)) {
        k = json_object_iter_key(it);
        v = json_object_iter_value(it);
        if (!*k || !json_is_string(v)) return damaged(e, "its " METADATA " is not all text");
    }
    return OK;
}

static int by_place(const void *a, const void *b)
{
    const struct safetensors_tensor *x = a;
    const struct safetensors_tensor *y = b;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    return x->n_bytes < y->n_bytes ? -1 : x->n_bytes > y->n_bytes;
}

static int by_name(const void *a, const void *b)
{
    const struct safetensors_tensor *x = a;
    const struct safetensors_tensor *y = b;
    return strcmp(x->name, y->name);
}

/* Every byte after the header belongs to exactly one tensor. */
static int check_cover(const struct safetensors *s, uint64_t total, struct err *e)
{
    uint64_t at = s->data_at;
    for (uint32_t i = 0; i < s->n_tensors; i++) {
        const struct safetensors_tensor *t = &s->tensors[i];
        if (t->at < at) return bad_tensor(e, t->name, "overlaps the one before it");
        if (t->at > at) return bad_tensor(e, t->name, "leaves a hole before it");
        at += t->n_bytes;
    }
    return at == total ? OK : damaged(e, "there are bytes after the last tensor");
}

static int read_header(json_t *o, uint64_t total, struct safetensors *s, struct err *e)
{
    size_t n = json_object_size(o);
    if (!json_is_object(o)) return damaged(e, "its header is not an object");
    if (n > SAFETENSORS_MAX_TENSORS)
        return err_set(e, ERR_LIMIT, 0, "it has %zu tensors; the most is %d", n,
                       SAFETENSORS_MAX_TENSORS);
    s->tensors = alloc_zero(n, sizeof *s->tensors);
    if (!s->tensors) return err_set(e, ERR_NOMEM, 0, "out of memory for the list of tensors");
    int rc = OK;
    for (void *it = json_object_iter(o); it && !rc; it = json_object_iter_next(o, it)) {
        const char *name = json_object_iter_key(it);
        const json_t *v = json_object_iter_value(it);
        if (strcmp(name, METADATA) == 0)
            rc = check_metadata(v, e);
        else
            rc = read_tensor(name, v, s->data_at, total, &s->tensors[s->n_tensors++], e);
    }
    if (rc) return rc;
    qsort(s->tensors, s->n_tensors, sizeof *s->tensors, by_place);
    rc = check_cover(s, total, e);
    qsort(s->tensors, s->n_tensors, sizeof *s->tensors, by_name);
    return rc;
}

int safetensors_parse(const void *bytes, size_t n, uint64_t total, struct safetensors *ret,
                      struct err *e)
{
    uint64_t head = 0;
    struct safetensors s = {0};
    json_t *o = NULL;
    if (n < 8) return damaged(e, "it is too short for a header");
    int rc = safetensors_header_bytes(bytes, total, &head, e);
    if (rc) return rc;
    if (head > n - 8) return damaged(e, "its header is cut short");
    const char *text = (const char *)bytes + 8;
    if (*text != '{') return damaged(e, "its header is not an object");
    rc = json_parse(text, (size_t)head, &o, e);
    if (rc) {
        (void)err_wrap(e, "its header");
        return rc;
    }
    s.header = o;
    s.data_at = 8 + head;
    rc = read_header(o, total, &s, e);
    if (rc)
        safetensors_deinit(&s);
    else
        *ret = s;
    return rc;
}

void safetensors_deinit(struct safetensors *s)
{
    if (!s) return;
    free(s->tensors);
    json_decref(s->header);
    *s = (struct safetensors){0};
}

const struct safetensors_tensor *safetensors_find(const struct safetensors *s, const char *name)
{
    struct safetensors_tensor key = {.name = name};
    if (!s->n_tensors) return NULL;
    return bsearch(&key, s->tensors, s->n_tensors, sizeof key, by_name);
}

/* ---- reading a file ---- */

static int read_beginning(struct safetensors_file *f, uint64_t total, struct err *e)
{
    uint8_t first[8];
    uint64_t head = 0;
    if (total < sizeof first) return damaged(e, "it is too short for a header");
    int rc = file_read_at(f->fd, first, sizeof first, 0, f->path, e);
    if (!rc) rc = safetensors_header_bytes(first, total, &head, e);
    if (rc) return rc;
    uint8_t *bytes = alloc_zero((size_t)head + 8, 1);
    if (!bytes) return err_set(e, ERR_NOMEM, 0, "out of memory for the header");
    rc = file_read_at(f->fd, bytes, (size_t)head + 8, 0, f->path, e);
    if (!rc) rc = safetensors_parse(bytes, (size_t)head + 8, total, &f->s, e);
    free(bytes);
    return rc;
}

int safetensors_open(struct safetensors_file *f, const char *path, struct err *e)
{
    *f = (struct safetensors_file){.fd = -1};
    if (path_format(f->path, "%s", path))
        return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", path);
    uint64_t total = 0;
    int rc = file_open(path, &f->fd, &total, e);
    if (rc) return rc;
    rc = read_beginning(f, total, e);
    if (!rc) return OK;
    safetensors_close(f);
    const char *slash = strrchr(path, '/');
    (void)err_wrap(e, "%.60s", slash ? slash + 1 : path);
    return rc;
}

void safetensors_close(struct safetensors_file *f)
{
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
    safetensors_deinit(&f->s);
}

int safetensors_read(const struct safetensors_file *f, const struct safetensors_tensor *t,
                     uint64_t first, uint64_t n, float *dst, uint8_t *io, struct err *e)
{
    check(first <= t->n && n <= t->n - first);
    if (!t->dtype) {
        char safe[80];
        err_set(e, ERR_PROTO, 0, "the tensor '%s' is of type %s",
                utf8_printable(t->name, safe, sizeof safe), t->type);
        err_hint(e, "potluck reads F32, F16 and BF16; convert the model first");
        return ERR_PROTO;
    }
    size_t size = t->n ? (size_t)(t->n_bytes / t->n) : 1;
    for (uint64_t i = 0; i < n;) {
        size_t part = SAFETENSORS_IO / size;
        if (part > n - i) part = (size_t)(n - i);
        int rc = file_read_at(f->fd, io, part * size, t->at + (first + i) * size, f->path, e);
        if (rc) return rc;
        dtype_unpack(t->dtype, io, part, dst + i);
        if (dtype_first_bad(dst + i, part) < part)
            return bad_tensor(e, t->name, "holds values that are not finite numbers");
        i += part;
    }
    return OK;
}

/* ---- writing ---- */

static const char *type_name(enum dtype t)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == t) return types[i].name;
    return NULL;
}

static uint64_t item_values(const struct safetensors_item *x)
{
    return (uint64_t)x->dim[0] * (x->n_dims == 2 ? x->dim[1] : 1);
}

/* The header, filled with spaces so that the data begins at a multiple of 64. */
static int make_header(enum dtype type, const struct safetensors_item *items, uint32_t n_items,
                       struct buf *out, struct err *e)
{
    json_t *o = json_object();
    uint64_t at = 0;
    int bad = json_object_set_new(o, METADATA, json_pack("{s:s}", "format", "pt"));
    for (uint32_t i = 0; i < n_items && !bad; i++) {
        const struct safetensors_item *x = &items[i];
        uint64_t end = at + dtype_bytes(type, item_values(x));
        json_t *shape = x->n_dims == 2
                            ? json_pack("[I,I]", (json_int_t)x->dim[0], (json_int_t)x->dim[1])
                            : json_pack("[I]", (json_int_t)x->dim[0]);
        bad =
            json_object_set_new(o, x->name,
                                json_pack("{s:s, s:o, s:[I,I]}", "dtype", type_name(type), "shape",
                                          shape, "data_offsets", (json_int_t)at, (json_int_t)end));
        at = end;
    }
    buf_put_u64(out, 0);
    int rc = bad ? err_set(e, ERR_NOMEM, 0, "out of memory for the header") : json_write(o, out, e);
    json_decref(o);
    while (!rc && !out->failed && out->len % 64)
        buf_put_u8(out, ' ');
    if (!rc) rc = buf_ok(out, e);
    if (!rc) bytes_put_u64(out->p, out->len - 8);
    return rc;
}

static int write_values(struct file_out *o, enum dtype type, const struct safetensors_item *x,
                        uint8_t *io, struct err *e)
{
    uint64_t n = item_values(x);
    size_t step = SAFETENSORS_IO / 4;
    for (uint64_t i = 0; i < n;) {
        size_t part = n - i < step ? (size_t)(n - i) : step;
        size_t k = dtype_first_unfit(type, x->values + i, part);
        if (k < part) {
            err_set(e, ERR_ARG, 0, "a value of '%s', %g, does not fit into %s", x->name,
                    (double)x->values[i + k], dtype_name(type));
            err_hint(e, "choose --type f32");
            return ERR_ARG;
        }
        dtype_pack(type, x->values + i, part, io);
        int rc = file_out_put(o, io, (size_t)dtype_bytes(type, part), e);
        if (rc) return rc;
        i += part;
    }
    return OK;
}

int safetensors_write(const char *path, enum dtype type, const struct safetensors_item *items,
                      uint32_t n_items, struct err *e)
{
    struct buf head = {0};
    struct file_out o = {.fd = -1};
    check(type_name(type) != NULL);
    uint8_t *io = alloc_zero(SAFETENSORS_IO, 1);
    int rc = io ? make_header(type, items, n_items, &head, e)
                : err_set(e, ERR_NOMEM, 0, "out of memory for writing a model");
    if (!rc) rc = file_out_begin(&o, path, 0644, e);
    if (!rc) rc = file_out_put(&o, head.p, head.len, e);
    for (uint32_t i = 0; i < n_items && !rc; i++)
        rc = write_values(&o, type, &items[i], io, e);
    if (!rc) rc = file_out_commit(&o, e);
    file_out_abandon(&o);
    buf_deinit(&head);
    free(io);
    return rc;
}
