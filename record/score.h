#pragma once
/* Why: useful work is paid and useless work is not. What is known of a key is its standing, a pure
 * function of the evaluations on the public record, in order: who holds the sheets has the same
 * standings as the host, and the same rewards.
 *
 *   an evaluation   one contribution, tried on the weights it was made from: how much it lowers the
 *                   loss on its own assigned text and on text drawn after the deadline
 *   usefulness      its gain on the drawn text over what the best two fifths of the round would
 *                   have gained with as many tokens: 1 is as good as any
 *   standing        running means of that, and of own-versus-drawn; a rating; a slash
 *   quality         0..1, the lesser of what the two means say; weight = tokens * quality, and
 *                   rewards are linear in it
 *
 * Units: gains in billionths of a nat a token, everything else in millionths. Integers, and exact
 * doubles in the rating: the same bits on every CPU. Equations, sources, and where it stops
 * holding: docs/SCORING.md.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/rating.h"
#include "record/score_code.h"

#define SCORE_ONE        1000000
#define SCORE_PROBATION  100000  /* quality of a key that was never evaluated */
#define SCORE_NONE       400000  /* mean usefulness at which quality is 0 ... */
#define SCORE_FULL       600000  /* ... and from which on it is 1 */
#define SCORE_OWN_NONE   500000  /* the same for own-versus-drawn: who has trained is near 1 ... */
#define SCORE_OWN_FULL   800000  /* ... who sends what others learnt is near 0 */
#define SCORE_CAP        1500000 /* of one usefulness, both ways */
#define SCORE_MEMORY     6       /* evaluations that the mean usefulness remembers */
#define SCORE_OWN_MEMORY 12      /* and the mean of own-versus-drawn */
#define SCORE_SLASH      20     /* rounds that a slashed key has quality 0; doubles each time ... */
#define SCORE_SLASH_MAX  5      /* ... so often */
#define SCORE_COPY       800000 /* signed support in common that is no accident */
#define SCORE_LOUD       16     /* norm for its tokens over the median that no honest work has */
#define SCORE_DOUBT      150000 /* of the mean usefulness at most: in favour of the key */
#define SCORE_FEW        3      /* fewer evaluations are as doubtful as can be */
#define SCORE_MIN_GAIN   20000  /* billionths: less is within the noise of the drawn text */
#define SCORE_OWN_PEERS                                                                            \
    4                       /* evaluations of which three quarters must gain more on their own
                                 * text, or that comparison says nothing this time */
#define SCORE_OWN_CLEAR 100 /* see own_shows in record/score.c */
#define SCORE_MIN_PEERS 3   /* evaluations that make a comparison */

struct score_standing {
    uint32_t n_scored;
    int64_t useful; /* running mean usefulness; of no meaning before the first */
    int64_t spread; /* running mean of squared deviations from it, in millionths */
    int64_t own;    /* running mean of +1 (gained more on its own text than on drawn) and -1, begun
                     * with one +1: what it begins with */
    uint32_t n_own; /* how often that showed */
    struct rating rating;
    uint64_t slashed_until; /* quality is 0 in rounds before this one */
    enum score_code code;   /* of the newest slash */
    uint32_t n_slashed;
};

/* Standings of all keys that were ever evaluated, by key. Zeroed is empty. */
struct score_book {
    struct buf rows; /* struct score_row, ascending by key */
};

struct score_row {
    struct key_pub key;
    struct score_standing s;
};

void score_book_deinit(struct score_book *b); /* accepts NULL and zeroed */
size_t score_book_n(const struct score_book *b);
const struct score_row *score_book_row(const struct score_book *b, size_t i);

/* What is known of a key; of a stranger: nothing, on probation. */
struct score_standing score_book_get(const struct score_book *b, const struct key_pub *k);

/* Take the evaluations that the sheet of one round carries: ascending by key, none twice, at most
 * RATING_MAX (ERR_PROTO). ERR_NOMEM: nothing was taken.
 */
int score_book_fold(struct score_book *b, uint64_t round, const struct score_eval *evals,
                    uint32_t n, struct err *e) MUST_CHECK;

/* Usefulness of each evaluation, from -SCORE_CAP to SCORE_CAP, into ret [n]; false when they say
 * nothing: too few of them, or no gain to compare with. ret of what was not measured is 0.
 */
bool score_usefulness(const struct score_eval *evals, uint32_t n, int64_t *ret);

/* 0..SCORE_ONE, in a round. */
uint32_t score_quality(const struct score_standing *s, uint64_t round);

/* tokens * quality, rounded down: the weight in merge and reward. */
uint64_t score_weight(uint64_t n_tokens, uint32_t quality);

/* Why this quality, as a sentence for the person whose key it is. */
void score_why(const struct score_standing *s, uint64_t round, char *dst, size_t cap);
