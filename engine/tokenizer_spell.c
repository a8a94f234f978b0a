/* GPT-2's alphabet: every byte is a character that can be seen. Printable bytes of Latin-1 are
 * themselves, the 68 others are U+0100 and up in their order.
 */
#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/tokenizer_table.h"

static bool is_printable(uint32_t b)
{
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 255 && b != 173);
}

/* How many bytes below b are not printable: 0..32, 127..160, 173. */
static uint32_t hidden_below(uint32_t b)
{
    return b <= 33 ? b : b <= 127 ? 33 : b <= 161 ? b - 94 : b <= 173 ? 67 : 68;
}

void tokenizer_spell_bytes(const uint8_t *p, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t c[4];
        uint32_t cp = is_printable(p[i]) ? p[i] : 256 + hidden_below(p[i]);
        buf_put(out, c, utf8_encode(cp, c));
    }
}

static int hidden_byte(uint32_t i)
{
    return i < 33 ? (int)i : i < 67 ? (int)i + 94 : i == 67 ? 173 : -1;
}

bool tokenizer_unspell(const char *s, size_t n, struct buf *out)
{
    size_t len;
    for (size_t i = 0; i < n; i += len) {
        uint32_t cp = 0;
        len = utf8_decode((const uint8_t *)s + i, n - i, &cp);
        int b = cp >= 256 ? hidden_byte(cp - 256) : is_printable(cp) ? (int)cp : -1;
        if (len == 0 || b < 0) return false;
        buf_put_u8(out, (uint8_t)b);
    }
    return !out->failed;
}

void tokenizer_spell(const struct tokenizer *t, uint32_t id, struct buf *out)
{
    uint32_t n = 0;
    const uint8_t *p = tokenizer_bytes(t, id, &n);
    switch (tokenizer_id_kind(t, id)) {
    case TOKENIZER_BYTE: buf_printf(out, "<0x%02X>", p[0]); return;
    case TOKENIZER_ADDED:
    case TOKENIZER_SPECIAL: buf_put(out, p, n); return;
    case TOKENIZER_TEXT: break;
    }
    if (!t->style.is_sentence) {
        tokenizer_spell_bytes(p, n, out);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        if (p[i] == ' ')
            buf_put_str(out, "\xe2\x96\x81");
        else
            buf_put_u8(out, p[i]);
}
