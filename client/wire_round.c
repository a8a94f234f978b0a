#include "client/sent.h"
#include "client/wire_in.h"

static void tell_round(struct call *k, const struct msg_round *round)
{
    struct wire *w = k->wire;
    struct course_terms t = course_terms(&w->changes.course, round->round);
    const struct entry_rollback *r = course_back(&w->changes.course, round->round);
    struct session_terms terms = {t.inner_steps, t.max_inner_steps, t.upload_ms};
    struct session_back back = {r ? r->next_round : 0, r ? r->to_round : 0, r ? r->reason : ""};
    struct session_event ev = {.kind = SESSION_EV_ROUND,
                               .tag = k->tag,
                               .round = round,
                               .terms = &terms,
                               .back = r ? &back : NULL};
    w->config.on_event(&ev, w->config.ctx);
}

/* A round is not begun before it is known by which terms. */
int wire_round_answer(struct call *k, const struct link_reply *reply, struct err *e)
{
    char path[32];
    int rc = msg_round_decode(reply->body, reply->n_body, &k->round, e);
    if (rc != OK) return rc;
    if (k->round.n_changes > k->wire->changes.course.n_entries) {
        k->purpose = FOR_CHANGES;
        sent_path(SENT_CHANGES, NULL, 0, path, sizeof path);
        wire_call_get(k->wire, k, path, CHANGES_MAX_BYTES);
        return ERR_AGAIN; /* the call goes on */
    }
    tell_round(k, &k->round);
    return OK;
}

int wire_round_changes(struct call *k, const struct link_reply *reply, struct err *e)
{
    struct changes *c = &k->wire->changes;
    int rc = changes_take(c, reply->body, reply->n_body, e);
    if (rc == OK && c->course.n_entries < k->round.n_changes)
        rc = err_set(e, ERR_PROTO, 0, "the aggregator speaks of changes that it does not show");
    if (rc == OK) tell_round(k, &k->round);
    return rc;
}
