#pragma once
/* Why: what was earned belongs to a key, and a key is 32 bytes on one disk. Eighteen words that can be
 * read aloud and written on paper bring it back: sixteen carry two bytes each as
 * consonant-vowel-consonant-vowel-consonant (the scheme of arXiv:0901.4016), two carry a check of all of
 * them. No list of words is needed. Pure.
 */

#include <stddef.h>

#include "base/err.h"
#include "base/key.h"

#define KEYWORDS_N   18
#define KEYWORDS_CAP (KEYWORDS_N * 6) /* with a space or NUL behind each */

/* Secret: wipe dst after use. */
void keywords_encode(const struct key *k, char dst[KEYWORDS_CAP]);

/* In any case, apart by spaces, line ends or hyphens. ERR_ARG: which word cannot be read, or that
 * their check does not fit.
 */
int keywords_decode(const char *text, size_t n, struct key *ret, struct err *e) MUST_CHECK;
