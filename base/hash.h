#pragma once
/* Why: SHA-256 names every stored object. OpenSSL's EVP is used because it reaches 1.7 GB/s with
 * SHA-NI. This is the only file that hashes.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HASH_BYTES 32
#define HASH_HEX   65 /* hex text with its NUL */

struct hash {
    uint8_t b[HASH_BYTES];
};

/* One-shot SHA-256 of n bytes. */
struct hash hash_of(const void *p, size_t n);

/* SHA-256 of n bytes and m more, without putting them side by side. */
struct hash hash_of_two(const void *p, size_t n, const void *q, size_t m);

#define HASH_BLAKE_BYTES 64

/* BLAKE2b-512 (RFC 7693) of n bytes and m more. Not for naming objects: others check addresses by it. */
void hash_blake2b(const void *p, size_t n, const void *q, size_t m, uint8_t ret[HASH_BLAKE_BYTES]);

/* scrypt (RFC 7914) with r = 8, p = 1 and N = memory_kib, a power of two: takes about memory_kib KiB
 * of memory, given back before it returns. ERR_NOMEM.
 */
int hash_scrypt(const void *password, size_t n_password, const void *salt, size_t n_salt,
                uint32_t memory_kib, struct hash *ret, struct err *e) MUST_CHECK;

/* Streaming SHA-256. Owner: hasher_create / hasher_destroy (NULL allowed). hasher_end resets it
 * for the next object. Any one thread at a time.
 */
struct hasher;
struct hasher *hasher_create(void); /* NULL on out of memory */
void hasher_destroy(struct hasher *h);
void hasher_add(struct hasher *h, const void *p, size_t n);
struct hash hasher_end(struct hasher *h);

/* Lower-case hex into dst; returns dst. */
char *hash_hex(const struct hash *h, char dst[HASH_HEX]);

/* 0 when text is exactly 64 lower-case hex digits; -1 otherwise (ret untouched). */
int hash_from_hex(const char *text, struct hash *ret);

int hash_equal(const struct hash *a, const struct hash *b); /* 1 when equal */
