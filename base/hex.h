#pragma once
/* Why: the text forms of bytes that we use: lower-case hex for hashes and keys, unpadded
 * base64url (RFC 4648 section 5) inside JWS, padded base64 (section 4) in signed notes.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* 2n digits and a NUL into dst; returns dst. */
char *hex_encode(const void *p, size_t n, char *dst);

/* Exactly 2n lower-case digits into p; 0 or -1. */
int hex_decode(const char *text, void *p, size_t n);

/* Append the base64url form of n bytes, without padding. */
void hex_b64url_encode(struct buf *out, const void *p, size_t n);

/* Append the bytes of base64url text; -1 on any character or length that a strict decoder
 * refuses (padding, stray bits, white space), 0 otherwise.
 */
int hex_b64url_decode(struct buf *out, const char *text, size_t n);

/* The same for base64 with padding. */
void hex_b64_encode(struct buf *out, const void *p, size_t n);
int hex_b64_decode(struct buf *out, const char *text, size_t n);
