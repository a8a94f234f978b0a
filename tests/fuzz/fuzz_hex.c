/* Strict base64, both forms: whatever decodes must encode back to the very same text. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf raw = {0};
    struct buf text = {0};
    if (hex_b64url_decode(&raw, (const char *)data, size) == 0) {
        hex_b64url_encode(&text, raw.p, raw.len);
        check(text.len == size && (!size || memcmp(text.p, data, size) == 0));
    }
    buf_clear(&raw);
    buf_clear(&text);
    if (hex_b64_decode(&raw, (const char *)data, size) == 0) {
        hex_b64_encode(&text, raw.p, raw.len);
        check(text.len == size && (!size || memcmp(text.p, data, size) == 0));
    }
    buf_deinit(&raw);
    buf_deinit(&text);
    char *z = malloc(size + 1);
    if (!z) return 0;
    if (size) memcpy(z, data, size);
    z[size] = 0;
    uint8_t out[32];
    char back[65];
    if (hex_decode(z, out, sizeof out) == 0) check(strcmp(hex_encode(out, 32, back), z) == 0);
    free(z);
    return 0;
}
