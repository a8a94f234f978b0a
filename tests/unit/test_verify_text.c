#include <string.h>

#include "app/verify_text.h"
#include "base/json.h"
#include "tests/check.h"

static struct rundesc run;
static struct audit_report report;
static struct audit_finding finding;
static struct verify_facts facts;

static void good(void)
{
    run = (struct rundesc){.name = "soup", .reward_unit = "credits"};
    report = (struct audit_report){
        .has_head = true,
        .head = {.n_leaves = 10   },
        .n_rounds = 8,
        .verdict = AUDIT_TRUE,
        .done = { .n_recomputed = 8,
                 .n_rounds = 8,
                 .n_contributions = 24,
                 .n_merged = 23,
                 .n_refused = 1,
                 .n_rewards = 23,
                 .paid = 800000000}
    };
    report.book.n[AUDIT_RECEIPT][AUDIT_OK] = 24;
    report.book.n[AUDIT_REWARD][AUDIT_OK] = 23;
    facts = (struct verify_facts){.report = &report,
                                  .run = &run,
                                  .from = "my-run",
                                  .is_known = true,
                                  .round = AUDIT_ALL_ROUNDS,
                                  .tolerance = 0.001};
}

static void bad(enum audit_item item, enum audit_outcome o, const char *what)
{
    finding = (struct audit_finding){.item = item, .outcome = o, .round = 3};
    snprintf(finding.what, sizeof finding.what, "%s", what);
    report.book.n[item][o]++;
    facts.findings = &finding;
    facts.n_findings = 1;
}

/* What is said; it must be one sentence. */
static const char *said(void)
{
    static struct buf b;
    buf_clear(&b);
    verify_sentence(&facts, &b);
    const char *s = buf_str(&b);
    print_message("# %s\n", s);
    assert_int_equal(s[strlen(s) - 1], '.');
    assert_null(strstr(s, ". "));
    assert_null(strchr(s, '\n'));
    return s;
}

static void a_true_host_is_told_with_what_was_not_checked(void **state)
{
    (void)state;
    good();
    const char *s = said();
    assert_non_null(strstr(s, "The host told the truth"));
    assert_non_null(strstr(s, "8 of 8 rounds were recomputed bit for bit"));
    assert_non_null(strstr(s, "24 contributions"));
    assert_non_null(strstr(s, "23 reward lines"));
    assert_non_null(strstr(s, "why 1 contribution was late or refused"));
    assert_non_null(strstr(s, "--scores"));
    facts.round = 3;
    report.done.n_recomputed = 1;
    assert_non_null(strstr(said(), "round 3 was recomputed"));
    facts.is_known = false;
    assert_non_null(strstr(said(), "whether this is the run you mean"));
    facts.with_scores = true;
    report.book.n[AUDIT_LOSS][AUDIT_OK] = 2;
    s = said();
    assert_non_null(strstr(s, "evaluated again within 0.001"));
    assert_null(strstr(s, "--scores"));
}

static void what_is_not_kept_is_named(void **state)
{
    (void)state;
    good();
    bad(AUDIT_CONTRIBUTION, AUDIT_NOT_KEPT, "gone");
    report.verdict = AUDIT_TRUE_SO_FAR;
    report.retention = 2;
    report.done.n_recomputed = 2;
    const char *s = said();
    assert_non_null(strstr(s, "as far as it is kept"));
    assert_non_null(strstr(s, "1 contribution that the run keeps for only 2 rounds"));
    assert_int_equal(verify_exit_code(&report), VERIFY_EXIT_TRUE);
}

static void what_is_missing_is_no_truth_and_no_lie(void **state)
{
    (void)state;
    good();
    bad(AUDIT_SHEET, AUDIT_NO_DATA, "the sheet of round 3 is not there");
    report.verdict = AUDIT_UNKNOWN;
    const char *s = said();
    assert_non_null(strstr(s, "could not be checked in full"));
    assert_non_null(strstr(s, "1 sheet"));
    assert_non_null(strstr(s, "the sheet of round 3 is not there"));
    assert_int_equal(verify_exit_code(&report), VERIFY_EXIT_UNKNOWN);
}

static void a_lie_is_named(void **state)
{
    (void)state;
    good();
    bad(AUDIT_RECEIPT, AUDIT_WRONG, "receipt 11 is not what is on \x1b[31mrecord");
    report.verdict = AUDIT_FALSE;
    const char *s = said();
    assert_non_null(strstr(s, "did not tell the truth: receipt 11"));
    assert_null(strchr(s, '\x1b')); /* a stranger's text cannot steer the terminal */
    report.book.n[AUDIT_UPDATE][AUDIT_WRONG] = 2;
    facts.is_dir = true;
    s = said();
    assert_non_null(strstr(s, "1 receipt, 2 updates"));
    assert_non_null(strstr(s, "this copy is damaged"));
    assert_int_equal(verify_exit_code(&report), VERIFY_EXIT_FALSE);
}

static void lines_and_object_say_the_same(void **state)
{
    (void)state;
    struct buf lines = {0}, text = {0};
    json_t *o = NULL;
    good();
    bad(AUDIT_RECEIPT, AUDIT_WRONG, "receipt 11 is not what is on record");
    report.verdict = AUDIT_FALSE;
    verify_lines(&facts, &lines);
    assert_int_equal(verify_json(&facts, &text, NULL), OK);
    assert_int_equal(json_parse(text.p, text.len, &o, NULL), OK);
    assert_non_null(strstr(buf_str(&lines), json_string_value(json_object_get(o, "sentence"))));
    assert_string_equal(json_string_value(json_object_get(o, "verdict")), "false");
    assert_int_equal(json_integer_value(json_object_get(o, "rounds")), 8);
    assert_int_equal(json_integer_value(json_object_get(o, "contributions")), 24);
    assert_int_equal(json_integer_value(json_object_get(o, "rewards")), 23);
    const json_t *f = json_array_get(json_object_get(o, "findings"), 0);
    assert_string_equal(json_string_value(json_object_get(f, "item")), "receipt");
    assert_string_equal(json_string_value(json_object_get(f, "outcome")), "wrong");
    assert_int_equal(json_integer_value(json_object_get(f, "round")), 3);
    const json_t *c = json_object_get(json_object_get(o, "checked"), "receipt");
    assert_int_equal(json_integer_value(json_object_get(c, "wrong")), 1);
    assert_int_equal(json_integer_value(json_object_get(c, "ok")), 24);
    json_decref(o);
    buf_deinit(&lines);
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_true_host_is_told_with_what_was_not_checked),
        cmocka_unit_test(what_is_not_kept_is_named),
        cmocka_unit_test(what_is_missing_is_no_truth_and_no_lie),
        cmocka_unit_test(a_lie_is_named),
        cmocka_unit_test(lines_and_object_say_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
