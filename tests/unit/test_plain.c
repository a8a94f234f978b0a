#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tui/plain.h"

static struct view v;

static bool is_gone;

static const char *line(struct buf *b)
{
    buf_clear(b);
    plain_line(&v, is_gone, 1700000000000, b);
    return buf_str(b);
}

static void a_line_names_each_value(void **state)
{
    (void)state;
    struct buf b = {0};
    view_init(&v);
    v.state = VIEW_RUNNING;
    v.tok_per_s = 412;
    v.loss = 3.2143;
    v.round = 7;
    v.n_peers = 3;
    v.ends_at_ms = 1700000038000;
    v.credits_confirmed = 12400000;
    snprintf(v.reason, sizeof v.reason, "step 12 of 30");
    snprintf(v.run_name, sizeof v.run_name, "tiny");
    assert_string_equal(line(&b), "22:13 RUNNING: step 12 of 30, 38 s left; round 7; speed 412 "
                                  "tok/s; loss 3.214; earned 12.40; pending -; contributors 3\n");
    buf_deinit(&b);
}

static void without_a_run_or_an_agent_no_number_is_invented(void **state)
{
    (void)state;
    struct buf b = {0};
    view_init(&v);
    assert_string_equal(line(&b), "22:13 NO RUN\n");
    v.state = VIEW_NO_CONTACT;
    assert_string_equal(line(&b), "22:13 NO CONTACT: the agent does not answer; trying again\n");
    is_gone = true;
    assert_string_equal(line(&b),
                        "22:13 NO CONTACT: the agent has ended; `potluck` starts it again\n");
    is_gone = false;
    buf_deinit(&b);
}

static void a_pause_says_the_command_that_ends_it(void **state)
{
    (void)state;
    struct buf b = {0};
    view_init(&v);
    v.state = VIEW_PAUSED;
    snprintf(v.reason, sizeof v.reason, "by you");
    assert_string_equal(line(&b), "22:13 PAUSED: by you, until `potluck resume`\n");
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_names_each_value),
        cmocka_unit_test(a_pause_says_the_command_that_ends_it),
        cmocka_unit_test(without_a_run_or_an_agent_no_number_is_invented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
