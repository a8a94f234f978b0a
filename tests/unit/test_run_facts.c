#include <stdio.h>
#include <string.h>

#include "app/run_facts.h"
#include "tests/check.h"

#define STATUS                                                                                     \
    "{\"run\":\"%s\",\"rounds\":%d,\"contributors\":3,\"tokens\":500,\"has_val\":true,"            \
    "\"val_loss_first\":7.5,\"val_round_first\":0,\"val_loss_last\":%s,\"val_round_last\":8}"

static struct model_card card_of(uint64_t n_rounds)
{
    return (struct model_card){
        .has_run = true, .run = hash_of("run", 3), .has_round = true, .n_rounds = n_rounds};
}

static int read_status(struct model_card *c, const char *run, int rounds, const char *last)
{
    char json[500], hex[HASH_HEX];
    struct hash h = hash_of(run, strlen(run));
    snprintf(json, sizeof json, STATUS, hash_hex(&h, hex), rounds, last);
    return run_facts_read(json, strlen(json), c, NULL);
}

static void run_facts_fill_the_card_of_the_same_round(void **state)
{
    (void)state;
    struct model_card c = card_of(8);
    assert_int_equal(read_status(&c, "run", 8, "5.25"), OK);
    assert_int_equal(c.n_people, 3);
    assert_int_equal(c.n_tokens, 500);
    assert_int_equal(c.n_losses, 2);
    assert_true(c.loss[0] == 7.5 && c.loss[1] == 5.25);
    assert_int_equal(c.loss_round[1], 8);
}

static void run_facts_of_a_later_round_are_not_told_of_this_one(void **state)
{
    (void)state;
    struct model_card c = card_of(7);
    assert_int_equal(read_status(&c, "run", 8, "5.25"), OK);
    assert_int_equal(c.n_people, 0);
    assert_int_equal(c.n_tokens, 0);
    assert_int_equal(c.n_losses, 1);
    assert_true(c.loss[0] == 7.5);
}

static void run_facts_go_between_losses_that_are_known(void **state)
{
    (void)state;
    struct model_card c = card_of(9);
    c.n_losses = 2;
    c.loss_round[0] = 4;
    c.loss_round[1] = 9;
    assert_int_equal(read_status(&c, "run", 9, "5.25"), OK);
    assert_int_equal(c.n_losses, 4);
    static const uint64_t want[4] = {0, 4, 8, 9};
    assert_memory_equal(c.loss_round, want, sizeof want);
    assert_int_equal(read_status(&c, "run", 9, "5.25"), OK); /* twice is once */
    assert_int_equal(c.n_losses, 4);
}

static void run_facts_refuse_another_run_and_junk(void **state)
{
    (void)state;
    struct model_card c = card_of(8);
    struct err e = {0};
    assert_int_equal(read_status(&c, "other", 8, "5.25"), ERR_PROTO);
    assert_int_equal(run_facts_read("{}", 2, &c, &e), ERR_PROTO);
    assert_int_equal(run_facts_read("[", 1, &c, &e), ERR_PROTO);
    assert_int_equal(c.n_people, 0);
    assert_int_equal(c.n_losses, 0);
    assert_int_equal(read_status(&c, "run", 8, "null"), OK); /* not known is left out */
    assert_int_equal(c.n_losses, 1);
}

static void run_facts_of_nobody_are_an_error(void **state)
{
    (void)state;
    static struct rundesc run;
    struct buf b = {0};
    run.n_aggregators = 1;
    snprintf(run.aggregators[0].host, sizeof run.aggregators[0].host, "127.0.0.1");
    run.aggregators[0].port = 1;
    assert_int_not_equal(run_facts_ask(&run, &b, NULL), OK);
    assert_int_not_equal(run_facts_ask_home("/nonexistent", &b, NULL), OK);
    assert_int_equal(b.len, 0);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_facts_fill_the_card_of_the_same_round),
        cmocka_unit_test(run_facts_of_a_later_round_are_not_told_of_this_one),
        cmocka_unit_test(run_facts_go_between_losses_that_are_known),
        cmocka_unit_test(run_facts_refuse_another_run_and_junk),
        cmocka_unit_test(run_facts_of_nobody_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
