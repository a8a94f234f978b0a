#include "aggregator/round_reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct round_action *round_reply_add(struct round_actions *out, enum round_action_kind kind)
{
    check(out->n < ROUND_MAX_ACTIONS);
    struct round_action *a = &out->a[out->n++];
    memset(a, 0, sizeof *a);
    a->kind = kind;
    return a;
}

void round_reply_refuse(struct round_actions *out, uint64_t req, int status, const char *hint,
                        const char *fmt, ...)
{
    if (!req) return;
    struct round_action *a = round_reply_add(out, ROUND_DO_REPLY_ERROR);
    a->req = req;
    a->status = status;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(a->detail, sizeof a->detail, fmt, ap);
    va_end(ap);
    snprintf(a->hint, sizeof a->hint, "%s", hint);
}

/* The host's disk refuses: the same words for every kind of work. */
void round_reply_storage(struct round_actions *out, uint64_t req, enum round_outcome why)
{
    if (why == ROUND_FULL)
        round_reply_refuse(out, req, 507,
                           "keep your contribution and send it again in half a minute",
                           "the aggregator's disk is full");
    else
        round_reply_refuse(out, req, 503,
                           "keep your contribution and send it again in half a minute",
                           "the aggregator could not write to its disk");
}

void round_reply_receipt(struct round_actions *out, uint64_t req, const struct key_pub *who,
                         uint64_t round)
{
    if (!req) return;
    struct round_action *a = round_reply_add(out, ROUND_DO_REPLY_RECEIPT);
    a->req = req;
    a->op.contributor = *who;
    a->op.round = round;
}
