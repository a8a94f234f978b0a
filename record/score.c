#include "record/score.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

__extension__ typedef __int128 wide;

_Static_assert(SCORE_CODE_MAX_EVALS == RATING_MAX, "a sheet's evaluations can be ranked");

/* ---- one comparison ------------------------------------------------------------------------- */

/* The round's yardstick: the gain that two fifths of the measured ones reach, so that it stands as
 * long as so many of them are honest. Higher and it would be who was lucky with the drawn text:
 * the best of many noisy gains. Gain cannot be feigned upwards: to lower the loss on text that
 * nobody could know is what is asked for. i: who reached it.
 */
static bool yardstick(const struct score_eval *evals, uint32_t n, uint32_t *ret_i)
{
    uint32_t n_measured = 0;
    for (uint32_t i = 0; i < n; i++)
        n_measured += evals[i].is_measured;
    if (n_measured < SCORE_MIN_PEERS) return false;
    uint32_t want = (n_measured * 2 + 4) / 5; /* the want-th best */
    for (uint32_t i = 0; i < n; i++) {
        uint32_t before = 0;
        if (!evals[i].is_measured) continue;
        for (uint32_t j = 0; j < n; j++)
            before += evals[j].is_measured && (evals[j].drawn > evals[i].drawn ||
                                               (evals[j].drawn == evals[i].drawn && j < i));
        if (before + 1 == want) *ret_i = i;
    }
    return evals[*ret_i].drawn >= SCORE_MIN_GAIN;
}

static int64_t clamp(wide x, int64_t bound)
{
    return x > bound ? bound : x < -bound ? -bound : (int64_t)x;
}

bool score_usefulness(const struct score_eval *evals, uint32_t n, int64_t *ret)
{
    uint32_t best = 0;
    memset(ret, 0, n * sizeof *ret);
    if (!yardstick(evals, n, &best)) return false;
    const struct score_eval *y = &evals[best];
    for (uint32_t i = 0; i < n; i++) {
        const struct score_eval *v = &evals[i];
        if (!v->is_measured) continue;
        /* Fewer tokens are expected to gain less, and less than in proportion, since what few steps
         * learnt is noisier; they are paid in proportion, so nothing is won by claiming few. More
         * of them: no less.
         */
        wide part = v->n_tokens < y->n_tokens ? (wide)v->n_tokens * SCORE_ONE / y->n_tokens
                                              : (wide)SCORE_ONE;
        wide expected = (wide)y->drawn * part / SCORE_ONE * part / SCORE_ONE;
        ret[i] = clamp((wide)v->drawn * SCORE_ONE / (expected > 0 ? expected : 1), SCORE_CAP);
    }
    return true;
}

/* ---- standings ------------------------------------------------------------------------------ */

static struct score_standing stranger(void)
{
    return (struct score_standing){.own = SCORE_ONE, .rating = rating_new()};
}

/* A mean of all so far, then one that forgets. */
static void run_on(int64_t *mean, int64_t x, uint32_t n_before, uint32_t memory)
{
    int64_t n = n_before + 1 < memory ? n_before + 1 : memory;
    *mean += (x - *mean) / n;
}

/* Does it show, this time, who trained on the own text? For three quarters of them it must, and for
 * one in two by a hundredth of what was gained at all: where all text is alike, it shows with
 * nobody, or by chance.
 */
static bool own_shows(const struct score_eval *evals, uint32_t n)
{
    uint32_t n_measured = 0, n_more = 0, n_clear = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct score_eval *v = &evals[i];
        int64_t more = v->own - v->drawn;
        if (!v->is_measured) continue;
        n_measured++;
        n_more += more > 0;
        n_clear += more > 0 && more >= (v->drawn > 0 ? v->drawn : 0) / SCORE_OWN_CLEAR;
    }
    return n_measured >= SCORE_OWN_PEERS && 4 * n_more >= 3 * n_measured &&
           2 * n_clear > n_measured;
}

static void note_useful(struct score_standing *s, int64_t useful)
{
    int64_t off = useful - s->useful;
    run_on(&s->useful, useful, s->n_scored, SCORE_MEMORY);
    if (s->n_scored) run_on(&s->spread, off * off / SCORE_ONE, s->n_scored - 1, SCORE_MEMORY);
    s->n_scored++;
}

static void note_own(struct score_standing *s, const struct score_eval *v)
{
    s->n_own++;
    run_on(&s->own, v->own > v->drawn ? SCORE_ONE : -SCORE_ONE, s->n_own, SCORE_OWN_MEMORY);
}

/* 0 up to none, 1 from full on. */
static uint32_t ramp(int64_t x, int64_t none, int64_t full)
{
    if (x <= none) return 0;
    return x >= full ? SCORE_ONE : (uint32_t)((x - none) * SCORE_ONE / (full - none));
}

/* The standard error of the mean usefulness, bounded: who is measured noisily (slow machines are)
 * must not be paid less for it, and who alternates between use and harm must not hide in it.
 */
static int64_t doubt(const struct score_standing *s)
{
    if (s->n_scored < SCORE_FEW) return SCORE_DOUBT;
    uint32_t n = s->n_scored < SCORE_MEMORY ? s->n_scored : SCORE_MEMORY;
    int64_t x = (int64_t)sqrt((double)s->spread / n * SCORE_ONE);
    return x < SCORE_DOUBT ? x : SCORE_DOUBT;
}

uint32_t score_quality(const struct score_standing *s, uint64_t round)
{
    if (round < s->slashed_until) return 0;
    if (s->n_scored == 0) return SCORE_PROBATION;
    uint32_t by_use = ramp(s->useful + doubt(s), SCORE_NONE, SCORE_FULL);
    uint32_t by_own = ramp(s->own, SCORE_OWN_NONE, SCORE_OWN_FULL);
    return by_use < by_own ? by_use : by_own;
}

uint64_t score_weight(uint64_t n_tokens, uint32_t quality)
{
    return (uint64_t)((wide)n_tokens * quality / SCORE_ONE);
}

void score_why(const struct score_standing *s, uint64_t round, char *dst, size_t cap)
{
    uint32_t q = score_quality(s, round);
    if (round < s->slashed_until)
        snprintf(dst, cap, "quality 0 until round %" PRIu64 ": %s", s->slashed_until,
                 score_code_word(s->code));
    else if (s->n_scored == 0)
        snprintf(dst, cap, "quality %.2f until first evaluated", (double)q / SCORE_ONE);
    else
        snprintf(dst, cap,
                 "quality %.2f: usefulness %.2f, own against drawn text %+.2f, %" PRIu32
                 " evaluations",
                 (double)q / SCORE_ONE, (double)s->useful / SCORE_ONE, (double)s->own / SCORE_ONE,
                 s->n_scored);
}

/* ---- the book ------------------------------------------------------------------------------- */

void score_book_deinit(struct score_book *b)
{
    if (b) buf_deinit(&b->rows);
}

size_t score_book_n(const struct score_book *b)
{
    return b->rows.len / sizeof(struct score_row);
}

const struct score_row *score_book_row(const struct score_book *b, size_t i)
{
    return (const struct score_row *)(const void *)b->rows.p + i;
}

struct score_standing score_book_get(const struct score_book *b, const struct key_pub *k)
{
    size_t lo = 0, hi = score_book_n(b);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct score_row *r = score_book_row(b, mid);
        int c = memcmp(r->key.b, k->b, KEY_BYTES);
        if (c == 0) return r->s;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return stranger();
}

/* Each time for twice as long; what is done while slashed begins it anew. */
static void slash(struct score_standing *s, enum score_code code, uint64_t round)
{
    s->code = code;
    s->n_slashed += round >= s->slashed_until;
    uint32_t times = s->n_slashed - 1 < SCORE_SLASH_MAX ? s->n_slashed - 1 : SCORE_SLASH_MAX;
    s->slashed_until = round + ((uint64_t)SCORE_SLASH << times);
}

/* Changed standings of one comparison, in place. */
static void judge(uint64_t round, const struct score_eval *evals, uint32_t n, int64_t *useful,
                  struct score_row *rows)
{
    struct rating ratings[RATING_MAX];
    int64_t value[RATING_MAX];
    uint32_t n_ranked = 0;
    bool shows = own_shows(evals, n);
    if (score_usefulness(evals, n, useful)) {
        for (uint32_t i = 0; i < n; i++) {
            if (!evals[i].is_measured) continue;
            note_useful(&rows[i].s, useful[i]);
            if (shows) note_own(&rows[i].s, &evals[i]);
            ratings[n_ranked] = rows[i].s.rating;
            value[n_ranked++] = useful[i];
        }
        rating_rank(ratings, value, n_ranked);
        n_ranked = 0;
        for (uint32_t i = 0; i < n; i++)
            if (evals[i].is_measured) rows[i].s.rating = ratings[n_ranked++];
    }
    for (uint32_t i = 0; i < n; i++) {
        struct score_standing *s = &rows[i].s;
        if (evals[i].code == SCORE_CODE_NONE) continue;
        slash(s, evals[i].code, round);
    }
}

/* Old rows and changed ones, each ascending, become one list. */
static int join(struct score_book *b, const struct score_row *changed, uint32_t n, struct err *e)
{
    struct buf out = {0};
    size_t i = 0, n_old = score_book_n(b);
    for (uint32_t j = 0; j < n; j++) {
        for (; i < n_old; i++) {
            int c = memcmp(score_book_row(b, i)->key.b, changed[j].key.b, KEY_BYTES);
            if (c > 0) break;
            if (c < 0) buf_put(&out, score_book_row(b, i), sizeof *changed);
        }
        buf_put(&out, &changed[j], sizeof *changed);
    }
    if (i < n_old) buf_put(&out, score_book_row(b, i), (n_old - i) * sizeof *changed);
    int rc = buf_ok(&out, e);
    if (rc != OK) {
        buf_deinit(&out);
        return rc;
    }
    buf_deinit(&b->rows);
    b->rows = out;
    return OK;
}

int score_book_fold(struct score_book *b, uint64_t round, const struct score_eval *evals,
                    uint32_t n, struct err *e)
{
    if (n == 0) return OK;
    if (n > RATING_MAX) return err_set(e, ERR_PROTO, 0, "too many evaluations in one round");
    for (uint32_t i = 1; i < n; i++)
        if (memcmp(evals[i - 1].contributor.b, evals[i].contributor.b, KEY_BYTES) >= 0)
            return err_set(e, ERR_PROTO, 0, "evaluations are not in the order of their keys");
    struct score_row *rows = alloc_zero(n, sizeof *rows);
    int64_t *useful = alloc_zero(n, sizeof *useful);
    int rc = rows && useful ? OK : err_set(e, ERR_NOMEM, 0, "no memory for standings");
    for (uint32_t i = 0; rc == OK && i < n; i++) {
        rows[i].key = evals[i].contributor;
        rows[i].s = score_book_get(b, &evals[i].contributor);
    }
    if (rc == OK) {
        judge(round, evals, n, useful, rows);
        rc = join(b, rows, n, e);
    }
    free(rows);
    free(useful);
    return rc;
}
