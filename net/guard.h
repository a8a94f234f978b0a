#pragma once
/* Why: one stranger must not take what belongs to all. The guard knows how many connections each
 * address has and how fast it opens them, and how many bytes are held for it: request bodies that
 * arrive, bodies that are being worked on after the request itself has gone, answers that wait to
 * be read. A body gets its place before its bytes are taken: until then its sender stays within a
 * small window, and waits its turn without being refused.
 *
 *     guard_enter -> guard_greeted -> guard_leave       a connection
 *     guard_claim -> (placed) -> guard_release          a place for a body
 *     guard_hold  -> guard_release                      bytes that are there already
 *
 * An address is an IPv4 address or an IPv6 /64; a network is an IPv6 /48, or the IPv4 address.
 *
 * Owner: guard_create; guard_destroy may come while bytes are still held: memory then goes with
 * the last of them. One loop thread. No I/O.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct guard;
struct guard_seat; /* one address, while it has connections or bytes */

struct guard_key {
    uint8_t b[17]; /* family, then the address or its first half */
};

struct guard_config {
    uint32_t conns_per_address; /* 0: no cap for an address (a Unix socket) */
};

enum guard_verdict { GUARD_WELCOME, GUARD_FULL, GUARD_ADDRESS, GUARD_NETWORK, GUARD_RATE };

/* A wish for n bytes. placed is called once, maybe from inside guard_claim. */
struct guard_claim {
    struct guard_claim *next;
    struct guard_claim *prev;
    struct guard_seat *seat;
    uint64_t n;
    bool is_waiting;
    void (*placed)(struct guard_claim *c);
};

int guard_create(const struct guard_config *c, struct guard **ret, struct err *e) MUST_CHECK;
void guard_destroy(struct guard *g); /* accepts NULL */

/* Keys of addresses as the socket tells them, network order. An IPv4 address mapped into IPv6 is
 * the IPv4 address.
 */
struct guard_key guard_key_v4(const uint8_t a[4]);
struct guard_key guard_key_v6(const uint8_t a[16]);

/* A connection comes; *ret_seat is set when it is welcome. */
enum guard_verdict guard_enter(struct guard *g, const struct guard_key *k, int64_t now_ms,
                               struct guard_seat **ret_seat);
void guard_leave(struct guard_seat *s);
uint32_t guard_connections(const struct guard *g);

/* Ask for a place: c->seat, c->n and c->placed are set, n at most LIMIT_BODY_BYTES. */
void guard_claim(struct guard_claim *c);
void guard_claim_drop(struct guard_claim *c); /* while it waits; harmless otherwise */

/* Bytes that are there already, and count whether there is a place or not. False: too much. */
bool guard_hold(struct guard_seat *s, uint64_t n);
void guard_release(struct guard_seat *s, uint64_t n); /* places others that wait */

/* Memory for one large body: GUARD_BLOCK_BYTES on pages of their own, kept for the next one when given
 * back, since asking the system for them page by page costs more than receiving the bytes. Of
 * those that nobody needed since the last guard_trim, half goes back to the system. NULL: no memory.
 */
#define GUARD_BLOCK_BYTES (1u << 20)
void *guard_block(struct guard *g);
void guard_block_return(struct guard *g, void *block);
void guard_trim(struct guard *g); /* about once a second */
struct guard *guard_of(const struct guard_seat *s);

uint64_t guard_held(const struct guard *g);
uint32_t guard_waiting(const struct guard *g); /* claims without a place */
