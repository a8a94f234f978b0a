#pragma once
/* Why: a growing byte buffer that remembers whether it ever ran out of memory, so that a chain
 * of appends needs one check at the end. Zero is a valid empty buffer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf {
    uint8_t *p;
    size_t len;
    size_t cap;
    bool failed; /* an append did not fit in memory; contents are incomplete */
};

void buf_deinit(struct buf *b); /* accepts NULL and zeroed */
void buf_clear(struct buf *b);  /* length 0, memory kept, failed reset */

/* Appends. After a failure all of them do nothing. */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_str(struct buf *b, const char *s);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v); /* little endian, as all below */
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_f32(struct buf *b, float v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Make room for n more bytes and return a pointer to them, len advanced; NULL on failure. */
void *buf_grow(struct buf *b, size_t n);

/* OK, or ERR_NOMEM with text when an append failed. */
int buf_ok(const struct buf *b, struct err *e) MUST_CHECK;

/* The contents as a NUL-terminated string (the NUL is not counted in len); "" on failure. */
const char *buf_str(struct buf *b);
