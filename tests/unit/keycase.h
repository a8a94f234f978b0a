#pragma once
/* Keys and hashes that are the same in every run of a test: the seed is one byte repeated. */

#include <string.h>

#include "base/hash.h"
#include "base/key.h"
#include "tests/check.h"

static inline struct key test_key(uint8_t fill)
{
    uint8_t seed[KEY_BYTES];
    struct key k = {0};
    memset(seed, fill, sizeof seed);
    assert_int_equal(key_from_seed(seed, &k, NULL), OK);
    return k;
}

static inline struct hash test_hash(const char *text)
{
    return hash_of(text, strlen(text));
}
