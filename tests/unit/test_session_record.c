#include "tests/unit/sessionrig.h"

/* What the session makes of the host's record. */

static void tell_rewritten(struct rig *r)
{
    struct session_event ev = {.kind = SESSION_EV_REWRITTEN, .tag = r->s.record.tag};
    ev.failed.code = ERR_AUTH;
    ev.failed.why = "the host has rewritten the run's history; evidence is in /e";
    step(r, &ev);
}

static void the_record_is_checked_at_the_start_and_beside_everything(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 1);
    start(&r);
    const struct session_action *a = find(&r, SESSION_DO_CHECK_RECORD);
    assert_non_null(a);
    assert_int_equal(a->round, 0);
    assert_non_null(find(&r, SESSION_DO_JOIN));
    answer_round(&r);
    assert_int_equal(r.s.state, SESSION_TRAINING); /* the answer is not waited for */
    send(&r, SESSION_EV_RECORD, r.s.record.tag);
    assert_int_equal(r.s.record.tag, 0);
    assert_false(r.s.is_record_due);
}

static void the_record_is_checked_after_each_update(void **state)
{
    (void)state;
    struct rig r;
    to_waiting(&r);
    send(&r, SESSION_EV_RECORD, r.s.record.tag);
    set_round(&r, 1, MSG_ROUND_OPEN);
    poll(&r);
    answer_update(&r, 0);
    assert_null(find(&r, SESSION_DO_CHECK_RECORD));
    end_applying(&r, 1);
    assert_int_equal(find(&r, SESSION_DO_CHECK_RECORD)->round, 1);
}

/* An update that comes while the record is being looked at is not forgotten. */
static void an_update_during_a_check_brings_another(void **state)
{
    (void)state;
    struct rig r;
    to_waiting(&r);
    set_round(&r, 1, MSG_ROUND_OPEN);
    poll(&r);
    answer_update(&r, 0);
    uint32_t tag = r.s.record.tag;
    end_applying(&r, 1);
    assert_null(find(&r, SESSION_DO_CHECK_RECORD));
    send(&r, SESSION_EV_RECORD, tag);
    assert_int_equal(find(&r, SESSION_DO_CHECK_RECORD)->round, 1);
}

static void a_host_that_cannot_be_asked_is_asked_again_and_never_in_the_way(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    uint32_t n_loud = 0;
    for (int i = 0; i < 4; i++) { /* within the time that a poll may take */
        assert_int_not_equal(r.s.record.tag, 0);
        fail_it(&r, r.s.record.tag, i % 2 ? 503 : 0);
        const struct session_action *a = find(&r, SESSION_DO_SAY);
        n_loud += a && a->is_long;
        assert_int_equal(r.s.state, SESSION_TRAINING);
        assert_int_equal(r.s.n_failures, 0);
        assert_true(session_next_ms(&r.s) <= r.s.record_at_ms);
        r.now = r.s.record_at_ms;
        send(&r, SESSION_EV_TICK, 0);
        assert_non_null(find(&r, SESSION_DO_CHECK_RECORD));
    }
    assert_int_equal(n_loud, 1);
}

static void play_a_round(struct rig *r, uint64_t round)
{
    set_round(r, round, MSG_ROUND_OPEN);
    poll(r);
    answer_update(r, round - 1);
    end_applying(r, round);
    end_training(r, false);
    end_packing(r);
    answer_slot(r);
    send(r, SESSION_EV_CHUNK, r->s.transfer.tag);
    send(r, SESSION_EV_CHUNK, r->s.transfer.tag);
    answer_receipt(r, MSG_ACCEPTED);
    assert_int_equal(r->s.state, SESSION_WAITING);
}

/* Fails the check that is under way; was there a loud word about the record? */
static bool hide(struct rig *r)
{
    fail_it(r, r->s.record.tag, 503);
    const struct session_action *a = find(r, SESSION_DO_SAY);
    return a && a->is_long && strstr(a->text, "record");
}

static void a_host_that_hides_its_record_is_spoken_of_once_and_asked_seldom(void **state)
{
    (void)state;
    struct rig r;
    uint32_t n_loud = 0;
    int64_t pause = 0;
    to_waiting(&r);
    for (int i = 0; i < 12; i++) {
        n_loud += hide(&r);
        pause = r.s.record_at_ms - r.now;
        if (i >= 3) assert_true(pause >= 22500); /* 30 s, then longer */
        assert_true(pause <= 600000);
        r.now = r.s.record_at_ms;
        send(&r, SESSION_EV_TICK, 0);
    }
    assert_true(pause >= 450000);
    n_loud += hide(&r);
    for (uint64_t round = 1; round < 4; round++) {
        int64_t at = r.s.record_at_ms;
        play_a_round(&r, round); /* a new round is no reason to ask at once */
        if (r.s.record.tag == 0) assert_int_equal(r.s.record_at_ms, at);
    }
    assert_int_equal(n_loud, 1);
}

static void a_record_that_is_shown_again_is_told_and_asked_for_as_before(void **state)
{
    (void)state;
    struct rig r;
    to_waiting(&r);
    for (int i = 0; i < 4; i++) {
        hide(&r);
        r.now = r.s.record_at_ms;
        send(&r, SESSION_EV_TICK, 0);
    }
    send(&r, SESSION_EV_RECORD, r.s.record.tag);
    const struct session_action *a = find(&r, SESSION_DO_SAY);
    assert_non_null(a);
    assert_non_null(strstr(a->text, "checked again"));
    play_a_round(&r, 1);
    assert_int_not_equal(r.s.record.tag, 0);
    assert_false(hide(&r));
    assert_true(r.s.record_at_ms - r.now < 5000);
}

static void a_check_without_an_answer_ends_in_time(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    uint32_t tag = r.s.record.tag;
    assert_true(session_next_ms(&r.s) <= r.s.record.deadline_ms);
    r.now = r.s.record.deadline_ms;
    send(&r, SESSION_EV_TICK, 0);
    assert_int_not_equal(place(&r, SESSION_DO_DROP), -1);
    assert_int_not_equal(r.s.record.tag, tag);
    assert_true(r.s.is_record_due);
}

static void a_rewritten_history_stops_training_and_every_request(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    uint32_t presence = 0;
    r.now = r.s.poll_at_ms;
    send(&r, SESSION_EV_TICK, 0);
    presence = r.s.presence.tag;
    assert_int_not_equal(presence, 0);
    tell_rewritten(&r);
    assert_int_equal(r.s.state, SESSION_DISTRUST);
    assert_string_equal(r.s.why, "the host has rewritten the run's history; evidence is in /e");
    assert_true(find(&r, SESSION_DO_SAY)->is_long);
    assert_int_equal(find(&r, SESSION_DO_DROP)->tag, presence);
    assert_non_null(find(&r, SESSION_DO_HALT));
    end_training(&r, true);
    assert_int_equal(r.out.n, 0);
    for (int i = 0; i < 5; i++) {
        r.now += 600000;
        send(&r, SESSION_EV_TICK, 0);
        assert_int_equal(r.out.n, 0);
        assert_int_equal(r.s.state, SESSION_DISTRUST);
    }
    assert_int_equal(session_next_ms(&r.s), SESSION_NONE);
}

static void a_rewritten_history_stops_an_upload(void **state)
{
    (void)state;
    struct rig r;
    to_exchanging(&r);
    answer_slot(&r);
    uint32_t tag = r.s.transfer.tag;
    tell_rewritten(&r);
    assert_int_equal(r.s.state, SESSION_DISTRUST);
    assert_int_equal(find(&r, SESSION_DO_DROP)->tag, tag);
    send(&r, SESSION_EV_CHUNK, tag);
    assert_int_equal(r.out.n, 0);
    assert_int_equal(r.s.fate, SESSION_FATE_UNSENT); /* kept, for whoever is trusted again */
}

static void pause_and_resume_do_not_bring_trust_back_but_leaving_works(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    intend(&r, INTENT_PAUSE);
    tell_rewritten(&r);
    assert_int_equal(r.s.state, SESSION_DISTRUST);
    assert_false(find(&r, SESSION_DO_GATE)->is_long); /* or the order could never end */
    intend(&r, INTENT_RESUME);
    intend(&r, INTENT_PAUSE);
    assert_int_equal(r.out.n, 0);
    assert_int_equal(r.s.state, SESSION_DISTRUST);
    intend(&r, INTENT_LEAVE);
    assert_int_equal(r.s.state, SESSION_LEAVING);
    send(&r, SESSION_EV_STOPPED, r.s.work.tag);
    assert_int_equal(r.s.state, SESSION_GONE);
}

static void leaving_drops_a_check(void **state)
{
    (void)state;
    struct rig r;
    to_training(&r);
    uint32_t tag = r.s.record.tag;
    intend(&r, INTENT_STOP);
    bool is_dropped = false;
    for (uint32_t i = 0; i < r.out.n; i++)
        is_dropped |= r.out.a[i].what == SESSION_DO_DROP && r.out.a[i].tag == tag;
    assert_true(is_dropped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_record_is_checked_at_the_start_and_beside_everything),
        cmocka_unit_test(the_record_is_checked_after_each_update),
        cmocka_unit_test(an_update_during_a_check_brings_another),
        cmocka_unit_test(a_host_that_cannot_be_asked_is_asked_again_and_never_in_the_way),
        cmocka_unit_test(a_host_that_hides_its_record_is_spoken_of_once_and_asked_seldom),
        cmocka_unit_test(a_record_that_is_shown_again_is_told_and_asked_for_as_before),
        cmocka_unit_test(a_check_without_an_answer_ends_in_time),
        cmocka_unit_test(a_rewritten_history_stops_training_and_every_request),
        cmocka_unit_test(a_rewritten_history_stops_an_upload),
        cmocka_unit_test(pause_and_resume_do_not_bring_trust_back_but_leaving_works),
        cmocka_unit_test(leaving_drops_a_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
