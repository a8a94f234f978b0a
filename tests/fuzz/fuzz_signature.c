/* The two headers of a signed request, a line each: what is taken names its key in the text. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "net/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct signature_target t = {
        "PUT", "run.example:7333", "/v1/contributions/0/chunks/0",
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"};
    struct key_pub key;
    char hex[KEY_HEX];
    char *text = malloc(size + 1);
    if (!text) return 0;
    if (size) memcpy(text, data, size);
    text[size] = 0;
    char *line = strchr(text, '\n');
    if (line) *line++ = 0;
    if (signature_check(&t, text, line, &key, NULL) == 0)
        check(strstr(text, key_hex(&key, hex)) != NULL);
    free(text);
    return 0;
}
