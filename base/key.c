#include "base/key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/rng.h"

int key_from_seed(const uint8_t seed[KEY_BYTES], struct key *ret, struct err *e)
{
    EVP_PKEY *p = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_BYTES);
    struct key k = {0};
    size_t n = sizeof k.pub.b;
    int rc = p && EVP_PKEY_get_raw_public_key(p, k.pub.b, &n) == 1 ? OK : ERR_NOMEM;
    EVP_PKEY_free(p);
    if (rc) return err_set(e, ERR_NOMEM, 0, "the Ed25519 library refused a key");
    memcpy(k.seed, seed, KEY_BYTES);
    *ret = k;
    key_wipe(&k);
    return OK;
}

void key_generate(struct key *ret)
{
    uint8_t seed[KEY_BYTES];
    rng_secure(seed, sizeof seed);
    check(key_from_seed(seed, ret, NULL) == OK);
    OPENSSL_cleanse(seed, sizeof seed);
}

void key_wipe(struct key *k)
{
    if (k) OPENSSL_cleanse(k, sizeof *k);
}

static int read_seed(int fd, const char *path, struct key *ret, struct err *e)
{
    struct stat st = {0};
    uint8_t seed[KEY_BYTES + 1];
    if (fstat(fd, &st)) return err_set(e, ERR_IO, errno, "cannot read key file '%s'", path);
    if (st.st_mode & 077) {
        err_set(e, ERR_AUTH, 0, "key file '%s' can be read by others", path);
        err_hint(e, "run: chmod 600 '%s'", path);
        return ERR_AUTH;
    }
    ssize_t n = read(fd, seed, sizeof seed);
    if (n != KEY_BYTES) {
        err_set(e, ERR_PROTO, 0, "key file '%s' is damaged: %zd bytes, expected 32", path, n);
        err_hint(e, "restore it from your backup, or move it away to start a new identity");
        return ERR_PROTO;
    }
    int rc = key_from_seed(seed, ret, e);
    OPENSSL_cleanse(seed, sizeof seed);
    return rc;
}

int key_load_or_create(const char *path, struct key *ret, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        struct key k;
        key_generate(&k);
        int rc = file_replace(path, k.seed, sizeof k.seed, 0600, e);
        key_wipe(&k);
        if (rc) return err_wrap(e, "saving the new key");
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd < 0) return err_set(e, ERR_IO, errno, "cannot open key file '%s'", path);
    int rc = read_seed(fd, path, ret, e);
    close(fd);
    return rc;
}

void key_sign(const struct key *k, const void *msg, size_t n, uint8_t ret_sig[KEY_SIG_BYTES])
{
    EVP_PKEY *p = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, k->seed, KEY_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n_sig = KEY_SIG_BYTES;
    check(p && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, p) == 1);
    check(EVP_DigestSign(ctx, ret_sig, &n_sig, msg, n) == 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(p);
}

int key_verify(const struct key_pub *k, const void *msg, size_t n, const uint8_t *sig, size_t n_sig,
               struct err *e)
{
    EVP_PKEY *p = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->b, KEY_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int good = p && ctx && n_sig == KEY_SIG_BYTES &&
               EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, p) == 1 &&
               EVP_DigestVerify(ctx, sig, n_sig, msg, n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(p);
    return good ? OK : err_set(e, ERR_AUTH, 0, "the signature does not match the key");
}

char *key_hex(const struct key_pub *k, char dst[KEY_HEX])
{
    return hex_encode(k->b, sizeof k->b, dst);
}

int key_from_hex(const char *text, struct key_pub *ret)
{
    struct key_pub k = {0};
    if (strlen(text) != 2 * sizeof k.b || hex_decode(text, k.b, sizeof k.b)) return -1;
    *ret = k;
    return 0;
}

int key_equal(const struct key_pub *a, const struct key_pub *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}
