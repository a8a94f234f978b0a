#include "aggregator/round.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/round_reply.h"
#include "aggregator/round_seat.h"
#include "aggregator/round_slot.h"
#include "base/alloc.h"
#include "record/reward.h"

/* ---- opening, closing, merging -------------------------------------------------------------- */

static void start_clock(struct round *r, int64_t now_ms)
{
    r->opened_ms = now_ms;
    r->deadline_ms = now_ms + (int64_t)r->cfg.round_ms;
}

static int by_key(const void *a, const void *b)
{
    const struct round_input *x = a, *y = b;
    return memcmp(x->contributor.b, y->contributor.b, KEY_BYTES);
}

static void collect_inputs(struct round *r)
{
    struct reward_share shares[ROUND_MAX_SEATS];
    r->n_inputs = 0;
    for (uint32_t i = 0; i < r->n_seats; i++) {
        const struct round_seat *s = &r->seats[i];
        if (!round_seat_is_accepted(r, s)) continue;
        r->inputs[r->n_inputs++] =
            (struct round_input){.contributor = s->key, .claim = s->claim, .receipt_seq = s->seq};
    }
    qsort(r->inputs, r->n_inputs, sizeof *r->inputs, by_key);
    for (uint32_t i = 0; i < r->n_inputs; i++)
        shares[i] = (struct reward_share){.contributor = r->inputs[i].contributor,
                                          .n_tokens = r->inputs[i].claim.n_tokens};
    reward_split(r->cfg.reward_per_round, shares, r->n_inputs);
    for (uint32_t i = 0; i < r->n_inputs; i++)
        r->inputs[i].reward = shares[i].amount;
}

/* Everything about the merged round but the hashes, which the merge yields. */
static void describe_merge(struct round *r)
{
    struct msg_update m = {.run = r->cfg.run, .round = r->round, .base = r->base};
    double loss = 0;
    for (uint32_t i = 0; i < r->n_inputs; i++) {
        m.n_tokens += r->inputs[i].claim.n_tokens;
        loss += r->inputs[i].claim.loss * (double)r->inputs[i].claim.n_tokens;
    }
    m.n_merged = r->n_inputs;
    m.train_loss = m.n_tokens ? loss / (double)m.n_tokens : (double)NAN;
    r->merged = m;
}

/* Give out the merge or the publication (again). Only the newest attempt's answer counts. */
static void start_work(struct round *r, struct round_actions *out)
{
    r->retry_ms = 0;
    struct round_action *a =
        round_reply_add(out, r->state == ROUND_MERGING ? ROUND_DO_MERGE : ROUND_DO_PUBLISH);
    a->op.round = r->round;
    a->op.attempt = ++r->attempt;
}

static void start_merge(struct round *r, struct round_actions *out)
{
    collect_inputs(r);
    describe_merge(r);
    r->state = ROUND_MERGING;
    start_work(r, out);
    round_reply_add(out, ROUND_DO_ANNOUNCE);
}

/* Everybody we wait for has an answer. */
static bool all_answered(const struct round *r, int64_t now_ms)
{
    for (uint32_t i = 0; i < r->n_seats; i++) {
        const struct round_seat *s = &r->seats[i];
        if (round_seat_has(s, r->round) && round_seat_in_flight(s)) return false;
        if (s->is_awaited && round_seat_is_active(s, now_ms) && !round_seat_is_done(r, s))
            return false;
    }
    return true;
}

/* May the round be merged once its time is over? Contributions that are still judged count as
 * what they may become. A refused contributor has had its one verdict and cannot come again: it
 * counts towards the minimum, or those present could wait for ever for somebody who never comes.
 * With nothing accepted at all, those who may still send something are waited for.
 */
static bool is_enough(const struct round *r, int64_t now_ms)
{
    uint32_t n = round_n_accepted(r), pending = round_seat_n_in_flight(r), n_done = 0;
    for (uint32_t i = 0; i < r->n_seats; i++)
        n_done += round_seat_is_done(r, &r->seats[i]);
    if (n_done + pending < r->cfg.min_contributions) return false;
    return n + pending > 0 || all_answered(r, now_ms);
}

static void maybe_open(struct round *r, int64_t now_ms, struct round_actions *out)
{
    if (r->state != ROUND_WAITING || round_n_active(r, now_ms) < r->cfg.wait_for) return;
    r->state = ROUND_OPEN;
    start_clock(r, now_ms);
    for (uint32_t i = 0; i < r->n_seats; i++)
        r->seats[i].is_awaited |= round_seat_is_active(&r->seats[i], now_ms);
    round_reply_add(out, ROUND_DO_ANNOUNCE);
}

/* The one place that closes a round: called after whatever may have been the last missing piece. */
static void maybe_close(struct round *r, int64_t now_ms, struct round_actions *out)
{
    if (r->state == ROUND_OPEN) {
        bool is_over = now_ms >= r->deadline_ms;
        if (is_over && !r->is_ending && !is_enough(r, now_ms)) {
            start_clock(r, now_ms); /* too few: the same round, the same base, more time */
            round_reply_add(out, ROUND_DO_ANNOUNCE);
            return;
        }
        bool is_full = round_n_accepted(r) >= r->cfg.min_contributions && all_answered(r, now_ms);
        if (!is_over && !is_full) return;
        r->state = ROUND_CLOSING;
        r->has_closed = true;
        r->closed_round = r->round;
        r->closed_ms = now_ms;
    }
    if (r->state != ROUND_CLOSING || round_seat_n_in_flight(r)) return;
    if (r->is_ending || is_enough(r, now_ms)) {
        start_merge(r, out);
        return;
    }
    r->state = ROUND_OPEN; /* what was in flight turned out unusable, others may still come */
    start_clock(r, now_ms);
    round_reply_add(out, ROUND_DO_ANNOUNCE);
}

static void open_next(struct round *r, bool is_over, int64_t now_ms, struct round_actions *out)
{
    r->base = r->merged.result;
    r->update = r->merged.update;
    r->update_bytes = r->merged.update_bytes;
    r->round++;
    r->n_inputs = 0;
    bool is_last = is_over || (r->cfg.n_rounds && r->round >= r->cfg.n_rounds);
    r->state = is_last ? ROUND_ENDED : ROUND_OPEN;
    start_clock(r, now_ms);
    for (uint32_t i = 0; i < r->n_seats; i++)
        r->seats[i].is_awaited = round_seat_is_active(&r->seats[i], now_ms);
    round_reply_add(out, ROUND_DO_ANNOUNCE);
}

/* ---- merge and publication ------------------------------------------------------------------ */

static void done_merge(struct round *r, const struct round_event *ev, int64_t now_ms,
                       struct round_actions *out)
{
    if (r->state != ROUND_MERGING || ev->op.attempt != r->attempt) return;
    if (ev->outcome != ROUND_OK) {
        r->retry_ms = now_ms + ROUND_RETRY_MS;
        return;
    }
    r->merged.result = ev->result;
    r->merged.update = ev->update;
    r->merged.update_bytes = ev->update_bytes;
    r->state = ROUND_PUBLISHING;
    start_work(r, out);
}

static void done_publish(struct round *r, const struct round_event *ev, int64_t now_ms,
                         struct round_actions *out)
{
    if (r->state != ROUND_PUBLISHING || ev->op.attempt != r->attempt) return;
    if (ev->outcome == ROUND_OK)
        open_next(r, ev->is_over, now_ms, out);
    else
        r->retry_ms = now_ms + ROUND_RETRY_MS;
}

static void step_done(struct round *r, const struct round_event *ev, int64_t now_ms,
                      struct round_actions *out)
{
    switch (ev->work) {
    case ROUND_DO_STORE_SLOT: round_slot_reserved(r, ev, now_ms, out); break;
    case ROUND_DO_STORE_CHUNK: round_slot_chunk_done(r, ev, now_ms, out); break;
    case ROUND_DO_FIND_PART: round_slot_offset_found(ev, out); break;
    case ROUND_DO_JUDGE: round_slot_judged(r, ev, now_ms, out); break;
    case ROUND_DO_STORE_RECEIPT: round_slot_receipted(r, ev, now_ms, out); break;
    case ROUND_DO_FIND_RECEIPT: round_slot_found(r, ev, out); break;
    case ROUND_DO_MERGE: done_merge(r, ev, now_ms, out); break;
    case ROUND_DO_PUBLISH: done_publish(r, ev, now_ms, out); break;
    case ROUND_DO_REPLY_SLOT:
    case ROUND_DO_REPLY_STORED:
    case ROUND_DO_REPLY_OFFSET:
    case ROUND_DO_REPLY_RECEIPT:
    case ROUND_DO_REPLY_ERROR:
    case ROUND_DO_ANNOUNCE: break; /* replies do not come back */
    }
}

static void step_tick(struct round *r, int64_t now_ms, struct round_actions *out)
{
    bool is_waiting = r->state == ROUND_MERGING || r->state == ROUND_PUBLISHING;
    if (is_waiting && r->retry_ms && now_ms >= r->retry_ms) start_work(r, out);
}

/* Before the clock runs there is nobody to wait for. */
static void step_end(struct round *r, const struct round_event *ev, int64_t now_ms)
{
    if (r->state == ROUND_ENDED) return;
    r->is_ending = true;
    bool is_waiting = r->state == ROUND_WAITING;
    if (is_waiting) r->state = ROUND_OPEN;
    if (is_waiting || ev->is_now) r->deadline_ms = now_ms;
}

static void step_presence(struct round *r, const struct round_event *ev, int64_t now_ms)
{
    struct round_seat *s = ev->kind == ROUND_EV_SEEN ? round_seat_take(r, &ev->contributor, now_ms)
                                                     : round_seat_find(r, &ev->contributor);
    if (!s) return; /* full, or never seen: a reservation would be told so */
    s->is_paused = ev->kind == ROUND_EV_SEEN && ev->is_paused;
    s->is_gone = ev->kind == ROUND_EV_GONE;
}

void round_step(struct round *r, const struct round_event *ev, int64_t now_ms,
                struct round_actions *out)
{
    out->n = 0;
    switch (ev->kind) {
    case ROUND_EV_SEEN:
    case ROUND_EV_GONE: step_presence(r, ev, now_ms); break;
    case ROUND_EV_RESERVE: round_slot_reserve(r, ev, now_ms, out); return;
    case ROUND_EV_CHUNK: round_slot_chunk(r, ev, now_ms, out); return;
    case ROUND_EV_OFFSET: round_slot_offset(r, ev, now_ms, out); return;
    case ROUND_EV_MANIFEST: round_slot_manifest(r, ev, now_ms, out); return;
    case ROUND_EV_DONE: step_done(r, ev, now_ms, out); break;
    case ROUND_EV_TICK: step_tick(r, now_ms, out); break;
    case ROUND_EV_END: step_end(r, ev, now_ms); break;
    }
    maybe_open(r, now_ms, out);
    maybe_close(r, now_ms, out);
}

/* ---- life ----------------------------------------------------------------------------------- */

int round_init(struct round *r, const struct round_config *c, struct err *e)
{
    *r = (struct round){.cfg = *c};
    if (c->wait_for == 0 || c->min_contributions == 0 || c->round_ms == 0 || c->max_bytes == 0 ||
        c->max_inner_steps == 0 || c->tokens_per_step == 0)
        return err_set(e, ERR_ARG, 0, "a round needs contributors, time, steps and room");
    r->seats = alloc_zero(ROUND_MAX_SEATS, sizeof *r->seats);
    r->inputs = alloc_zero(ROUND_MAX_SEATS, sizeof *r->inputs);
    if (r->seats && r->inputs) return OK;
    round_deinit(r);
    return err_set(e, ERR_NOMEM, 0, "no memory for %d contributors", ROUND_MAX_SEATS);
}

void round_deinit(struct round *r)
{
    if (!r) return;
    free(r->seats);
    free(r->inputs);
    *r = (struct round){0};
}

static void restore_seat(struct round *r, struct round_seat *s, const struct round_stored *in,
                         int64_t now_ms)
{
    *s = (struct round_seat){
        .is_used = true, .key = in->contributor, .seen_ms = now_ms, .is_awaited = true};
    if (!in->has_slot && !in->has_receipt) return;
    s->slot_round = r->round;
    s->phase = in->has_receipt ? ROUND_SLOT_DONE : ROUND_SLOT_OPEN;
    s->is_stored = in->has_slot;
    if (in->has_slot)
        memcpy(s->id, in->id, sizeof s->id);
    else
        round_seat_make_id(r, &s->key, s->id);
    s->max_bytes = in->max_bytes;
    memcpy(s->have, in->have, sizeof s->have);
    s->claim = in->claim;
    s->verdict = in->verdict;
    s->seq = in->seq;
    if (in->has_receipt) { /* the payload is complete, whatever became of its chunk files */
        uint64_t n = (in->claim.n_bytes + MSG_CHUNK_BYTES - 1) / MSG_CHUNK_BYTES;
        for (uint32_t i = 0; i < n && i < MSG_MAX_CHUNKS; i++)
            s->have[i / 8] = (uint8_t)(s->have[i / 8] | 1u << (i % 8));
    }
    for (uint32_t i = 0; i < MSG_MAX_CHUNKS; i++)
        s->n_have += round_seat_has_chunk(s, i);
}

int round_restore(struct round *r, uint64_t round, const struct hash *base,
                  const struct hash *update, uint64_t update_bytes, const struct round_stored *s,
                  uint32_t n, int64_t now_ms, struct round_actions *out, struct err *e)
{
    out->n = 0;
    if (n > ROUND_MAX_SEATS)
        return err_set(e, ERR_LIMIT, 0, "%" PRIu32 " contributors stored, at most %d are possible",
                       n, ROUND_MAX_SEATS);
    r->round = round;
    r->base = *base;
    r->update = *update;
    r->update_bytes = update_bytes;
    r->n_seats = n;
    bool has_begun = round > 0;
    for (uint32_t i = 0; i < n; i++) {
        restore_seat(r, &r->seats[i], &s[i], now_ms);
        has_begun |= s[i].has_slot || s[i].has_receipt;
    }
    bool is_over = r->cfg.is_ended || (r->cfg.n_rounds && round >= r->cfg.n_rounds);
    r->state = is_over ? ROUND_ENDED : has_begun ? ROUND_OPEN : ROUND_WAITING;
    start_clock(r, now_ms);
    maybe_open(r, now_ms, out);
    maybe_close(r, now_ms, out);
    return OK;
}

/* ---- questions ------------------------------------------------------------------------------ */

int64_t round_next_ms(const struct round *r, int64_t now_ms)
{
    if (r->state == ROUND_MERGING || r->state == ROUND_PUBLISHING)
        return r->retry_ms ? r->retry_ms : INT64_MAX;
    if (r->state != ROUND_OPEN) return INT64_MAX;
    int64_t next = r->deadline_ms;
    for (uint32_t i = 0; i < r->n_seats; i++) {
        const struct round_seat *s = &r->seats[i];
        if (!s->is_awaited || !round_seat_is_active(s, now_ms) || round_seat_is_done(r, s))
            continue;
        if (s->seen_ms + ROUND_ACTIVE_MS + 1 < next) next = s->seen_ms + ROUND_ACTIVE_MS + 1;
    }
    return next;
}

void round_describe(const struct round *r, int64_t now_ms, struct msg_round *ret)
{
    ret->round = r->round;
    ret->state = r->state == ROUND_ENDED ? MSG_ROUND_ENDED
                 : round_slot_takes(r)   ? MSG_ROUND_OPEN
                                         : MSG_ROUND_MERGING;
    ret->base = r->base;
    ret->update = r->update;
    ret->update_bytes = r->update_bytes;
    ret->left_ms = round_slot_left_ms(r, now_ms);
    int64_t inner = r->opened_ms + (int64_t)r->cfg.inner_ms - now_ms;
    ret->inner_left_ms = r->state == ROUND_WAITING ? (int64_t)r->cfg.inner_ms
                         : r->state == ROUND_OPEN && inner > 0 && r->cfg.inner_ms ? inner
                                                                                  : 0;
    ret->n_contributors = round_n_active(r, now_ms);
    ret->n_received = round_n_accepted(r);
}

const struct round_input *round_inputs(const struct round *r, uint32_t *ret_n)
{
    *ret_n = r->n_inputs;
    return r->inputs;
}

const struct msg_update *round_update(const struct round *r)
{
    return &r->merged;
}

const char *round_state_word(enum round_state s)
{
    static const char *const words[] = {"",        "waiting",    "open", "closing",
                                        "merging", "publishing", "ended"};
    return s >= ROUND_WAITING && s <= ROUND_ENDED ? words[s] : "unknown";
}

uint32_t round_n_active(const struct round *r, int64_t now_ms)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n_seats; i++)
        n += round_seat_is_active(&r->seats[i], now_ms);
    return n;
}

uint32_t round_n_accepted(const struct round *r)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n_seats; i++)
        n += round_seat_is_accepted(r, &r->seats[i]);
    return n;
}

const struct round_seat *round_seat(const struct round *r, const struct key_pub *k)
{
    return round_seat_find(r, k);
}
