#pragma once
/* Why: an address that a slip of the finger has changed must not be paid to. SS58 is how Substrate
 * chains (Bittensor among them) write the 32 bytes of an account: a network's number, the bytes, and
 * two bytes of checksum, all in base 58. Whose account it is, and whether there is one, nobody can tell
 * from it; no chain is asked.
 *
 * Source: docs.substrate.io, "SS58 address format"; the checksum is the beginning of
 * BLAKE2b-512("SS58PRE" | number | account). Pure.
 */

#include <stdint.h>

#include "base/err.h"

#define SS58_ACCOUNT_BYTES 32
#define SS58_CAP           52 /* of the text, with its NUL */
#define SS58_MAX_NETWORK   16383

struct ss58 {
    uint16_t network; /* 0 to SS58_MAX_NETWORK; 42: any */
    uint8_t account[SS58_ACCOUNT_BYTES];
};

/* ERR_PROTO with a sentence about what is wrong with the address, and what to do. Only the one
 * spelling of an account and network is taken.
 */
int ss58_parse(const char *text, struct ss58 *ret, struct err *e) MUST_CHECK;

/* check()s that the network is one. Returns dst. */
char *ss58_format(const struct ss58 *a, char dst[SS58_CAP]);
