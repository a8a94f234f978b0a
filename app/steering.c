#include "app/steering.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "aggregator/steer.h"
#include "app/ending.h"

static int read_round(const char *option, const char *text, uint64_t *ret, struct err *e)
{
    char *end = NULL;
    *ret = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && *ret < UINT64_C(1) << 53) return OK;
    return err_set(e, ERR_ARG, 0, "--%s '%.40s' is not the number of a round", option, text);
}

static int list(const char *home, struct err *e)
{
    struct buf b = {0};
    int rc = steer_list(home, &b, e);
    if (rc == OK) fputs(buf_str(&b), stdout);
    buf_deinit(&b);
    return rc;
}

int steering_change(const struct steering_words *w, struct err *e)
{
    struct steer_report r;
    struct buf b = {0};
    struct steer_request q = {.home = w->home,
                              .words = (const char *const *)w->rest,
                              .n_words = w->n_rest,
                              .reason = w->reason,
                              .has_from = w->round != NULL};
    if (!w->n_rest) return list(w->home, e);
    int rc = w->round ? read_round("from", w->round, &q.from_round, e) : OK;
    if (rc == OK) rc = steer_change(&q, &r, e);
    if (rc != OK) return rc;
    course_words(&r.change, &b);
    printf("changed  %s\nrecord   entry %" PRIu64 "%s\n"
           "note     contributors hear of it with the next round; rounds up to %" PRIu64
           " keep what they had\n",
           buf_str(&b), r.index, r.is_public ? "" : ", public with the next round",
           r.change.from_round - 1);
    buf_deinit(&b);
    return OK;
}

int steering_rollback(const struct steering_words *w, struct err *e)
{
    struct steer_report r;
    uint64_t to = 0;
    if (!w->round) {
        err_set(e, ERR_ARG, 0, "say which round to go back to");
        err_hint(e, "add --to ROUND");
        return ERR_ARG;
    }
    int rc = read_round("to", w->round, &to, e);
    if (rc == OK && !w->is_sure)
        rc = ending_ask("Take everybody's model back? What was learnt since is lost.", e);
    if (rc == OK) rc = steer_rollback(w->home, to, w->reason, &r, e);
    if (rc != OK) return rc;
    printf("asked    when round %" PRIu64 " closes, the model goes back to the beginning of round "
           "%" PRIu64 "\n"
           "note     round %" PRIu64 " is merged, paid and put on record as always; no reward is "
           "taken back\n",
           r.n_open, to, r.n_open);
    return OK;
}
