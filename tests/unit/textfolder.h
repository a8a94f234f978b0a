#pragma once
/* A folder of made-up English, the same for each seed, for tests that prepare text. */

#include "base/rng.h"
#include "tests/unit/scratch.h"

static inline void textfolder_fill(const char *dir, const char *name, size_t n_bytes, uint64_t seed)
{
    static const char *const words[] = {"the",   "pot",       "of",    "soup",   "is",
                                        "for",   "everybody", "who",   "brings", "a",
                                        "spoon", "and",       "stays", "until",  "evening",
                                        "comes", "with",      "bread", "salt",   "songs"};
    struct rng r;
    char *text = malloc(n_bytes + 32);
    size_t n = 0;
    assert_non_null(text);
    rng_init(&r, seed, 0);
    while (n < n_bytes) {
        const char *w = words[rng_below(&r, 20)];
        const char *end = rng_below(&r, 12) ? " " : rng_below(&r, 6) ? ".\n" : ".\n\n";
        n += (size_t)sprintf(text + n, "%s%s", w, end);
    }
    scratch_write(dir, name, text, n);
    free(text);
}
