#pragma once
/* Why: text from strangers must not steer a terminal or a log. utf8_printable makes any bytes
 * harmless: control characters, bidi overrides, zero-width and tag characters and broken UTF-8
 * become '?' ; the result is cut at a character, never inside one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decode one character. Returns its length (1..4) and sets *ret_cp, or 0 when p is not valid
 * UTF-8 (overlong, surrogate, above U+10FFFF, truncated).
 */
size_t utf8_decode(const uint8_t *p, size_t n, uint32_t *ret_cp);

/* Append one character to dst (room for 4 bytes); returns its length. */
size_t utf8_encode(uint32_t cp, uint8_t *dst);

bool utf8_valid(const void *p, size_t n);

/* Offset of the first invalid byte, or n when all is valid. */
size_t utf8_first_bad(const void *p, size_t n);

/* Harmless copy of at most cap - 1 bytes; always terminated. Returns dst. */
char *utf8_printable(const char *src, char *dst, size_t cap);
