#pragma once
/* Why: a run may ask for a little work before a new key is let in, so that a thousand keys cost a
 * thousand times as much. The work is memory-hard (scrypt, RFC 7914): a machine made for hashing
 * gains little. It is done once for each key and run; checking it costs one of the 2^bits tries.
 *
 *     scrypt(password = "potluck-door+1" | run id | key | nonce as 8 bytes little endian,
 *            salt = "potluck-door+1", N = memory_kib, r = 8, p = 1, 32 bytes)
 *     begins with `bits` zero bits (the first byte's highest bit first).
 *
 * Thread: any; a try takes memory_kib and, at 16 MiB, some 50 ms.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/key.h"

#define PUZZLE_MIN_KIB  1024u
#define PUZZLE_MAX_KIB  (256u * 1024)
#define PUZZLE_MAX_BITS 20u

/* bits 0: the run has no puzzle. */
struct puzzle {
    uint32_t memory_kib; /* a power of two */
    uint32_t bits;
};

bool puzzle_is_fit(const struct puzzle *p); /* within the bounds above; none is fit too */

/* OK: nonce solves it. ERR_AUTH: it does not. ERR_NOMEM, ERR_ARG (unfit puzzle). */
int puzzle_check(const struct puzzle *p, const struct hash *run, const struct key_pub *key,
                 uint64_t nonce, struct err *e) MUST_CHECK;

/* Try nonces from *nonce (0 counts as 1: nonce 0 means "none" on the wire) until one solves it, or
 * until is_wanted(ctx), asked before each try, says no: ERR_CANCELLED, *nonce where to go on.
 */
int puzzle_solve(const struct puzzle *p, const struct hash *run, const struct key_pub *key,
                 bool (*is_wanted)(void *ctx), void *ctx, uint64_t *nonce,
                 struct err *e) MUST_CHECK;
