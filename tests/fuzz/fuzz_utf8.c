/* Printable text is valid UTF-8, fits, has no control characters, and is its own printable form. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char once[64];
    char twice[64];
    size_t bad = utf8_first_bad(data, size);
    check(bad <= size && utf8_valid(data, bad));
    char *z = malloc(size + 1);
    if (!z) return 0;
    if (size) memcpy(z, data, size);
    z[size] = 0;
    size_t cap = size ? data[0] % sizeof once + 1 : sizeof once;
    utf8_printable(z, once, cap);
    check(strlen(once) < cap && utf8_valid(once, strlen(once)));
    for (const char *p = once; *p; p++)
        check((unsigned char)*p >= 0x20 && *p != 0x7f);
    check(strcmp(utf8_printable(once, twice, sizeof twice), once) == 0);
    free(z);
    return 0;
}
