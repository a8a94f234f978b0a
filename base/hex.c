#include "base/hex.h"

static const char digits[] = "0123456789abcdef";
static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *hex_encode(const void *p, size_t n, char *dst)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        dst[2 * i] = digits[b[i] >> 4];
        dst[2 * i + 1] = digits[b[i] & 15];
    }
    dst[2 * n] = 0;
    return dst;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

int hex_decode(const char *text, void *p, size_t n)
{
    uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        int hi = digit(text[2 * i]);
        int lo = hi < 0 ? -1 : digit(text[2 * i + 1]);
        if (lo < 0) return -1;
        b[i] = (uint8_t)(hi << 4 | lo);
    }
    return text[2 * n] ? -1 : 0;
}

void hex_b64url_encode(struct buf *out, const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)b[i] << 16 | (left > 1 ? (uint32_t)b[i + 1] << 8 : 0) |
                     (left > 2 ? b[i + 2] : 0);
        char q[4] = {b64[v >> 18], b64[v >> 12 & 63], b64[v >> 6 & 63], b64[v & 63]};
        buf_put(out, q, left > 2 ? 4 : left + 1);
    }
}

static int b64_value(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-') return 62;
    return c == '_' ? 63 : -1;
}

int hex_b64url_decode(struct buf *out, const char *text, size_t n)
{
    if (n % 4 == 1) return -1;
    uint32_t v = 0;
    unsigned n_bits = 0;
    for (size_t i = 0; i < n; i++) {
        int d = b64_value(text[i]);
        if (d < 0) return -1;
        v = v << 6 | (uint32_t)d;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            buf_put_u8(out, (uint8_t)(v >> n_bits));
            v &= (1U << n_bits) - 1;
        }
    }
    return v ? -1 : 0; /* bits that no byte uses must be zero: one text per value */
}
