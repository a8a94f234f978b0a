#include "tests/unit/sessionrig.h"

/* Steps of the next round while this one's contribution is on its way. */

#define AHEAD 2

static void end_ahead(struct rig *r, uint32_t n_steps, bool is_halted)
{
    struct session_event ev = {
        .kind = SESSION_EV_TRAINED,
        .tag = r->s.work.tag,
        .phase = {
                  .n_steps = n_steps, .n_tokens = 100 * n_steps, .loss = 3, .is_halted = is_halted}
    };
    step(r, &ev);
}

static void to_ahead(struct rig *r)
{
    init(r, 1);
    r->s.config.ahead_steps = AHEAD;
    start(r);
    answer_round(r);
    end_training(r, false);
    end_packing(r);
}

static void accept_it(struct rig *r)
{
    answer_slot(r);
    send(r, SESSION_EV_CHUNK, r->s.transfer.tag);
    send(r, SESSION_EV_CHUNK, r->s.transfer.tag);
    answer_receipt(r, MSG_ACCEPTED);
}

static void ahead_steps_begin_beside_the_upload(void **state)
{
    (void)state;
    struct rig r;
    to_ahead(&r);
    assert_non_null(find(&r, SESSION_DO_RESERVE));
    const struct session_action *a = find(&r, SESSION_DO_TRAIN);
    assert_non_null(a);
    assert_int_equal(a->round, 1);
    assert_int_equal(a->n_steps, AHEAD);
    assert_int_equal(a->until_ms, SESSION_NONE);
    assert_int_equal(r.s.state, SESSION_TRAINING);
    accept_it(&r); /* chunk by chunk, no order to the trainer in between */
    assert_int_equal(r.s.fate, SESSION_FATE_ACCEPTED);
    assert_int_equal(r.s.state, SESSION_TRAINING);
    assert_int_equal(r.s.phase.n_steps,
                     5); /* of the manifest: what was packed, not what came after */
    end_ahead(&r, AHEAD, false);
    assert_int_equal(r.s.state, SESSION_WAITING);
    assert_int_equal(r.s.ahead.n_steps, AHEAD);
    assert_int_equal(r.s.phase.n_steps, 5);
}

static void ahead_update_is_fetched_at_once_and_lands_after_the_last_step(void **state)
{
    (void)state;
    struct rig r;
    to_ahead(&r);
    accept_it(&r);
    set_round(&r, 1, MSG_ROUND_OPEN);
    poll(&r);
    assert_non_null(find(&r, SESSION_DO_FETCH_UPDATE));
    assert_null(find(&r, SESSION_DO_HALT));
    answer_update(&r, 0);
    assert_null(find(&r, SESSION_DO_APPLY));
    end_ahead(&r, AHEAD, false);
    assert_non_null(find(&r, SESSION_DO_APPLY));
    end_applying(&r, 1);
    const struct session_action *a = find(&r, SESSION_DO_TRAIN);
    assert_non_null(a);
    assert_int_equal(a->round, 1);
    assert_int_equal(a->n_steps, 5); /* in all, those ahead among them */
    assert_int_equal(r.s.phase.n_steps, AHEAD);
    assert_int_equal(r.s.ahead.n_steps, 0);
}

static void ahead_steps_go_on_when_the_network_does_not(void **state)
{
    (void)state;
    struct rig r;
    to_ahead(&r);
    fail_it(&r, r.s.transfer.tag, 0);
    assert_null(find(&r, SESSION_DO_HALT));
    assert_int_equal(r.s.state, SESSION_TRAINING);
    end_ahead(&r, AHEAD, false);
    assert_int_equal(r.s.state, SESSION_RETRYING);
}

static void ahead_refused_payload_ends_them_and_returns(void **state)
{
    (void)state;
    struct rig r;
    to_ahead(&r);
    answer_slot(&r);
    send(&r, SESSION_EV_CHUNK, r.s.transfer.tag);
    send(&r, SESSION_EV_CHUNK, r.s.transfer.tag);
    answer_receipt(&r, MSG_LATE);
    assert_non_null(find(&r, SESSION_DO_HALT));
    assert_null(find(&r, SESSION_DO_RETURN));
    end_ahead(&r, 1, true);
    assert_non_null(find(&r, SESSION_DO_RETURN));
    send(&r, SESSION_EV_RETURNED, r.s.work.tag);
    assert_int_equal(r.s.ahead.n_steps, 0); /* in the error feedback now */
    assert_null(find(&r, SESSION_DO_TRAIN));
    assert_int_equal(r.s.state, SESSION_WAITING);
}

static void ahead_is_not_taken_by_who_finishes_or_is_far_behind(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 1);
    r.s.config.ahead_steps = AHEAD;
    start(&r);
    answer_round(&r);
    intend(&r, INTENT_FINISH);
    end_training(&r, false);
    end_packing(&r);
    assert_null(find(&r, SESSION_DO_TRAIN));
    to_ahead(&r);
    accept_it(&r);
    end_ahead(&r, 1, true); /* say, a restart */
    set_round(&r, 3, MSG_ROUND_OPEN);
    poll(&r);
    assert_null(find(&r, SESSION_DO_TRAIN));
    assert_true(r.s.work.tag == 0 || r.s.is_halting);
}

static void ahead_ends_for_a_run_that_shuts_it_out(void **state)
{
    (void)state;
    struct rig r;
    to_ahead(&r);
    r.now = r.s.poll_at_ms;
    send(&r, SESSION_EV_TICK, 0);
    assert_non_null(find(&r, SESSION_DO_POLL));
    fail_it(&r, r.s.presence.tag, 403);
    assert_true(r.s.is_shut_out);
    assert_non_null(find(&r, SESSION_DO_HALT));
    end_ahead(&r, 1, true);
    assert_null(find(&r, SESSION_DO_TRAIN));
    assert_int_equal(r.s.ahead.n_steps, 1); /* kept, should it be let in again */
}

static void ahead_pause_holds_them_and_resume_goes_on(void **state)
{
    (void)state;
    struct rig r;
    to_ahead(&r);
    uint32_t tag = r.s.work.tag;
    intend(&r, INTENT_PAUSE);
    assert_true(find(&r, SESSION_DO_GATE)->is_long);
    assert_int_equal(r.s.state, SESSION_PAUSED);
    intend(&r, INTENT_RESUME);
    assert_int_equal(r.s.work.tag, tag);
    assert_int_equal(r.s.state, SESSION_TRAINING);
    assert_non_null(find(&r, SESSION_DO_RESERVE));
}

static void ahead_divergence_is_dropped_and_the_contribution_stays(void **state)
{
    (void)state;
    struct rig r;
    to_ahead(&r);
    struct session_event ev = {.kind = SESSION_EV_WORK_FAILED, .tag = r.s.work.tag};
    ev.failed.code = ERR_LIMIT;
    ev.failed.why = "training diverged";
    step(&r, &ev);
    assert_int_equal(r.s.fate, SESSION_FATE_UNSENT);
    assert_int_equal(r.s.phase.n_steps, 5);
    assert_null(find(&r, SESSION_DO_TRAIN));
    accept_it(&r);
    assert_int_equal(r.s.fate, SESSION_FATE_ACCEPTED);
}

static void ahead_is_taken_up_after_a_restart(void **state)
{
    (void)state;
    struct rig r;
    init(&r, 1);
    r.s.config.ahead_steps = AHEAD;
    struct session_saved v = {
        .base = model_of(0), .phase = {.n_steps = 5}, .ahead = {.n_steps = 1}, .has_payload = true};
    v.payload = (struct session_payload){hash_of("p", 1), PAYLOAD_BYTES, 2, 5};
    session_restore(&r.s, &v);
    start(&r);
    answer_round(&r);
    assert_non_null(find(&r, SESSION_DO_RESERVE));
    assert_int_equal(find(&r, SESSION_DO_TRAIN)->round, 1);
    assert_int_equal(r.s.ahead.n_steps, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ahead_steps_begin_beside_the_upload),
        cmocka_unit_test(ahead_update_is_fetched_at_once_and_lands_after_the_last_step),
        cmocka_unit_test(ahead_steps_go_on_when_the_network_does_not),
        cmocka_unit_test(ahead_refused_payload_ends_them_and_returns),
        cmocka_unit_test(ahead_is_not_taken_by_who_finishes_or_is_far_behind),
        cmocka_unit_test(ahead_ends_for_a_run_that_shuts_it_out),
        cmocka_unit_test(ahead_pause_holds_them_and_resume_goes_on),
        cmocka_unit_test(ahead_divergence_is_dropped_and_the_contribution_stays),
        cmocka_unit_test(ahead_is_taken_up_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
