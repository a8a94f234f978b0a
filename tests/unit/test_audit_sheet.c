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

static enum audit_sheet read_last(struct auditrig *r, struct audit_book *b)
{
    struct sheet s;
    enum audit_sheet state;
    *b = (struct audit_book){.fn = auditrig_note, .ctx = r};
    r->n_findings = 0;
    assert_int_equal(audit_sheet_read(&r->source, b, &r->last.round, &s, &state, NULL), OK);
    assert_int_equal(s.n, state == AUDIT_SHEET_NONE ? 0 : AUDITRIG_PEERS);
    sheet_deinit(&s);
    return state;
}

static void a_good_sheet_is_read(void **state)
{
    struct audit_book b;
    assert_int_equal(read_last(*state, &b), AUDIT_SHEET_GOOD);
    assert_int_equal(b.n[AUDIT_SHEET][AUDIT_OK], 1);
}

static void a_missing_sheet_is_not_called_wrong(void **state)
{
    struct auditrig *r = *state;
    struct audit_book b;
    auditrig_lose(r, &r->last.round.sheet);
    assert_int_equal(read_last(r, &b), AUDIT_SHEET_NONE);
    assert_int_equal(b.n[AUDIT_SHEET][AUDIT_NO_DATA], 1);
}

static void no_bit_of_a_sheet_can_be_changed(void **state)
{
    struct auditrig *r = *state;
    struct audit_book b;
    struct buf *text = &auditrig_blob(r, &r->last.round.sheet)->b;
    for (size_t i = 0; i < text->len; i += 13) {
        text->p[i] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(read_last(r, &b), AUDIT_SHEET_GOOD);
        assert_int_equal(b.n[AUDIT_SHEET][AUDIT_WRONG], 1);
        text->p[i] ^= (uint8_t)(1u << i % 8);
    }
}

static void an_entry_that_counts_other_receipts(void **state)
{
    struct auditrig *r = *state;
    struct audit_book b;
    r->last.round.last_seq++;
    assert_int_equal(read_last(r, &b), AUDIT_SHEET_NONE);
    assert_non_null(strstr(r->findings[0].what, "lists other receipts"));
}

/* The text of a reward line is changed by one bit: the line itself is named. */
static void a_changed_reward_line_is_named(void **state)
{
    struct auditrig *r = *state;
    struct buf *text = &auditrig_blob(r, &r->last.round.sheet)->b;
    char *at = strstr((char *)(uintptr_t)buf_str(text), "\"reward\":");
    assert_non_null(at);
    at[9] ^= 1; /* the first digit of the first line, receipt 4 */
    struct audit_report p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
    assert_int_equal(p.verdict, AUDIT_FALSE);
    assert_int_equal(p.book.n[AUDIT_SHEET][AUDIT_WRONG], 1);
    assert_int_equal(p.book.n[AUDIT_REWARD][AUDIT_WRONG], 1);
    bool is_named = false;
    for (uint32_t i = 0; i < r->n_findings; i++)
        is_named = is_named || strstr(r->findings[i].what, "the reward line of receipt 4 pays");
    assert_true(is_named);
}

static int broken_blob(void *ctx, const struct hash *h, size_t max, struct buf *out, struct err *e)
{
    (void)ctx;
    (void)h;
    (void)max;
    (void)out;
    return err_set(e, ERR_IO, 0, "no cable");
}

static void a_source_that_fails_accuses_nobody(void **state)
{
    struct auditrig *r = *state;
    struct audit_book b = {0};
    struct sheet s;
    enum audit_sheet st;
    struct err e = {0};
    struct audit_source broken = {.blob = broken_blob};
    assert_int_equal(audit_sheet_read(&broken, &b, &r->last.round, &s, &st, &e), ERR_IO);
    assert_string_equal(e.what, "no cable");
    assert_int_equal(audit_count(&b, AUDIT_WRONG), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_good_sheet_is_read),
        CASE(a_missing_sheet_is_not_called_wrong),
        CASE(no_bit_of_a_sheet_can_be_changed),
        CASE(an_entry_that_counts_other_receipts),
        CASE(a_changed_reward_line_is_named),
        CASE(a_source_that_fails_accuses_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
