#pragma once
/* Why: what a sheet carries of an evaluation, as plain data with its words. Apart from
 * record/score.h, because a program that only reads sheets needs no arithmetic for it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/key.h"

#define SCORE_CODE_MAX_EVALS 1024 /* on one sheet */

/* Why a key was slashed. The numbers are on the record. */
enum score_code {
    SCORE_CODE_NONE,
    SCORE_CODE_COPY,   /* the support of somebody's earlier contribution */
    SCORE_CODE_REPLAY, /* the support of its own contribution of an earlier round */
    SCORE_CODE_LOUD,   /* a norm far above the median */
    SCORE_CODES
};

/* What was found out about one contribution. */
struct score_eval {
    struct key_pub contributor;
    uint64_t round; /* of the contribution */
    enum score_code code;
    bool is_measured; /* the next two are */
    int64_t own;      /* gain on its own assigned text */
    int64_t drawn;    /* gain on text drawn after the deadline */
    uint64_t n_tokens;
};

/* "copy", "replay", "loud"; "none"; "?" */
const char *score_code_word(enum score_code c);
enum score_code score_code_of(const char *word); /* SCORE_CODES: no such word */
