#include "tests/unit/sessionrig.h"

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
    r.s.terms.inner_steps = 0;
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

static void session_stop_does_not_wait_for_ever_while_paused(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    intend(&r, INTENT_PAUSE);
    intend(&r, INTENT_STOP);
    assert_int_equal(r.s.state, SESSION_LEAVING);
    assert_true(session_next_ms(&r.s) != SESSION_NONE);
    assert_true(session_next_ms(&r.s) <= r.now + 10000);
    r.now = session_next_ms(&r.s);
    send(&r, SESSION_EV_TICK, 0);
    assert_int_equal(r.s.state, SESSION_GONE);
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
    case SESSION_DISTRUST:
        to_training(r);
        send(r, SESSION_EV_REWRITTEN, r->s.record.tag);
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
        assert_int_equal(r.s.state, s == SESSION_DISTRUST ? s : SESSION_PAUSED);
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
        if (s == SESSION_DISTRUST) end_training(&r, true); /* then only the person can go on */
        assert_int_equal(session_next_ms(&r.s) == SESSION_NONE, s == SESSION_DISTRUST);
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
        cmocka_unit_test(session_stop_does_not_wait_for_ever_while_paused),
        cmocka_unit_test(session_ignores_answers_that_nobody_waits_for),
        cmocka_unit_test(session_goes_to_leaving_from_every_state),
        cmocka_unit_test(session_comes_back_from_a_pause_in_every_state),
        cmocka_unit_test(session_never_waits_without_a_time_out),
        cmocka_unit_test(session_names_every_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
