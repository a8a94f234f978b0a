#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"

void buf_deinit(struct buf *b)
{
    if (!b) return;
    free(b->p);
    *b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

static bool reserve(struct buf *b, size_t n)
{
    if (b->failed) return false;
    size_t need = size_add(b->len, n);
    if (need <= b->cap) return true;
    size_t cap = b->cap < 256 ? 256 : b->cap;
    while (cap < need && cap < SIZE_MAX / 2)
        cap *= 2;
    uint8_t *p = cap < need ? NULL : alloc_resize(b->p, cap, 1);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void *buf_grow(struct buf *b, size_t n)
{
    if (!reserve(b, n)) return NULL;
    void *p = b->p + b->len;
    b->len += n;
    return p;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
    void *dst = n ? buf_grow(b, n) : NULL;
    if (dst) memcpy(dst, p, n);
}

void buf_put_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_put_u8(struct buf *b, uint8_t v)
{
    buf_put(b, &v, 1);
}

void buf_put_u16(struct buf *b, uint16_t v)
{
    uint8_t t[2];
    bytes_put_u16(t, v);
    buf_put(b, t, sizeof t);
}

void buf_put_u32(struct buf *b, uint32_t v)
{
    uint8_t t[4];
    bytes_put_u32(t, v);
    buf_put(b, t, sizeof t);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
    uint8_t t[8];
    bytes_put_u64(t, v);
    buf_put(b, t, sizeof t);
}

void buf_put_f32(struct buf *b, float v)
{
    uint32_t bits = 0;
    memcpy(&bits, &v, 4);
    buf_put_u32(b, bits);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !reserve(b, (size_t)n + 1)) return;
    va_start(ap, fmt);
    vsnprintf((char *)b->p + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

int buf_ok(const struct buf *b, struct err *e)
{
    return b->failed ? err_set(e, ERR_NOMEM, 0, "out of memory after %zu bytes", b->len) : OK;
}

const char *buf_str(struct buf *b)
{
    if (!reserve(b, 1)) return "";
    b->p[b->len] = 0;
    return (const char *)b->p;
}
