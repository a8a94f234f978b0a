#include "record/audit_chain.h"
#include "tests/unit/auditrig.h"

/* The chain alone, told entries that nobody signed. */
struct chain {
    struct rundesc run;
    struct audit_chain c;
    struct audit_book b;
    struct audit_finding last;
    uint8_t seed[32];
};

static void note(const struct audit_finding *f, void *ctx)
{
    ((struct chain *)ctx)->last = *f;
}

static struct hash model(uint64_t round)
{
    return hash_of(&round, sizeof round);
}

static void tell(struct chain *x, struct entry m)
{
    m.run = x->run.id;
    m.index = x->c.n_entries;
    assert_int_equal(audit_chain_take(&x->c, &m, &x->b, NULL), OK);
}

static struct entry a_round(const struct chain *x, uint64_t round)
{
    struct entry m = {.kind = ENTRY_ROUND};
    struct hash next = entry_secret(x->seed, &x->run.id, round + 1);
    m.round = (struct entry_round){.round = round,
                                   .base = model(round),
                                   .result = model(round + 1),
                                   .update = model(round + 1000),
                                   .n_tokens = 1,
                                   .emission = 1000,
                                   .paid = 1000,
                                   .secret = entry_secret(x->seed, &x->run.id, round),
                                   .commit_next = entry_commit(&x->run.id, round + 1, &next),
                                   .first_seq = 3 * round + 1,
                                   .last_seq = 3 * round + 3};
    return m;
}

static int setup(void **state)
{
    struct chain *x = calloc(1, sizeof *x);
    assert_non_null(x);
    x->run.id = hash_of("run", 3);
    x->run.initial_model = model(0);
    x->run.reward_per_round = 1000;
    x->run.train.outer_lr = 1;
    x->run.merge_min_senders = 2;
    x->run.max_inner_steps = 8;
    x->b = (struct audit_book){.fn = note, .ctx = x};
    audit_chain_init(&x->c, &x->run);
    struct hash secret = entry_secret(x->seed, &x->run.id, 0);
    struct entry open = {.kind = ENTRY_OPEN};
    open.open =
        (struct entry_open){model(0), entry_commit(&x->run.id, 0, &secret), ENTRY_RETAIN_ALL};
    tell(x, open);
    tell(x, a_round(x, 0));
    tell(x, a_round(x, 1));
    assert_int_equal(audit_count(&x->b, AUDIT_WRONG), 0);
    assert_int_equal(x->b.n[AUDIT_SECRET][AUDIT_OK], 2);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct chain *x = *state;
    audit_chain_deinit(&x->c);
    free(x);
    return 0;
}

static void expect(struct chain *x, enum audit_item item, const char *words)
{
    print_message("# %s\n", x->last.what);
    assert_int_equal(audit_count(&x->b, AUDIT_WRONG), 1);
    assert_int_equal(x->b.n[item][AUDIT_WRONG], 1);
    assert_non_null(strstr(x->last.what, words));
}

static void a_round_is_left_out(void **state)
{
    struct chain *x = *state;
    tell(x, a_round(x, 3));
    expect(x, AUDIT_ENTRY, "entry 3 (round) leaves out a round");
}

static void a_round_begins_with_another_model(void **state)
{
    struct chain *x = *state;
    struct entry m = a_round(x, 2);
    m.round.base = model(77);
    tell(x, m);
    expect(x, AUDIT_ENTRY, "does not begin with the model");
}

static void receipts_are_left_out_or_repeated(void **state)
{
    struct chain *x = *state;
    struct entry m = a_round(x, 2);
    m.round.first_seq++;
    tell(x, m);
    expect(x, AUDIT_ENTRY, "leaves out receipts");
    m = a_round(x, 3);
    m.round.first_seq--;
    tell(x, m);
    assert_int_equal(x->b.n[AUDIT_ENTRY][AUDIT_WRONG], 2);
}

static void money_that_nobody_offered(void **state)
{
    struct chain *x = *state;
    struct entry m = a_round(x, 2);
    m.round.emission = m.round.paid = 2000;
    tell(x, m);
    expect(x, AUDIT_ENTRY, "offers another reward");
    m = a_round(x, 3);
    m.round.paid = 999;
    tell(x, m);
    assert_non_null(strstr(x->last.what, "does not pay out exactly"));
}

static void a_round_of_nobody_pays_nothing(void **state)
{
    struct chain *x = *state;
    struct entry m = a_round(x, 2);
    m.round.n_tokens = 0;
    m.round.paid = 0;
    tell(x, m);
    assert_int_equal(audit_count(&x->b, AUDIT_WRONG), 0);
}

static void another_secret_than_was_committed_to(void **state)
{
    struct chain *x = *state;
    struct entry m = a_round(x, 2);
    m.round.secret.b[5] ^= 1;
    tell(x, m);
    expect(x, AUDIT_SECRET, "the secret of round 2");
}

static void a_change_holds_from_its_round_on(void **state)
{
    struct chain *x = *state;
    struct entry m = {.kind = ENTRY_CHANGE};
    m.change.from_round = 3;
    m.change.has[ENTRY_F_REWARD_PER_ROUND] = m.change.has[ENTRY_F_OUTER_LR] = true;
    m.change.value[ENTRY_F_REWARD_PER_ROUND] = 500;
    m.change.value[ENTRY_F_OUTER_LR] = 0.5;
    tell(x, m);
    tell(x, a_round(x, 2));
    struct entry next = a_round(x, 3);
    next.round.emission = next.round.paid = 500;
    tell(x, next);
    assert_int_equal(audit_count(&x->b, AUDIT_WRONG), 0);
    assert_true(audit_chain_rules(&x->c, 2).outer_lr == 1);
    assert_true(audit_chain_rules(&x->c, 3).outer_lr == 0.5);
    m.change.from_round = 2;
    tell(x, m);
    expect(x, AUDIT_ENTRY, "changes rounds that are over");
}

static void a_rollback_goes_to_a_base_on_record(void **state)
{
    struct chain *x = *state;
    struct entry m = {.kind = ENTRY_ROLLBACK};
    m.rollback = (struct entry_rollback){.next_round = 2, .to_round = 1, .result = model(1)};
    tell(x, m);
    struct entry next = a_round(x, 2);
    next.round.base = model(1);
    tell(x, next);
    assert_int_equal(audit_count(&x->b, AUDIT_WRONG), 0);
    assert_int_equal(audit_chain_step(&x->c, 2)->base_of, 1);
    m.rollback = (struct entry_rollback){.next_round = 3, .to_round = 1, .result = model(2)};
    tell(x, m);
    expect(x, AUDIT_ENTRY, "goes back to another model");
}

static void the_end_sums_up_and_is_the_end(void **state)
{
    struct chain *x = *state;
    struct entry m = {.kind = ENTRY_END};
    struct entry payout = {.kind = ENTRY_PAYOUT};
    m.end = (struct entry_end){2, model(2), 2000};
    payout.payout = (struct entry_payout){.first_round = 0, .last_round = 1};
    tell(x, m);
    tell(x, payout);
    assert_int_equal(audit_count(&x->b, AUDIT_WRONG), 0);
    tell(x, a_round(x, 2));
    expect(x, AUDIT_ENTRY, "comes after the end");
}

static void no_round_is_settled_twice(void **state)
{
    struct chain *x = *state;
    struct entry m = {.kind = ENTRY_PAYOUT};
    m.payout = (struct entry_payout){.first_round = 1, .last_round = 1};
    tell(x, m);
    m.payout = (struct entry_payout){.first_round = 0, .last_round = 0};
    tell(x, m);
    assert_int_equal(audit_count(&x->b, AUDIT_WRONG), 0);
    m.payout = (struct entry_payout){.first_round = 0, .last_round = 1};
    tell(x, m);
    expect(x, AUDIT_ENTRY, "settles rounds that another one has settled");
}

static void an_older_address_does_not_come_back(void **state)
{
    struct chain *x = *state;
    struct entry m = {.kind = ENTRY_ADDRESS};
    m.address.payee = (struct payee){.kind = PAYEE_TEXT, .created_at_ms = 5};
    tell(x, m);
    m.address.payee.contributor.b[0] = 1; /* another one's */
    tell(x, m);
    m.address.payee.created_at_ms = 6;
    tell(x, m);
    assert_int_equal(audit_count(&x->b, AUDIT_WRONG), 0);
    assert_int_equal(x->c.payees.len, 3 * sizeof(struct audit_payee));
    m.address.payee.created_at_ms = 6;
    tell(x, m);
    expect(x, AUDIT_ENTRY, "brings back an address");
    assert_int_equal(x->c.payees.len, 3 * sizeof(struct audit_payee));
}

static void an_end_with_other_sums(void **state)
{
    struct chain *x = *state;
    struct entry m = {.kind = ENTRY_END};
    m.end = (struct entry_end){2, model(2), 2001};
    tell(x, m);
    expect(x, AUDIT_ENTRY, "sums up other rewards");
}

static void one_lost_entry_is_no_avalanche(void **state)
{
    struct chain *x = *state;
    audit_chain_skip(&x->c); /* round 2 cannot be read */
    tell(x, a_round(x, 3));
    tell(x, a_round(x, 4));
    assert_int_equal(audit_count(&x->b, AUDIT_WRONG), 0);
    assert_int_equal(x->b.n[AUDIT_SECRET][AUDIT_NO_DATA], 1);
    assert_int_equal(x->c.n_rounds, 5);
    assert_false(audit_chain_step(&x->c, 2)->is_known);
    assert_true(audit_chain_step(&x->c, 4)->is_known);
    assert_null(audit_chain_step(&x->c, 5));
}

/* A number out of the blue must not cost memory. */
static void a_round_far_away_is_not_believed(void **state)
{
    struct chain *x = *state;
    audit_chain_skip(&x->c);
    tell(x, a_round(x, UINT64_C(1) << 40));
    assert_true(x->c.steps.len < 1000);
    assert_null(audit_chain_step(&x->c, UINT64_C(1) << 40));
}

static void an_entry_of_another_run_or_place(void **state)
{
    struct chain *x = *state;
    struct entry m = a_round(x, 2);
    m.run = hash_of("other", 5);
    m.index = 3;
    assert_int_equal(audit_chain_take(&x->c, &m, &x->b, NULL), OK);
    expect(x, AUDIT_ENTRY, "of another run");
    m = a_round(x, 3);
    m.run = x->run.id;
    m.index = 9;
    assert_int_equal(audit_chain_take(&x->c, &m, &x->b, NULL), OK);
    assert_non_null(strstr(x->last.what, "another place"));
}

static void what_is_old_depends_on_the_promise(void **state)
{
    struct chain *x = *state;
    assert_false(audit_chain_is_old(&x->c, 0));
    x->c.retention = 1;
    assert_true(audit_chain_is_old(&x->c, 0));
    assert_false(audit_chain_is_old(&x->c, 1));
    assert_false(audit_chain_is_old(&x->c, 2));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_round_is_left_out),
        CASE(a_round_begins_with_another_model),
        CASE(receipts_are_left_out_or_repeated),
        CASE(money_that_nobody_offered),
        CASE(a_round_of_nobody_pays_nothing),
        CASE(another_secret_than_was_committed_to),
        CASE(a_change_holds_from_its_round_on),
        CASE(a_rollback_goes_to_a_base_on_record),
        CASE(the_end_sums_up_and_is_the_end),
        CASE(no_round_is_settled_twice),
        CASE(an_older_address_does_not_come_back),
        CASE(an_end_with_other_sums),
        CASE(one_lost_entry_is_no_avalanche),
        CASE(a_round_far_away_is_not_believed),
        CASE(an_entry_of_another_run_or_place),
        CASE(what_is_old_depends_on_the_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
