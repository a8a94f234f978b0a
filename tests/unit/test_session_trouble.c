#include "tests/unit/sessionrig.h"

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
    int64_t lost = 0; /* the longest that an aggregator back within a minute is not noticed */
    for (int i = 0; i < 20; i++) {
        fail_it(&r, r.s.presence.tag, 0);
        assert_int_equal(r.s.state, SESSION_RETRYING);
        assert_string_equal(r.s.why, "it is a test");
        int64_t wait = r.s.poll_at_ms - r.now;
        assert_true(wait >= 750 && wait <= 37500);
        if (wait > longest) longest = wait;
        if (i < 12 && wait > lost) lost = wait;
        r.now = session_next_ms(&r.s);
        send(&r, SESSION_EV_TICK, 0);
    }
    assert_true(longest > 20000);
    assert_true(lost <= 6250);
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

static void refuse_presence(struct rig *r, int status)
{
    struct session_event ev = {.kind = SESSION_EV_FAILED, .tag = r->s.presence.tag};
    ev.failed.status = status;
    ev.failed.why = "this run is private";
    step(r, &ev);
}

static void session_asks_a_closed_door_ever_more_seldom(void **state)
{
    struct rig r;
    int64_t minute = 60000, waits[] = {1, 2, 4, 8, 16, 32, 60, 60};
    (void)state;
    init(&r, 1);
    start(&r);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        refuse_presence(&r, 403);
        assert_int_equal(r.s.state, SESSION_RETRYING);
        assert_true(r.s.is_shut_out);
        assert_string_equal(r.s.why, "this run is private");
        assert_int_equal(r.s.poll_at_ms - r.now, waits[i] * minute);
        r.now = r.s.poll_at_ms - 20;
        send(&r, SESSION_EV_TICK, 0);
        assert_null(find(&r, SESSION_DO_JOIN)); /* not a moment sooner */
        r.now = r.s.poll_at_ms;
        send(&r, SESSION_EV_TICK, 0);
        assert_non_null(find(&r, SESSION_DO_JOIN));
    }
    answer_round(&r);
    assert_false(r.s.is_shut_out);
    assert_int_equal(r.s.n_refusals, 0);
    assert_int_equal(r.s.state, SESSION_TRAINING);
}

static void session_knocks_at_once_with_a_new_invite(void **state)
{
    struct rig r;
    (void)state;
    init(&r, 1);
    start(&r);
    intend(&r, INTENT_JOIN);
    assert_null(find(&r, SESSION_DO_JOIN)); /* one at a time */
    refuse_presence(&r, 403);
    assert_null(find(&r, SESSION_DO_JOIN));
    intend(&r, INTENT_JOIN);
    assert_non_null(find(&r, SESSION_DO_JOIN));
}

static void session_stops_work_for_a_run_that_shuts_it_out(void **state)
{
    struct rig r;
    (void)state;
    init(&r, 1);
    start(&r);
    answer_round(&r);
    assert_int_equal(r.s.state, SESSION_TRAINING);
    r.now = r.s.poll_at_ms;
    send(&r, SESSION_EV_TICK, 0);
    assert_non_null(find(&r, SESSION_DO_POLL));
    refuse_presence(&r, 403);
    assert_non_null(find(&r, SESSION_DO_HALT));
    end_training(&r, true);
    assert_int_equal(r.s.state, SESSION_RETRYING);
    assert_null(find(&r, SESSION_DO_TRAIN));
    r.now = r.s.poll_at_ms;
    send(&r, SESSION_EV_TICK, 0);
    assert_non_null(find(&r, SESSION_DO_JOIN)); /* a new session is asked for */
    answer_round(&r);
    assert_non_null(find(&r, SESSION_DO_TRAIN)); /* and the phase goes on */
    assert_int_equal(r.s.phase.n_steps, 5);
}

static void session_waits_as_long_as_a_busy_door_asks(void **state)
{
    struct rig r;
    (void)state;
    init(&r, 1);
    start(&r);
    struct session_event ev = {.kind = SESSION_EV_FAILED, .tag = r.s.presence.tag};
    ev.failed.status = 429;
    ev.failed.retry_after_ms = 55000;
    ev.failed.why = "many new keys came from your address";
    step(&r, &ev);
    assert_false(r.s.is_shut_out);
    assert_int_equal(r.s.poll_at_ms, r.now + 55000);
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

static void diverge(struct rig *r)
{
    struct session_event ev = {.kind = SESSION_EV_WORK_FAILED, .tag = r->s.work.tag};
    ev.failed.code = ERR_LIMIT;
    ev.failed.why = "training diverged";
    step(r, &ev);
}

static void session_waits_for_the_next_round_when_training_diverged(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    diverge(&r);
    assert_true(find(&r, SESSION_DO_SAY)->is_long);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(r.s.state, SESSION_WAITING);
        assert_true(r.s.has_diverged);
        assert_null(find(&r, SESSION_DO_TRAIN));
        poll(&r);
    }
    set_round(&r, 1, MSG_ROUND_OPEN);
    poll(&r);
    assert_null(find(&r, SESSION_DO_FOLD)); /* what diverged is worth nothing */
    answer_update(&r, 0);
    end_applying(&r, 1);
    assert_false(r.s.has_diverged);
    assert_non_null(find(&r, SESSION_DO_TRAIN));
}

static void a_chunk_that_moves_is_not_given_up(void **state)
{
    (void)state;
    struct rig r;
    to_exchanging(&r);
    answer_slot(&r);
    uint32_t tag = r.s.transfer.tag;
    for (int i = 0; i < 5; i++) {
        r.now += 50000;
        send(&r, SESSION_EV_PROGRESS, tag);
        r.s.presence.deadline_ms = r.now + 50000; /* polls are not looked at here */
        send(&r, SESSION_EV_TICK, 0);
        assert_int_equal(r.s.transfer.tag, tag);
    }
    send(&r, SESSION_EV_PROGRESS, tag + 77); /* of another request */
    r.now += 60000;
    send(&r, SESSION_EV_TICK, 0);
    assert_int_not_equal(r.s.transfer.tag, tag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chunk_that_moves_is_not_given_up),
        cmocka_unit_test(session_joins_again_when_the_aggregator_forgot_it),
        cmocka_unit_test(session_keeps_training_when_polls_fail),
        cmocka_unit_test(session_waits_longer_after_each_failure_within_bounds),
        cmocka_unit_test(session_tries_the_next_address),
        cmocka_unit_test(session_asks_again_when_no_answer_comes),
        cmocka_unit_test(session_asks_a_closed_door_ever_more_seldom),
        cmocka_unit_test(session_knocks_at_once_with_a_new_invite),
        cmocka_unit_test(session_stops_work_for_a_run_that_shuts_it_out),
        cmocka_unit_test(session_waits_as_long_as_a_busy_door_asks),
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
        cmocka_unit_test(session_waits_for_the_next_round_when_training_diverged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
