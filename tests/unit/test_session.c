#include <stdio.h>
#include <string.h>

#include "client/session.h"
#include "tests/check.h"

#define PAYLOAD_BYTES (MSG_CHUNK_BYTES + 7) /* two chunks */

/* A session with hands: plays the aggregator and the trainer by the shortest honest answers. */
struct rig {
    struct session s;
    struct session_actions out;
    struct msg_round round;
    int64_t now;
};

static struct hash model_of(uint64_t round)
{
    return hash_of(&round, sizeof round);
}

static void step(struct rig *r, const struct session_event *ev)
{
    r->now += 10;
    session_step(&r->s, ev, r->now, &r->out);
}

static const struct session_action *find(const struct rig *r, enum session_do what)
{
    for (uint32_t i = 0; i < r->out.n; i++)
        if (r->out.a[i].what == what) return &r->out.a[i];
    return NULL;
}

static int place(const struct rig *r, enum session_do what)
{
    const struct session_action *a = find(r, what);
    return a ? (int)(a - r->out.a) : -1;
}

static void set_round(struct rig *r, uint64_t round, enum msg_round_state state)
{
    r->round.round = round;
    r->round.state = state;
    r->round.base = model_of(round);
}

static void init(struct rig *r, uint32_t n_addresses)
{
    memset(r, 0, sizeof *r);
    struct session_config c = {.inner_steps = 5,
                               .max_inner_steps = 9,
                               .upload_ms = 10000,
                               .n_addresses = n_addresses,
                               .seed = 7};
    struct hash base = model_of(0);
    session_init(&r->s, &c, &base);
    r->now = 1000;
    r->round.left_ms = 60000;
    r->round.update_bytes = 1000;
    r->round.checkpoint_bytes = 1000000;
    snprintf(r->round.session, sizeof r->round.session, "%032d", 1);
    set_round(r, 0, MSG_ROUND_OPEN);
}

static void send(struct rig *r, enum session_event_kind kind, uint32_t tag)
{
    struct session_event ev = {.kind = kind, .tag = tag};
    step(r, &ev);
}

static void start(struct rig *r)
{
    send(r, SESSION_EV_START, 0);
}

static void answer_round(struct rig *r)
{
    struct session_event ev = {
        .kind = SESSION_EV_ROUND, .tag = r->s.presence.tag, .round = &r->round};
    step(r, &ev);
}

/* Let a poll come up and answer it. */
static void poll(struct rig *r)
{
    if (!r->s.presence.tag) {
        r->now = r->s.poll_at_ms;
        send(r, SESSION_EV_TICK, 0);
    }
    answer_round(r);
}

static void intend(struct rig *r, enum intent_kind intent)
{
    struct session_event ev = {.kind = SESSION_EV_INTENT, .intent = intent};
    step(r, &ev);
}

static void end_training(struct rig *r, bool is_halted)
{
    struct session_event ev = {
        .kind = SESSION_EV_TRAINED,
        .tag = r->s.work.tag,
        .phase = {.n_steps = 5, .n_tokens = 500, .loss = 3, .is_halted = is_halted}
    };
    step(r, &ev);
}

static void end_packing(struct rig *r)
{
    struct session_event ev = {
        .kind = SESSION_EV_PACKED,
        .tag = r->s.work.tag,
        .payload = {
                    .hash = hash_of("p", 1), .n_bytes = PAYLOAD_BYTES, .n_chunks = 2, .created_at_ms = 5}
    };
    step(r, &ev);
}

static void answer_slot(struct rig *r)
{
    struct msg_slot slot = {.id = "00112233445566778899aabbccddeeff",
                            .chunk_bytes = MSG_CHUNK_BYTES};
    struct session_event ev = {.kind = SESSION_EV_SLOT, .tag = r->s.transfer.tag, .slot = &slot};
    step(r, &ev);
}

static void answer_receipt(struct rig *r, enum msg_verdict verdict)
{
    struct msg_receipt receipt = {.round = r->s.model_round,
                                  .payload = r->s.payload.hash,
                                  .verdict = verdict,
                                  .reason = "because"};
    struct session_event ev = {
        .kind = SESSION_EV_RECEIPT, .tag = r->s.transfer.tag, .receipt = &receipt};
    step(r, &ev);
}

static void answer_update(struct rig *r, uint64_t base)
{
    struct msg_update head = {
        .round = r->s.model_round, .base = model_of(base), .result = model_of(base + 1)};
    struct session_event ev = {
        .kind = SESSION_EV_UPDATE, .tag = r->s.transfer.tag, .update = &head};
    step(r, &ev);
}

static void end_applying(struct rig *r, uint64_t model)
{
    struct session_event ev = {
        .kind = SESSION_EV_APPLIED, .tag = r->s.work.tag, .applied = model_of(model)};
    step(r, &ev);
}

static void fail_it(struct rig *r, uint32_t tag, int status)
{
    struct session_event ev = {.kind = SESSION_EV_FAILED, .tag = tag};
    ev.failed.code = status ? OK : ERR_IO;
    ev.failed.status = status;
    ev.failed.why = "it is a test";
    step(r, &ev);
}

static void to_training(struct rig *r)
{
    init(r, 1);
    start(r);
    answer_round(r);
}

static void to_exchanging(struct rig *r)
{
    to_training(r);
    end_training(r, false);
    end_packing(r);
}

static void to_manifest(struct rig *r)
{
    to_exchanging(r);
    answer_slot(r);
    send(r, SESSION_EV_CHUNK, r->s.transfer.tag);
    send(r, SESSION_EV_CHUNK, r->s.transfer.tag);
}

static void to_waiting(struct rig *r)
{
    to_manifest(r);
    answer_receipt(r, MSG_ACCEPTED);
}

/* --- the way of one round ------------------------------------------------------------------------ */

static void session_joins_then_trains(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 1);
    start(&r);
    assert_non_null(find(&r, SESSION_DO_JOIN));
    assert_int_equal(r.s.state, SESSION_JOINING);
    answer_round(&r);
    const struct session_action *a = find(&r, SESSION_DO_TRAIN);
    assert_non_null(a);
    assert_int_equal(a->n_steps, 5);
    assert_int_equal(a->until_ms, r.now + 50000);
    assert_int_equal(r.s.state, SESSION_TRAINING);
}

static void session_trains_by_time_when_the_run_says_so(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 1);
    r.s.config.inner_steps = 0;
    r.round.inner_left_ms = 20000;
    start(&r);
    answer_round(&r);
    const struct session_action *a = find(&r, SESSION_DO_TRAIN);
    assert_non_null(a);
    assert_int_equal(a->n_steps, 9);
    assert_int_equal(a->until_ms, r.now + 20000);
}

static void session_polls_beside_training(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    r.now = r.s.poll_at_ms;
    send(&r, SESSION_EV_TICK, 0);
    assert_non_null(find(&r, SESSION_DO_POLL));
    assert_int_equal(r.s.state, SESSION_TRAINING);
    assert_string_equal(session_wire_state(&r.s), "training");
}

static void session_sends_reserve_chunks_manifest_in_order(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    end_training(&r, false);
    assert_non_null(find(&r, SESSION_DO_PACK));
    end_packing(&r);
    assert_non_null(find(&r, SESSION_DO_RESERVE));
    answer_slot(&r);
    assert_true(place(&r, SESSION_DO_NOTE) >= 0);
    assert_true(place(&r, SESSION_DO_NOTE) < place(&r, SESSION_DO_PUT_CHUNK));
    assert_int_equal(find(&r, SESSION_DO_PUT_CHUNK)->i_chunk, 0);
    send(&r, SESSION_EV_CHUNK, r.s.transfer.tag);
    assert_int_equal(find(&r, SESSION_DO_PUT_CHUNK)->i_chunk, 1);
    send(&r, SESSION_EV_CHUNK, r.s.transfer.tag);
    assert_int_equal(find(&r, SESSION_DO_MANIFEST)->created_at_ms, 5);
    answer_receipt(&r, MSG_ACCEPTED);
    assert_int_equal(r.s.state, SESSION_WAITING);
    assert_int_equal(r.s.n_accepted, 1);
    assert_int_equal(r.s.note.fate, SESSION_FATE_ACCEPTED);
    assert_non_null(find(&r, SESSION_DO_NOTE));
}

static void session_sends_only_the_chunks_that_are_missing(void **state)
{
    (void)state;
    struct rig r;
    to_exchanging(&r);
    struct msg_slot slot = {.id = "00112233445566778899aabbccddeeff", .have = {1}};
    struct session_event ev = {.kind = SESSION_EV_SLOT, .tag = r.s.transfer.tag, .slot = &slot};
    step(&r, &ev);
    assert_int_equal(find(&r, SESSION_DO_PUT_CHUNK)->i_chunk, 1);
}

static void session_applies_the_update_and_trains_the_next_round(void **state)
{
    (void)state;
    struct rig r;
    to_waiting(&r);
    set_round(&r, 1, MSG_ROUND_OPEN);
    poll(&r);
    assert_non_null(find(&r, SESSION_DO_FETCH_UPDATE));
    answer_update(&r, 0);
    assert_non_null(find(&r, SESSION_DO_APPLY));
    end_applying(&r, 1);
    assert_int_equal(r.s.model_round, 1);
    assert_true(r.s.is_agreed);
    assert_non_null(find(&r, SESSION_DO_TRAIN));
}

static void session_holds_the_final_model_when_the_run_has_ended(void **state)
{
    (void)state;
    struct rig r;
    to_waiting(&r);
    set_round(&r, 1, MSG_ROUND_ENDED);
    poll(&r);
    answer_update(&r, 0);
    end_applying(&r, 1);
    assert_int_equal(r.s.state, SESSION_ENDED);
    assert_true(r.s.is_agreed);
    poll(&r); /* the last validation may come after the end */
    assert_int_equal(r.s.state, SESSION_ENDED);
    assert_true(session_next_ms(&r.s) >= r.now + 5000);
}

/* --- wishes ---------------------------------------------------------------------------------------- */

static void session_pause_gates_at_once_and_resume_goes_on(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    intend(&r, INTENT_PAUSE);
    assert_true(find(&r, SESSION_DO_GATE)->is_long);
    assert_int_equal(r.s.state, SESSION_PAUSED);
    assert_string_equal(session_wire_state(&r.s), "paused");
    intend(&r, INTENT_RESUME);
    assert_false(find(&r, SESSION_DO_GATE)->is_long);
    assert_null(find(&r, SESSION_DO_TRAIN)); /* it was never ended */
    assert_int_equal(r.s.state, SESSION_TRAINING);
}

static void session_pause_drops_the_upload_and_resume_sends_the_same(void **state)
{
    (void)state;
    struct rig r;
    to_exchanging(&r);
    answer_slot(&r);
    uint32_t tag = r.s.transfer.tag;
    intend(&r, INTENT_PAUSE);
    assert_int_equal(find(&r, SESSION_DO_DROP)->tag, tag);
    send(&r, SESSION_EV_CHUNK, tag); /* too late: it was dropped */
    assert_int_equal(r.s.state, SESSION_PAUSED);
    intend(&r, INTENT_RESUME);
    assert_int_equal(find(&r, SESSION_DO_PUT_CHUNK)->i_chunk, 0);
}

static void session_finish_pauses_after_the_receipt(void **state)
{
    (void)state;
    struct rig r;
    to_manifest(&r);
    intend(&r, INTENT_FINISH);
    assert_int_equal(r.s.state, SESSION_EXCHANGING);
    answer_receipt(&r, MSG_ACCEPTED);
    assert_int_equal(r.s.state, SESSION_PAUSED);
    assert_true(r.s.is_paused);
    assert_false(r.s.is_finishing);
}

static void session_stop_ends_training_and_goes(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    intend(&r, INTENT_STOP);
    assert_int_equal(r.s.state, SESSION_LEAVING);
    const struct session_action *a = find(&r, SESSION_DO_STOP_WORK);
    assert_non_null(a);
    send(&r, SESSION_EV_STOPPED, a->tag);
    assert_int_equal(r.s.state, SESSION_GONE);
}

static void session_stop_does_not_wait_for_ever(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    intend(&r, INTENT_STOP);
    r.now += 11000;
    send(&r, SESSION_EV_TICK, 0);
    assert_int_equal(r.s.state, SESSION_GONE);
}

/* --- what goes wrong --------------------------------------------------------------------------------- */

static void session_joins_again_when_the_aggregator_forgot_it(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    r.now = r.s.poll_at_ms;
    send(&r, SESSION_EV_TICK, 0);
    fail_it(&r, r.s.presence.tag, 401);
    assert_non_null(find(&r, SESSION_DO_JOIN));
    assert_int_equal(r.s.state, SESSION_TRAINING);
}

static void session_keeps_training_when_polls_fail(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    for (int i = 0; i < 5; i++) {
        r.now = r.s.poll_at_ms;
        send(&r, SESSION_EV_TICK, 0);
        fail_it(&r, r.s.presence.tag, 0);
        assert_int_equal(r.s.state, SESSION_TRAINING);
        assert_true(r.s.poll_at_ms > r.now);
    }
}

static void session_waits_longer_after_each_failure_within_bounds(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 1);
    start(&r);
    int64_t longest = 0;
    for (int i = 0; i < 12; i++) {
        fail_it(&r, r.s.presence.tag, 0);
        assert_int_equal(r.s.state, SESSION_RETRYING);
        assert_string_equal(r.s.why, "it is a test");
        int64_t wait = r.s.poll_at_ms - r.now;
        assert_true(wait >= 750 && wait <= 37500);
        if (wait > longest) longest = wait;
        r.now = session_next_ms(&r.s);
        send(&r, SESSION_EV_TICK, 0);
    }
    assert_true(longest > 20000);
}

static void session_tries_the_next_address(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 2);
    start(&r);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(r.s.i_address, 0);
        fail_it(&r, r.s.presence.tag, 0);
        r.now = r.s.poll_at_ms;
        send(&r, SESSION_EV_TICK, 0);
    }
    assert_int_equal(find(&r, SESSION_DO_JOIN)->i_address, 1);
}

static void session_asks_again_when_no_answer_comes(void **state)
{
    (void)state;
    struct rig r;
    to_manifest(&r);
    uint32_t tag = r.s.transfer.tag;
    r.now = r.s.transfer.deadline_ms;
    send(&r, SESSION_EV_TICK, 0);
    assert_non_null(find(&r, SESSION_DO_DROP));
    r.now = r.s.retry_at_ms;
    send(&r, SESSION_EV_TICK, 0);
    const struct session_action *a = find(&r, SESSION_DO_MANIFEST);
    assert_non_null(a); /* the very same manifest */
    assert_int_equal(a->created_at_ms, 5);
    assert_true(a->tag != tag);
}

static void session_returns_a_refused_payload_once(void **state)
{
    (void)state;
    struct rig r;
    to_manifest(&r);
    answer_receipt(&r, MSG_REJECTED);
    assert_true(place(&r, SESSION_DO_NOTE) < place(&r, SESSION_DO_RETURN));
    assert_int_equal(r.s.state, SESSION_RETURNING);
    send(&r, SESSION_EV_RETURNED, r.s.work.tag);
    assert_int_equal(r.s.state, SESSION_WAITING);
    poll(&r);
    assert_null(find(&r, SESSION_DO_RETURN));
    assert_null(find(&r, SESSION_DO_TRAIN)); /* this round is over for us */
}

static void session_counts_another_verdict_of_the_round_as_refusal(void **state)
{
    (void)state;
    struct rig r;
    to_manifest(&r);
    struct msg_receipt receipt = {.round = 0, .payload = hash_of("q", 1), .verdict = MSG_ACCEPTED};
    struct session_event ev = {
        .kind = SESSION_EV_RECEIPT, .tag = r.s.transfer.tag, .receipt = &receipt};
    step(&r, &ev);
    assert_non_null(find(&r, SESSION_DO_RETURN));
    assert_int_equal(r.s.n_accepted, 0);
}

static void session_reserves_again_when_the_upload_is_unknown(void **state)
{
    (void)state;
    struct rig r;
    to_manifest(&r);
    fail_it(&r, r.s.transfer.tag, 404);
    assert_non_null(find(&r, SESSION_DO_RESERVE));
    assert_int_equal(r.s.fate, SESSION_FATE_UNSENT);
}

static void session_never_gives_up_an_upload_while_the_round_is_open(void **state)
{
    (void)state;
    struct rig r;
    to_exchanging(&r);
    for (int i = 0; i < 10;
         i++) { /* each time the host has forgotten the upload, or lost a chunk */
        if (r.s.retry_at_ms != SESSION_NONE) {
            r.now = r.s.retry_at_ms;
            send(&r, SESSION_EV_TICK, 0);
        }
        assert_int_equal(r.s.transfer.what, SESSION_DO_RESERVE);
        answer_slot(&r);
        fail_it(&r, r.s.transfer.tag, i % 2 ? 404 : 422);
        assert_null(find(&r, SESSION_DO_RETURN));
        assert_int_equal(r.s.fate, SESSION_FATE_UNSENT);
    }
    assert_true(r.s.retry_at_ms > r.now); /* but it slows down */
}

static void session_gives_the_payload_back_when_the_round_is_over(void **state)
{
    (void)state;
    struct rig r;
    to_exchanging(&r);
    fail_it(&r, r.s.transfer.tag, 409);
    assert_non_null(find(&r, SESSION_DO_RETURN));
}

static void session_halts_and_folds_when_the_round_has_passed(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    set_round(&r, 1, MSG_ROUND_OPEN);
    poll(&r);
    assert_non_null(find(&r, SESSION_DO_HALT));
    end_training(&r, true);
    assert_non_null(find(&r, SESSION_DO_FOLD));
    send(&r, SESSION_EV_RETURNED, r.s.work.tag);
    assert_non_null(find(&r, SESSION_DO_FETCH_UPDATE));
}

static void session_drops_a_phase_that_is_many_rounds_old(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    set_round(&r, SESSION_STALE_ROUNDS + 1, MSG_ROUND_OPEN);
    poll(&r);
    end_training(&r, true);
    assert_null(find(&r, SESSION_DO_FOLD));
    assert_non_null(find(&r, SESSION_DO_SAY));
    assert_non_null(find(&r, SESSION_DO_FETCH_UPDATE));
}

static void session_fetches_a_checkpoint_when_the_hash_differs(void **state)
{
    (void)state;
    struct rig r;
    to_waiting(&r);
    set_round(&r, 1, MSG_ROUND_OPEN);
    poll(&r);
    r.s.round.checkpoint_round = 1;
    answer_update(&r, 0);
    end_applying(&r, 77); /* not what was signed */
    assert_true(find(&r, SESSION_DO_SAY)->is_long);
    assert_int_equal(find(&r, SESSION_DO_FETCH_CHECKPOINT)->round, 1);
    send(&r, SESSION_EV_CHECKPOINT, r.s.transfer.tag);
    assert_non_null(find(&r, SESSION_DO_LOAD));
    end_applying(&r, 1);
    assert_true(r.s.is_agreed);
    assert_int_equal(r.s.model_round, 1);
    assert_non_null(find(&r, SESSION_DO_TRAIN));
}

static void session_goes_by_checkpoint_when_updates_are_gone(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 1);
    set_round(&r, 9, MSG_ROUND_OPEN);
    r.round.oldest_update_round = 6;
    r.round.checkpoint_round = 8;
    start(&r);
    answer_round(&r);
    assert_int_equal(find(&r, SESSION_DO_FETCH_CHECKPOINT)->round, 8);
    send(&r, SESSION_EV_CHECKPOINT, r.s.transfer.tag);
    end_applying(&r, 8);
    assert_int_equal(find(&r, SESSION_DO_FETCH_UPDATE)->round, 8);
}

static void session_goes_back_with_an_aggregator_that_went_back(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 1);
    struct session_saved v = {.model_round = 5, .base = model_of(5)};
    session_restore(&r.s, &v);
    set_round(&r, 3, MSG_ROUND_OPEN);
    r.round.checkpoint_round = 2;
    start(&r);
    answer_round(&r);
    assert_int_equal(find(&r, SESSION_DO_FETCH_CHECKPOINT)->round, 2);
}

static void session_retries_when_the_disk_is_full(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    end_training(&r, false);
    struct session_event ev = {.kind = SESSION_EV_WORK_FAILED, .tag = r.s.work.tag};
    ev.failed.code = ERR_IO;
    ev.failed.why = "no space left";
    step(&r, &ev);
    assert_true(find(&r, SESSION_DO_SAY)->is_long);
    assert_int_equal(r.s.state, SESSION_RETRYING);
    r.now = r.s.retry_at_ms;
    send(&r, SESSION_EV_TICK, 0);
    assert_non_null(find(&r, SESSION_DO_PACK));
}

static void session_trains_once_more_when_the_round_is_still_open(void **state)
{
    (void)state;
    struct rig r;
    to_exchanging(&r);
    fail_it(&r, r.s.transfer.tag, 409); /* no verdict: the round was about to close, then was not */
    send(&r, SESSION_EV_RETURNED, r.s.work.tag);
    assert_non_null(find(&r, SESSION_DO_TRAIN));
    assert_int_equal(r.s.phase.n_steps, 0);
}

/* --- restarts ------------------------------------------------------------------------------------- */

static struct session_saved saved_payload(enum session_fate fate, const char *id)
{
    struct session_saved v = {
        .base = model_of(0),
        .has_payload = true,
        .phase = {.n_steps = 5,  .n_tokens = 500},
        .payload = { .hash = hash_of("p", 1),   .n_bytes = 9, .n_chunks = 1}
    };
    v.note.payload = v.payload.hash;
    v.note.fate = fate;
    snprintf(v.note.id, sizeof v.note.id, "%s", id);
    return v;
}

static void session_asks_for_the_verdict_after_a_restart(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 1);
    struct session_saved v = saved_payload(SESSION_FATE_UNSENT, "00ff");
    session_restore(&r.s, &v);
    set_round(&r, 1, MSG_ROUND_OPEN); /* the round went by meanwhile */
    start(&r);
    answer_round(&r);
    assert_string_equal(find(&r, SESSION_DO_MANIFEST)->id, "00ff");
    answer_receipt(&r, MSG_ACCEPTED);
    assert_null(find(&r, SESSION_DO_RETURN));
    assert_non_null(find(&r, SESSION_DO_FETCH_UPDATE));
}

static void session_sends_the_same_payload_after_a_restart(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 1);
    struct session_saved v = saved_payload(SESSION_FATE_UNSENT, "");
    session_restore(&r.s, &v);
    start(&r);
    answer_round(&r);
    assert_null(find(&r, SESSION_DO_TRAIN));
    assert_non_null(find(&r, SESSION_DO_RESERVE));
}

static void session_does_not_send_what_was_accepted_before_a_restart(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 1);
    struct session_saved v = saved_payload(SESSION_FATE_ACCEPTED, "00ff");
    session_restore(&r.s, &v);
    start(&r);
    answer_round(&r);
    assert_int_equal(r.s.state, SESSION_WAITING);
    assert_null(find(&r, SESSION_DO_RESERVE));
}

static void session_returns_what_was_refused_before_a_restart(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 1);
    struct session_saved v = saved_payload(SESSION_FATE_REFUSED, "00ff");
    session_restore(&r.s, &v);
    start(&r);
    assert_non_null(find(&r, SESSION_DO_RETURN));
}

static void session_ignores_a_note_of_another_payload(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 1);
    struct session_saved v = saved_payload(SESSION_FATE_ACCEPTED, "00ff");
    v.note.payload = hash_of("older", 5);
    session_restore(&r.s, &v);
    assert_int_equal(r.s.fate, SESSION_FATE_UNSENT);
    assert_string_equal(r.s.note.id, "");
}

static void session_stays_paused_over_a_restart(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 1);
    struct session_saved v = {.base = model_of(0), .is_paused = true};
    session_restore(&r.s, &v);
    start(&r);
    assert_true(find(&r, SESSION_DO_GATE)->is_long);
    answer_round(&r);
    assert_int_equal(r.s.state, SESSION_PAUSED);
    assert_null(find(&r, SESSION_DO_TRAIN));
}

/* --- every state, every event ----------------------------------------------------------------------- */

static void reach(struct rig *r, enum session_state want)
{
    switch (want) {
    case SESSION_IDLE: init(r, 1); break;
    case SESSION_JOINING:
        init(r, 1);
        start(r);
        break;
    case SESSION_TRAINING: to_training(r); break;
    case SESSION_PACKING:
        to_training(r);
        end_training(r, false);
        break;
    case SESSION_EXCHANGING: to_exchanging(r); break;
    case SESSION_RETURNING:
        to_manifest(r);
        answer_receipt(r, MSG_LATE);
        break;
    case SESSION_WAITING: to_waiting(r); break;
    case SESSION_FETCHING:
        to_waiting(r);
        set_round(r, 1, MSG_ROUND_OPEN);
        poll(r);
        break;
    case SESSION_APPLYING:
        reach(r, SESSION_FETCHING);
        answer_update(r, 0);
        break;
    case SESSION_PAUSED:
        to_training(r);
        intend(r, INTENT_PAUSE);
        break;
    case SESSION_RETRYING:
        to_exchanging(r);
        fail_it(r, r->s.transfer.tag, 503);
        break;
    case SESSION_ENDED:
        to_waiting(r);
        set_round(r, 0, MSG_ROUND_ENDED);
        poll(r);
        break;
    case SESSION_LEAVING:
        to_training(r);
        intend(r, INTENT_LEAVE);
        break;
    case SESSION_GONE:
        to_training(r);
        intend(r, INTENT_STOP);
        send(r, SESSION_EV_STOPPED, r->s.work.tag);
        break;
    case SESSION_STATE_COUNT: break;
    }
}

static void session_ignores_answers_that_nobody_waits_for(void **state)
{
    (void)state;
    struct msg_round round = {.round = 99, .state = MSG_ROUND_OPEN};
    struct msg_slot slot = {.id = "aa"};
    struct msg_receipt receipt = {.verdict = MSG_ACCEPTED};
    struct msg_update update = {.round = 99};
    for (int s = 0; s < SESSION_STATE_COUNT; s++) {
        for (int k = SESSION_EV_ROUND; k < SESSION_EVENT_COUNT; k++) {
            struct rig r;
            reach(&r, (enum session_state)s);
            assert_int_equal(r.s.state, s);
            struct session before = r.s;
            struct session_event ev = {.kind = (enum session_event_kind)k,
                                       .tag = 0xdead,
                                       .round = &round,
                                       .slot = &slot,
                                       .receipt = &receipt,
                                       .update = &update};
            ev.failed.why = "";
            session_step(&r.s, &ev, r.now, &r.out);
            assert_int_equal(r.s.state, s);
            assert_int_equal(r.s.model_round, before.model_round);
            assert_int_equal(r.s.n_accepted, before.n_accepted);
            assert_int_equal(r.s.fate, before.fate);
        }
    }
}

static void session_goes_to_leaving_from_every_state(void **state)
{
    (void)state;
    for (int s = SESSION_JOINING; s < SESSION_LEAVING; s++) {
        struct rig r;
        reach(&r, (enum session_state)s);
        intend(&r, INTENT_STOP);
        assert_int_equal(r.s.state, SESSION_LEAVING);
        assert_non_null(find(&r, SESSION_DO_STOP_WORK));
    }
}

static void session_comes_back_from_a_pause_in_every_state(void **state)
{
    (void)state;
    for (int s = SESSION_JOINING; s < SESSION_LEAVING; s++) {
        struct rig r;
        reach(&r, (enum session_state)s);
        intend(&r, INTENT_PAUSE);
        assert_int_equal(r.s.state, SESSION_PAUSED);
        intend(&r, INTENT_RESUME);
        if (s != SESSION_PAUSED) assert_int_equal(r.s.state, s);
        assert_false(r.s.is_gated);
    }
}

static void session_never_waits_without_a_time_out(void **state)
{
    (void)state;
    for (int s = SESSION_JOINING; s < SESSION_GONE; s++) {
        struct rig r;
        reach(&r, (enum session_state)s);
        assert_true(session_next_ms(&r.s) != SESSION_NONE);
    }
}

static void session_names_every_state(void **state)
{
    (void)state;
    for (int s = 0; s < SESSION_STATE_COUNT; s++)
        assert_string_not_equal(session_state_name((enum session_state)s), "unknown");
    assert_string_equal(session_state_name(SESSION_STATE_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_joins_then_trains),
        cmocka_unit_test(session_trains_by_time_when_the_run_says_so),
        cmocka_unit_test(session_polls_beside_training),
        cmocka_unit_test(session_sends_reserve_chunks_manifest_in_order),
        cmocka_unit_test(session_sends_only_the_chunks_that_are_missing),
        cmocka_unit_test(session_applies_the_update_and_trains_the_next_round),
        cmocka_unit_test(session_holds_the_final_model_when_the_run_has_ended),
        cmocka_unit_test(session_pause_gates_at_once_and_resume_goes_on),
        cmocka_unit_test(session_pause_drops_the_upload_and_resume_sends_the_same),
        cmocka_unit_test(session_finish_pauses_after_the_receipt),
        cmocka_unit_test(session_stop_ends_training_and_goes),
        cmocka_unit_test(session_stop_does_not_wait_for_ever),
        cmocka_unit_test(session_joins_again_when_the_aggregator_forgot_it),
        cmocka_unit_test(session_keeps_training_when_polls_fail),
        cmocka_unit_test(session_waits_longer_after_each_failure_within_bounds),
        cmocka_unit_test(session_tries_the_next_address),
        cmocka_unit_test(session_asks_again_when_no_answer_comes),
        cmocka_unit_test(session_returns_a_refused_payload_once),
        cmocka_unit_test(session_counts_another_verdict_of_the_round_as_refusal),
        cmocka_unit_test(session_reserves_again_when_the_upload_is_unknown),
        cmocka_unit_test(session_never_gives_up_an_upload_while_the_round_is_open),
        cmocka_unit_test(session_gives_the_payload_back_when_the_round_is_over),
        cmocka_unit_test(session_halts_and_folds_when_the_round_has_passed),
        cmocka_unit_test(session_drops_a_phase_that_is_many_rounds_old),
        cmocka_unit_test(session_fetches_a_checkpoint_when_the_hash_differs),
        cmocka_unit_test(session_goes_by_checkpoint_when_updates_are_gone),
        cmocka_unit_test(session_goes_back_with_an_aggregator_that_went_back),
        cmocka_unit_test(session_retries_when_the_disk_is_full),
        cmocka_unit_test(session_trains_once_more_when_the_round_is_still_open),
        cmocka_unit_test(session_asks_for_the_verdict_after_a_restart),
        cmocka_unit_test(session_sends_the_same_payload_after_a_restart),
        cmocka_unit_test(session_does_not_send_what_was_accepted_before_a_restart),
        cmocka_unit_test(session_returns_what_was_refused_before_a_restart),
        cmocka_unit_test(session_ignores_a_note_of_another_payload),
        cmocka_unit_test(session_stays_paused_over_a_restart),
        cmocka_unit_test(session_ignores_answers_that_nobody_waits_for),
        cmocka_unit_test(session_goes_to_leaving_from_every_state),
        cmocka_unit_test(session_comes_back_from_a_pause_in_every_state),
        cmocka_unit_test(session_never_waits_without_a_time_out),
        cmocka_unit_test(session_names_every_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
