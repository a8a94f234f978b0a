#include "base/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
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

struct hash hash_of_two(const void *p, size_t n, const void *q, size_t m)
{
    struct hash h = {0};
    unsigned len = sizeof h.b;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    check(ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1);
    check(EVP_DigestUpdate(ctx, p, n) == 1 && EVP_DigestUpdate(ctx, q, m) == 1);
    check(EVP_DigestFinal_ex(ctx, h.b, &len) == 1);
    EVP_MD_CTX_free(ctx);
    return h;
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
