/* A host that lies with its own key: everything is signed, nothing is damaged, and it is found. */
#include "tests/unit/auditrig.h"

static int setup(void **state)
{
    *state = auditrig_begin(0);
    auditrig_round(*state);
    auditrig_round(*state);
    return 0;
}

static int teardown(void **state)
{
    auditrig_deinit(*state);
    return 0;
}

/* Round 2 under whatever twist is set, and an honest one after it. */
static struct audit_report lie(struct auditrig *r)
{
    auditrig_round(r);
    r->twist_row = NULL;
    r->twist_receipt = NULL;
    r->twist_manifest = NULL;
    r->twist_entry = NULL;
    r->n_merged_at_most = 0;
    auditrig_round(r);
    return auditrig_audit(r, AUDIT_ALL_ROUNDS);
}

static void leave_a_word(struct sheet_row *r)
{
    if (r->seq == 8) r->n_tokens += 32; /* after the rewards were split */
}

static void tokens_that_the_contributor_did_not_sign(void **state)
{
    struct auditrig *r = *state;
    r->twist_row = leave_a_word;
    struct audit_report p = lie(r);
    assert_int_equal(p.verdict, AUDIT_FALSE);
    assert_true(p.book.n[AUDIT_SHEET][AUDIT_WRONG] >= 1); /* weight is no longer the tokens */
}

static void pay_a_friend(struct sheet_row *r)
{
    if (r->seq == 7) r->reward -= 10;
    if (r->seq == 8) r->reward += 10; /* the sum is right */
}

static void a_reward_line_that_favours_somebody(void **state)
{
    struct auditrig *r = *state;
    r->twist_row = pay_a_friend;
    struct audit_report p = lie(r);
    assert_int_equal(p.verdict, AUDIT_FALSE);
    assert_int_equal(p.book.n[AUDIT_REWARD][AUDIT_WRONG], 2);
    assert_int_equal(audit_count(&p.book, AUDIT_WRONG), 2);
    assert_non_null(strstr(r->findings[0].what, "the reward line of receipt 7 pays"));
}

static void keep_some(struct sheet_row *r)
{
    if (r->seq == 7) r->reward -= 10;
}

static void a_round_that_does_not_pay_out_everything(void **state)
{
    struct auditrig *r = *state;
    r->twist_row = keep_some;
    struct audit_report p = lie(r);
    assert_int_equal(p.book.n[AUDIT_REWARD][AUDIT_WRONG], 1);
    assert_int_equal(p.book.n[AUDIT_LEDGER][AUDIT_WRONG], 1);
}

static void weigh_more(struct sheet_row *r)
{
    if (r->seq == 9) r->weight = 1000;
}

static void a_weight_that_is_not_the_tokens(void **state)
{
    struct auditrig *r = *state;
    r->twist_row = weigh_more;
    struct audit_report p = lie(r);
    auditrig_one_wrong(r, &p, AUDIT_SHEET, "receipt 9 weighs 1000");
}

static void fail_a_check(struct sheet_row *r)
{
    if (r->seq == 9) r->checks[0].outcome = SHEET_FAILED;
}

static void accepted_against_its_own_checks(void **state)
{
    struct auditrig *r = *state;
    r->twist_row = fail_a_check;
    struct audit_report p = lie(r);
    auditrig_one_wrong(r, &p, AUDIT_SHEET, "receipt 9 was accepted though a check failed");
}

static void pass_a_check(struct sheet_row *r)
{
    r->checks[0].outcome = SHEET_PASSED;
}

static void refused_against_its_own_checks(void **state)
{
    struct auditrig *r = *state;
    auditrig_round(r); /* 2; the next one has a late line, receipt 12 */
    r->twist_row = pass_a_check;
    struct audit_report p = lie(r);
    auditrig_one_wrong(r, &p, AUDIT_SHEET, "receipt 12 was refused though no check failed");
}

static void promise_more(struct msg_receipt *m)
{
    if (m->seq == 8) m->reward++;
}

static void a_receipt_that_promises_more_than_the_sheet(void **state)
{
    struct auditrig *r = *state;
    r->twist_receipt = promise_more;
    struct audit_report p = lie(r);
    auditrig_one_wrong(r, &p, AUDIT_RECEIPT, "receipt 8 says something else");
}

static void settle_elsewhere(struct msg_receipt *m)
{
    if (m->verdict == MSG_LATE) m->entry--;
}

static void a_refused_receipt_that_names_another_entry(void **state)
{
    struct auditrig *r = *state;
    auditrig_round(r);
    r->twist_receipt = settle_elsewhere;
    struct audit_report p = lie(r);
    auditrig_one_wrong(r, &p, AUDIT_RECEIPT, "receipt 12 says something else");
}

static void leave_open(struct msg_receipt *m)
{
    if (m->verdict == MSG_LATE) m->is_settled = false;
}

/* As older versions wrote it: such a record stays true. */
static void a_refused_receipt_that_was_left_open(void **state)
{
    struct auditrig *r = *state;
    auditrig_round(r);
    r->twist_receipt = leave_open;
    struct audit_report p = lie(r);
    assert_int_equal(audit_count(&p.book, AUDIT_WRONG), 0);
}

static void other_base(struct msg_manifest *m)
{
    if (m->round == 2 && m->loss == 5.0) m->base = hash_of("x", 1);
}

static void an_accepted_manifest_of_another_model(void **state)
{
    struct auditrig *r = *state;
    r->twist_manifest = other_base;
    struct audit_report p = lie(r);
    auditrig_one_wrong(r, &p, AUDIT_MANIFEST, "another model");
}

static void fewer_steps(struct msg_manifest *m)
{
    if (m->round == 2 && m->loss == 5.0) m->n_steps = 1;
}

static void a_manifest_that_says_something_else(void **state)
{
    struct auditrig *r = *state;
    r->twist_manifest = fewer_steps;
    struct audit_report p = lie(r);
    auditrig_one_wrong(r, &p, AUDIT_MANIFEST, "the manifest of receipt 7 says something else");
}

static void somebody_left_out_of_the_merge(void **state)
{
    struct auditrig *r = *state;
    r->n_merged_at_most = 2;
    struct audit_report p = lie(r);
    auditrig_one_wrong(r, &p, AUDIT_UPDATE, "the update of round 2 is not what its contributions");
    /* The model follows from the update that was published, so it and the later rounds hold. */
    assert_int_equal(p.book.n[AUDIT_MODEL][AUDIT_OK], 4);
}

static void other_result(struct entry *m)
{
    if (m->kind == ENTRY_ROUND) m->round.result = hash_of("moon", 4);
}

static void a_model_that_does_not_follow(void **state)
{
    struct auditrig *r = *state;
    r->twist_entry = other_result;
    struct audit_report p = lie(r);
    assert_int_equal(p.verdict, AUDIT_FALSE);
    assert_int_equal(p.book.n[AUDIT_MODEL][AUDIT_WRONG], 1);
    assert_int_equal(p.book.n[AUDIT_ENTRY][AUDIT_WRONG], 1); /* round 3 begins elsewhere */
}

static void other_loss(struct entry *m)
{
    if (m->kind == ENTRY_ROUND) m->round.train_loss *= 0.5;
}

static void a_training_loss_that_nobody_claimed(void **state)
{
    struct auditrig *r = *state;
    r->twist_entry = other_loss;
    struct audit_report p = lie(r);
    auditrig_one_wrong(r, &p, AUDIT_ENTRY, "the training loss of round 2");
}

static void unknown_rule(struct entry *m)
{
    if (m->kind == ENTRY_ROUND) m->round.rule_reward = m->round.rule_merge = 1000;
}

static void a_rule_of_tomorrow_is_not_called_a_lie(void **state)
{
    struct auditrig *r = *state;
    struct buf b = {0};
    struct entry e = r->last;
    unknown_rule(&e);
    bool can_be_written = entry_sign(&e, &r->host, &b, NULL) == OK;
    buf_deinit(&b);
    if (!can_be_written) return; /* then there is no such entry to be read either */
    r->twist_entry = unknown_rule;
    struct audit_report p = lie(r);
    assert_int_equal(p.verdict, AUDIT_UNKNOWN);
    assert_int_equal(p.done.n_recomputed, 3);
}

static void a_missing_sheet_or_receipt_is_no_verdict(void **state)
{
    struct auditrig *r = *state;
    auditrig_lose(r, &r->last.round.sheet);
    struct audit_report p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
    assert_int_equal(p.verdict, AUDIT_UNKNOWN);
    assert_int_equal(p.book.n[AUDIT_SHEET][AUDIT_NO_DATA], 1);
    assert_int_equal(p.book.n[AUDIT_MODEL][AUDIT_OK], 2); /* the update is there all the same */
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(tokens_that_the_contributor_did_not_sign),
        CASE(a_reward_line_that_favours_somebody),
        CASE(a_round_that_does_not_pay_out_everything),
        CASE(a_weight_that_is_not_the_tokens),
        CASE(accepted_against_its_own_checks),
        CASE(refused_against_its_own_checks),
        CASE(a_refused_receipt_that_names_another_entry),
        CASE(a_refused_receipt_that_was_left_open),
        CASE(a_receipt_that_promises_more_than_the_sheet),
        CASE(an_accepted_manifest_of_another_model),
        CASE(a_manifest_that_says_something_else),
        CASE(somebody_left_out_of_the_merge),
        CASE(a_model_that_does_not_follow),
        CASE(a_training_loss_that_nobody_claimed),
        CASE(a_rule_of_tomorrow_is_not_called_a_lie),
        CASE(a_missing_sheet_or_receipt_is_no_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
