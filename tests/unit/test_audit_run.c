#include "base/alloc.h"
#include "engine/micro.h"
#include "record/settle.h"
#include "tests/unit/auditrig.h"

static int setup(void **state)
{
    *state = auditrig_begin(0);
    for (int i = 0; i < 4; i++)
        auditrig_round(*state);
    auditrig_end(*state);
    return 0;
}

static int teardown(void **state)
{
    auditrig_deinit(*state);
    return 0;
}

static void an_honest_run_holds_in_every_item(void **state)
{
    struct auditrig *r = *state;
    struct audit_report p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
    assert_int_equal(r->n_findings, 0);
    assert_int_equal(p.verdict, AUDIT_TRUE);
    assert_int_equal(p.n_rounds, 4);
    assert_int_equal(p.done.n_recomputed, 4);
    assert_int_equal(p.done.n_contributions, 12);
    assert_int_equal(p.done.n_merged, 10); /* two were late */
    assert_int_equal(p.done.n_refused, 2);
    assert_int_equal(p.done.n_rewards, 10);
    assert_int_equal(p.done.paid, 4000);
    assert_int_equal(p.book.n[AUDIT_ENTRY][AUDIT_OK], 6);
    assert_int_equal(p.book.n[AUDIT_SECRET][AUDIT_OK], 4);
    assert_int_equal(p.book.n[AUDIT_RECEIPT][AUDIT_OK], 12);
    assert_int_equal(p.book.n[AUDIT_MANIFEST][AUDIT_OK], 12);
    assert_int_equal(p.book.n[AUDIT_CONTRIBUTION][AUDIT_OK], 10);
    assert_int_equal(p.book.n[AUDIT_REWARD][AUDIT_OK], 10);
    assert_int_equal(p.book.n[AUDIT_MODEL][AUDIT_OK], 4);
    assert_int_equal(p.book.n[AUDIT_HEAD][AUDIT_OK], 1);
    assert_true(p.has_end);
}

static void one_round_can_be_checked_alone(void **state)
{
    struct auditrig *r = *state;
    struct audit_report p = auditrig_audit(r, 2);
    assert_int_equal(p.verdict, AUDIT_TRUE);
    assert_int_equal(p.done.n_recomputed, 1);
    assert_int_equal(p.book.n[AUDIT_MODEL][AUDIT_OK], 1); /* rounds 0 and 1 were walked through */
    assert_int_equal(p.done.n_contributions, 3);
}

static void a_round_that_is_not_on_record_is_no_verdict(void **state)
{
    struct auditrig *r = *state;
    struct audit_report p;
    struct err e = {0};
    struct audit_request q = {.source = &r->source, .run = &r->run, .round = 4};
    assert_int_equal(audit_run(&q, &p, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "round 4"));
}

/* The bits do not depend on which vector instructions the processor has. */
static void every_set_of_instructions_finds_the_same(void **state)
{
    struct auditrig *r = *state;
    int n_tried = 0;
    for (int set = MICRO_C; set < MICRO_SETS; set++) {
        micro_force((enum micro_set)set);
        if (micro_level() != (enum micro_set)set) continue; /* this processor lacks it */
        struct audit_report p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
        assert_int_equal(p.verdict, AUDIT_TRUE);
        assert_int_equal(p.book.n[AUDIT_UPDATE][AUDIT_OK], 4);
        n_tried++;
    }
    micro_force(MICRO_SETS);
    print_message("# %d sets of instructions\n", n_tried);
    assert_true(n_tried >= 1);
}

/* ---- one bit -------------------------------------------------------------------------------- */

static struct sheet sheet_of_last_round(struct auditrig *r)
{
    struct sheet s = {0};
    const struct buf *b = &auditrig_blob(r, &r->last.round.sheet)->b;
    assert_int_equal(sheet_decode(b->p, b->len, &s, NULL), OK);
    return s;
}

static void a_bit_of_an_update(void **state)
{
    struct auditrig *r = *state;
    auditrig_flip(auditrig_blob(r, &r->last.round.update));
    struct audit_report p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
    auditrig_one_wrong(r, &p, AUDIT_UPDATE, "the update of round 3");
}

static void a_bit_of_a_sheet(void **state)
{
    struct auditrig *r = *state;
    auditrig_flip(auditrig_blob(r, &r->last.round.sheet));
    struct audit_report p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
    auditrig_one_wrong(r, &p, AUDIT_SHEET, "the sheet of round 3");
}

static void a_bit_behind_a_line(void **state)
{
    struct auditrig *r = *state;
    struct sheet s = sheet_of_last_round(r);
    const struct hash *h[] = {&s.rows[1].payload, &s.rows[1].manifest, &s.rows[1].receipt};
    const enum audit_item item[] = {AUDIT_CONTRIBUTION, AUDIT_MANIFEST, AUDIT_RECEIPT};
    for (int i = 0; i < 3; i++) {
        struct auditrig_file *f = auditrig_blob(r, h[i]);
        auditrig_flip(f);
        struct audit_report p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
        auditrig_one_wrong(r, &p, item[i], "receipt 11");
        auditrig_flip(f);
    }
    sheet_deinit(&s);
    assert_int_equal(auditrig_audit(r, AUDIT_ALL_ROUNDS).verdict, AUDIT_TRUE);
}

static void a_bit_of_the_tree_head(void **state)
{
    struct auditrig *r = *state;
    struct auditrig_file *f = auditrig_find(r, "checkpoint");
    for (size_t i = 0; i + 1 < f->b.len; i += 7) { /* wherever it is */
        f->b.p[i] ^= 1;
        struct audit_report p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
        assert_int_equal(p.verdict, AUDIT_FALSE);
        assert_int_equal(r->findings[0].item, AUDIT_HEAD);
        assert_int_equal(r->n_findings, 1);
        f->b.p[i] ^= 1;
    }
}

static void a_bit_of_an_entry(void **state)
{
    struct auditrig *r = *state;
    struct auditrig_file *f = auditrig_find(r, "tile/entries/000.p/6");
    struct tiles_entry at[TILES_WIDTH];
    assert_int_equal(tiles_bundle_parse(f->b.p, f->b.len, 6, at, NULL), OK);
    for (uint32_t i = 0; i < 6; i++) {
        uint8_t *p = f->b.p + (at[i].p - (const char *)f->b.p) + at[i].n / 2;
        *p ^= 1;
        struct audit_report report = auditrig_audit(r, AUDIT_ALL_ROUNDS);
        char name[32];
        snprintf(name, sizeof name, "entry %u ", i);
        auditrig_one_wrong(r, &report, AUDIT_ENTRY, name);
        assert_int_equal(report.book.n[AUDIT_HEAD][AUDIT_OK], 1); /* by the tile beside it */
        *p ^= 1;
    }
}

static void a_bit_of_a_tile(void **state)
{
    struct auditrig *r = *state;
    auditrig_flip(auditrig_find(r, "tile/0/000.p/6"));
    struct audit_report p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
    auditrig_one_wrong(r, &p, AUDIT_TILE, "tile/0/000.p/6");
}

/* ---- retention ------------------------------------------------------------------------------ */

static void what_is_not_kept_is_said_and_no_lie(void **state)
{
    (void)state;
    struct auditrig *r = auditrig_begin(2);
    struct sheet s;
    for (int i = 0; i < 5; i++) {
        auditrig_round(r);
        if (i == 1) auditrig_checkpoint(r);
        if (i > 1) continue;
        s = sheet_of_last_round(r); /* payloads and update of rounds 0 and 1 go */
        for (uint32_t k = 0; k < s.n; k++)
            if (s.rows[k].verdict == MSG_ACCEPTED) auditrig_lose(r, &s.rows[k].payload);
        auditrig_lose(r, &r->last.round.update);
        sheet_deinit(&s);
    }
    struct audit_report p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
    assert_int_equal(p.verdict, AUDIT_TRUE_SO_FAR);
    assert_int_equal(p.done.n_recomputed, 3);
    assert_int_equal(p.book.n[AUDIT_MODEL][AUDIT_OK], 3); /* from the checkpoint of round 2 on */
    assert_int_equal(p.book.n[AUDIT_CONTRIBUTION][AUDIT_NOT_KEPT], 5);
    assert_int_equal(p.book.n[AUDIT_REWARD][AUDIT_OK], 13); /* rewards need no payload */
    /* Round 3 is young enough that it has to be there. */
    s = sheet_of_last_round(r);
    auditrig_lose(r, &s.rows[0].payload);
    sheet_deinit(&s);
    p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
    assert_int_equal(p.verdict, AUDIT_UNKNOWN);
    auditrig_deinit(r);
}

static bool stop_at_rounds(void *ctx, const struct audit_stage *s)
{
    (void)ctx;
    return s->is_log || s->done < 2;
}

static void an_audit_can_be_stopped(void **state)
{
    struct auditrig *r = *state;
    struct audit_report p;
    struct audit_request q = {.source = &r->source,
                              .run = &r->run,
                              .round = AUDIT_ALL_ROUNDS,
                              .progress = stop_at_rounds};
    assert_int_equal(audit_run(&q, &p, NULL), ERR_CANCELLED);
    assert_int_equal(p.done.n_recomputed, 2);
}

static int count_weights(void *ctx, uint64_t round, const float *params, struct audit_book *b,
                         struct err *e)
{
    uint64_t *seen = ctx;
    (void)params;
    (void)b;
    (void)e;
    *seen |= UINT64_C(1) << round;
    return OK;
}

static void the_weights_of_every_round_pass_by(void **state)
{
    struct auditrig *r = *state;
    struct audit_report p;
    uint64_t seen = 0;
    struct audit_request q = {.source = &r->source,
                              .run = &r->run,
                              .round = AUDIT_ALL_ROUNDS,
                              .weights = count_weights,
                              .ctx = &seen};
    assert_int_equal(audit_run(&q, &p, NULL), OK);
    assert_int_equal(seen, 0x1f);
}

/* Whatever memory fails on the way: the audit ends with an error, and accuses nobody of it. */
static void running_out_of_memory_is_no_verdict(void **state)
{
    struct auditrig *r = *state;
    uint64_t n_failed = 0;
    for (uint64_t k = 1;; k++) {
        struct audit_report p;
        struct audit_request q = {.source = &r->source, .run = &r->run, .round = AUDIT_ALL_ROUNDS};
        alloc_fail_nth(k);
        int rc = audit_run(&q, &p, NULL);
        uint64_t n_asked = alloc_count();
        alloc_fail_nth(0);
        if (n_asked < k) break; /* it came to its end before */
        if (rc == OK) assert_int_equal(p.verdict, AUDIT_TRUE);
        if (rc != OK) assert_int_equal(rc, ERR_NOMEM);
        assert_int_equal(audit_count(&p.book, AUDIT_WRONG), 0);
        n_failed += rc != OK;
    }
    print_message("# %d failures\n", (int)n_failed);
    assert_true(n_failed > 20);
}

/* The same bytes in two rounds: everything else about them holds. */
static void a_contribution_that_was_counted_twice(void **state)
{
    (void)state;
    struct auditrig *r = auditrig_begin(ENTRY_RETAIN_ALL);
    auditrig_round(r);
    r->is_repeating = true;
    auditrig_round(r);
    struct audit_report p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
    assert_int_equal(p.verdict, AUDIT_FALSE);
    assert_int_equal(p.book.n[AUDIT_CONTRIBUTION][AUDIT_WRONG], 2);
    assert_int_equal(audit_count(&p.book, AUDIT_WRONG), 2);
    assert_int_equal(r->findings[0].round, 1);
    assert_non_null(strstr(r->findings[0].what, "in round 1 was counted before, by receipt "));
    p = auditrig_audit(r, 1); /* alone it cannot be seen */
    assert_int_equal(p.verdict, AUDIT_TRUE);
    auditrig_deinit(r);
}

/* A contributor of the rig sets an address, which comes on record. */
static struct payee set_address(struct auditrig *r, uint32_t who, const char *address,
                                int64_t at_ms)
{
    struct buf b = {0};
    struct entry x = {.kind = ENTRY_ADDRESS};
    struct payee m = {.run = r->run.id,
                      .contributor = r->peer[who].pub,
                      .kind = PAYEE_TEXT,
                      .created_at_ms = at_ms};
    strcpy(m.address, address);
    assert_int_equal(payee_sign(&m, &r->peer[who], &b, NULL), OK);
    strcpy(x.address.text, buf_str(&b));
    auditrig_append(r, &x);
    buf_deinit(&b);
    return m;
}

/* The newest round's settlement as an honest host makes it, on record; twist: what a liar changes. */
static void settle_last(struct auditrig *r, const char *address, void (*twist)(struct settle *s))
{
    const struct entry_round *m = &r->last.round;
    const struct auditrig_file *f = auditrig_blob(r, &m->sheet);
    struct sheet sheet = {0};
    struct buf b = {0};
    struct entry x = {.kind = ENTRY_PAYOUT};
    struct settle s = {.run = &r->run,
                       .first_round = m->round,
                       .last_round = m->round,
                       .n_entries = r->n_entries,
                       .root = tiles_edge_root(&r->edge)};
    assert_int_equal(r->n_entries, r->last_index + 1);
    if (address) {
        struct payee old = set_address(r, 0, "an old one", 5), new = set_address(r, 0, address, 6);
        assert_int_equal(settle_payee(&s, &old, NULL), OK);
        assert_int_equal(settle_payee(&s, &new, NULL), OK);
    }
    assert_int_equal(sheet_decode(f->b.p, f->b.len, &sheet, NULL), OK);
    assert_int_equal(settle_add(&s, &sheet, NULL), OK);
    if (twist) twist(&s);
    assert_int_equal(settle_encode(&s, &b, NULL), OK);
    x.payout = (struct entry_payout){.file = auditrig_put_blob(r, b.p, b.len),
                                     .file_bytes = b.len,
                                     .first_round = m->round,
                                     .last_round = m->round,
                                     .paid = m->paid};
    auditrig_append(r, &x);
    auditrig_head(r);
    sheet_deinit(&sheet);
    settle_deinit(&s);
    buf_deinit(&b);
}

static void shift_pay(struct settle *s)
{
    struct settle_row *row = (void *)s->rows.p;
    row[0].amount++;
    row[1].amount--;
}

static void name_another_tree(struct settle *s)
{
    s->root.b[0] ^= 1;
}

static void pay_another(struct settle *s)
{
    struct payee *p = (void *)s->payees.p;
    strcpy(p->address, "the host's own");
}

static void pay_the_old_one(struct settle *s)
{
    struct payee *p = (void *)s->payees.p;
    strcpy(p->address, "an old one");
}

/* What comes on record behind the payout is of the next one. */
static void a_settlement_with_addresses_is_made_again(void **state)
{
    (void)state;
    struct auditrig *r = auditrig_begin(ENTRY_RETAIN_ALL);
    auditrig_round(r);
    settle_last(r, "mine", NULL);
    set_address(r, 0, "a later one", 7);
    auditrig_head(r);
    struct audit_report p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
    assert_int_equal(p.verdict, AUDIT_TRUE);
    assert_int_equal(p.book.n[AUDIT_PAYOUT][AUDIT_OK], 1);
    set_address(r, 0, "an old one", 5);
    auditrig_head(r);
    p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
    assert_int_equal(p.book.n[AUDIT_ENTRY][AUDIT_WRONG], 1);
    auditrig_deinit(r);
}

static void a_settlement_is_made_again(void **state)
{
    (void)state;
    struct auditrig *r = auditrig_begin(ENTRY_RETAIN_ALL);
    auditrig_round(r);
    auditrig_round(r);
    settle_last(r, NULL, NULL);
    struct audit_report p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
    assert_int_equal(p.verdict, AUDIT_TRUE);
    assert_int_equal(p.book.n[AUDIT_PAYOUT][AUDIT_OK], 1);
    auditrig_lose(r, &r->last.round.sheet);
    p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
    assert_int_equal(p.book.n[AUDIT_PAYOUT][AUDIT_NO_DATA], 1);
    auditrig_deinit(r);
}

static void a_settlement_of_other_amounts_or_another_tree_is_a_lie(void **state)
{
    (void)state;
    void (*const lies[])(struct settle *) = {shift_pay, name_another_tree, pay_another,
                                             pay_the_old_one};
    for (size_t i = 0; i < 4; i++) {
        struct auditrig *r = auditrig_begin(ENTRY_RETAIN_ALL);
        auditrig_round(r);
        settle_last(r, "mine", lies[i]);
        struct audit_report p = auditrig_audit(r, AUDIT_ALL_ROUNDS);
        assert_int_equal(p.verdict, AUDIT_FALSE);
        assert_int_equal(p.book.n[AUDIT_PAYOUT][AUDIT_WRONG], 1);
        assert_int_equal(audit_count(&p.book, AUDIT_WRONG), 1);
        auditrig_deinit(r);
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_honest_run_holds_in_every_item),
        CASE(one_round_can_be_checked_alone),
        CASE(a_round_that_is_not_on_record_is_no_verdict),
        CASE(every_set_of_instructions_finds_the_same),
        CASE(a_bit_of_an_update),
        CASE(a_bit_of_a_sheet),
        CASE(a_bit_behind_a_line),
        CASE(a_bit_of_the_tree_head),
        CASE(a_bit_of_an_entry),
        CASE(a_bit_of_a_tile),
        cmocka_unit_test(what_is_not_kept_is_said_and_no_lie),
        cmocka_unit_test(a_contribution_that_was_counted_twice),
        cmocka_unit_test(a_settlement_with_addresses_is_made_again),
        cmocka_unit_test(a_settlement_is_made_again),
        cmocka_unit_test(a_settlement_of_other_amounts_or_another_tree_is_a_lie),
        CASE(an_audit_can_be_stopped),
        CASE(running_out_of_memory_is_no_verdict),
        CASE(the_weights_of_every_round_pass_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
