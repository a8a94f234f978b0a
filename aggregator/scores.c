#include "aggregator/scores.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "record/reward.h"
#include "record/sheet.h"

int scores_init(struct scores *s, struct err *e)
{
    *s = (struct scores){.is_on = true};
    s->fresh = alloc_zero(RATING_MAX, sizeof *s->fresh);
    s->shown = alloc_zero(RATING_MAX, sizeof *s->shown);
    if (s->fresh && s->shown) return OK;
    scores_deinit(s);
    return err_set(e, ERR_NOMEM, 0, "no memory for standings");
}

void scores_deinit(struct scores *s)
{
    if (!s) return;
    score_book_deinit(&s->book);
    score_book_deinit(&s->next);
    free(s->fresh);
    free(s->shown);
    *s = (struct scores){0};
}

int scores_restore(struct scores *s, const struct sheet *sheet, struct err *e)
{
    return score_book_fold(&s->book, sheet->round, sheet->scores, sheet->n_scores, e);
}

static int compare(const struct score_eval *a, const struct score_eval *b)
{
    return memcmp(a->contributor.b, b->contributor.b, KEY_BYTES);
}

void scores_found(struct scores *s, const struct score_eval *evals, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = 0;
        while (at < s->n_fresh && compare(&s->fresh[at], &evals[i]) < 0)
            at++;
        if (at < s->n_fresh && compare(&s->fresh[at], &evals[i]) == 0) {
            enum score_code had = s->fresh[at].code;
            s->fresh[at] = evals[i];
            if (evals[i].code == SCORE_CODE_NONE) s->fresh[at].code = had;
            continue;
        }
        if (s->n_fresh == RATING_MAX)
            return; /* the next sheet takes these; others are drawn again */
        memmove(&s->fresh[at + 1], &s->fresh[at], (s->n_fresh - at) * sizeof *s->fresh);
        s->fresh[at] = evals[i];
        s->n_fresh++;
    }
}

static int freeze(struct scores *s, uint64_t round, struct err *e)
{
    struct score_book next = {0};
    if (s->is_frozen && s->round == round) return OK;
    buf_put(&next.rows, s->book.rows.p, s->book.rows.len);
    int rc = buf_ok(&next.rows, e);
    if (rc == OK) rc = score_book_fold(&next, round, s->fresh, s->n_fresh, e);
    if (rc != OK) {
        score_book_deinit(&next);
        return rc;
    }
    struct score_eval *spare = s->shown;
    s->shown = s->fresh;
    s->n_shown = s->n_fresh;
    s->fresh = spare;
    s->n_fresh = 0;
    score_book_deinit(&s->next);
    s->next = next;
    s->round = round;
    s->is_frozen = true;
    return OK;
}

int scores_weigh(struct scores *s, uint64_t round, uint64_t emission, struct round_input *in,
                 uint32_t n, struct err *e)
{
    int rc = freeze(s, round, e);
    if (rc != OK) return rc;
    struct reward_share *shares = alloc_zero(n ? n : 1, sizeof *shares);
    if (!shares) return err_set(e, ERR_NOMEM, 0, "no memory for the rewards of a round");
    for (uint32_t i = 0; i < n; i++) {
        struct score_standing at = score_book_get(&s->next, &in[i].contributor);
        in[i].weight = score_weight(in[i].claim.n_tokens, score_quality(&at, round));
        in[i].score = at.useful;
        score_why(&at, round, in[i].why, sizeof in[i].why);
        shares[i] =
            (struct reward_share){.contributor = in[i].contributor, .n_tokens = in[i].weight};
    }
    reward_split(emission, shares, n);
    for (uint32_t i = 0; i < n; i++)
        in[i].reward = shares[i].amount;
    free(shares);
    return OK;
}

void scores_published(struct scores *s, uint64_t round)
{
    if (!s->is_frozen || s->round != round) return;
    score_book_deinit(&s->book);
    s->book = s->next;
    s->next = (struct score_book){0};
    s->n_shown = 0;
    s->is_frozen = false;
}
