#include "base/digest.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"

#define NAME    "sha-256"
#define N_NAME  (sizeof NAME - 1)
#define MAX_B64 256 /* longest text that is decoded */

void digest_base64(struct buf *out, const void *p, size_t n)
{
    size_t from = out->len;
    hex_b64url_encode(out, p, n);
    for (size_t i = from; !out->failed && i < out->len; i++) {
        if (out->p[i] == '-') out->p[i] = '+';
        if (out->p[i] == '_') out->p[i] = '/';
    }
    while (!out->failed && (out->len - from) % 4)
        buf_put_u8(out, '=');
}

int digest_unbase64(const char *text, size_t n_text, void *p, size_t n)
{
    char url[MAX_B64];
    struct buf b = {0};
    if (n_text != (n + 2) / 3 * 4 || n_text > sizeof url) return -1;
    size_t n_url = (n * 8 + 5) / 6;
    for (size_t i = 0; i < n_text; i++) {
        char c = text[i];
        if (i >= n_url && c != '=') return -1;
        if (c == '-' || c == '_') return -1;
        url[i] = (char)(c == '+' ? '-' : c == '/' ? '_' : c);
    }
    bool is_good = hex_b64url_decode(&b, url, n_url) == 0 && !b.failed && b.len == n;
    if (is_good && n) memcpy(p, b.p, n);
    buf_deinit(&b);
    return is_good ? 0 : -1;
}

char *digest_text(const struct hash *h, char dst[DIGEST_CAP])
{
    struct buf b = {0};
    digest_base64(&b, h->b, sizeof h->b);
    snprintf(dst, DIGEST_CAP, NAME "=:%s:", buf_str(&b));
    buf_deinit(&b);
    return dst;
}

int digest_parse(const char *text, struct hash *ret)
{
    struct hash h = {0};
    uint32_t n_found = 0;
    while (*text) {
        text += strspn(text, " \t");
        size_t n = strcspn(text, ",");
        const char *end = text + n;
        while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        if ((size_t)(end - text) > N_NAME && strncmp(text, NAME "=", N_NAME + 1) == 0) {
            const char *v = text + N_NAME + 1;
            if (end - v < 2 || *v != ':' || end[-1] != ':') return -1;
            if (digest_unbase64(v + 1, (size_t)(end - v) - 2, h.b, sizeof h.b)) return -1;
            n_found++;
        }
        text += n;
        if (*text == ',') text++;
    }
    if (n_found != 1) return -1;
    *ret = h;
    return 0;
}
