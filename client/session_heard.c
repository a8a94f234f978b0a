#include <stdio.h>
#include <string.h>

#include "client/session_in.h"
#include "client/session_turn.h"

/* What each event changes. Facts only: what follows from them is for decide() in session.c. */

#define POLL_GAP_MS    250
#define ENDED_GAP_MS   5000
#define RETRY_AFTER_MS 600000 /* no server may ask for longer */
#define ADDRESS_TRIES  3
#define SLOT_TRIES     4
#define RECORD_TRIES   3     /* before it is worth a warning */
#define PROGRESS_MS    60000 /* without any a transfer is given up */

static bool ends_lane(struct session_lane *lane, const struct session_event *ev,
                      struct session_lane *ret)
{
    if (!lane->tag || lane->tag != ev->tag) return false;
    *ret = *lane;
    *lane = (struct session_lane){0};
    return true;
}

static void on_success(struct session *s)
{
    if (s->n_failures && s->n_work_failures == 0) s->retry_at_ms = SESSION_NONE;
    s->n_failures = 0;
    s->n_address_failures = 0;
    s->n_refusals = 0;
    s->is_shut_out = false;
}

static void on_work_success(struct session *s)
{
    if (s->n_work_failures) s->retry_at_ms = SESSION_NONE; /* else it is the network's */
    s->n_work_failures = 0;
}

static void next_address(struct session_turn *c)
{
    struct session *s = c->s;
    if (++s->n_address_failures < ADDRESS_TRIES || s->config.n_addresses < 2) return;
    s->n_address_failures = 0;
    s->i_address = (s->i_address + 1) % s->config.n_addresses;
    s->is_joined = false;
    s->is_slot_live = false;
    s->token[0] = 0;
    session_turn_say(c, false, "this address does not answer; trying the run's next one");
}

static int64_t retry_time(struct session_turn *c, const struct session_event *ev, uint32_t n)
{
    int64_t ms = session_turn_backoff_ms(c->s, n);
    if (ev->failed.retry_after_ms > ms) ms = ev->failed.retry_after_ms;
    if (ms > RETRY_AFTER_MS) ms = RETRY_AFTER_MS;
    return c->now + ms;
}

/* Not let in, or not any more: nothing is trained for a run that does not want it. */
static void shut_out(struct session_turn *c)
{
    struct session *s = c->s;
    s->is_shut_out = true;
    s->is_joined = false;
    s->has_round = false;
    if (!s->n_refusals) session_turn_say(c, true, s->why);
    s->poll_at_ms = c->now + session_refused_ms(s->n_refusals++);
}

static void presence_failed(struct session_turn *c, const struct session_event *ev,
                            enum session_do what)
{
    struct session *s = c->s;
    if (ev->failed.status == 401 && what == SESSION_DO_POLL) {
        s->is_joined = false;
        s->poll_at_ms = c->now;
        return;
    }
    session_turn_why(s, ev->failed.why);
    s->n_failures++;
    s->poll_at_ms = retry_time(c, ev, s->n_failures);
    if (ev->failed.status == 403) shut_out(c);
    if (ev->failed.status == 400) s->poll_at_ms = c->now + session_refused_ms(s->n_refusals++);
    next_address(c);
}

/* An answer of the 4xx kind to a step of the upload: start it anew, or give the payload back. */
static bool upload_refused(struct session_turn *c, const struct session_event *ev,
                           enum session_do what)
{
    struct session *s = c->s;
    int status = ev->failed.status;
    bool is_final = status == 409 || status == 413;
    if (what == SESSION_DO_RESERVE) {
        if (!is_final && s->n_slot_tries < SLOT_TRIES) return false;
        if (status < 400 || status >= 500) return false;
        session_turn_refuse(c, status != 409, ev->failed.why);
        return true;
    }
    if (status != 404 && status != 409 && status != 422) return false;
    s->note.id[0] = 0; /* that upload is unknown or incomplete over there: reserve again */
    s->is_slot_live = false;
    /* Slower after a few times, but never given up while the round is open: the round may need
     * this very contribution to close at all. */
    return s->n_slot_tries < SLOT_TRIES;
}

static void transfer_failed(struct session_turn *c, const struct session_event *ev,
                            enum session_do what)
{
    struct session *s = c->s;
    bool is_upload =
        what == SESSION_DO_RESERVE || what == SESSION_DO_PUT_CHUNK || what == SESSION_DO_MANIFEST;
    if (is_upload && upload_refused(c, ev, what)) return;
    if (what == SESSION_DO_FETCH_UPDATE && ev->failed.status == 404) s->is_update_gone = true;
    if (ev->failed.status == 401) s->is_joined = false;
    session_turn_why(s, ev->failed.why);
    s->n_failures++;
    s->retry_at_ms = retry_time(c, ev, s->n_failures);
    next_address(c);
}

/* A host that hides its record is not asked for it more and more often as rounds go by. */
static int64_t record_time(struct session_turn *c, const struct session_event *ev)
{
    struct session *s = c->s;
    int64_t ms = SESSION_BACKOFF_CAP_MS;
    if (s->n_record_failures < RECORD_TRIES) return retry_time(c, ev, s->n_record_failures);
    for (uint32_t n = RECORD_TRIES; n < s->n_record_failures && ms < RETRY_AFTER_MS; n++)
        ms *= 2;
    if (ms > RETRY_AFTER_MS) ms = RETRY_AFTER_MS;
    ms = ms * 3 / 4 + (int64_t)rng_below(&s->rng, (uint32_t)(ms / 4) + 1);
    if (ev->failed.retry_after_ms > ms) ms = ev->failed.retry_after_ms;
    return c->now + (ms > RETRY_AFTER_MS ? RETRY_AFTER_MS : ms);
}

/* Never in the way of the exchange: a host may be slow, or its log one entry behind. Said once, until
 * it is well again.
 */
static void record_failed(struct session_turn *c, const struct session_event *ev)
{
    struct session *s = c->s;
    char text[MSG_REASON_CAP];
    s->is_record_due = true;
    if (s->n_record_failures < UINT32_MAX) s->n_record_failures++;
    s->record_at_ms = record_time(c, ev);
    if (s->n_record_failures != RECORD_TRIES) return;
    snprintf(text, sizeof text, "the host's record cannot be checked: %.110s",
             ev->failed.why ? ev->failed.why : "no answer");
    session_turn_say(c, true, text);
}

static void on_failed(struct session_turn *c, const struct session_event *ev)
{
    struct session_lane was;
    if (ends_lane(&c->s->presence, ev, &was))
        presence_failed(c, ev, was.what);
    else if (ends_lane(&c->s->transfer, ev, &was))
        transfer_failed(c, ev, was.what);
    else if (ends_lane(&c->s->record, ev, &was))
        record_failed(c, ev);
}

static void on_work_failed(struct session_turn *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->work, ev, &was)) return;
    session_turn_why(s, ev->failed.why);
    session_turn_say(c, true, s->why);
    s->is_halting = false;
    bool was_ahead = was.what == SESSION_DO_TRAIN && s->fate != SESSION_FATE_NONE;
    if (was_ahead && ev->failed.code == ERR_LIMIT) {
        s->ahead = (struct session_phase){0};
        s->has_diverged = true; /* not again before the update */
        return;
    }
    if (was.what == SESSION_DO_TRAIN && ev->failed.code == ERR_LIMIT) {
        /* The trainer is back at the base; the same step on the same text would diverge again. */
        session_turn_forget_phase(s);
        s->is_round_done = true;
        s->has_diverged = true;
        return;
    }
    s->n_work_failures++;
    s->retry_at_ms = c->now + session_turn_backoff_ms(s, s->n_work_failures);
    if (was_ahead)
        s->ahead = ev->phase;
    else if (was.what == SESSION_DO_TRAIN)
        s->phase = ev->phase;
    if (was.what == SESSION_DO_APPLY) s->is_update_gone = ev->failed.code == ERR_PROTO;
    if (was.what == SESSION_DO_APPLY) s->has_fetched_update = false;
    if (was.what == SESSION_DO_LOAD) s->has_fetched_checkpoint = false;
}

static void on_round(struct session_turn *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->presence, ev, &was)) return;
    if (was.what == SESSION_DO_JOIN) {
        s->is_joined = true;
        memcpy(s->token, ev->round->session, sizeof s->token);
    }
    on_success(s);
    s->round = *ev->round;
    s->has_round = true;
    s->round_at_ms = c->now;
    s->poll_at_ms = c->now + (s->round.state == MSG_ROUND_ENDED ? ENDED_GAP_MS : POLL_GAP_MS);
    if (ev->terms) s->terms = *ev->terms;
    s->has_back = ev->back != NULL;
    if (!ev->back) return;
    s->back_next = ev->back->next_round;
    s->back_to = ev->back->to_round;
    snprintf(s->back_reason, sizeof s->back_reason, "%s", ev->back->reason);
}

static void on_slot(struct session_turn *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->transfer, ev, &was)) return;
    on_success(s);
    memcpy(s->note.id, ev->slot->id, sizeof s->note.id);
    memcpy(s->have, ev->slot->have, sizeof s->have);
    s->is_slot_live = true;
    session_turn_note(
        c); /* before any manifest: after a restart the same upload can be asked for */
}

static void on_chunk(struct session_turn *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->transfer, ev, &was)) return;
    on_success(s);
    s->have[s->i_chunk / 8] = (uint8_t)(s->have[s->i_chunk / 8] | 1u << (s->i_chunk % 8));
}

static void on_receipt(struct session_turn *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->transfer, ev, &was)) return;
    const struct msg_receipt *r = ev->receipt;
    if (r->round != s->model_round) {
        struct session_event failed = {
            .failed = {.code = ERR_PROTO, .why = "the receipt is for something else"}
        };
        transfer_failed(c, &failed, was.what);
        return;
    }
    on_success(s);
    if (!hash_equal(&r->payload, &s->payload.hash)) {
        /* One verdict a round: an earlier payload (before a lost state file) was the one judged. */
        session_turn_refuse(c, true,
                            "another contribution of yours was already judged in this round");
        return;
    }
    if (r->verdict == MSG_ACCEPTED) {
        s->n_accepted++;
        s->fate = SESSION_FATE_ACCEPTED;
        session_turn_note(c);
        return;
    }
    if (r->verdict == MSG_LATE)
        s->n_late++;
    else
        s->n_rejected++;
    session_turn_refuse(c, true, r->reason);
}

static void on_update(struct session_turn *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->transfer, ev, &was)) return;
    on_success(s);
    s->update = *ev->update;
    if (hash_equal(&s->update.base, &s->base)) {
        s->has_fetched_update = true;
        return;
    }
    session_turn_say(
        c, true, "the update was made for another model than the one here; fetching a checkpoint");
    s->is_base_wrong = true;
}

static void on_checkpoint(struct session_turn *c, const struct session_event *ev)
{
    struct session_lane was;
    if (!ends_lane(&c->s->transfer, ev, &was)) return;
    on_success(c->s);
    c->s->has_fetched_checkpoint = true;
}

static void on_trained(struct session_turn *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->work, ev, &was)) return;
    on_work_success(s);
    s->is_halting = false;
    if (s->fate != SESSION_FATE_NONE) { /* packed already: these were taken ahead */
        s->ahead = ev->phase;
        return;
    }
    s->phase = ev->phase;
    s->is_phase_done = !ev->phase.is_halted && ev->phase.n_steps > 0;
}

static void on_packed(struct session_turn *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->work, ev, &was)) return;
    on_work_success(s);
    session_turn_forget_payload(s);
    s->payload = ev->payload;
    s->fate = SESSION_FATE_UNSENT;
    s->is_phase_done = false;
}

static void on_returned(struct session_turn *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->work, ev, &was)) return;
    on_work_success(s);
    session_turn_forget_payload(s);
    session_turn_forget_phase(s);
    s->is_round_done = s->is_judged && was.what == SESSION_DO_RETURN;
    s->is_judged = false;
}

static void on_applied(struct session_turn *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->work, ev, &was)) return;
    on_work_success(s);
    struct session_phase ahead = s->ahead;
    session_turn_forget_payload(s);
    session_turn_forget_phase(s);
    if (was.what == SESSION_DO_APPLY) s->phase = ahead;
    s->is_round_done = false;
    s->has_diverged = false;
    s->is_update_gone = false;
    s->is_record_due = true;
    if (s->n_record_failures < RECORD_TRIES) s->record_at_ms = c->now;
    s->base = ev->applied;
    if (was.what == SESSION_DO_APPLY) {
        s->has_fetched_update = false;
        s->model_round++;
        if (hash_equal(&s->base, &s->update.result)) return;
        session_turn_say(c, true,
                         "after the update the model here differs from the signed one; "
                         "fetching a checkpoint");
        s->is_base_wrong = true;
        return;
    }
    s->has_fetched_checkpoint = false;
    s->is_base_wrong = s->is_empty = false;
    s->model_round = s->fetched_round;
    /* A checkpoint that does not help either must not be fetched in a tight circle. */
    if (++s->n_refetched > 1)
        s->retry_at_ms = c->now + session_turn_backoff_ms(s, s->n_refetched + 2);
}

static void on_record(struct session_turn *c, const struct session_event *ev)
{
    struct session_lane was;
    if (!ends_lane(&c->s->record, ev, &was)) return;
    if (c->s->n_record_failures >= RECORD_TRIES)
        session_turn_say(c, false,
                         "the host's record could be checked again, and goes on as it was");
    c->s->n_record_failures = 0;
}

static void on_rewritten(struct session_turn *c, const struct session_event *ev)
{
    struct session_lane was;
    if (!ends_lane(&c->s->record, ev, &was)) return;
    c->s->is_rewritten = true;
    session_turn_why(c->s, ev->failed.why);
    session_turn_say(c, true, c->s->why);
}

static void on_stopped(struct session_turn *c, const struct session_event *ev)
{
    struct session_lane was;
    if (ends_lane(&c->s->work, ev, &was)) session_turn_state(c, SESSION_GONE);
}

/* The aggregator is told now that we stand still, or go on: it need not wait for us. */
static void tell_if_changed(struct session_turn *c, bool stood)
{
    struct session *s = c->s;
    if (session_stands(s) == stood || !s->presence.tag || !s->is_joined) return;
    session_turn_drop(c, &s->presence);
    s->poll_at_ms = c->now;
}

static void on_intent(struct session_turn *c, const struct session_event *ev)
{
    struct session *s = c->s;
    bool stood = session_stands(s);
    switch (ev->intent) {
    case INTENT_PAUSE:
        s->is_paused = true;
        s->is_finishing = false;
        break;
    case INTENT_RESUME:
        s->is_paused = false;
        s->is_finishing = false;
        break;
    case INTENT_FINISH: s->is_finishing = !s->is_paused; break;
    case INTENT_LEAVE:
    case INTENT_STOP: s->ending = ev->intent; break;
    case INTENT_JOIN: /* once more, with something new in hand */
        if (s->is_shut_out) s->poll_at_ms = c->now;
        break;
    case INTENT_SNOOZE: /* the agent makes holds of these */
    case INTENT_RELEASE:
    case INTENT_OVERRIDE:
    case INTENT_NONE:
    case INTENT_COUNT: break;
    }
    tell_if_changed(c, stood);
}

static void on_hold(struct session_turn *c, const struct session_event *ev)
{
    bool stood = session_stands(c->s);
    c->s->is_held = ev->is_held;
    tell_if_changed(c, stood);
}

/* However slow the line is: what moves is not given up. */
static void on_progress(struct session_turn *c, const struct session_event *ev)
{
    struct session_lane *lane = &c->s->transfer;
    int64_t until = c->now + PROGRESS_MS;
    if (!lane->tag || lane->tag != ev->tag) return;
    if (lane->deadline_ms < until) lane->deadline_ms = until;
}

static void expire(struct session_turn *c, struct session_lane *lane)
{
    if (!lane->tag || c->now < lane->deadline_ms) return;
    struct session_event ev = {.kind = SESSION_EV_FAILED, .tag = lane->tag};
    ev.failed.code = ERR_IO;
    ev.failed.why = "the aggregator did not answer in time";
    session_turn_add(c, SESSION_DO_DROP)->tag = lane->tag;
    on_failed(c, &ev);
}

static void on_tick(struct session_turn *c, const struct session_event *ev)
{
    (void)ev;
    struct session *s = c->s;
    expire(c, &s->presence);
    expire(c, &s->transfer);
    expire(c, &s->record);
    if (!s->work.tag || c->now < s->work.deadline_ms) return;
    if (s->state == SESSION_LEAVING) {
        session_turn_state(c, SESSION_GONE);
        return;
    }
    if (session_stands(s)) return; /* the order stands still because it was asked to */
    s->work.deadline_ms = c->now + SESSION_WORK_MS;
    if (s->work.what == SESSION_DO_TRAIN)
        session_turn_halt(c);
    else
        session_turn_say(c, true,
                         "work on the model takes unusually long; is the disk full or very slow?");
}

typedef void (*on_fn)(struct session_turn *c, const struct session_event *ev);

static on_fn handler(enum session_event_kind kind)
{
    static const on_fn table[SESSION_EVENT_COUNT] = {
        [SESSION_EV_ROUND] = on_round,         [SESSION_EV_SLOT] = on_slot,
        [SESSION_EV_CHUNK] = on_chunk,         [SESSION_EV_RECEIPT] = on_receipt,
        [SESSION_EV_UPDATE] = on_update,       [SESSION_EV_CHECKPOINT] = on_checkpoint,
        [SESSION_EV_FAILED] = on_failed,       [SESSION_EV_TRAINED] = on_trained,
        [SESSION_EV_PACKED] = on_packed,       [SESSION_EV_RETURNED] = on_returned,
        [SESSION_EV_APPLIED] = on_applied,     [SESSION_EV_WORK_FAILED] = on_work_failed,
        [SESSION_EV_STOPPED] = on_stopped,     [SESSION_EV_INTENT] = on_intent,
        [SESSION_EV_TICK] = on_tick,           [SESSION_EV_RECORD] = on_record,
        [SESSION_EV_REWRITTEN] = on_rewritten, [SESSION_EV_PROGRESS] = on_progress,
        [SESSION_EV_HOLD] = on_hold,
    };
    return kind > 0 && kind < SESSION_EVENT_COUNT ? table[kind] : NULL;
}

void session_turn_hear(struct session_turn *c, const struct session_event *ev)
{
    on_fn fn = handler(ev->kind);
    if (fn) fn(c, ev);
}
