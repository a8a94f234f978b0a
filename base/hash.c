#include "base/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hex.h"

struct hasher {
    EVP_MD_CTX *ctx;
};

struct hash hash_of(const void *p, size_t n)
{
    struct hash h = {0};
    unsigned len = sizeof h.b;
    check(EVP_Digest(p, n, h.b, &len, EVP_sha256(), NULL) == 1);
    return h;
}

static void digest_two(const EVP_MD *md, const void *p, size_t n, const void *q, size_t m,
                       uint8_t *dst)
{
    unsigned len = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    check(ctx && EVP_DigestInit_ex(ctx, md, NULL) == 1);
    check(EVP_DigestUpdate(ctx, p, n) == 1 && EVP_DigestUpdate(ctx, q, m) == 1);
    check(EVP_DigestFinal_ex(ctx, dst, &len) == 1);
    EVP_MD_CTX_free(ctx);
}

struct hash hash_of_two(const void *p, size_t n, const void *q, size_t m)
{
    struct hash h = {0};
    digest_two(EVP_sha256(), p, n, q, m, h.b);
    return h;
}

void hash_blake2b(const void *p, size_t n, const void *q, size_t m, uint8_t ret[HASH_BLAKE_BYTES])
{
    digest_two(EVP_blake2b512(), p, n, q, m, ret);
}

int hash_scrypt(const void *password, size_t n_password, const void *salt, size_t n_salt,
                uint32_t memory_kib, struct hash *ret, struct err *e)
{
    uint64_t n = memory_kib, most = (uint64_t)(memory_kib + 1024) * 1024;
    uint32_t r = 8, p = 1;
    void *in, *with; /* OpenSSL only reads them, and says so nowhere */
    memcpy(&in, &password, sizeof in);
    memcpy(&with, &salt, sizeof with);
    OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PASSWORD, in, n_password),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, with, n_salt),
        OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &most),
        OSSL_PARAM_END,
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool is_done = ctx && EVP_KDF_derive(ctx, ret->b, sizeof ret->b, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    if (is_done) return OK;
    return err_set(e, ERR_NOMEM, 0, "no %u KiB of memory for the entry puzzle", memory_kib);
}

struct hasher *hasher_create(void)
{
    struct hasher *h = alloc_zero(1, sizeof *h);
    if (!h) return NULL;
    h->ctx = EVP_MD_CTX_new();
    if (h->ctx && EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) == 1) return h;
    hasher_destroy(h);
    return NULL;
}

void hasher_destroy(struct hasher *h)
{
    if (!h) return;
    EVP_MD_CTX_free(h->ctx);
    free(h);
}

void hasher_add(struct hasher *h, const void *p, size_t n)
{
    check(EVP_DigestUpdate(h->ctx, p, n) == 1);
}

struct hash hasher_end(struct hasher *h)
{
    struct hash r = {0};
    unsigned len = sizeof r.b;
    check(EVP_DigestFinal_ex(h->ctx, r.b, &len) == 1);
    check(EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) == 1);
    return r;
}

char *hash_hex(const struct hash *h, char dst[HASH_HEX])
{
    return hex_encode(h->b, sizeof h->b, dst);
}

int hash_from_hex(const char *text, struct hash *ret)
{
    struct hash h = {0};
    if (strlen(text) != 2 * sizeof h.b || hex_decode(text, h.b, sizeof h.b)) return -1;
    *ret = h;
    return 0;
}

int hash_equal(const struct hash *a, const struct hash *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}
