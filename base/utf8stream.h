#pragma once
/* Why: a model writes bytes, and a token may end inside a character. What reaches a person or a file
 * is whole characters only: the rest waits for the next token. What is not UTF-8 becomes U+FFFD,
 * as the Unicode standard advises (one for each longest beginning of a character).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Zero is a valid beginning. */
struct utf8stream {
    uint8_t waiting[4];
    uint32_t n;
    bool is_harmless; /* for a terminal: what utf8_printable refuses becomes '?', but \n and \t */
};

/* Append what is complete of the bytes so far to out. */
void utf8stream_put(struct utf8stream *s, const void *bytes, size_t n, struct buf *out);

/* No more bytes: what still waits was cut off. The stream may be used again. */
void utf8stream_end(struct utf8stream *s, struct buf *out);
