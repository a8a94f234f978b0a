/* Words typed from paper: any bytes; what is read is written as the same key. */
#include "client/keywords.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct key k, again;
    char words[KEYWORDS_CAP];
    if (keywords_decode((const char *)p, n, &k, NULL) != OK) return 0;
    keywords_encode(&k, words);
    check(keywords_decode(words, KEYWORDS_CAP - 1, &again, NULL) == OK);
    check(key_equal(&k.pub, &again.pub));
    return 0;
}
