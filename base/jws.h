#pragma once
/* Why: everything signed on the wire (run description, reservation, manifest, receipt) is a JWS
 * in compact form with EdDSA over Ed25519 (RFC 7515, RFC 8037): header.payload.signature, each
 * base64url. The header is {"alg":"EdDSA","kid":<key hex>,"typ":<what it is>}; `typ` separates
 * domains, so that no signed reservation can pass as a manifest. Any JOSE library can check one.
 */

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/key.h"

#define JWS_MAX_BYTES (1u << 20)

/* Sign payload (an object) as `typ`; appends the compact form. */
int jws_sign(const json_t *payload, const char *typ, const struct key *k, struct buf *out,
             struct err *e) MUST_CHECK;

/* Check a compact JWS of n bytes: form, alg, typ, and the signature by the key it names.
 * When expect is not NULL the signer must be that key (ERR_AUTH). ret_payload is the caller's
 * (json_decref); ret_signer may be NULL. ERR_PROTO on malformed input, ERR_LIMIT on size.
 */
int jws_verify(const char *text, size_t n, const char *typ, const struct key_pub *expect,
               json_t **ret_payload, struct key_pub *ret_signer, struct err *e) MUST_CHECK;
