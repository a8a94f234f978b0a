#include "aggregator/plan.h"

#include <inttypes.h>

#include "base/json.h"
#include "view/text.h"

#define WEIGHT_BYTES 4u /* fp32 */
#define COPIES       3u /* the round's base, the next one, the held-out loss's own */

void plan_make(const struct plan_facts *f, struct plan *ret)
{
    const struct controller_facts *c = &f->c;
    struct plan p = {.facts = *f, .round = controller_choose(c)};
    uint32_t inner = f->inner_steps ? f->inner_steps : p.round.inner_steps;
    uint32_t k = f->k ? f->k : p.round.k;
    if (f->inner_steps || f->k) p.round = controller_cost(c, inner, k);
    p.in_bytes = p.round.up_bytes * c->n_contributors;
    p.out_bytes = p.round.down_bytes * c->n_contributors;
    p.in_mbit = c->up_mbit * c->n_contributors;
    p.out_mbit = c->down_mbit * c->n_contributors;
    p.host_core_s = controller_host_core_s(c, &p.round);
    p.checkpoint_bytes = c->n_params * WEIGHT_BYTES;
    p.memory_bytes = COPIES * p.checkpoint_bytes + p.in_bytes + p.round.down_bytes;
    p.round_disk_bytes = p.in_bytes + p.round.down_bytes;
    p.disk_bytes = p.round_disk_bytes * f->retention + p.checkpoint_bytes * f->n_checkpoints;
    p.tok_per_s = c->n_contributors * c->tok_per_s * (1 - p.round.wait_frac);
    *ret = p;
}

static json_t *round_json(const struct controller_round *r)
{
    json_t *o = json_object();
    json_set_u64(o, "inner_steps", r->inner_steps);
    json_set_u64(o, "chunk", CONTROLLER_CHUNK);
    json_set_u64(o, "ahead_steps", r->ahead_steps);
    json_set_u64(o, "k", r->k);
    json_set_real(o, "min_senders", r->min_senders);
    json_set_u64(o, "up_bytes", r->up_bytes);
    json_set_u64(o, "down_bytes", r->down_bytes);
    json_set_real(o, "train_s", r->train_s);
    json_set_real(o, "up_s", r->up_s);
    json_set_real(o, "host_s", r->host_s);
    json_set_real(o, "down_s", r->down_s);
    json_set_real(o, "decode_s", r->decode_s);
    json_set_real(o, "trips_s", r->trips_s);
    json_set_real(o, "hidden_s", r->hidden_s);
    json_set_real(o, "round_s", r->round_s);
    json_set_real(o, "wait_frac", r->wait_frac);
    return o;
}

static json_t *facts_json(const struct plan_facts *f)
{
    json_t *o = json_object();
    json_set_u64(o, "n_params", f->c.n_params);
    json_set_u64(o, "step_tokens", f->c.step_tokens);
    json_set_u64(o, "peers", f->c.n_contributors);
    json_set_real(o, "tok_per_s", f->c.tok_per_s);
    json_set_real(o, "up_mbit", f->c.up_mbit);
    json_set_real(o, "down_mbit", f->c.down_mbit);
    json_set_real(o, "rtt_ms", f->c.rtt_ms);
    json_set_u64(o, "host_cores", f->c.host_cores);
    json_set_real(o, "decode_mb_per_s", f->c.decode_bytes_per_s / 1e6);
    json_set_u64(o, "retention", f->retention);
    return o;
}

int plan_json(const struct plan *p, struct buf *out, struct err *e)
{
    json_t *host = json_object();
    json_set_u64(host, "in_bytes", p->in_bytes);
    json_set_u64(host, "out_bytes", p->out_bytes);
    json_set_real(host, "in_mbit", p->in_mbit);
    json_set_real(host, "out_mbit", p->out_mbit);
    json_set_real(host, "core_s", p->host_core_s);
    json_set_u64(host, "memory_bytes", p->memory_bytes);
    json_set_u64(host, "checkpoint_bytes", p->checkpoint_bytes);
    json_set_u64(host, "round_disk_bytes", p->round_disk_bytes);
    json_set_u64(host, "disk_bytes", p->disk_bytes);
    json_t *o = json_object();
    json_object_set_new(o, "facts", facts_json(&p->facts));
    json_object_set_new(o, "round", round_json(&p->round));
    json_object_set_new(o, "host", host);
    json_set_u64(o, "contributor_memory_bytes", p->facts.contributor_bytes);
    json_set_real(o, "swarm_tok_per_s", p->tok_per_s);
    int rc = json_write(o, out, e);
    json_decref(o);
    return rc;
}

static void put_size(struct buf *out, const char *before, uint64_t n_bytes, const char *after)
{
    char text[TEXT_CAP];
    buf_printf(out, "%s%s%s", before, text_bytes(n_bytes, text), after);
}

static void put_round(struct buf *out, const struct plan *p)
{
    const struct controller_round *r = &p->round;
    buf_printf(out,
               "round     %" PRIu32 " steps (%" PRIu32
               " of them ahead of the last update), then %" PRIu32 " of every %" PRIu32
               " values are sent: %.3g s\n",
               r->inner_steps, r->ahead_steps, r->k, CONTROLLER_CHUNK, r->round_s);
    buf_printf(out,
               "waiting   %.1f%% of it: sending %.3g s, the host %.3g s, receiving %.3g s, "
               "reading %.3g s, round trips %.3g s; %.3g s hidden behind steps ahead\n",
               100 * r->wait_frac, r->up_s, r->host_s, r->down_s, r->decode_s, r->trips_s,
               r->hidden_s);
    put_size(out, "each      sends ", r->up_bytes, " and receives ");
    put_size(out, "", r->down_bytes, " a round; training needs ");
    put_size(out, "", p->facts.contributor_bytes, " of memory\n");
    char all[TEXT_CAP];
    buf_printf(out, "together  %s tokens a second\n", text_number(p->tok_per_s, all));
}

int plan_text(const struct plan *p, struct buf *out, struct err *e)
{
    const struct controller_facts *c = &p->facts.c;
    char n[TEXT_CAP], each[TEXT_CAP];
    buf_printf(out,
               "model     %s weights, %" PRIu64 " tokens a step\n"
               "peers     %" PRIu32 ", each %s tokens/s, %.4g Mbit/s up, %.4g down, %.3g ms away\n",
               text_number((double)c->n_params, n), c->step_tokens, c->n_contributors,
               text_number(c->tok_per_s, each), c->up_mbit, c->down_mbit, c->rtt_ms);
    put_round(out, p);
    put_size(out, "host      receives ", p->in_bytes, " and sends ");
    put_size(out, "", p->out_bytes, " a round");
    buf_printf(out, "; %.4g and %.4g Mbit/s keep every link full\n", p->in_mbit, p->out_mbit);
    buf_printf(out, "work      %.3g core-seconds a round, %.1f%% of %" PRIu32 " core%s\n",
               p->host_core_s, 100 * p->host_core_s / p->round.round_s / c->host_cores,
               c->host_cores, c->host_cores == 1 ? "" : "s");
    put_size(out, "memory    ", p->memory_bytes, "\n");
    put_size(out, "disk      ", p->round_disk_bytes, " a round; ");
    put_size(out, "", p->disk_bytes, " with all that is kept\n");
    return buf_ok(out, e);
}
