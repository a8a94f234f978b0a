#pragma once
/* Why: Content-Digest and Repr-Digest (RFC 9530) say in a header what bytes a message carries, in a
 * form that other software checks too: a dictionary (RFC 8941) of algorithm and base64 between
 * colons. We write and look at sha-256 alone. Base64 with padding is here as well, since nothing
 * else of ours has it.
 */

#include <stddef.h>

#include "base/buf.h"
#include "base/hash.h"

#define DIGEST_CAP 64 /* "sha-256=:", 44 characters, ":" and the NUL */

/* "sha-256=:...:" into dst; returns dst. */
char *digest_text(const struct hash *h, char dst[DIGEST_CAP]);

/* The sha-256 of such a header's value; other algorithms beside it are skipped. 0, or -1 when there
 * is none, two of them, or the value is malformed where it has to be read.
 */
int digest_parse(const char *text, struct hash *ret);

/* Standard base64 (RFC 4648 section 4), padded. decode: exactly n bytes, strict; 0 or -1. */
void digest_base64(struct buf *out, const void *p, size_t n);
int digest_unbase64(const char *text, size_t n_text, void *p, size_t n);
