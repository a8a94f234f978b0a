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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_asks_for_the_verdict_after_a_restart),
        cmocka_unit_test(session_sends_the_same_payload_after_a_restart),
        cmocka_unit_test(session_does_not_send_what_was_accepted_before_a_restart),
        cmocka_unit_test(session_returns_what_was_refused_before_a_restart),
        cmocka_unit_test(session_ignores_a_note_of_another_payload),
        cmocka_unit_test(session_stays_paused_over_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
