#include "engine/gguf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/file.h"

enum { IO_VALUES = 1 << 16, FIRST_READ = 1 << 16 };

/* How the format numbers them. */
static const struct {
    enum dtype dtype;
    uint32_t type;
} types[] = {
    {DTYPE_F32,  0 },
    {DTYPE_F16,  1 },
    {DTYPE_Q8_0, 8 },
    {DTYPE_BF16, 30},
};

uint32_t gguf_tensor_type(enum dtype t)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == t) return types[i].type;
    return UINT32_MAX;
}

enum dtype gguf_tensor_dtype(uint32_t type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type) return types[i].dtype;
    return (enum dtype)0;
}

static int damaged(struct err *e, const char *how)
{
    err_set(e, ERR_PROTO, 0, "this is no sound GGUF file: %s", how);
    err_hint(e, "copy or download it again");
    return ERR_PROTO;
}

/* ---- settings ---- */

/* Bytes of a number; 0 for strings and arrays, UINT32_MAX for what is no type. */
static uint32_t size_of(uint32_t type)
{
    static const uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < sizeof sizes ? sizes[type] : UINT32_MAX;
}

static struct gguf_text take_text(struct cursor *c)
{
    uint64_t n = cursor_u64(c);
    struct gguf_text t = {.n = 0};
    if (n > c->n) c->bad = true;
    t.p = (const char *)cursor_take(c, c->bad ? 1 : (size_t)n);
    if (t.p) t.n = (size_t)n;
    return t;
}

static void take_items(struct cursor *c, struct gguf_setting *s)
{
    uint32_t size = size_of((uint32_t)s->item);
    if (size) {
        if (s->n_items > c->n / size) c->bad = true;
        cursor_take(c, c->bad ? 0 : (size_t)s->n_items * size);
        return;
    }
    for (uint64_t i = 0; i < s->n_items && !c->bad; i++)
        (void)take_text(c);
}

static int take_setting(struct cursor *c, struct gguf_setting *s, struct err *e)
{
    s->key = take_text(c);
    uint32_t type = cursor_u32(c);
    if (c->bad) return damaged(e, "its settings are cut short");
    if (s->key.n == 0 || s->key.n > GGUF_MAX_NAME) return damaged(e, "a setting's name is unfit");
    if (size_of(type) == UINT32_MAX) return damaged(e, "a setting is of no known type");
    s->type = (enum gguf_type)type;
    if (s->type == GGUF_ARRAY) {
        uint32_t item = cursor_u32(c);
        s->n_items = cursor_u64(c);
        if (!c->bad && (size_of(item) == UINT32_MAX || item == GGUF_ARRAY))
            return damaged(e, "a list holds what cannot be listed");
        s->item = (enum gguf_type)item;
    }
    const uint8_t *from = c->p;
    s->p = from;
    if (s->type == GGUF_ARRAY)
        take_items(c, s);
    else if (s->type == GGUF_STRING)
        (void)take_text(c);
    else
        cursor_take(c, size_of(type));
    if (c->bad) return damaged(e, "its settings are cut short");
    s->n_bytes = (size_t)(c->p - from);
    if (s->type == GGUF_BOOL && *s->p > 1) return damaged(e, "a setting is neither true nor false");
    return OK;
}

static bool is_same(const struct gguf_text *a, const struct gguf_text *b)
{
    return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

static int take_settings(struct cursor *c, uint64_t n, struct gguf *g, struct err *e)
{
    if (n > GGUF_MAX_SETTINGS)
        return err_set(e, ERR_LIMIT, 0, "it has %" PRIu64 " settings; the most is %d", n,
                       GGUF_MAX_SETTINGS);
    g->settings = alloc_zero((size_t)n, sizeof *g->settings);
    if (!g->settings) return err_set(e, ERR_NOMEM, 0, "out of memory for a model's settings");
    for (uint32_t i = 0; i < n; i++) {
        int rc = take_setting(c, &g->settings[i], e);
        if (rc) return rc;
        for (uint32_t k = 0; k < i; k++)
            if (is_same(&g->settings[k].key, &g->settings[i].key))
                return damaged(e, "a setting comes twice");
        g->n_settings++;
    }
    return OK;
}

/* ---- tensors ---- */

static int take_tensor(struct cursor *c, struct gguf_tensor *t, uint64_t *ret_offset, struct err *e)
{
    t->name = take_text(c);
    t->n_dims = cursor_u32(c);
    if (c->bad) return damaged(e, "its list of tensors is cut short");
    if (t->name.n == 0 || t->name.n > GGUF_MAX_NAME) return damaged(e, "a tensor's name is unfit");
    if (t->n_dims < 1 || t->n_dims > GGUF_MAX_DIMS)
        return damaged(e, "a tensor has no dimension, or too many");
    t->n = 1;
    for (uint32_t i = 0; i < t->n_dims; i++) {
        t->dim[i] = cursor_u64(c);
        if (!c->bad && t->dim[i] == 0) return damaged(e, "a tensor is empty");
        if (__builtin_mul_overflow(t->n, t->dim[i], &t->n) || t->n > UINT64_MAX / 8)
            return damaged(e, "a tensor is larger than any memory");
    }
    uint32_t type = cursor_u32(c);
    *ret_offset = cursor_u64(c);
    if (c->bad) return damaged(e, "its list of tensors is cut short");
    t->dtype = gguf_tensor_dtype(type);
    if (!t->dtype) {
        err_set(e, ERR_PROTO, 0, "a tensor is of type %" PRIu32 ", which potluck does not read",
                type);
        err_hint(e, "potluck reads f32, f16, bf16 and q8_0");
        return ERR_PROTO;
    }
    if (t->dtype == DTYPE_Q8_0 && t->dim[0] % DTYPE_Q8_0_VALUES)
        return damaged(e, "a tensor's rows are no whole blocks");
    t->n_bytes = dtype_bytes(t->dtype, t->n);
    return OK;
}

static int by_place(const void *a, const void *b)
{
    const struct gguf_tensor *x = a;
    const struct gguf_tensor *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static int compare(const struct gguf_text *a, const struct gguf_text *b)
{
    size_t n = a->n < b->n ? a->n : b->n;
    int c = memcmp(a->p, b->p, n);
    if (c) return c;
    return a->n < b->n ? -1 : a->n > b->n;
}

static int by_name(const void *a, const void *b)
{
    const struct gguf_tensor *x = a;
    const struct gguf_tensor *y = b;
    return compare(&x->name, &y->name);
}

static uint64_t align(uint64_t v, uint64_t alignment)
{
    return (v + alignment - 1) / alignment * alignment;
}

/* Tensors in the order of their offsets follow each other with nothing but padding between. */
static int check_places(struct gguf *g, uint64_t alignment, uint64_t total, struct err *e)
{
    uint64_t at = g->data_at;
    qsort(g->tensors, g->n_tensors, sizeof *g->tensors, by_place);
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        const struct gguf_tensor *t = &g->tensors[i];
        if (t->at < at) return damaged(e, "tensors overlap");
        if (t->at > align(at - g->data_at, alignment) + g->data_at)
            return damaged(e, "there is a hole between tensors");
        if (t->at > total || t->n_bytes > total - t->at)
            return damaged(e, "a tensor lies outside of the file");
        at = t->at + t->n_bytes;
        if (i + 1 < g->n_tensors) at = align(at - g->data_at, alignment) + g->data_at;
    }
    if (total != at && total != align(at - g->data_at, alignment) + g->data_at)
        return damaged(e, "there are bytes after the last tensor");
    qsort(g->tensors, g->n_tensors, sizeof *g->tensors, by_name);
    for (uint32_t i = 1; i < g->n_tensors; i++)
        if (is_same(&g->tensors[i - 1].name, &g->tensors[i].name))
            return damaged(e, "a tensor comes twice");
    return OK;
}

static int take_alignment(const struct gguf *g, uint64_t *ret, struct err *e)
{
    const struct gguf_setting *s = gguf_find(g, "general.alignment");
    *ret = GGUF_ALIGNMENT;
    if (!s) return OK;
    if (s->type != GGUF_U32) return damaged(e, "its alignment is no number");
    *ret = bytes_u32(s->p);
    if (*ret == 0 || *ret > 65536 || (*ret & (*ret - 1)))
        return damaged(e, "its alignment is no power of two");
    return OK;
}

static int take_tensors(struct cursor *c, const uint8_t *bytes, uint64_t n, uint64_t total,
                        struct gguf *g, struct err *e)
{
    uint64_t alignment = 0;
    int rc = take_alignment(g, &alignment, e);
    if (rc) return rc;
    if (n > GGUF_MAX_TENSORS)
        return err_set(e, ERR_LIMIT, 0, "it has %" PRIu64 " tensors; the most is %d", n,
                       GGUF_MAX_TENSORS);
    g->tensors = alloc_zero((size_t)n, sizeof *g->tensors);
    if (!g->tensors) return err_set(e, ERR_NOMEM, 0, "out of memory for the list of tensors");
    for (uint32_t i = 0; i < n; i++) {
        rc = take_tensor(c, &g->tensors[i], &g->tensors[i].at, e);
        if (rc) return rc;
        if (g->tensors[i].at % alignment || g->tensors[i].at > total)
            return damaged(e, "a tensor's offset is unfit");
        g->n_tensors++;
    }
    g->data_at = align((uint64_t)(c->p - bytes), alignment);
    if (g->data_at > total) return damaged(e, "it ends before its data");
    for (uint32_t i = 0; i < n; i++)
        g->tensors[i].at += g->data_at;
    return check_places(g, alignment, total, e);
}

int gguf_parse(const void *bytes, size_t n, uint64_t total, struct gguf *ret, struct err *e)
{
    struct cursor c = {.p = bytes, .n = n};
    struct gguf g = {0};
    const uint8_t *magic = cursor_take(&c, 4);
    if (!magic || memcmp(magic, GGUF_MAGIC, 4) != 0)
        return damaged(e, "it does not begin like one");
    uint32_t version = cursor_u32(&c);
    uint64_t n_tensors = cursor_u64(&c);
    uint64_t n_settings = cursor_u64(&c);
    if (c.bad) return damaged(e, "its header is cut short");
    if (version != GGUF_VERSION)
        return err_set(e, ERR_VERSION, 0, "the GGUF file has version %" PRIu32 "; potluck reads %u",
                       version, GGUF_VERSION);
    int rc = take_settings(&c, n_settings, &g, e);
    if (!rc) rc = take_tensors(&c, bytes, n_tensors, total, &g, e);
    if (rc)
        gguf_deinit(&g);
    else
        *ret = g;
    return rc;
}

void gguf_deinit(struct gguf *g)
{
    if (!g) return;
    free(g->settings);
    free(g->tensors);
    *g = (struct gguf){0};
}

/* ---- looking up ---- */

const struct gguf_setting *gguf_find(const struct gguf *g, const char *key)
{
    struct gguf_text k = {key, strlen(key)};
    for (uint32_t i = 0; i < g->n_settings; i++)
        if (is_same(&g->settings[i].key, &k)) return &g->settings[i];
    return NULL;
}

const struct gguf_tensor *gguf_find_tensor(const struct gguf *g, const char *name)
{
    struct gguf_tensor key = {
        .name = {name, strlen(name)}
    };
    if (!g->n_tensors) return NULL;
    return bsearch(&key, g->tensors, g->n_tensors, sizeof key, by_name);
}

/* Sign-extended; false for what is no whole number. */
static bool whole_of(const struct gguf_setting *s, int64_t *ret)
{
    switch (s->type) {
    case GGUF_U8: *ret = s->p[0]; return true;
    case GGUF_I8: *ret = (int8_t)s->p[0]; return true;
    case GGUF_U16: *ret = bytes_u16(s->p); return true;
    case GGUF_I16: *ret = (int16_t)bytes_u16(s->p); return true;
    case GGUF_U32: *ret = bytes_u32(s->p); return true;
    case GGUF_I32: *ret = (int32_t)bytes_u32(s->p); return true;
    case GGUF_U64:
    case GGUF_I64: *ret = (int64_t)bytes_u64(s->p); return true;
    case GGUF_F32:
    case GGUF_F64:
    case GGUF_BOOL:
    case GGUF_STRING:
    case GGUF_ARRAY: break;
    }
    return false;
}

bool gguf_whole(const struct gguf *g, const char *key, uint64_t *ret)
{
    const struct gguf_setting *s = gguf_find(g, key);
    int64_t v = 0;
    if (!s || !whole_of(s, &v) || v < 0) return false;
    *ret = (uint64_t)v;
    return true;
}

bool gguf_real(const struct gguf *g, const char *key, double *ret)
{
    const struct gguf_setting *s = gguf_find(g, key);
    if (s && s->type == GGUF_F32) {
        uint32_t bits = bytes_u32(s->p);
        float v;
        memcpy(&v, &bits, sizeof v);
        *ret = (double)v;
    } else if (s && s->type == GGUF_F64) {
        uint64_t bits = bytes_u64(s->p);
        memcpy(ret, &bits, sizeof *ret);
    } else {
        return false;
    }
    return true;
}

bool gguf_string(const struct gguf *g, const char *key, struct gguf_text *ret)
{
    const struct gguf_setting *s = gguf_find(g, key);
    if (!s || s->type != GGUF_STRING) return false;
    *ret = (struct gguf_text){(const char *)s->p + 8, s->n_bytes - 8};
    return true;
}

bool gguf_next(const struct gguf_setting *s, size_t *at, struct gguf_text *ret)
{
    check(s->type == GGUF_ARRAY && s->item == GGUF_STRING && *at <= s->n_bytes);
    if (*at == s->n_bytes) return false;
    struct cursor c = {.p = s->p + *at, .n = s->n_bytes - *at};
    *ret = take_text(&c);
    *at = s->n_bytes - c.n;
    return true;
}

/* ---- files ---- */

/* The header has no length of its own: read ever more of the file until it parses. */
static int read_header(struct gguf_file *f, uint64_t total, struct err *e)
{
    for (size_t n = FIRST_READ;; n *= 4) {
        if (n > total) n = (size_t)total;
        if (n > GGUF_MAX_HEADER) n = GGUF_MAX_HEADER;
        uint8_t *p = alloc_resize(f->bytes, n ? n : 1, 1);
        if (!p) return err_set(e, ERR_NOMEM, 0, "out of memory for a model's settings");
        f->bytes = p;
        int rc = file_read_at(f->fd, p, n, 0, f->path, e);
        if (!rc) rc = gguf_parse(p, n, total, &f->g, e);
        if (rc != ERR_PROTO || n == total || n == GGUF_MAX_HEADER) return rc;
    }
}

int gguf_open(struct gguf_file *f, const char *path, struct err *e)
{
    *f = (struct gguf_file){.fd = -1};
    if (path_format(f->path, "%s", path))
        return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", path);
    uint64_t total = 0;
    int rc = file_open(path, &f->fd, &total, e);
    if (!rc) rc = read_header(f, total, e);
    if (rc) gguf_close(f);
    return rc;
}

int gguf_refuse(const char *path, struct err *e)
{
    char first[4] = "";
    int fd = -1;
    if (file_open(path, &fd, NULL, NULL) != OK) return OK;
    int rc = file_read_at(fd, first, sizeof first, 0, path, NULL);
    close(fd);
    if (rc || memcmp(first, "GGUF", sizeof first) != 0) return OK;
    err_set(e, ERR_VERSION, 0, "'%.100s' is a GGUF file: potluck writes those, but reads none",
            path);
    err_hint(e,
             "give the folder that it was made from: config.json, *.safetensors, tokenizer.json");
    return ERR_VERSION;
}

void gguf_close(struct gguf_file *f)
{
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
    gguf_deinit(&f->g);
    free(f->bytes);
    f->bytes = NULL;
}

int gguf_read(const struct gguf_file *f, const struct gguf_tensor *t, float *dst, struct err *e)
{
    uint8_t *io = alloc_zero(IO_VALUES, sizeof(float));
    int rc = io ? OK : err_set(e, ERR_NOMEM, 0, "out of memory for reading a model");
    for (uint64_t i = 0; i < t->n && !rc; i += IO_VALUES) {
        size_t part = t->n - i < IO_VALUES ? (size_t)(t->n - i) : IO_VALUES;
        size_t bytes = (size_t)dtype_bytes(t->dtype, part);
        rc = file_read_at(f->fd, io, bytes, t->at + dtype_bytes(t->dtype, i), f->path, e);
        if (!rc) dtype_unpack(t->dtype, io, part, dst + i);
    }
    free(io);
    return rc;
}
