#include "record/ss58.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

#define MAX_BYTES (2 + SS58_ACCOUNT_BYTES + 2)

static const char digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

static int refuse(struct err *e, const char *why)
{
    err_set(e, ERR_PROTO, 0, "%s", why);
    err_hint(e, "copy the address whole, without typing it; when it is not of the SS58 kind, add "
                "--kind text");
    return ERR_PROTO;
}

static size_t prefix_put(uint16_t network, uint8_t *dst)
{
    if (network < 64) {
        dst[0] = (uint8_t)network;
        return 1;
    }
    dst[0] = (uint8_t)(((network & 0xfc) >> 2) | 0x40);
    dst[1] = (uint8_t)((network >> 8) | ((network & 3) << 6));
    return 2;
}

static void checksum(const uint8_t *p, size_t n, uint8_t ret[2])
{
    static const char before[] = "SS58PRE";
    uint8_t h[HASH_BLAKE_BYTES];
    hash_blake2b(before, sizeof before - 1, p, n, h);
    memcpy(ret, h, 2);
}

/* Base 58 to at most MAX_BYTES bytes; 0 when it has another sign or is too long. */
static size_t decode(const char *text, uint8_t dst[MAX_BYTES])
{
    uint8_t number[MAX_BYTES] = {0}; /* little endian */
    size_t n = 0, n_zero = 0;
    for (const char *p = text; *p; p++) {
        const char *at = strchr(digits, *p);
        if (!at) return 0;
        unsigned carry = (unsigned)(at - digits);
        if (!n && !carry) n_zero++;
        for (size_t i = 0; i < n; i++) {
            carry += number[i] * 58U;
            number[i] = (uint8_t)carry;
            carry >>= 8;
        }
        if (n + n_zero + (carry > 0) > MAX_BYTES) return 0;
        if (carry) number[n++] = (uint8_t)carry;
    }
    memset(dst, 0, n_zero);
    for (size_t i = 0; i < n; i++)
        dst[n_zero + i] = number[n - 1 - i];
    return n_zero + n;
}

static void encode(const uint8_t *p, size_t n, char dst[SS58_CAP])
{
    uint8_t number[SS58_CAP] = {0}; /* base 58, little endian */
    size_t len = 0, n_zero = 0, at = 0;
    while (n_zero < n && !p[n_zero])
        n_zero++;
    for (size_t i = n_zero; i < n; i++) {
        unsigned carry = p[i];
        for (size_t k = 0; k < len; k++) {
            carry += (unsigned)number[k] << 8;
            number[k] = (uint8_t)(carry % 58);
            carry /= 58;
        }
        for (; carry; carry /= 58)
            number[len++] = (uint8_t)(carry % 58);
    }
    while (at < n_zero)
        dst[at++] = digits[0];
    while (len)
        dst[at++] = digits[number[--len]];
    dst[at] = '\0';
}

char *ss58_format(const struct ss58 *a, char dst[SS58_CAP])
{
    uint8_t b[MAX_BYTES];
    check(a->network <= SS58_MAX_NETWORK);
    size_t n = prefix_put(a->network, b);
    memcpy(b + n, a->account, SS58_ACCOUNT_BYTES);
    n += SS58_ACCOUNT_BYTES;
    checksum(b, n, b + n);
    encode(b, n + 2, dst);
    return dst;
}

int ss58_parse(const char *text, struct ss58 *ret, struct err *e)
{
    uint8_t b[MAX_BYTES], sum[2];
    char again[SS58_CAP];
    struct ss58 a = {0};
    size_t n = strlen(text) < SS58_CAP ? decode(text, b) : 0;
    size_t n_prefix = n && b[0] < 64 ? 1 : 2;
    if (!n || b[0] > 127 || n != n_prefix + SS58_ACCOUNT_BYTES + 2)
        return refuse(e, "that is not an SS58 address");
    checksum(b, n - 2, sum);
    if (memcmp(sum, b + n - 2, sizeof sum) != 0)
        return refuse(e,
                      "the checksum of that SS58 address is wrong: a character of it was changed");
    a.network = n_prefix == 1
                    ? b[0]
                    : (uint16_t)(((b[0] & 0x3f) << 2) | (b[1] >> 6) | ((b[1] & 0x3f) << 8));
    memcpy(a.account, b + n_prefix, sizeof a.account);
    if (strcmp(ss58_format(&a, again), text) != 0 || a.network == 46 || a.network == 47)
        return refuse(e, "that is no SS58 address of any network");
    *ret = a;
    return OK;
}
