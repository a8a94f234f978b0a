/* Whatever is taken for a digest is found again in what we write for it. */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hash h, back;
    char field[DIGEST_CAP];
    char *text = malloc(size + 1);
    if (!text) return 0;
    if (size) memcpy(text, data, size);
    text[size] = 0;
    if (digest_parse(text, &h) == 0) {
        check(strstr(text, digest_text(&h, field)) != NULL);
        check(digest_parse(field, &back) == 0 && hash_equal(&h, &back));
    }
    free(text);
    return 0;
}
