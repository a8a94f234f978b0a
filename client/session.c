#include "client/session.h"

#include <stdio.h>
#include <string.h>

#include "client/session_in.h"
#include "client/session_turn.h"

#define JOIN_MS     30000
#define POLL_MS     45000
#define TRANSFER_MS 60000
#define FETCH_MS    600000
#define LEAVE_MS    10000
#define RECORD_MS   60000

static bool is_here(const struct session *s)
{
    return s->has_round && s->round.round == s->model_round && !s->is_base_wrong;
}

static bool has_chunk(const struct session *s, uint32_t i)
{
    return s->have[i / 8] >> (i % 8) & 1;
}

static bool is_ahead_running(const struct session *s)
{
    return s->work.what == SESSION_DO_TRAIN && s->work.tag && s->fate != SESSION_FATE_NONE;
}

/* This round's contribution is packed and the next update is not the one after next: steps of the
 * next round can be taken. So many are, or none: then the update need not wait for them.
 */
static bool wants_ahead(const struct session *s)
{
    bool is_packed = s->fate == SESSION_FATE_UNSENT || s->fate == SESSION_FATE_ACCEPTED;
    bool is_near = s->round.round <= s->model_round + 1 && s->round.state != MSG_ROUND_ENDED;
    bool is_barred = s->is_finishing || s->is_shut_out || s->is_base_wrong || s->has_diverged ||
                     s->n_work_failures > 0 || session_is_astray(s);
    return is_packed && is_near && !is_barred && s->ahead.n_steps < s->config.ahead_steps;
}

/* --- lanes ------------------------------------------------------------------------------------ */

static bool must_wait(struct session_turn *c)
{
    if (c->s->retry_at_ms == SESSION_NONE) return false;
    session_turn_state(c, SESSION_RETRYING);
    return true;
}

static void presence(struct session_turn *c)
{
    struct session *s = c->s;
    if (s->presence.tag || c->now < s->poll_at_ms) return;
    if (!s->is_joined) {
        session_turn_begin(c, &s->presence, SESSION_DO_JOIN, JOIN_MS);
        return;
    }
    struct session_action *a = session_turn_begin(c, &s->presence, SESSION_DO_POLL, POLL_MS);
    a->round = s->round.round;
    a->is_long = true;
}

static void exchange(struct session_turn *c)
{
    struct session *s = c->s;
    if (s->transfer.tag) {
        session_turn_state(c, SESSION_EXCHANGING);
        return;
    }
    if (must_wait(c)) return;
    session_turn_state(c, SESSION_EXCHANGING);
    uint32_t i = 0;
    while (i < s->payload.n_chunks && has_chunk(s, i))
        i++;
    struct session_action *a;
    if (s->note.id[0] && (!s->is_slot_live || i == s->payload.n_chunks)) {
        a = session_turn_begin(c, &s->transfer, SESSION_DO_MANIFEST, TRANSFER_MS);
    } else if (!s->is_slot_live) {
        s->n_slot_tries++;
        a = session_turn_begin(c, &s->transfer, SESSION_DO_RESERVE, TRANSFER_MS);
    } else {
        s->i_chunk = i;
        a = session_turn_begin(c, &s->transfer, SESSION_DO_PUT_CHUNK, TRANSFER_MS);
        a->i_chunk = i;
    }
    a->hash = s->base;
    a->n_bytes = s->payload.n_bytes;
    a->created_at_ms = s->payload.created_at_ms;
    memcpy(a->id, s->note.id, sizeof a->id);
}

/* Who was away is told by which way the model comes back, and how much that is. */
static void say_way_back(struct session_turn *c, bool by_update)
{
    struct session *s = c->s;
    uint64_t n = s->round.round - s->model_round;
    bool is_behind = !s->is_empty && s->round.round > s->model_round + 1;
    if (!is_behind || s->is_way_said) return;
    s->is_way_said = true;
    char text[MSG_REASON_CAP];
    if (by_update)
        snprintf(text, sizeof text, "%llu rounds behind: fetching their updates, about %.1f MB",
                 (unsigned long long)n, (double)n * (double)s->round.update_bytes / 1e6);
    else
        snprintf(text, sizeof text,
                 "%llu rounds behind: fetching the weights of round %llu, %.1f MB",
                 (unsigned long long)n, (unsigned long long)s->round.checkpoint_round,
                 (double)s->round.checkpoint_bytes / 1e6);
    session_turn_say(c, false, text);
}

/* The model here is not the one of the open round: get there by updates, or by a checkpoint. */
static void fetch(struct session_turn *c)
{
    struct session *s = c->s;
    if (s->transfer.tag) {
        session_turn_state(c, SESSION_FETCHING);
        return;
    }
    if (must_wait(c)) return;
    if (s->has_fetched_update || s->has_fetched_checkpoint) {
        if (s->work.tag || wants_ahead(s)) return; /* it lands after the steps ahead */
        bool is_update = s->has_fetched_update;
        struct session_action *a = session_turn_begin(
            c, &s->work, is_update ? SESSION_DO_APPLY : SESSION_DO_LOAD, SESSION_WORK_MS);
        a->round = s->fetched_round;
        a->is_long = !is_update && session_is_astray(s);
        session_turn_state(c, SESSION_APPLYING);
        return;
    }
    bool by_update = session_can_update(s);
    bool is_useful = s->round.checkpoint_bytes > 0 && s->round.checkpoint_round <= s->round.round;
    if (!by_update && !is_useful) {
        session_turn_why(
            s, "the aggregator offers neither the updates nor a checkpoint that are needed");
        s->is_update_gone = false;
        s->retry_at_ms = c->now + SESSION_BACKOFF_CAP_MS;
        session_turn_state(c, SESSION_RETRYING);
        return;
    }
    say_way_back(c, by_update);
    struct session_action *a = session_turn_begin(
        c, &s->transfer, by_update ? SESSION_DO_FETCH_UPDATE : SESSION_DO_FETCH_CHECKPOINT,
        FETCH_MS);
    a->round = by_update ? s->model_round : s->round.checkpoint_round;
    s->fetched_round = a->round;
    if (!by_update) {
        a->hash = s->round.checkpoint;
        a->n_bytes = s->round.checkpoint_bytes;
    }
    session_turn_state(c, SESSION_FETCHING);
}

static void order(struct session_turn *c, enum session_do what, enum session_state state)
{
    if (must_wait(c)) return;
    session_turn_begin(c, &c->s->work, what, SESSION_WORK_MS);
    session_turn_state(c, state);
}

static void train(struct session_turn *c)
{
    struct session *s = c->s;
    if (must_wait(c)) return;
    bool by_steps = s->terms.inner_steps > 0;
    int64_t left =
        by_steps ? s->round.left_ms - (int64_t)s->terms.upload_ms : s->round.inner_left_ms;
    if (left < 0) left = 0;
    struct session_action *a = session_turn_begin(c, &s->work, SESSION_DO_TRAIN, 0);
    a->hash = s->base;
    a->n_steps = by_steps ? s->terms.inner_steps : s->terms.max_inner_steps;
    a->until_ms = s->round_at_ms + left;
    s->train_until_ms = a->until_ms;
    /* Past the deadline nothing can be sent any more; the trainer itself minds until_ms. */
    int64_t from = a->until_ms > c->now ? a->until_ms : c->now;
    s->work.deadline_ms = from + (int64_t)s->terms.upload_ms + SESSION_WORK_MS;
    s->is_halting = false;
    session_turn_state(c, SESSION_TRAINING);
}

static void train_ahead(struct session_turn *c)
{
    struct session *s = c->s;
    struct session_action *a = session_turn_begin(c, &s->work, SESSION_DO_TRAIN, SESSION_WORK_MS);
    a->round = s->model_round + 1;
    a->n_steps = s->config.ahead_steps;
    s->is_halting = false;
    session_turn_state(c, SESSION_TRAINING);
}

/* --- deciding --------------------------------------------------------------------------------- */

static void stand_still(struct session_turn *c)
{
    struct session *s = c->s;
    if (!s->is_gated) {
        s->is_gated = true;
        session_turn_add(c, SESSION_DO_GATE)->is_long = true;
    }
    session_turn_drop(c, &s->transfer);
    session_turn_state(c, SESSION_PAUSED);
}

/* This round's contribution is settled: nothing to do until the next one opens. */
static void wait_for_round(struct session_turn *c)
{
    struct session *s = c->s;
    if (s->is_finishing) {
        s->is_finishing = false;
        s->is_paused = true;
        stand_still(c);
        return;
    }
    session_turn_state(c, s->n_failures && !s->presence.tag ? SESSION_RETRYING : SESSION_WAITING);
}

/* The pending payload's way to the aggregator, or the end of it. */
static void settle(struct session_turn *c)
{
    struct session *s = c->s;
    if ((is_here(s) && s->round.state == MSG_ROUND_OPEN) || s->note.id[0]) {
        exchange(c);
        return;
    }
    session_turn_drop(c, &s->transfer);
    if (is_here(s) && s->round.state == MSG_ROUND_MERGING)
        wait_for_round(c);
    else
        session_turn_refuse(c, false, "the round closed before it could be sent");
}

/* The exchange goes on while steps are taken ahead. What needs the trainer waits for their end, and
 * what makes them pointless ends them.
 */
static void exchange_beside(struct session_turn *c)
{
    struct session *s = c->s;
    if (!s->has_round) return;
    if (s->fate == SESSION_FATE_UNSENT)
        settle(c);
    else if (s->fate == SESSION_FATE_ACCEPTED && !is_here(s))
        fetch(c);
    if (session_stands(s)) return;
    if (!wants_ahead(s)) session_turn_halt(c);
    session_turn_state(c, SESSION_TRAINING);
}

/* An order is under way. Training for a round that is over is cut short. */
static void watch_order(struct session_turn *c)
{
    struct session *s = c->s;
    if (s->is_shut_out) session_turn_halt(c);
    if (is_ahead_running(s)) {
        exchange_beside(c);
        return;
    }
    session_turn_state(c, session_state_of_order(s->work.what));
    if (s->work.what != SESSION_DO_TRAIN || !s->has_round) return;
    if (!is_here(s) || s->round.state != MSG_ROUND_OPEN) session_turn_halt(c);
}

static void work_here(struct session_turn *c)
{
    struct session *s = c->s;
    s->is_agreed = true;
    s->is_way_said = false;
    s->n_refetched = 0;
    if (s->round.state == MSG_ROUND_ENDED) {
        s->is_finishing = false;
        session_turn_state(c, SESSION_ENDED);
        return;
    }
    if (s->fate == SESSION_FATE_ACCEPTED || s->is_round_done || s->round.state != MSG_ROUND_OPEN)
        wait_for_round(c);
    else if (s->is_phase_done)
        order(c, SESSION_DO_PACK, SESSION_PACKING);
    else
        train(c);
}

static void work_elsewhere(struct session_turn *c)
{
    struct session *s = c->s;
    s->is_agreed = false;
    if (s->phase.n_steps > 0 && s->fate == SESSION_FATE_NONE) {
        bool is_fresh = s->round.round > s->model_round &&
                        s->round.round - s->model_round <= SESSION_STALE_ROUNDS;
        if (is_fresh && !s->is_base_wrong) {
            order(c, SESSION_DO_FOLD, SESSION_PACKING);
            return;
        }
        session_turn_say(c, false,
                         "an unfinished inner phase is too old to be of use and was dropped");
        session_turn_forget_phase(s);
    }
    fetch(c);
}

/* Nothing is under way in the trainer: what next? */
static void next_work(struct session_turn *c)
{
    struct session *s = c->s;
    if (s->fate == SESSION_FATE_REFUSED) {
        order(c, SESSION_DO_RETURN, SESSION_RETURNING);
        return;
    }
    if (!s->has_round) {
        session_turn_state(c, s->presence.tag ? SESSION_JOINING : SESSION_RETRYING);
        return;
    }
    if (is_here(s) && !hash_equal(&s->base, &s->round.base)) {
        session_turn_differs(c);
        s->is_base_wrong = true;
    }
    if (s->fate == SESSION_FATE_UNSENT)
        settle(c);
    else if (is_here(s))
        work_here(c);
    else
        work_elsewhere(c);
    if (s->fate == SESSION_FATE_REFUSED)
        order(c, SESSION_DO_RETURN, SESSION_RETURNING);
    else if (!s->work.tag && !session_stands(s) && wants_ahead(s))
        train_ahead(c);
}

/* Beside everything else: is the log still the one that was remembered? */
static void check_record(struct session_turn *c)
{
    struct session *s = c->s;
    if (!s->is_record_due || s->record.tag || c->now < s->record_at_ms) return;
    s->is_record_due = false;
    session_turn_begin(c, &s->record, SESSION_DO_CHECK_RECORD, RECORD_MS);
}

/* Nothing goes to this host any more, and what comes from it is not worth training on. An order
 * under way ends by itself; training is cut short, for what it makes has nowhere to go.
 */
static void distrust(struct session_turn *c)
{
    struct session *s = c->s;
    session_turn_drop(c, &s->presence);
    session_turn_drop(c, &s->transfer);
    session_turn_drop(c, &s->record);
    if (s->is_gated) session_turn_add(c, SESSION_DO_GATE)->is_long = false;
    s->is_gated = false;
    session_turn_halt(c);
    session_turn_state(c, SESSION_DISTRUST);
}

static void leave(struct session_turn *c)
{
    struct session *s = c->s;
    if (s->state == SESSION_LEAVING) return;
    session_turn_drop(c, &s->presence);
    session_turn_drop(c, &s->transfer);
    session_turn_drop(c, &s->record);
    session_turn_begin(c, &s->work, SESSION_DO_STOP_WORK, LEAVE_MS);
    session_turn_state(c, SESSION_LEAVING);
}

static void decide(struct session_turn *c)
{
    struct session *s = c->s;
    if (s->state == SESSION_IDLE || s->state == SESSION_GONE) return;
    if (s->ending != INTENT_NONE) {
        leave(c);
        return;
    }
    if (s->is_rewritten) {
        distrust(c);
        return;
    }
    check_record(c);
    if (c->now >= s->retry_at_ms) s->retry_at_ms = SESSION_NONE; /* also when it is none */
    presence(c);
    if (session_stands(s)) {
        stand_still(c);
        return;
    }
    if (s->is_gated) {
        s->is_gated = false;
        session_turn_add(c, SESSION_DO_GATE)->is_long = false;
    }
    if (s->work.tag)
        watch_order(c);
    else
        next_work(c);
}

void session_step(struct session *s, const struct session_event *ev, int64_t now_ms,
                  struct session_actions *out)
{
    memset(out, 0, sizeof *out);
    struct session_turn c = {s, out, now_ms};
    if (s->state == SESSION_GONE) return;
    if (ev->kind == SESSION_EV_START) {
        if (s->state != SESSION_IDLE) return;
        session_turn_state(&c, SESSION_JOINING);
        s->poll_at_ms = now_ms;
        s->is_record_due = true;
        s->record_at_ms = now_ms;
    } else {
        session_turn_hear(&c, ev);
    }
    decide(&c);
}
