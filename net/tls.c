#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

#define CERT_MAX_BYTES (64 * 1024)

/* AES-128 first: the same safety for us at less work. A peer without AES instructions says so by
 * putting ChaCha20 first, and gets it.
 */
#define CIPHERS "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

struct tls_context {
    SSL_CTX *ctx;
    BIO_METHOD *method;
    struct hash pin;
    bool has_pin;
    bool is_client;
};

struct tls {
    SSL *ssl;
    struct tls_context *c;
    const uint8_t *fed; /* the caller's, n_fed bytes not read yet */
    size_t n_fed;
    struct buf kept; /* bytes that the library did not want yet, kept_at of them read since */
    size_t kept_at;
    struct buf out; /* for the peer */
    bool is_ready;
    bool is_closed;
    bool is_pin_wrong;
};

static const unsigned char alpn_h2[] = {2, 'h', '2'};

static int library_error(struct err *e, int code, const char *doing)
{
    unsigned long why = ERR_get_error();
    const char *reason = why ? ERR_reason_error_string(why) : NULL;
    ERR_clear_error();
    return err_set(e, code, 0, "%s%s%s", doing, reason ? ": " : "", reason ? reason : "");
}

/* ---- bytes between the library and us, without a copy that is not needed ---- */

static int bio_read(BIO *b, char *dst, size_t cap, size_t *ret_n)
{
    struct tls *t = BIO_get_data(b);
    size_t n_kept = t->kept.len - t->kept_at;
    const uint8_t *p = n_kept ? t->kept.p + t->kept_at : t->fed;
    size_t n = n_kept ? n_kept : t->n_fed;
    BIO_clear_retry_flags(b);
    if (!n) {
        BIO_set_retry_read(b);
        return 0;
    }
    if (n > cap) n = cap;
    memcpy(dst, p, n);
    if (n_kept) {
        t->kept_at += n;
        if (t->kept_at == t->kept.len) {
            buf_deinit(&t->kept);
            t->kept_at = 0;
        }
    } else {
        t->fed += n;
        t->n_fed -= n;
    }
    *ret_n = n;
    return 1;
}

static int bio_write(BIO *b, const char *p, size_t n, size_t *ret_n)
{
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    buf_put(&t->out, p, n);
    *ret_n = t->out.failed ? 0 : n;
    return !t->out.failed;
}

static long bio_ctrl(BIO *b, int what, long arg, void *p)
{
    (void)b;
    (void)arg;
    (void)p;
    return what == BIO_CTRL_FLUSH || what == BIO_CTRL_DUP;
}

static BIO_METHOD *bio_method(const char *name)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, name);
    if (m && BIO_meth_set_read_ex(m, bio_read) == 1 && BIO_meth_set_write_ex(m, bio_write) == 1 &&
        BIO_meth_set_ctrl(m, bio_ctrl) == 1)
        return m;
    BIO_meth_free(m);
    return NULL;
}

static BIO *bio_new(const BIO_METHOD *m, struct tls *t)
{
    BIO *b = BIO_new(m);
    if (!b) return NULL;
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    return b;
}

/* ---- pins ---- */

static int pin_of(X509 *cert, struct hash *ret)
{
    unsigned char *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    if (n <= 0) return -1;
    *ret = hash_of(der, (size_t)n);
    OPENSSL_free(der);
    return 0;
}

/* With a pin the certificate is only an envelope for its key: names, dates and issuers are not
 * looked at, since the signed run description already says whose key it is.
 */
static int verify_pin(X509_STORE_CTX *store, void *arg)
{
    struct tls_context *c = arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = SSL_get_app_data(ssl);
    X509 *cert = X509_STORE_CTX_get0_cert(store);
    struct hash got;
    if (cert && pin_of(cert, &got) == 0 && hash_equal(&got, &c->pin)) return 1;
    t->is_pin_wrong = true;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

/* ---- contexts ---- */

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *n_out,
                     const unsigned char *in, unsigned int n_in, void *arg)
{
    (void)ssl;
    (void)arg;
    for (unsigned int i = 0; i < n_in && i + 1u + in[i] <= n_in; i += 1u + in[i]) {
        if (in[i] != 2 || memcmp(in + i + 1, "h2", 2) != 0) continue;
        *out = in + i + 1;
        *n_out = 2;
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static struct tls_context *context_new(bool is_client)
{
    struct tls_context *c = alloc_zero(1, sizeof *c);
    if (!c) return NULL;
    c->is_client = is_client;
    c->ctx = SSL_CTX_new(is_client ? TLS_client_method() : TLS_server_method());
    c->method = bio_method("potluck");
    if (!c->ctx || !c->method || SSL_CTX_set_min_proto_version(c->ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(c->ctx, CIPHERS) != 1) {
        tls_context_destroy(c);
        return NULL;
    }
    SSL_CTX_set_options(c->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(c->ctx, 0);
    SSL_CTX_set_max_early_data(c->ctx, 0);
    SSL_CTX_set_mode(c->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return c;
}

int tls_context_server(const char *cert_path, const char *key_path, struct tls_context **ret,
                       struct err *e)
{
    struct tls_context *c = context_new(false);
    if (!c) return library_error(e, ERR_NOMEM, "cannot start TLS");
    SSL_CTX_set_alpn_select_cb(c->ctx, choose_h2, NULL);
    int rc = OK;
    if (SSL_CTX_use_certificate_chain_file(c->ctx, cert_path) != 1) {
        rc = err_set(e, ERR_IO, 0, "cannot read the certificate '%s'", cert_path);
        err_hint(e, "it must be a PEM file; potluck-aggregator init makes one");
    } else if (SSL_CTX_use_PrivateKey_file(c->ctx, key_path, SSL_FILETYPE_PEM) != 1) {
        bool is_other = ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH;
        rc = is_other ? err_set(e, ERR_AUTH, 0, "'%s' is not the key of '%s'", key_path, cert_path)
                      : err_set(e, ERR_IO, 0, "cannot read the private key '%s'", key_path);
        err_hint(e, "restore both from your backup; a new pair means a new run description");
    } else if (SSL_CTX_check_private_key(c->ctx) != 1) {
        rc = err_set(e, ERR_AUTH, 0, "'%s' is not the key of '%s'", key_path, cert_path);
        err_hint(e, "restore both from your backup; a new pair means a new run description");
    }
    ERR_clear_error();
    if (rc) {
        tls_context_destroy(c);
        return rc;
    }
    *ret = c;
    return OK;
}

int tls_context_client(const struct hash *pin, struct tls_context **ret, struct err *e)
{
    struct tls_context *c = context_new(true);
    if (!c) return library_error(e, ERR_NOMEM, "cannot start TLS");
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    bool is_fine = SSL_CTX_set_alpn_protos(c->ctx, alpn_h2, sizeof alpn_h2) == 0;
    if (pin) {
        c->has_pin = true;
        c->pin = *pin;
        SSL_CTX_set_cert_verify_callback(c->ctx, verify_pin, c);
    } else {
        is_fine = is_fine && SSL_CTX_set_default_verify_paths(c->ctx) == 1;
    }
    if (!is_fine) {
        tls_context_destroy(c);
        return library_error(e, ERR_IO, "cannot load the system's certificate authorities");
    }
    *ret = c;
    return OK;
}

void tls_context_destroy(struct tls_context *c)
{
    if (!c) return;
    SSL_CTX_free(c->ctx);
    BIO_meth_free(c->method);
    free(c);
}

/* ---- one connection ---- */

static bool set_host(struct tls *t, const char *host)
{
    struct in6_addr a;
    bool is_address = inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1;
    if (is_address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), host) == 1;
    return SSL_set_tlsext_host_name(t->ssl, host) == 1 && SSL_set1_host(t->ssl, host) == 1;
}

int tls_create(struct tls_context *c, const char *host, struct tls **ret, struct err *e)
{
    struct tls *t = alloc_zero(1, sizeof *t);
    if (!t) return err_set(e, ERR_NOMEM, 0, "out of memory for a connection");
    t->c = c;
    t->ssl = SSL_new(c->ctx);
    BIO *bio = bio_new(c->method, t);
    if (!t->ssl || !bio) {
        BIO_free(bio);
        SSL_free(t->ssl);
        free(t);
        return library_error(e, ERR_NOMEM, "out of memory for a connection");
    }
    SSL_set_bio(t->ssl, bio, bio); /* one for both directions; owned by ssl */
    SSL_set_app_data(t->ssl, t);
    if (c->is_client)
        SSL_set_connect_state(t->ssl);
    else
        SSL_set_accept_state(t->ssl);
    if (c->is_client && host && !set_host(t, host)) {
        tls_destroy(t);
        return err_set(e, ERR_ARG, 0, "'%.100s' is not a host name", host);
    }
    *ret = t;
    return OK;
}

void tls_destroy(struct tls *t)
{
    if (!t) return;
    SSL_free(t->ssl);
    buf_deinit(&t->kept);
    buf_deinit(&t->out);
    free(t);
}

/* Bytes fed before and not read, as when the peer's close came in front of them. */
static void keep_rest(struct tls *t)
{
    buf_put(&t->kept, t->fed, t->n_fed);
    t->n_fed = 0;
}

int tls_feed(struct tls *t, const uint8_t *p, size_t n, struct err *e)
{
    keep_rest(t);
    t->fed = p;
    t->n_fed = n;
    return buf_ok(&t->kept, e);
}

static int handshake_error(struct tls *t, struct err *e)
{
    if (t->is_pin_wrong) {
        ERR_clear_error();
        err_set(e, ERR_AUTH, 0, "the aggregator's certificate is not the one this run names");
        err_hint(e, "do not go on: ask the host for the newest run file by another way");
        return ERR_AUTH;
    }
    long verdict = SSL_get_verify_result(t->ssl);
    if (t->c->is_client && verdict != X509_V_OK) {
        ERR_clear_error();
        return err_set(e, ERR_AUTH, 0, "the server's certificate is not trusted: %s",
                       X509_verify_cert_error_string(verdict));
    }
    return library_error(e, ERR_PROTO, "the encrypted connection could not be agreed on");
}

static int shake(struct tls *t, struct err *e)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(t->ssl);
    if (rc == 1) {
        const unsigned char *name = NULL;
        unsigned int n = 0;
        SSL_get0_alpn_selected(t->ssl, &name, &n);
        if (n != 2 || memcmp(name, "h2", 2) != 0)
            return err_set(e, ERR_PROTO, 0, "the other side does not speak HTTP/2 (no h2 in ALPN)");
        t->is_ready = true;
        return OK;
    }
    int why = SSL_get_error(t->ssl, rc);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return OK;
    return handshake_error(t, e);
}

int tls_read(struct tls *t, uint8_t *dst, size_t cap, size_t *ret_n, struct err *e)
{
    *ret_n = 0;
    if (!t->is_ready) {
        int rc = shake(t, e);
        if (rc) t->n_fed = 0;
        if (rc || !t->is_ready) return rc;
    }
    ERR_clear_error();
    size_t n = 0;
    int rc = SSL_read_ex(t->ssl, dst, cap, &n);
    if (rc == 1) {
        *ret_n = n;
        return OK;
    }
    int why = SSL_get_error(t->ssl, rc);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return OK;
    t->n_fed = 0; /* nothing after this counts */
    if (why == SSL_ERROR_ZERO_RETURN) {
        t->is_closed = true;
        return OK;
    }
    /* In TLS 1.3 the client is done first: a server that dislikes it says so only now. */
    return library_error(e, ERR_PROTO, "the encrypted connection failed");
}

int tls_write(struct tls *t, const uint8_t *p, size_t n, struct err *e)
{
    check(t->is_ready);
    while (n) {
        size_t k = 0;
        ERR_clear_error();
        if (SSL_write_ex(t->ssl, p, n, &k) != 1)
            return library_error(e, ERR_PROTO, "the encrypted connection failed");
        p += k;
        n -= k;
    }
    return OK;
}

size_t tls_waiting(const struct tls *t)
{
    return t->out.len;
}

void tls_pull(struct tls *t, struct buf *out)
{
    if (out->len) {
        buf_put(out, t->out.p, t->out.len);
        buf_clear(&t->out);
    } else if (t->out.len) { /* hand over the memory itself */
        struct buf swap = *out;
        *out = t->out;
        t->out = swap;
        buf_clear(&t->out);
    }
}

void tls_trim(struct tls *t)
{
    if (!t->out.len) buf_deinit(&t->out);
}

bool tls_is_ready(const struct tls *t)
{
    return t->is_ready;
}

bool tls_is_closed(const struct tls *t)
{
    return t->is_closed;
}

void tls_shutdown(struct tls *t)
{
    ERR_clear_error();
    if (t->is_ready) (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}

/* ---- certificates ---- */

static bool add_name(X509 *cert, const char *name)
{
    char text[300];
    struct in6_addr a;
    bool is_address = inet_pton(AF_INET, name, &a) == 1 || inet_pton(AF_INET6, name, &a) == 1;
    snprintf(text, sizeof text, "%s:%s", is_address ? "IP" : "DNS", name);
    X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text);
    bool is_fine = x && X509_add_ext(cert, x, -1) == 1;
    X509_EXTENSION_free(x);
    X509_NAME *subject = X509_get_subject_name(cert);
    /* A common name holds 64 characters at most; the alternative name above holds the rest. */
    snprintf(text, 65, "%s", name);
    const unsigned char *cn = (const unsigned char *)text;
    return is_fine && X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, cn, -1, -1, 0) &&
           X509_set_issuer_name(cert, subject);
}

static X509 *make_cert(EVP_PKEY *key, const char *name)
{
    uint64_t serial = 0;
    X509 *cert = X509_new();
    if (!cert) return NULL;
    bool is_fine = RAND_bytes((unsigned char *)&serial, sizeof serial) == 1 &&
                   ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1 | 1) == 1 &&
                   X509_set_version(cert, X509_VERSION_3) == 1 &&
                   X509_gmtime_adj(X509_getm_notBefore(cert), -86400L) != NULL &&
                   X509_time_adj_ex(X509_getm_notAfter(cert), 20 * 365, 0, NULL) != NULL &&
                   X509_set_pubkey(cert, key) == 1 && add_name(cert, name) &&
                   X509_sign(cert, key, EVP_sha256()) > 0;
    if (is_fine) return cert;
    X509_free(cert);
    return NULL;
}

static int write_pem(BIO *pem, const char *path, struct err *e)
{
    char *p = NULL;
    long n = BIO_get_mem_data(pem, &p);
    return file_replace(path, p, (size_t)n, 0600, e);
}

int tls_make_certificate(const char *cert_path, const char *key_path, const char *name,
                         struct hash *ret_pin, struct err *e)
{
    if (strlen(name) > 253 || strpbrk(name, ",\n\r"))
        return err_set(e, ERR_ARG, 0, "'%.60s' is not a host name", name);
    struct hash pin;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key ? make_cert(key, name) : NULL;
    BIO *key_pem = BIO_new(BIO_s_secmem());
    BIO *cert_pem = BIO_new(BIO_s_mem());
    int rc = ERR_NOMEM;
    if (!cert || !key_pem || !cert_pem || pin_of(cert, &pin) ||
        PEM_write_bio_PKCS8PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_bio_X509(cert_pem, cert) != 1)
        library_error(e, ERR_NOMEM, "cannot make a certificate");
    else
        rc = write_pem(key_pem, key_path, e);
    if (!rc) rc = write_pem(cert_pem, cert_path, e);
    if (!rc) *ret_pin = pin;
    BIO_free(key_pem);
    BIO_free(cert_pem);
    X509_free(cert);
    EVP_PKEY_free(key);
    return rc;
}

int tls_certificate_pin(const char *cert_path, struct hash *ret, struct err *e)
{
    struct buf text = {0};
    int rc = file_read(cert_path, CERT_MAX_BYTES, &text, e);
    if (!rc) {
        BIO *pem = BIO_new_mem_buf(text.p, (int)text.len);
        X509 *cert = pem ? PEM_read_bio_X509(pem, NULL, NULL, NULL) : NULL;
        if (!cert || pin_of(cert, ret))
            rc = err_set(e, ERR_PROTO, 0, "'%s' holds no certificate in PEM form", cert_path);
        X509_free(cert);
        BIO_free(pem);
        ERR_clear_error();
    }
    buf_deinit(&text);
    return rc;
}
