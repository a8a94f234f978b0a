#pragma once
/* Why: a contributor or an aggregator is its Ed25519 key and nothing else (RFC 8032). Keys are
 * made, stored and used here only; OpenSSL does the arithmetic. Text form: 64 hex digits.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define KEY_BYTES     32
#define KEY_SIG_BYTES 64
#define KEY_HEX       65

struct key_pub {
    uint8_t b[KEY_BYTES];
};

/* The secret seed and its public half. Wipe with key_wipe when done. */
struct key {
    uint8_t seed[KEY_BYTES];
    struct key_pub pub;
};

void key_generate(struct key *ret);
int key_from_seed(const uint8_t seed[KEY_BYTES], struct key *ret, struct err *e) MUST_CHECK;
void key_wipe(struct key *k);

/* Load the key file, or make one when it does not exist: 32-byte seed, mode 0600, created
 * atomically, never followed through a link. ERR_AUTH when the mode lets others read it.
 */
int key_load_or_create(const char *path, struct key *ret, struct err *e) MUST_CHECK;

void key_sign(const struct key *k, const void *msg, size_t n, uint8_t ret_sig[KEY_SIG_BYTES]);

/* OK, or ERR_AUTH when the signature is not this key's over exactly these bytes. */
int key_verify(const struct key_pub *k, const void *msg, size_t n, const uint8_t *sig, size_t n_sig,
               struct err *e) MUST_CHECK;

char *key_hex(const struct key_pub *k, char dst[KEY_HEX]);
int key_from_hex(const char *text, struct key_pub *ret); /* 0, or -1 when not 64 hex digits */
int key_equal(const struct key_pub *a, const struct key_pub *b);
