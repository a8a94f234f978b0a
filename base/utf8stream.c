#include "base/utf8stream.h"

#include <string.h>

#include "base/utf8.h"

/* May these bytes still become a character? Every beginning of one can be completed by the least or
 * by the greatest continuation bytes.
 */
static bool can_grow(const uint8_t *p, uint32_t n)
{
    static const uint8_t fill[2] = {0x80, 0xBF};
    for (int i = 0; i < 2; i++) {
        uint8_t whole[4];
        uint32_t cp;
        memset(whole, fill[i], sizeof whole);
        memcpy(whole, p, n);
        if (utf8_decode(whole, sizeof whole, &cp) > n) return true;
    }
    return false;
}

static void emit(const struct utf8stream *s, const uint8_t *p, size_t n, struct buf *out)
{
    char plain[8] = {0};
    char safe[8];
    memcpy(plain, p, n);
    if (s->is_harmless && *plain != '\n' && *plain != '\t')
        buf_put_str(out, *plain ? utf8_printable(plain, safe, sizeof safe) : "?");
    else
        buf_put(out, p, n);
}

static void replace(struct buf *out)
{
    buf_put_str(out, "\xEF\xBF\xBD");
}

static void put_byte(struct utf8stream *s, uint8_t b, struct buf *out)
{
    uint32_t cp;
    s->waiting[s->n++] = b;
    if (utf8_decode(s->waiting, s->n, &cp)) {
        emit(s, s->waiting, s->n, out);
        s->n = 0;
    } else if (!can_grow(s->waiting, s->n)) {
        bool was_begun = s->n > 1;
        s->n = 0;
        replace(out);
        if (was_begun) put_byte(s, b, out); /* once: a single byte is never begun */
    }
}

void utf8stream_put(struct utf8stream *s, const void *bytes, size_t n, struct buf *out)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++)
        put_byte(s, p[i], out);
}

void utf8stream_end(struct utf8stream *s, struct buf *out)
{
    if (s->n) replace(out);
    s->n = 0;
}
