#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/publish_page.h"
#include "tests/check.h"

static const uint8_t seed[32] = {7};
static struct key key;
static struct rundesc run;
static struct msg_update update;
static struct err e;

static int set_up(void **state)
{
    (void)state;
    key_generate(&key);
    run = (struct rundesc){.id = hash_of("run", 3), .reward_per_round = 1000, .n_rounds = 9};
    update = (struct msg_update){
        .run = run.id, .round = 4, .update_bytes = 5, .n_merged = 1, .train_loss = NAN};
    update.n_tokens = 100;
    return 0;
}

/* A page with one accepted receipt (seq 11), a late and a rejected one. */
static void fill(struct publish_page *p)
{
    p->n_rows = 3;
    p->rows = calloc(3, sizeof *p->rows);
    assert_non_null(p->rows);
    for (uint32_t i = 0; i < 3; i++) {
        struct msg_receipt *m = &p->rows[i].receipt;
        *m = (struct msg_receipt){.contributor = {{(uint8_t)i}},
                                  .seq = 11 + i,
                                  .round = i == 1 ? 3 : 4,
                                  .n_bytes = 10,
                                  .n_tokens = 100,
                                  .verdict = (enum msg_verdict)(MSG_ACCEPTED + i)};
        if (i) strcpy(m->reason, "because");
        p->rows[i].n_passed = i == 2 ? ROUND_CHECK_TOKENS : 0;
        buf_put_str(&p->rows[i].text, "first text");
    }
}

static int make(struct publish_page *p, const struct round_input *in, uint32_t n)
{
    struct publish_source s = {
        .run = &run,
        .key = &key,
        .seed = seed,
        .update = &update,
        .inputs = in,
        .n_inputs = n,
        .tail = {.n_entries = 5, .next_seq = 11, .paid = 4000},
        .at_ms = 77
    };
    s.terms.emission = run.reward_per_round;
    s.n_rounds = run.n_rounds;
    return publish_page_make(&s, p, &e);
}

static void a_page_holds_sheet_and_entry(void **state)
{
    (void)state;
    struct publish_page p = {0};
    struct round_input in = {.receipt_seq = 11, .reward = 1000};
    struct entry m;
    struct sheet sheet = {0};
    fill(&p);
    assert_int_equal(make(&p, &in, 1), OK);
    assert_int_equal(p.n_entries, 1);
    assert_int_equal(entry_verify(p.entries[0].text.p, p.entries[0].text.len, &key.pub, &m, &e),
                     OK);
    assert_int_equal(m.index, 5);
    assert_int_equal(m.round.first_seq, 11);
    assert_int_equal(m.round.last_seq, 13);
    assert_int_equal(m.round.paid, 1000);
    assert_true(hash_equal(&m.round.sheet, &p.sheet_hash));
    assert_int_equal(sheet_decode(p.sheet.p, p.sheet.len, &sheet, &e), OK);
    assert_int_equal(sheet.rows[0].reward, 1000);
    assert_int_equal(sheet.rows[0].weight, 100);
    assert_int_equal(sheet.rows[1].round, 3);
    assert_int_equal(sheet.rows[1].checks[ROUND_CHECK_TIME].outcome, SHEET_FAILED);
    assert_int_equal(sheet.rows[1].checks[ROUND_CHECK_BASE].outcome, SHEET_SKIPPED);
    assert_int_equal(sheet.rows[2].checks[ROUND_CHECK_STEPS].outcome, SHEET_PASSED);
    assert_int_equal(sheet.rows[2].checks[ROUND_CHECK_TOKENS].outcome, SHEET_FAILED);
    struct hash first = hash_of("first text", 10);
    assert_false(hash_equal(&sheet.rows[0].receipt, &first)); /* settled: another text */
    for (uint32_t i = 1; i < 3; i++) { /* late and rejected: with nothing, and why */
        const struct store_row *row = &p.rows[i];
        struct msg_receipt r;
        assert_int_equal(msg_receipt_verify(row->text.p, row->text.len, &key.pub, &r, &e), OK);
        assert_true(r.is_settled && r.reward == 0 && r.entry == 5);
        assert_string_equal(r.reason, "because");
        assert_string_equal(row->why, "because");
        struct hash newest = hash_of(row->text.p, row->text.len);
        assert_true(hash_equal(&sheet.rows[i].receipt, &newest));
    }
    sheet_deinit(&sheet);
    publish_page_deinit(&p);
}

static void the_same_rows_give_the_same_bytes(void **state)
{
    (void)state;
    struct publish_page a = {0}, b = {0};
    struct round_input in = {.receipt_seq = 11, .reward = 1000};
    fill(&a);
    fill(&b);
    assert_int_equal(make(&a, &in, 1), OK);
    assert_int_equal(make(&b, &in, 1), OK);
    assert_true(hash_equal(&a.sheet_hash, &b.sheet_hash));
    assert_int_equal(a.entries[0].text.len, b.entries[0].text.len);
    assert_memory_equal(a.entries[0].text.p, b.entries[0].text.p, a.entries[0].text.len);
    publish_page_deinit(&a);
    publish_page_deinit(&b);
}

static void merged_and_accepted_must_be_the_same(void **state)
{
    (void)state;
    const struct round_input bad[4] = {
        {.receipt_seq = 12}, {.receipt_seq = 13}, {.receipt_seq = 99}, {.receipt_seq = 11}};
    for (int i = 0; i < 5; i++) {
        struct publish_page p = {0};
        struct round_input in[2] = {{.receipt_seq = 11}, i < 3 ? bad[i] : bad[3]};
        if (i == 3) in[0].contributor.b[0] = 5; /* somebody else's receipt */
        fill(&p);
        assert_int_equal(make(&p, in, i < 3 ? 2 : i == 3), ERR_WRONG_STATE);
        assert_true(e.what[0]);
        publish_page_deinit(&p);
    }
}

static void a_round_of_nobody_has_a_page_too(void **state)
{
    (void)state;
    struct publish_page p = {0};
    struct entry m;
    assert_int_equal(make(&p, NULL, 0), ERR_PROTO); /* the update says that somebody was merged */
    publish_page_deinit(&p);
    update.n_merged = 0;
    update.n_tokens = 0;
    assert_int_equal(make(&p, NULL, 0), OK);
    assert_int_equal(entry_verify(p.entries[0].text.p, p.entries[0].text.len, &key.pub, &m, &e),
                     OK);
    assert_int_equal(m.round.first_seq, 11);
    assert_int_equal(m.round.last_seq, 10);
    assert_int_equal(m.round.paid, 0);
    publish_page_deinit(&p);
}

static void the_last_round_brings_the_end(void **state)
{
    (void)state;
    struct publish_page p = {0};
    struct entry m;
    struct round_input in = {.receipt_seq = 11, .reward = 1000};
    update.round = 8;
    fill(&p);
    p.rows[0].receipt.round = 8;
    assert_int_equal(make(&p, &in, 1), OK);
    assert_int_equal(p.n_entries, 2);
    assert_int_equal(entry_verify(p.entries[1].text.p, p.entries[1].text.len, &key.pub, &m, &e),
                     OK);
    assert_int_equal(m.kind, ENTRY_END);
    assert_int_equal(m.index, 6);
    assert_int_equal(m.end.paid, 5000);
    assert_int_equal(m.end.n_rounds, 9);
    publish_page_deinit(&p);
}

#define CASE(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_page_holds_sheet_and_entry),         CASE(the_same_rows_give_the_same_bytes),
        CASE(merged_and_accepted_must_be_the_same), CASE(a_round_of_nobody_has_a_page_too),
        CASE(the_last_round_brings_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
