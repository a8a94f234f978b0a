#include "record/score_code.h"

#include <string.h>

static const char *const words[SCORE_CODES] = {[SCORE_CODE_NONE] = "none",
                                               [SCORE_CODE_COPY] = "copy",
                                               [SCORE_CODE_REPLAY] = "replay",
                                               [SCORE_CODE_LOUD] = "loud"};

const char *score_code_word(enum score_code c)
{
    return (unsigned)c < SCORE_CODES ? words[c] : "?";
}

enum score_code score_code_of(const char *word)
{
    int c = 0;
    while (c < SCORE_CODES && strcmp(word, words[c]) != 0)
        c++;
    return (enum score_code)c;
}
