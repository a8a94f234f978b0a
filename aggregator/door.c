#include "aggregator/door.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/api.h"
#include "aggregator/store_admit.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#define BUSY_S 5

/* What is known about somebody at the door. */
struct visit {
    struct admit_facts facts;
    struct hash code;
};

/* A proof being checked. request NULL: the peer has gone. */
struct proof {
    uv_work_t work;
    struct host *host;
    struct request *request;
    struct msg_join join;
    struct visit visit;
    door_in_fn in;
    int rc;
    struct err err;
};

static void refuse(struct request *r, enum admit_answer a, int64_t wait_ms)
{
    const struct admit_problem *p = admit_problem(a);
    char seconds[24];
    if (wait_ms > 0) {
        snprintf(seconds, sizeof seconds, "%lld", (long long)(wait_ms + 999) / 1000);
        request_add_header(r, "retry-after", seconds);
    }
    request_reply_problem(r, p->status, p->type, p->detail, p->hint);
}

static int look(struct host *h, const struct key_pub *k, const char *code, bool has_proof,
                struct visit *ret, struct err *e)
{
    struct admit_facts f = {.has_code = *code != '\0',
                            .needs_proof = h->run.puzzle.bits > 0,
                            .has_proof = has_proof,
                            .now_ms = clock_wall_ms()};
    ret->code = store_admit_hash(code);
    int rc = store_admit_mode(h->store, &f.is_private, e);
    if (rc == OK) rc = store_admit_how(h->store, k, &f.how, e);
    if (rc == OK && f.has_code) {
        rc = store_admit_invite(h->store, &ret->code, &f.invite, e);
        f.is_code_ours = rc == OK;
        if (rc == ERR_NOTFOUND) rc = OK;
    }
    ret->facts = f;
    return rc;
}

/* Everything is in order: remember it. Somebody may have taken the code's last use meanwhile. */
static void let_in(struct host *h, struct request *r, const struct msg_join *m, struct visit *v,
                   door_in_fn in)
{
    struct err e = {0};
    bool is_spent = admit_spends_code(&v->facts);
    int rc = store_admit_take(h->store, &m->contributor, is_spent ? &v->code : NULL,
                              v->facts.now_ms, &e);
    enum admit_answer a = ADMIT_IN;
    if (rc == ERR_WRONG_STATE) {
        rc = look(h, &m->contributor, m->invite, m->proof > 0, v, &e);
        a = admit_decide(&v->facts);
        if (a == ADMIT_NEW) a = ADMIT_BUSY;
    }
    if (rc != OK)
        api_trouble(r, &e);
    else if (a != ADMIT_IN)
        refuse(r, a, a == ADMIT_BUSY ? BUSY_S * 1000 : 0);
    else
        in(h, r, m);
}

static void gone(struct request *r, void *ctx)
{
    struct proof *p = ctx;
    (void)r;
    p->request = NULL;
}

static void check_proof(uv_work_t *w)
{
    struct proof *p = w->data;
    p->rc = puzzle_check(&p->host->run.puzzle, &p->host->run.id, &p->join.contributor,
                         p->join.proof, &p->err);
}

static void proof_checked(uv_work_t *w, int status)
{
    struct proof *p = w->data;
    struct request *r = p->request;
    (void)status;
    p->host->n_proofs--;
    if (r) request_on_gone(r, NULL, NULL);
    if (r && p->rc == OK)
        let_in(p->host, r, &p->join, &p->visit, p->in);
    else if (r && p->rc == ERR_AUTH)
        refuse(r, ADMIT_BAD_PROOF, 0);
    else if (r)
        refuse(r, ADMIT_BUSY, BUSY_S * 1000);
    if (p->rc != OK && p->rc != ERR_AUTH) log_err(LOG_WARN, &p->err, "checking an entry puzzle");
    free(p);
}

static void ask_pool(struct host *h, struct request *r, const struct msg_join *m,
                     const struct visit *v, door_in_fn in)
{
    struct proof *p = h->n_proofs < ADMIT_PROOFS ? alloc_zero(1, sizeof *p) : NULL;
    if (!p) {
        refuse(r, ADMIT_BUSY, BUSY_S * 1000);
        return;
    }
    *p = (struct proof){.host = h, .request = r, .join = *m, .visit = *v, .in = in};
    p->work.data = p;
    if (uv_queue_work(h->loop, &p->work, check_proof, proof_checked) != 0) {
        free(p);
        refuse(r, ADMIT_BUSY, BUSY_S * 1000);
        return;
    }
    h->n_proofs++;
    request_on_gone(r, gone, p);
}

void door_join(struct host *h, struct request *r, const struct msg_join *m, door_in_fn in)
{
    struct visit v;
    struct err e = {0};
    int64_t wait_ms = 0;
    if (look(h, &m->contributor, m->invite, m->proof > 0, &v, &e) != OK) {
        api_trouble(r, &e);
        return;
    }
    enum admit_answer a = admit_decide(&v.facts);
    bool is_new = a == ADMIT_NEW;
    if (is_new && !admit_gate_pass(&h->gate, request_peer(r), clock_mono_ms(), &wait_ms))
        a = ADMIT_TOO_MANY;
    if (a == ADMIT_IN)
        in(h, r, m);
    else if (a != ADMIT_NEW)
        refuse(r, a, wait_ms);
    else if (admit_wants_proof(&v.facts))
        ask_pool(h, r, m, &v, in);
    else
        let_in(h, r, m, &v, in);
}

bool door_is_in(struct host *h, struct request *r, const struct key_pub *k)
{
    struct visit v;
    struct err e = {0};
    int64_t wait_ms = 0;
    int rc = look(h, k, "", false, &v, &e);
    enum admit_answer a = admit_decide(&v.facts);
    if (rc == OK && a == ADMIT_NEW) {
        bool may = admit_gate_pass(&h->gate, request_peer(r), clock_mono_ms(), &wait_ms);
        if (!may) a = ADMIT_TOO_MANY;
        if (may) rc = store_admit_take(h->store, k, NULL, v.facts.now_ms, &e);
        if (may) a = ADMIT_IN;
    }
    if (rc != OK)
        api_trouble(r, &e);
    else if (a != ADMIT_IN)
        refuse(r, a, wait_ms);
    return rc == OK && a == ADMIT_IN;
}
