#include "client/keywords.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/hash.h"

#define WORD    5
#define N_BYTES (2 * KEYWORDS_N)

static const char consonants[] = "bdfghjklmnprstvz";
static const char vowels[] = "aiou";

/* The seed and four bytes of a hash over it. */
static void with_check(const uint8_t seed[KEY_BYTES], uint8_t dst[N_BYTES])
{
    uint8_t said[KEY_BYTES + 4] = {'k', 'e', 'y', 1};
    memcpy(said + 4, seed, KEY_BYTES);
    struct hash h = hash_of(said, sizeof said);
    memcpy(dst, seed, KEY_BYTES);
    memcpy(dst + KEY_BYTES, h.b, N_BYTES - KEY_BYTES);
    explicit_bzero(said, sizeof said);
}

void keywords_encode(const struct key *k, char dst[KEYWORDS_CAP])
{
    uint8_t bytes[N_BYTES];
    char *p = dst;
    with_check(k->seed, bytes);
    for (size_t i = 0; i < KEYWORDS_N; i++) {
        unsigned w = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
        *p++ = consonants[w >> 12 & 15];
        *p++ = vowels[w >> 10 & 3];
        *p++ = consonants[w >> 6 & 15];
        *p++ = vowels[w >> 4 & 3];
        *p++ = consonants[w & 15];
        *p++ = ' ';
    }
    p[-1] = 0;
    explicit_bzero(bytes, sizeof bytes);
}

/* The place of c in letters, or -1. */
static int place(char c, const char *letters)
{
    const char *at = c ? strchr(letters, c) : NULL;
    return at ? (int)(at - letters) : -1;
}

/* 16 bits, or -1. */
static long word_of(const char w[WORD])
{
    static const int shift[WORD] = {12, 10, 6, 4, 0};
    long value = 0;
    for (int i = 0; i < WORD; i++) {
        int v = place(w[i], i % 2 ? vowels : consonants);
        if (v < 0) return -1;
        value |= (long)v << shift[i];
    }
    return value;
}

static bool is_gap(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '-';
}

static int unfit(struct err *e, unsigned i)
{
    err_set(e, ERR_ARG, 0, "word %u cannot be read", i);
    err_hint(e, "each has five letters, as in \"bagod\"; look at the paper again");
    return ERR_ARG;
}

int keywords_decode(const char *text, size_t n, struct key *ret, struct err *e)
{
    uint8_t bytes[N_BYTES], again[N_BYTES];
    unsigned n_words = 0;
    int rc = OK;
    for (size_t at = 0; at < n && rc == OK;) {
        char w[WORD + 1] = "";
        size_t len = 0;
        if (is_gap(text[at])) {
            at++;
            continue;
        }
        for (; at < n && !is_gap(text[at]); at++, len++)
            if (len < WORD) w[len] = (char)tolower((unsigned char)text[at]);
        long v = len == WORD ? word_of(w) : -1;
        explicit_bzero(w, sizeof w);
        if (v < 0 || n_words == KEYWORDS_N) {
            rc = unfit(e, n_words + 1);
            break;
        }
        bytes[2 * n_words] = (uint8_t)(v >> 8);
        bytes[2 * n_words + 1] = (uint8_t)v;
        n_words++;
    }
    if (rc == OK && n_words != KEYWORDS_N) {
        rc = err_set(e, ERR_ARG, 0, "there are %u words, a key has %d", n_words, KEYWORDS_N);
    } else if (rc == OK) {
        with_check(bytes, again);
        if (memcmp(bytes, again, N_BYTES) != 0) {
            rc = err_set(e, ERR_ARG, 0, "these words belong to no key");
            err_hint(e, "one of them is another one than on the paper, or two changed places");
        }
    }
    if (rc == OK) rc = key_from_seed(bytes, ret, e);
    explicit_bzero(bytes, sizeof bytes);
    explicit_bzero(again, sizeof again);
    return rc;
}
