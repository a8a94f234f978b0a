/* The network between contributors and the host. A request belongs to a connection: when the host
 * or the contributor dies, or the line is cut, its answer never comes, and the contributor learns
 * of the break a moment later, as it would from TCP. A silent loss is noticed by the link's own
 * clock (LIMIT_STALL_MS), sometimes only by the session's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "net/limits.h"
#include "tests/sim/sim_world.h"

void sim_net_free_request(struct sim_request *rq)
{
    if (!rq) return;
    buf_deinit(&rq->body);
    free(rq);
}

void sim_net_free_reply(struct sim_reply *rp)
{
    if (!rp) return;
    buf_deinit(&rp->head);
    buf_deinit(&rp->body);
    free(rp);
}

static struct sim_request *copy_request(const struct sim_request *rq)
{
    struct sim_request *c = alloc_zero(1, sizeof *c);
    check(c);
    *c = *rq;
    c->body = (struct buf){0};
    buf_put(&c->body, rq->body.p, rq->body.len);
    return c;
}

static struct sim_reply *copy_reply(const struct sim_reply *rp)
{
    struct sim_reply *c = alloc_zero(1, sizeof *c);
    check(c);
    *c = *rp;
    c->head = (struct buf){0};
    c->body = (struct buf){0};
    buf_put(&c->head, rp->head.p, rp->head.len);
    buf_put(&c->body, rp->body.p, rp->body.len);
    return c;
}

static int64_t delay(struct sim_world *w)
{
    int64_t ms = sim_world_between(w, 1, w->plan.delay_ms);
    if (sim_world_accident(w, 0.02)) ms += sim_world_between(w, 0, 5000);
    return ms;
}

static void post_reply(struct sim_world *w, int64_t in_ms, struct sim_reply *rp)
{
    sim_world_push(w, in_ms, SIM_EV_REPLY, rp->peer, rp->life)->data = rp;
}

/* The contributor learns that no answer will come. */
static void break_call(struct sim_world *w, int64_t in_ms, uint32_t peer, uint32_t life,
                       uint32_t tag, enum sim_verb verb)
{
    struct sim_reply *rp = alloc_zero(1, sizeof *rp);
    check(rp);
    rp->verb = verb;
    rp->peer = peer;
    rp->life = life;
    rp->tag = tag;
    snprintf(rp->why, sizeof rp->why, "the connection to the aggregator broke");
    post_reply(w, in_ms, rp);
}

/* Lost on the way: the connection breaks soon, or stalls, or says nothing at all. */
static void lose(struct sim_world *w, uint32_t peer, uint32_t life, uint32_t tag,
                 enum sim_verb verb)
{
    uint32_t how = rng_below(&w->rng, 10);
    if (how < 6)
        break_call(w, sim_world_between(w, 50, 3000), peer, life, tag, verb);
    else if (how < 9)
        break_call(w, LIMIT_STALL_MS, peer, life, tag, verb);
}

static void flip_bit(struct sim_world *w, struct buf *b)
{
    if (b->len == 0) return;
    uint32_t i = rng_below(&w->rng, (uint32_t)b->len);
    b->p[i] = (uint8_t)(b->p[i] ^ 1U << rng_below(&w->rng, 8));
}

void sim_net_send(struct sim_world *w, uint32_t i_address, struct sim_request *rq)
{
    const struct sim_peer *p = &w->peers[rq->peer];
    rq->host_life = w->host.life;
    if (w->is_down[i_address % 2] || !w->host.is_up) {
        break_call(w, sim_world_between(w, 1, 200), rq->peer, rq->life, rq->tag, rq->verb);
        sim_net_free_request(rq);
        return;
    }
    if (sim_world_accident(w, w->plan.loss_frac)) {
        lose(w, rq->peer, rq->life, rq->tag, rq->verb);
        sim_net_free_request(rq);
        return;
    }
    int64_t weight_ms = (int64_t)(rq->n_bytes * (uint64_t)p->mib_ms / MSG_CHUNK_BYTES);
    if (sim_world_accident(w, w->plan.dup_frac))
        sim_world_push(w, weight_ms + delay(w), SIM_EV_REQUEST, rq->peer, rq->life)->data =
            copy_request(rq);
    if (rq->verb == SIM_CHUNK && sim_world_accident(w, w->plan.flip_frac))
        flip_bit(w, &rq->body); /* the contributor's memory is to blame; TLS would notice */
    sim_world_push(w, weight_ms + delay(w), SIM_EV_REQUEST, rq->peer, rq->life)->data = rq;
}

void sim_net_reply(struct sim_world *w, const struct sim_call *c, int status, const char *why,
                   const struct buf *head, const struct buf *body)
{
    if (sim_world_accident(w, w->plan.loss_frac)) {
        lose(w, c->peer, c->life, c->tag, c->verb);
        return;
    }
    struct sim_reply *rp = alloc_zero(1, sizeof *rp);
    check(rp);
    *rp = (struct sim_reply){
        .verb = c->verb, .peer = c->peer, .life = c->life, .tag = c->tag, .status = status};
    snprintf(rp->why, sizeof rp->why, "%s", why ? why : "");
    if (head) buf_put(&rp->head, head->p, head->len);
    if (body) buf_put(&rp->body, body->p, body->len);
    if (sim_world_accident(w, w->plan.dup_frac)) post_reply(w, delay(w), copy_reply(rp));
    post_reply(w, delay(w), rp);
}

void sim_net_cut(struct sim_world *w, struct sim_peer *p)
{
    for (uint32_t i = 0; i < p->n_calls; i++)
        break_call(w, sim_world_between(w, 1, 500), p->i, p->life, p->calls[i].tag,
                   p->calls[i].verb);
    for (uint32_t i = w->host.n_calls; i-- > 0;)
        if (w->host.calls[i].peer == p->i) w->host.calls[i] = w->host.calls[--w->host.n_calls];
}
