#include "base/alloc.h"
#include "record/audit_scores.h"
#include "tests/check.h"

/* A source with one file, which may be missing. */
struct one {
    struct buf text;
    bool is_gone;
};

static int blob(void *ctx, const struct hash *h, size_t max, struct buf *out, struct err *e)
{
    struct one *o = ctx;
    (void)h;
    (void)max;
    if (o->is_gone) return ERR_NOTFOUND;
    buf_put(out, o->text.p, o->text.len);
    return buf_ok(out, e);
}

static struct score_eval eval(void)
{
    return (struct score_eval){.contributor = {{9}}, .code = SCORE_CODE_COPY, .n_tokens = 1};
}

static void set(struct one *o, struct audit_source *from, struct entry_round *m)
{
    struct score_eval v = eval();
    struct sheet s = {.round = 4, .n_scores = 1, .scores = &v};
    *o = (struct one){0};
    assert_int_equal(sheet_encode(&s, &o->text, NULL), OK);
    *from = (struct audit_source){.blob = blob, .ctx = o};
    *m = (struct entry_round){.round = 4, .rule_reward = ENTRY_RULE_SCORED};
    m->sheet = hash_of(o->text.p, o->text.len);
}

static void evaluations_of_rounds_before_are_read(void **state)
{
    (void)state;
    struct one o;
    struct audit_source from;
    struct entry_round m;
    struct audit_scores s = {0};
    struct key_pub k = {{9}};
    set(&o, &from, &m);
    assert_int_equal(audit_scores_skip(&s, &from, &m, NULL), OK);
    assert_false(s.is_lost);
    assert_int_equal(score_book_get(&s.book, &k).slashed_until, 4 + SCORE_SLASH);
    audit_scores_deinit(&s);
    buf_deinit(&o.text);
}

static void a_missing_or_changed_sheet_makes_weights_unknown(void **state)
{
    (void)state;
    struct one o;
    struct audit_source from;
    struct entry_round m;
    for (int is_changed = 0; is_changed < 2; is_changed++) {
        struct audit_scores s = {0};
        set(&o, &from, &m);
        o.is_gone = !is_changed;
        if (is_changed) o.text.p[2] ^= 1;
        assert_int_equal(audit_scores_skip(&s, &from, &m, NULL), OK);
        assert_true(s.is_lost);
        audit_scores_deinit(&s);
        buf_deinit(&o.text);
    }
}

static void rounds_paid_by_tokens_are_not_read(void **state)
{
    (void)state;
    struct audit_scores s = {0};
    struct entry_round m = {.rule_reward = ENTRY_RULE_REWARD};
    assert_int_equal(audit_scores_skip(&s, NULL, &m, NULL), OK);
    assert_false(s.is_lost);
}

static void lack_of_memory_is_an_error_and_no_finding(void **state)
{
    (void)state;
    struct audit_scores s = {0};
    struct err e = {0};
    struct score_eval v = eval();
    struct sheet sheet = {.round = 4, .n_scores = 1, .scores = &v};
    alloc_fail_nth(1);
    assert_int_equal(audit_scores_take(&s, &sheet, &e), ERR_NOMEM);
    alloc_fail_nth(0);
    assert_false(s.is_lost);
    audit_scores_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluations_of_rounds_before_are_read),
        cmocka_unit_test(a_missing_or_changed_sheet_makes_weights_unknown),
        cmocka_unit_test(rounds_paid_by_tokens_are_not_read),
        cmocka_unit_test(lack_of_memory_is_an_error_and_no_finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
