#include <math.h>
#include <stdio.h>
#include <string.h>

#include "client/explain.h"
#include "tests/check.h"

static struct session in_state(enum session_state state)
{
    struct session s = {.state = state, .model_round = 7, .terms = {.inner_steps = 30}};
    s.payload.n_chunks = 4;
    s.i_chunk = 1;
    s.has_round = true;
    s.round = (struct msg_round){.round = 8,
                                 .state = MSG_ROUND_OPEN,
                                 .left_ms = 40000,
                                 .n_contributors = 3,
                                 .n_received = 1};
    s.retry_at_ms = 5000;
    return s;
}

static struct explain_line explain(const struct session *s)
{
    struct explain_facts f = {
        .n_steps = 11, .n_planned = 30, .now_ms = 1000, .fetch_frac = (double)NAN};
    struct explain_line line;
    explain_session(s, &f, &line);
    return line;
}

static void explain_has_a_whole_sentence_for_every_state(void **state)
{
    (void)state;
    for (int i = 0; i < SESSION_STATE_COUNT; i++) {
        struct session s = in_state((enum session_state)i);
        struct explain_line line = explain(&s);
        assert_true(strlen(line.reason) > 5);
        assert_null(strchr(line.reason, '%'));
    }
}

static void explain_names_round_and_step(void **state)
{
    (void)state;
    struct session s = in_state(SESSION_TRAINING);
    struct explain_line line = explain(&s);
    assert_int_equal(line.state, VIEW_RUNNING);
    assert_string_equal(line.reason, "round 7, step 12 of 30");
    assert_string_equal(line.hint, "p: pause");
}

/* While the round lasts that began with it, and on the way there. */
static void explain_says_that_the_host_went_back(void **state)
{
    (void)state;
    struct session s = in_state(SESSION_TRAINING);
    s.has_back = true;
    s.back_next = 8;
    s.back_to = 3;
    snprintf(s.back_reason, sizeof s.back_reason, "the loss went up");
    struct explain_line line = explain(&s);
    assert_string_equal(line.reason,
                        "round 7, step 12 of 30; the host went back to round 3: the loss went up");
    s.model_round = 8;
    s.round.round = 9;
    line = explain(&s);
    assert_null(strstr(line.reason, "went back"));
}

static void explain_says_who_is_waited_for_and_how_long(void **state)
{
    (void)state;
    struct session s = in_state(SESSION_WAITING);
    s.fate = SESSION_FATE_ACCEPTED;
    s.round.n_contributors = 4;
    struct explain_line line = explain(&s);
    assert_string_equal(line.reason, "round 7 is done here; waiting for 3 others");
    assert_int_equal(line.ends_in_ms, 39000);
    s.round.n_received = 3;
    line = explain(&s);
    assert_string_equal(line.reason, "round 7 is done here; waiting for 1 other");
}

static void explain_names_no_number_that_is_old_or_zero(void **state)
{
    (void)state;
    struct session s = in_state(SESSION_WAITING);
    struct explain_line line;
    s.fate = SESSION_FATE_ACCEPTED;
    s.round.n_contributors = 2;
    s.round.n_received = 0; /* from before the own contribution was counted */
    line = explain(&s);
    assert_string_equal(line.reason, "round 7 is done here; waiting for the round to close");
    s.round.n_received = 2;
    line = explain(&s);
    assert_string_equal(line.reason, "round 7 is done here; waiting for the round to close");
    s.round.n_received = 1;
    s.round_at_ms = -60000;
    line = explain(&s);
    assert_string_equal(line.reason, "round 7 is done here; waiting for the round to close");
}

static void explain_tells_the_end_of_the_run_from_waiting(void **state)
{
    (void)state;
    struct session s = in_state(SESSION_ENDED);
    struct explain_line line = explain(&s);
    assert_int_equal(line.state, VIEW_DONE);
    assert_string_equal(line.reason,
                        "run ended after 7 rounds; this machine holds the final model");
}

static void explain_says_that_history_was_rewritten_and_where_to_look(void **state)
{
    (void)state;
    struct session s = in_state(SESSION_DISTRUST);
    snprintf(s.why, sizeof s.why, "the host has rewritten the run's history; evidence is in /e");
    struct explain_line line = explain(&s);
    assert_int_equal(line.state, VIEW_STOPPED);
    assert_string_equal(line.reason, s.why);
    assert_string_equal(line.hint, "potluck leave; see what.txt there");
    assert_int_equal(line.ends_in_ms, VIEW_NONE);
}

static void explain_tells_stopping_from_leaving(void **state)
{
    (void)state;
    struct session s = in_state(SESSION_LEAVING);
    s.ending = INTENT_STOP;
    struct explain_line line = explain(&s);
    assert_int_equal(line.state, VIEW_ENDING);
    assert_string_equal(line.reason, "saving, then the agent ends");
    s.ending = INTENT_LEAVE;
    line = explain(&s);
    assert_int_equal(line.state, VIEW_LEAVING);
}

static void explain_says_why_it_retries_and_when(void **state)
{
    (void)state;
    struct session s = in_state(SESSION_RETRYING);
    strcpy(s.why, "connection refused");
    struct explain_line line = explain(&s);
    assert_int_equal(line.state, VIEW_RETRYING);
    assert_string_equal(line.reason, "connection refused");
    assert_int_equal(line.ends_in_ms, 4000);
}

static void explain_says_who_is_not_let_in(void **state)
{
    (void)state;
    struct session s = {.state = SESSION_RETRYING,
                        .is_shut_out = true,
                        .retry_at_ms = 2000, /* of a transfer, which has to wait as well */
                        .poll_at_ms = 61000,
                        .why = "this run is private (ask the run's host for an invite link)"};
    struct explain_facts f = {.now_ms = 1000, .fetch_frac = (double)NAN};
    struct explain_line line;
    explain_session(&s, &f, &line);
    assert_int_equal(line.state, VIEW_RETRYING);
    assert_string_equal(line.reason,
                        "not let in: this run is private (ask the run's host for an invite link)");
    assert_int_equal(line.ends_in_ms, 60000);
}

static void explain_says_that_a_puzzle_is_solved(void **state)
{
    (void)state;
    struct explain_line line;
    explain_puzzle(&line);
    assert_int_equal(line.state, VIEW_JOINING);
    assert_non_null(strstr(line.reason, "puzzle"));
    assert_true(strlen(line.reason) < 80); /* one row of a small screen */
}

static void explain_says_that_training_diverged(void **state)
{
    (void)state;
    struct session s = in_state(SESSION_WAITING);
    s.is_round_done = true;
    s.has_diverged = true;
    struct explain_line line = explain(&s);
    assert_string_equal(line.reason, "training diverged in round 7; waiting for the next one");
}

static void explain_shows_a_wish_to_finish(void **state)
{
    (void)state;
    struct session s = in_state(SESSION_TRAINING);
    s.is_finishing = true;
    struct explain_line line = explain(&s);
    assert_int_equal(line.state, VIEW_FINISHING);
    assert_string_equal(line.reason, "round 7, then pause");
}

static void explain_tells_how_much_was_fetched(void **state)
{
    (void)state;
    struct session s = in_state(SESSION_FETCHING);
    struct explain_facts f = {.fetch_frac = 0.62};
    struct explain_line line;
    explain_session(&s, &f, &line);
    assert_string_equal(line.reason, "the model of round 8 is on its way (62%)");
}

static void explain_cuts_what_is_too_long(void **state)
{
    (void)state;
    struct session s = in_state(SESSION_RETRYING);
    memset(s.why, 'x', sizeof s.why - 1);
    struct explain_line line = explain(&s);
    assert_true(strlen(line.reason) < VIEW_LINE_CAP);
}

static void explain_passes_on_why_it_stopped(void **state)
{
    (void)state;
    struct err e = {0};
    err_set(&e, ERR_NOMEM, 0, "8 GB are needed");
    err_hint(&e, "close something");
    struct explain_line line;
    explain_stopped(&e, &line);
    assert_int_equal(line.state, VIEW_STOPPED);
    assert_string_equal(line.reason, "8 GB are needed (close something)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explain_has_a_whole_sentence_for_every_state),
        cmocka_unit_test(explain_names_round_and_step),
        cmocka_unit_test(explain_says_that_the_host_went_back),
        cmocka_unit_test(explain_says_who_is_waited_for_and_how_long),
        cmocka_unit_test(explain_names_no_number_that_is_old_or_zero),
        cmocka_unit_test(explain_tells_the_end_of_the_run_from_waiting),
        cmocka_unit_test(explain_says_that_history_was_rewritten_and_where_to_look),
        cmocka_unit_test(explain_tells_stopping_from_leaving),
        cmocka_unit_test(explain_says_why_it_retries_and_when),
        cmocka_unit_test(explain_says_who_is_not_let_in),
        cmocka_unit_test(explain_says_that_a_puzzle_is_solved),
        cmocka_unit_test(explain_says_that_training_diverged),
        cmocka_unit_test(explain_shows_a_wish_to_finish),
        cmocka_unit_test(explain_tells_how_much_was_fetched),
        cmocka_unit_test(explain_cuts_what_is_too_long),
        cmocka_unit_test(explain_passes_on_why_it_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
