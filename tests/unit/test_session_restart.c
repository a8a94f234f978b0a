#include "tests/unit/sessionrig.h"

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

static void answer_checkpoint(struct rig *r)
{
    send(r, SESSION_EV_CHECKPOINT, r->s.transfer.tag);
}

static void to_empty(struct rig *r, uint64_t round)
{
    init(r, 1);
    struct hash nothing = {0};
    struct session_saved v = {.base = nothing, .is_empty = true};
    session_restore(&r->s, &v);
    set_round(r, round, MSG_ROUND_OPEN);
    start(r);
    answer_round(r);
}

/* A run that goes on from a model: nobody can make round 0's weights from a seed. */
static void session_without_weights_fetches_them_and_trains_round_0(void **state)
{
    (void)state;
    struct rig r;
    to_empty(&r, 0);
    const struct session_action *a = find(&r, SESSION_DO_FETCH_CHECKPOINT);
    assert_non_null(a);
    assert_int_equal(a->round, 0);
    assert_null(find(&r, SESSION_DO_TRAIN));
    assert_null(find(&r, SESSION_DO_SAY)); /* nothing is wrong with that */
    assert_int_equal(r.s.state, SESSION_FETCHING);
    assert_true(r.s.is_empty && !r.s.is_agreed);
    answer_checkpoint(&r);
    assert_non_null(find(&r, SESSION_DO_LOAD));
    assert_int_equal(r.s.state, SESSION_APPLYING);
    end_applying(&r, 0);
    assert_non_null(find(&r, SESSION_DO_TRAIN));
    assert_int_equal(r.s.model_round, 0);
    assert_true(r.s.is_agreed && !r.s.is_empty && !r.s.is_base_wrong);
    end_training(&r, false);
    assert_int_equal(r.s.state, SESSION_PACKING);
}

/* Cheap updates since round 0 are of no use to who has nothing to apply them to. */
static void session_without_weights_joins_late_by_checkpoint_and_updates(void **state)
{
    (void)state;
    struct rig r;
    to_empty(&r, 1); /* the checkpoint is round 0's, its update is on offer */
    assert_null(find(&r, SESSION_DO_FETCH_UPDATE));
    assert_int_equal(find(&r, SESSION_DO_FETCH_CHECKPOINT)->round, 0);
    answer_checkpoint(&r);
    end_applying(&r, 0);
    assert_int_equal(find(&r, SESSION_DO_FETCH_UPDATE)->round, 0);
    answer_update(&r, 0);
    end_applying(&r, 1);
    assert_non_null(find(&r, SESSION_DO_TRAIN));
    assert_int_equal(r.s.model_round, 1);
}

static void session_without_weights_tries_again_when_they_are_not_good(void **state)
{
    (void)state;
    struct rig r;
    to_empty(&r, 0);
    fail_it(&r, r.s.transfer.tag, 0);
    assert_int_equal(r.s.state, SESSION_RETRYING);
    r.now = r.s.retry_at_ms;
    send(&r, SESSION_EV_TICK, 0);
    assert_non_null(find(&r, SESSION_DO_FETCH_CHECKPOINT));
    answer_checkpoint(&r);
    struct session_event ev = {.kind = SESSION_EV_WORK_FAILED, .tag = r.s.work.tag};
    ev.failed.code = ERR_AUTH; /* not the weights that the run description names */
    ev.failed.why = "it is a test";
    step(&r, &ev);
    assert_true(r.s.is_empty);
    assert_null(find(&r, SESSION_DO_TRAIN));
    r.now = r.s.retry_at_ms;
    send(&r, SESSION_EV_TICK, 0);
    assert_non_null(find(&r, SESSION_DO_FETCH_CHECKPOINT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_asks_for_the_verdict_after_a_restart),
        cmocka_unit_test(session_sends_the_same_payload_after_a_restart),
        cmocka_unit_test(session_does_not_send_what_was_accepted_before_a_restart),
        cmocka_unit_test(session_returns_what_was_refused_before_a_restart),
        cmocka_unit_test(session_ignores_a_note_of_another_payload),
        cmocka_unit_test(session_stays_paused_over_a_restart),
        cmocka_unit_test(session_without_weights_fetches_them_and_trains_round_0),
        cmocka_unit_test(session_without_weights_joins_late_by_checkpoint_and_updates),
        cmocka_unit_test(session_without_weights_tries_again_when_they_are_not_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
