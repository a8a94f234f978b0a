#include "client/session.h"

#include <stdio.h>
#include <string.h>

#include "client/session_in.h"

#define JOIN_MS         30000
#define POLL_MS         45000
#define TRANSFER_MS     60000
#define FETCH_MS        600000
#define WORK_MS         300000
#define LEAVE_MS        10000
#define POLL_GAP_MS     250
#define ENDED_GAP_MS    5000
#define BACKOFF_MS      1000
#define BACKOFF_SOON    14
#define BACKOFF_SOON_MS 5000
#define BACKOFF_CAP_MS  30000
#define RETRY_AFTER_MS  600000 /* no server may ask for longer */
#define ADDRESS_TRIES   3
#define SLOT_TRIES      4

/* One call of session_step. */
struct step {
    struct session *s;
    struct session_actions *out;
    int64_t now;
};

static void decide(struct step *c);

/* The one place where the state changes. */
static void set_state(struct step *c, enum session_state state)
{
    if (c->s->state == state) return;
    c->s->state = state;
    c->s->since_ms = c->now;
}

static struct session_action *add(struct step *c, enum session_do what)
{
    check(c->out->n < SESSION_MAX_ACTIONS);
    struct session_action *a = &c->out->a[c->out->n++];
    a->what = what;
    a->i_address = c->s->i_address;
    a->round = c->s->model_round;
    a->until_ms = SESSION_NONE;
    return a;
}

static struct session_action *begin(struct step *c, struct session_lane *lane, enum session_do what,
                                    int64_t limit_ms)
{
    if (++c->s->next_tag == 0) c->s->next_tag = 1;
    *lane = (struct session_lane){c->s->next_tag, what, c->now + limit_ms};
    struct session_action *a = add(c, what);
    a->tag = lane->tag;
    return a;
}

static void say(struct step *c, bool is_loud, const char *text)
{
    struct session_action *a = add(c, SESSION_DO_SAY);
    a->is_long = is_loud;
    snprintf(a->text, sizeof a->text, "%s", text);
}

static void set_why(struct session *s, const char *why)
{
    snprintf(s->why, sizeof s->why, "%s", why ? why : "");
}

static void drop(struct step *c, struct session_lane *lane)
{
    if (!lane->tag) return;
    add(c, SESSION_DO_DROP)->tag = lane->tag;
    *lane = (struct session_lane){0};
}

/* Doubling from one second to five, after a minute of that half a minute; give or take a quarter, so
 * that many contributors do not come back in the same moment. A restarted aggregator is found soon.
 */
static int64_t backoff_ms(struct session *s, uint32_t n)
{
    int64_t ms = n < 2 ? BACKOFF_MS : n == 2 ? 2 * BACKOFF_MS : BACKOFF_SOON_MS;
    if (n > BACKOFF_SOON) ms = BACKOFF_CAP_MS;
    return ms * 3 / 4 + (int64_t)rng_below(&s->rng, (uint32_t)(ms / 2) + 1);
}

static bool is_here(const struct session *s)
{
    return s->has_round && s->round.round == s->model_round && !s->is_base_wrong;
}

/* --- facts about the contribution ------------------------------------------------------------ */

static void forget_payload(struct session *s)
{
    s->fate = SESSION_FATE_NONE;
    s->payload = (struct session_payload){0};
    s->note = (struct session_note){0};
    memset(s->have, 0, sizeof s->have);
    s->is_slot_live = false;
    s->n_slot_tries = 0;
}

static void forget_phase(struct session *s)
{
    s->phase = (struct session_phase){0};
    s->is_phase_done = false;
}

static void note(struct step *c)
{
    c->s->note.payload = c->s->payload.hash;
    c->s->note.fate = c->s->fate;
    add(c, SESSION_DO_NOTE);
}

/* is_final: there is a verdict, or there never will be one for anything this machine can send; then
 * the round is over for us. Otherwise a round that is still open is trained for once more.
 */
static void refuse(struct step *c, bool is_final, const char *why)
{
    struct session *s = c->s;
    s->fate = SESSION_FATE_REFUSED;
    s->is_judged = is_final;
    set_why(s, why);
    note(c);
    char text[MSG_REASON_CAP];
    snprintf(text, sizeof text, "round %llu: contribution not taken: %.90s",
             (unsigned long long)s->model_round, why && *why ? why : "no reason given");
    say(c, true, text);
}

static bool has_chunk(const struct session *s, uint32_t i)
{
    return s->have[i / 8] >> (i % 8) & 1;
}

/* --- lanes ------------------------------------------------------------------------------------ */

static bool must_wait(struct step *c)
{
    if (c->s->retry_at_ms == SESSION_NONE) return false;
    set_state(c, SESSION_RETRYING);
    return true;
}

static void presence(struct step *c)
{
    struct session *s = c->s;
    if (s->presence.tag || c->now < s->poll_at_ms) return;
    if (!s->is_joined) {
        begin(c, &s->presence, SESSION_DO_JOIN, JOIN_MS);
        return;
    }
    struct session_action *a = begin(c, &s->presence, SESSION_DO_POLL, POLL_MS);
    a->round = s->round.round;
    a->is_long = true;
}

static void exchange(struct step *c)
{
    struct session *s = c->s;
    if (s->transfer.tag) {
        set_state(c, SESSION_EXCHANGING);
        return;
    }
    if (must_wait(c)) return;
    set_state(c, SESSION_EXCHANGING);
    uint32_t i = 0;
    while (i < s->payload.n_chunks && has_chunk(s, i))
        i++;
    struct session_action *a;
    if (s->note.id[0] && (!s->is_slot_live || i == s->payload.n_chunks)) {
        a = begin(c, &s->transfer, SESSION_DO_MANIFEST, TRANSFER_MS);
    } else if (!s->is_slot_live) {
        s->n_slot_tries++;
        a = begin(c, &s->transfer, SESSION_DO_RESERVE, TRANSFER_MS);
    } else {
        s->i_chunk = i;
        a = begin(c, &s->transfer, SESSION_DO_PUT_CHUNK, TRANSFER_MS);
        a->i_chunk = i;
    }
    a->hash = s->base;
    a->n_bytes = s->payload.n_bytes;
    a->created_at_ms = s->payload.created_at_ms;
    memcpy(a->id, s->note.id, sizeof a->id);
}

/* The model here is not the one of the open round: get there by updates, or by a checkpoint. */
static void fetch(struct step *c)
{
    struct session *s = c->s;
    if (s->transfer.tag) {
        set_state(c, SESSION_FETCHING);
        return;
    }
    if (must_wait(c)) return;
    if (s->has_fetched_update || s->has_fetched_checkpoint) {
        bool is_update = s->has_fetched_update;
        struct session_action *a =
            begin(c, &s->work, is_update ? SESSION_DO_APPLY : SESSION_DO_LOAD, WORK_MS);
        a->round = s->fetched_round;
        set_state(c, SESSION_APPLYING);
        return;
    }
    bool by_update = session_can_update(s);
    bool is_useful = s->round.checkpoint_bytes > 0 && s->round.checkpoint_round <= s->round.round;
    if (!by_update && !is_useful) {
        set_why(s, "the aggregator offers neither the updates nor a checkpoint that are needed");
        s->is_update_gone = false;
        s->retry_at_ms = c->now + BACKOFF_CAP_MS;
        set_state(c, SESSION_RETRYING);
        return;
    }
    struct session_action *a =
        begin(c, &s->transfer, by_update ? SESSION_DO_FETCH_UPDATE : SESSION_DO_FETCH_CHECKPOINT,
              FETCH_MS);
    a->round = by_update ? s->model_round : s->round.checkpoint_round;
    s->fetched_round = a->round;
    if (!by_update) {
        a->hash = s->round.checkpoint;
        a->n_bytes = s->round.checkpoint_bytes;
    }
    set_state(c, SESSION_FETCHING);
}

static void order(struct step *c, enum session_do what, enum session_state state)
{
    if (must_wait(c)) return;
    begin(c, &c->s->work, what, WORK_MS);
    set_state(c, state);
}

static void train(struct step *c)
{
    struct session *s = c->s;
    if (must_wait(c)) return;
    bool by_steps = s->config.inner_steps > 0;
    int64_t left =
        by_steps ? s->round.left_ms - (int64_t)s->config.upload_ms : s->round.inner_left_ms;
    if (left < 0) left = 0;
    struct session_action *a = begin(c, &s->work, SESSION_DO_TRAIN, 0);
    a->hash = s->base;
    a->n_steps = by_steps ? s->config.inner_steps : s->config.max_inner_steps;
    a->until_ms = s->round_at_ms + left;
    s->train_until_ms = a->until_ms;
    /* Past the deadline nothing can be sent any more; the trainer itself minds until_ms. */
    int64_t from = a->until_ms > c->now ? a->until_ms : c->now;
    s->work.deadline_ms = from + (int64_t)s->config.upload_ms + WORK_MS;
    s->is_halting = false;
    set_state(c, SESSION_TRAINING);
}

static void halt(struct step *c)
{
    if (c->s->is_halting || c->s->work.what != SESSION_DO_TRAIN) return;
    c->s->is_halting = true;
    add(c, SESSION_DO_HALT)->tag = c->s->work.tag;
}

/* --- deciding --------------------------------------------------------------------------------- */

/* An order is under way. Training for a round that is over is cut short. */
static void watch_order(struct step *c)
{
    struct session *s = c->s;
    set_state(c, session_state_of_order(s->work.what));
    if (s->is_shut_out) halt(c);
    if (s->work.what != SESSION_DO_TRAIN || !s->has_round) return;
    if (!is_here(s) || s->round.state != MSG_ROUND_OPEN) halt(c);
}

static void pause_by_wish(struct step *c)
{
    struct session *s = c->s;
    if (!s->is_gated) {
        s->is_gated = true;
        add(c, SESSION_DO_GATE)->is_long = true;
    }
    drop(c, &s->transfer);
    set_state(c, SESSION_PAUSED);
}

/* This round's contribution is settled: nothing to do until the next one opens. */
static void wait_for_round(struct step *c)
{
    struct session *s = c->s;
    if (s->is_finishing) {
        s->is_finishing = false;
        s->is_paused = true;
        pause_by_wish(c);
        return;
    }
    set_state(c, s->n_failures && !s->presence.tag ? SESSION_RETRYING : SESSION_WAITING);
}

static void work_here(struct step *c)
{
    struct session *s = c->s;
    s->is_agreed = true;
    s->n_refetched = 0;
    if (s->round.state == MSG_ROUND_ENDED) {
        s->is_finishing = false;
        set_state(c, SESSION_ENDED);
        return;
    }
    if (s->fate == SESSION_FATE_ACCEPTED || s->is_round_done || s->round.state != MSG_ROUND_OPEN)
        wait_for_round(c);
    else if (s->is_phase_done)
        order(c, SESSION_DO_PACK, SESSION_PACKING);
    else
        train(c);
}

static void work_elsewhere(struct step *c)
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
        say(c, false, "an unfinished inner phase is too old to be of use and was dropped");
        forget_phase(s);
    }
    fetch(c);
}

/* Nothing is under way in the trainer: what next? */
static void next_work(struct step *c)
{
    struct session *s = c->s;
    if (s->fate == SESSION_FATE_REFUSED) {
        order(c, SESSION_DO_RETURN, SESSION_RETURNING);
        return;
    }
    if (!s->has_round) {
        set_state(c, s->presence.tag ? SESSION_JOINING : SESSION_RETRYING);
        return;
    }
    if (is_here(s) && !hash_equal(&s->base, &s->round.base)) {
        say(c, true, "the model here differs from the aggregator's; fetching a checkpoint");
        s->is_base_wrong = true;
    }
    if (s->fate == SESSION_FATE_UNSENT) {
        if ((is_here(s) && s->round.state == MSG_ROUND_OPEN) || s->note.id[0]) {
            exchange(c);
            return;
        }
        if (is_here(s) && s->round.state == MSG_ROUND_MERGING) {
            drop(c, &s->transfer);
            wait_for_round(c);
            return;
        }
        drop(c, &s->transfer);
        refuse(c, false, "the round closed before it could be sent");
        order(c, SESSION_DO_RETURN, SESSION_RETURNING);
        return;
    }
    if (is_here(s))
        work_here(c);
    else
        work_elsewhere(c);
}

static void leave(struct step *c)
{
    struct session *s = c->s;
    if (s->state == SESSION_LEAVING) return;
    drop(c, &s->presence);
    drop(c, &s->transfer);
    begin(c, &s->work, SESSION_DO_STOP_WORK, LEAVE_MS);
    set_state(c, SESSION_LEAVING);
}

static void decide(struct step *c)
{
    struct session *s = c->s;
    if (s->state == SESSION_IDLE || s->state == SESSION_GONE) return;
    if (s->ending != INTENT_NONE) {
        leave(c);
        return;
    }
    if (c->now >= s->retry_at_ms) s->retry_at_ms = SESSION_NONE; /* also when it is none */
    presence(c);
    if (s->is_paused) {
        pause_by_wish(c);
        return;
    }
    if (s->is_gated) {
        s->is_gated = false;
        add(c, SESSION_DO_GATE)->is_long = false;
    }
    if (s->work.tag)
        watch_order(c);
    else
        next_work(c);
}

/* --- events ----------------------------------------------------------------------------------- */

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
    s->n_work_failures = 0;
    s->retry_at_ms = SESSION_NONE;
}

static void next_address(struct step *c)
{
    struct session *s = c->s;
    if (++s->n_address_failures < ADDRESS_TRIES || s->config.n_addresses < 2) return;
    s->n_address_failures = 0;
    s->i_address = (s->i_address + 1) % s->config.n_addresses;
    s->is_joined = false;
    s->is_slot_live = false;
    s->token[0] = 0;
    say(c, false, "this address does not answer; trying the run's next one");
}

static int64_t retry_time(struct step *c, const struct session_event *ev, uint32_t n)
{
    int64_t ms = backoff_ms(c->s, n);
    if (ev->failed.retry_after_ms > ms) ms = ev->failed.retry_after_ms;
    if (ms > RETRY_AFTER_MS) ms = RETRY_AFTER_MS;
    return c->now + ms;
}

/* Not let in, or not any more: nothing is trained for a run that does not want it. */
static void shut_out(struct step *c)
{
    struct session *s = c->s;
    s->is_shut_out = true;
    s->is_joined = false;
    s->has_round = false;
    if (!s->n_refusals) say(c, true, s->why);
    s->poll_at_ms = c->now + session_refused_ms(s->n_refusals++);
}

static void presence_failed(struct step *c, const struct session_event *ev, enum session_do what)
{
    struct session *s = c->s;
    if (ev->failed.status == 401 && what == SESSION_DO_POLL) {
        s->is_joined = false;
        s->poll_at_ms = c->now;
        return;
    }
    set_why(s, ev->failed.why);
    s->n_failures++;
    s->poll_at_ms = retry_time(c, ev, s->n_failures);
    if (ev->failed.status == 403) shut_out(c);
    if (ev->failed.status == 400) s->poll_at_ms = c->now + session_refused_ms(s->n_refusals++);
    next_address(c);
}

/* An answer of the 4xx kind to a step of the upload: start it anew, or give the payload back. */
static bool upload_refused(struct step *c, const struct session_event *ev, enum session_do what)
{
    struct session *s = c->s;
    int status = ev->failed.status;
    bool is_final = status == 409 || status == 413;
    if (what == SESSION_DO_RESERVE) {
        if (!is_final && s->n_slot_tries < SLOT_TRIES) return false;
        if (status < 400 || status >= 500) return false;
        refuse(c, status != 409, ev->failed.why);
        return true;
    }
    if (status != 404 && status != 409 && status != 422) return false;
    s->note.id[0] = 0; /* that upload is unknown or incomplete over there: reserve again */
    s->is_slot_live = false;
    /* Slower after a few times, but never given up while the round is open: the round may need
     * this very contribution to close at all. */
    return s->n_slot_tries < SLOT_TRIES;
}

static void transfer_failed(struct step *c, const struct session_event *ev, enum session_do what)
{
    struct session *s = c->s;
    bool is_upload =
        what == SESSION_DO_RESERVE || what == SESSION_DO_PUT_CHUNK || what == SESSION_DO_MANIFEST;
    if (is_upload && upload_refused(c, ev, what)) return;
    if (what == SESSION_DO_FETCH_UPDATE && ev->failed.status == 404) s->is_update_gone = true;
    if (ev->failed.status == 401) s->is_joined = false;
    set_why(s, ev->failed.why);
    s->n_failures++;
    s->retry_at_ms = retry_time(c, ev, s->n_failures);
    next_address(c);
}

static void on_failed(struct step *c, const struct session_event *ev)
{
    struct session_lane was;
    if (ends_lane(&c->s->presence, ev, &was))
        presence_failed(c, ev, was.what);
    else if (ends_lane(&c->s->transfer, ev, &was))
        transfer_failed(c, ev, was.what);
}

static void on_work_failed(struct step *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->work, ev, &was)) return;
    set_why(s, ev->failed.why);
    say(c, true, s->why);
    s->is_halting = false;
    if (was.what == SESSION_DO_TRAIN && ev->failed.code == ERR_LIMIT) {
        /* The trainer is back at the base; the same step on the same text would diverge again. */
        forget_phase(s);
        s->is_round_done = true;
        s->has_diverged = true;
        return;
    }
    s->n_work_failures++;
    s->retry_at_ms = c->now + backoff_ms(s, s->n_work_failures);
    if (was.what == SESSION_DO_TRAIN) s->phase = ev->phase;
    if (was.what == SESSION_DO_APPLY) s->is_update_gone = ev->failed.code == ERR_PROTO;
    if (was.what == SESSION_DO_APPLY) s->has_fetched_update = false;
    if (was.what == SESSION_DO_LOAD) s->has_fetched_checkpoint = false;
}

static void on_round(struct step *c, const struct session_event *ev)
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
}

static void on_slot(struct step *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->transfer, ev, &was)) return;
    on_success(s);
    memcpy(s->note.id, ev->slot->id, sizeof s->note.id);
    memcpy(s->have, ev->slot->have, sizeof s->have);
    s->is_slot_live = true;
    note(c); /* before any manifest: after a restart the same upload can be asked for */
}

static void on_chunk(struct step *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->transfer, ev, &was)) return;
    on_success(s);
    s->have[s->i_chunk / 8] = (uint8_t)(s->have[s->i_chunk / 8] | 1u << (s->i_chunk % 8));
}

static void on_receipt(struct step *c, const struct session_event *ev)
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
        refuse(c, true, "another contribution of yours was already judged in this round");
        return;
    }
    if (r->verdict == MSG_ACCEPTED) {
        s->n_accepted++;
        s->fate = SESSION_FATE_ACCEPTED;
        note(c);
        return;
    }
    if (r->verdict == MSG_LATE)
        s->n_late++;
    else
        s->n_rejected++;
    refuse(c, true, r->reason);
}

static void on_update(struct step *c, const struct session_event *ev)
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
    say(c, true, "the update was made for another model than the one here; fetching a checkpoint");
    s->is_base_wrong = true;
}

static void on_checkpoint(struct step *c, const struct session_event *ev)
{
    struct session_lane was;
    if (!ends_lane(&c->s->transfer, ev, &was)) return;
    on_success(c->s);
    c->s->has_fetched_checkpoint = true;
}

static void on_trained(struct step *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->work, ev, &was)) return;
    on_work_success(s);
    s->is_halting = false;
    s->phase = ev->phase;
    s->is_phase_done = !ev->phase.is_halted && ev->phase.n_steps > 0;
}

static void on_packed(struct step *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->work, ev, &was)) return;
    on_work_success(s);
    forget_payload(s);
    s->payload = ev->payload;
    s->fate = SESSION_FATE_UNSENT;
    s->is_phase_done = false;
}

static void on_returned(struct step *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->work, ev, &was)) return;
    on_work_success(s);
    forget_payload(s);
    forget_phase(s);
    s->is_round_done = s->is_judged && was.what == SESSION_DO_RETURN;
    s->is_judged = false;
}

static void on_applied(struct step *c, const struct session_event *ev)
{
    struct session *s = c->s;
    struct session_lane was;
    if (!ends_lane(&s->work, ev, &was)) return;
    on_work_success(s);
    forget_payload(s);
    forget_phase(s);
    s->is_round_done = false;
    s->has_diverged = false;
    s->is_update_gone = false;
    s->base = ev->applied;
    if (was.what == SESSION_DO_APPLY) {
        s->has_fetched_update = false;
        s->model_round++;
        if (hash_equal(&s->base, &s->update.result)) return;
        say(c, true,
            "after the update the model here differs from the signed one; "
            "fetching a checkpoint");
        s->is_base_wrong = true;
        return;
    }
    s->has_fetched_checkpoint = false;
    s->is_base_wrong = s->is_empty = false;
    s->model_round = s->fetched_round;
    /* A checkpoint that does not help either must not be fetched in a tight circle. */
    if (++s->n_refetched > 1) s->retry_at_ms = c->now + backoff_ms(s, s->n_refetched + 2);
}

static void on_stopped(struct step *c, const struct session_event *ev)
{
    struct session_lane was;
    if (ends_lane(&c->s->work, ev, &was)) set_state(c, SESSION_GONE);
}

static void on_intent(struct step *c, enum intent_kind intent)
{
    struct session *s = c->s;
    bool was_paused = s->is_paused;
    switch (intent) {
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
    case INTENT_STOP: s->ending = intent; break;
    case INTENT_JOIN: /* once more, with something new in hand */
        if (s->is_shut_out) s->poll_at_ms = c->now;
        break;
    case INTENT_NONE:
    case INTENT_COUNT: break;
    }
    if (s->is_paused == was_paused || !s->presence.tag || !s->is_joined) return;
    drop(c, &s->presence); /* tell the aggregator now: it need not wait for us */
    s->poll_at_ms = c->now;
}

static void expire(struct step *c, struct session_lane *lane)
{
    if (!lane->tag || c->now < lane->deadline_ms) return;
    struct session_event ev = {.kind = SESSION_EV_FAILED, .tag = lane->tag};
    ev.failed.code = ERR_IO;
    ev.failed.why = "the aggregator did not answer in time";
    add(c, SESSION_DO_DROP)->tag = lane->tag;
    on_failed(c, &ev);
}

static void on_tick(struct step *c)
{
    struct session *s = c->s;
    expire(c, &s->presence);
    expire(c, &s->transfer);
    if (!s->work.tag || c->now < s->work.deadline_ms) return;
    if (s->state == SESSION_LEAVING) {
        set_state(c, SESSION_GONE);
        return;
    }
    if (s->is_paused) return; /* the order stands still because it was asked to */
    s->work.deadline_ms = c->now + WORK_MS;
    if (s->work.what == SESSION_DO_TRAIN)
        halt(c);
    else
        say(c, true, "work on the model takes unusually long; is the disk full or very slow?");
}

typedef void (*on_fn)(struct step *c, const struct session_event *ev);

static on_fn handler(enum session_event_kind kind)
{
    static const on_fn table[SESSION_EVENT_COUNT] = {
        [SESSION_EV_ROUND] = on_round,     [SESSION_EV_SLOT] = on_slot,
        [SESSION_EV_CHUNK] = on_chunk,     [SESSION_EV_RECEIPT] = on_receipt,
        [SESSION_EV_UPDATE] = on_update,   [SESSION_EV_CHECKPOINT] = on_checkpoint,
        [SESSION_EV_FAILED] = on_failed,   [SESSION_EV_TRAINED] = on_trained,
        [SESSION_EV_PACKED] = on_packed,   [SESSION_EV_RETURNED] = on_returned,
        [SESSION_EV_APPLIED] = on_applied, [SESSION_EV_WORK_FAILED] = on_work_failed,
        [SESSION_EV_STOPPED] = on_stopped,
    };
    return kind > 0 && kind < SESSION_EVENT_COUNT ? table[kind] : NULL;
}

void session_step(struct session *s, const struct session_event *ev, int64_t now_ms,
                  struct session_actions *out)
{
    memset(out, 0, sizeof *out);
    struct step c = {s, out, now_ms};
    if (s->state == SESSION_GONE) return;
    if (ev->kind == SESSION_EV_START) {
        if (s->state != SESSION_IDLE) return;
        set_state(&c, SESSION_JOINING);
        s->poll_at_ms = now_ms;
    } else if (ev->kind == SESSION_EV_INTENT) {
        on_intent(&c, ev->intent);
    } else if (ev->kind == SESSION_EV_TICK) {
        on_tick(&c);
    } else {
        on_fn fn = handler(ev->kind);
        if (fn) fn(&c, ev);
    }
    decide(&c);
}
