#include "base/hex.h"

static const char digits[] = "0123456789abcdef";
static const char b64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char b64std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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

static void encode(struct buf *out, const uint8_t *b, size_t n, const char *b64)
{
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)b[i] << 16 | (left > 1 ? (uint32_t)b[i + 1] << 8 : 0) |
                     (left > 2 ? b[i + 2] : 0);
        char q[4] = {b64[v >> 18], b64[v >> 12 & 63], b64[v >> 6 & 63], b64[v & 63]};
        buf_put(out, q, left > 2 ? 4 : left + 1);
    }
}

void hex_b64url_encode(struct buf *out, const void *p, size_t n)
{
    encode(out, p, n, b64url);
}

void hex_b64_encode(struct buf *out, const void *p, size_t n)
{
    encode(out, p, n, b64std);
    buf_put(out, "==", (3 - n % 3) % 3);
}

/* What a character stands for, -1 when it is none of the alphabet's; last: its characters 62, 63 */
static int b64_value(char c, const char *last)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == last[0]) return 62;
    return c == last[1] ? 63 : -1;
}

static int decode(struct buf *out, const char *text, size_t n, const char *b64)
{
    if (n % 4 == 1) return -1;
    uint32_t v = 0;
    unsigned n_bits = 0;
    for (size_t i = 0; i < n; i++) {
        int d = b64_value(text[i], b64 + 62);
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

int hex_b64url_decode(struct buf *out, const char *text, size_t n)
{
    return decode(out, text, n, b64url);
}

int hex_b64_decode(struct buf *out, const char *text, size_t n)
{
    if (n % 4) return -1;
    for (int i = 0; i < 2 && n && text[n - 1] == '='; i++)
        n--;
    return decode(out, text, n, b64std);
}
