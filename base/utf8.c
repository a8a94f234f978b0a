#include "base/utf8.h"

#include <string.h>

size_t utf8_decode(const uint8_t *p, size_t n, uint32_t *ret_cp)
{
    if (!n) return 0;
    if (p[0] < 0x80) {
        *ret_cp = p[0];
        return 1;
    }
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < len) return 0;
    uint32_t cp = p[0] & (0xffU >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        cp = cp << 6 | (p[i] & 0x3f);
    }
    if ((len == 3 && cp < 0x800) || (len == 4 && cp < 0x10000)) return 0;
    if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff)) return 0;
    *ret_cp = cp;
    return len;
}

size_t utf8_encode(uint32_t cp, uint8_t *dst)
{
    if (cp < 0x80) {
        dst[0] = (uint8_t)cp;
        return 1;
    }
    size_t len = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        dst[i] = (uint8_t)(0x80 | (cp & 0x3f));
        cp >>= 6;
    }
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    dst[0] = (uint8_t)(lead[len] | cp);
    return len;
}

size_t utf8_first_bad(const void *p, size_t n)
{
    const uint8_t *b = p;
    size_t i = 0;
    while (i < n) {
        uint32_t cp = 0;
        size_t len = utf8_decode(b + i, n - i, &cp);
        if (!len) return i;
        i += len;
    }
    return n;
}

bool utf8_valid(const void *p, size_t n)
{
    return utf8_first_bad(p, n) == n;
}

static bool harmless(uint32_t cp)
{
    if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) return false;    /* C0, DEL, C1 */
    if (cp == 0xad || cp == 0x61c || cp == 0x180e) return false; /* soft hyphen, ALM, MVS */
    if (cp >= 0x200b && cp <= 0x200f) return false;              /* zero width, marks */
    if (cp >= 0x2028 && cp <= 0x202e) return false;              /* separators, bidi overrides */
    if (cp >= 0x2060 && cp <= 0x206f) return false;              /* joiners, isolates */
    if (cp == 0xfeff || (cp >= 0xfff9 && cp <= 0xfffb)) return false;
    return cp < 0xe0000; /* tags, private planes */
}

char *utf8_printable(const char *src, char *dst, size_t cap)
{
    size_t n = strlen(src);
    size_t out = 0;
    for (size_t i = 0; i < n && cap > 1;) {
        uint32_t cp = 0;
        size_t len = utf8_decode((const uint8_t *)src + i, n - i, &cp);
        bool good = len && harmless(cp);
        size_t need = good ? len : 1;
        if (out + need + 1 > cap) break;
        if (good)
            memcpy(dst + out, src + i, len);
        else
            dst[out] = '?';
        out += need;
        i += len ? len : 1;
    }
    if (cap) dst[out] = 0;
    return dst;
}
