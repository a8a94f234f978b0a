#pragma once
/* Why: TLS 1.3 without sockets: ciphertext in and out of memory, so that the same connection
 * code carries TLS or clear bytes. ALPN must choose h2 or the handshake fails. A client trusts
 * one public key (the pin of the run description: SHA-256 of the certificate's
 * SubjectPublicKeyInfo), or, without a pin, the system's authorities and the host name. No
 * resumption and no early data: an upload must never be replayed. The only file that uses libssl.
 *
 * Owner: tls_context_* / tls_context_destroy, tls_create / tls_destroy; a context outlives its
 * connections. One thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

struct tls_context;
struct tls;

/* ERR_IO, ERR_PROTO or ERR_AUTH (key and certificate differ) with a sentence for the host. */
int tls_context_server(const char *cert_path, const char *key_path, struct tls_context **ret,
                       struct err *e) MUST_CHECK;
/* pin NULL: system authorities and host name. */
int tls_context_client(const struct hash *pin, struct tls_context **ret, struct err *e) MUST_CHECK;
void tls_context_destroy(struct tls_context *c);

/* host: name to ask for and to check (client), or NULL. */
int tls_create(struct tls_context *c, const char *host, struct tls **ret, struct err *e) MUST_CHECK;
void tls_destroy(struct tls *t);

/* Ciphertext from the peer; then call tls_read until it gives nothing: so long p must live. What is
 * left when that ended early is not read again. ERR_NOMEM.
 */
int tls_feed(struct tls *t, const uint8_t *p, size_t n, struct err *e) MUST_CHECK;

/* Advance the handshake and decrypt up to cap bytes; *ret_n 0 when there are none yet.
 * ERR_AUTH: the peer's certificate is not the one named; ERR_PROTO: handshake or record failed.
 */
int tls_read(struct tls *t, uint8_t *dst, size_t cap, size_t *ret_n, struct err *e) MUST_CHECK;

/* Encrypt n bytes (only when tls_is_ready). ERR_PROTO, ERR_NOMEM. */
int tls_write(struct tls *t, const uint8_t *p, size_t n, struct err *e) MUST_CHECK;

size_t tls_waiting(const struct tls *t); /* bytes of ciphertext for the peer */
void tls_pull(struct tls *t,
              struct buf *out);          /* append them; an empty out gets the memory itself */
void tls_trim(struct tls *t);            /* nothing to say for a while: give memory back */
bool tls_is_ready(const struct tls *t);  /* handshake complete, h2 agreed */
bool tls_is_closed(const struct tls *t); /* the peer sent close_notify */
void tls_shutdown(struct tls *t);        /* queue our close_notify */

/* Make a self-signed P-256 certificate and key (PEM, 0600, atomically), valid for 20 years, and
 * tell its pin. name: common name and, as DNS or IP, subject alternative name. Existing files
 * are replaced. ERR_IO, ERR_NOMEM.
 */
int tls_make_certificate(const char *cert_path, const char *key_path, const char *name,
                         struct hash *ret_pin, struct err *e) MUST_CHECK;
int tls_certificate_pin(const char *cert_path, struct hash *ret, struct err *e) MUST_CHECK;
