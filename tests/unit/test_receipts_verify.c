#include "client/receipts_verify.h"
#include "tests/unit/auditrig.h"

/* The receipts of one of the rig's contributors, as it was given them: the first texts, before the
 * round was settled; their rewards are null.
 */
struct book {
    struct auditrig *r;
    struct receipts_row rows[8];
    size_t n;
    struct receipts_verdict v[8];
    struct audit_book b;
};

static struct book the_book;

static void take_receipt(struct book *k, const struct sheet_row *q, bool is_settled, uint64_t entry)
{
    struct receipts_row *row = &k->rows[k->n++];
    struct buf b = {0};
    row->r = (struct msg_receipt){.run = k->r->run.id,
                                  .contributor = q->contributor,
                                  .seq = q->seq,
                                  .round = q->round,
                                  .payload = q->payload,
                                  .n_bytes = q->n_bytes,
                                  .n_tokens = q->n_tokens,
                                  .verdict = q->verdict,
                                  .created_at_ms = 1700000000000,
                                  .is_settled = is_settled};
    snprintf(row->r.reason, sizeof row->r.reason, "%s", q->reason);
    if (is_settled) row->r.reward = q->reward;
    if (is_settled) row->r.entry = entry;
    assert_int_equal(msg_receipt_sign(&row->r, &k->r->host, &b, NULL), OK);
    row->text = hash_of(b.p, b.len);
    buf_deinit(&b);
}

/* Two rounds; contributor 2 is accepted in the first (receipt 3) and late in the second (6). */
static int setup(void **state)
{
    struct book *k = &the_book;
    struct sheet s = {0};
    *k = (struct book){.r = auditrig_begin(0)};
    for (int i = 0; i < 2; i++) {
        auditrig_round(k->r);
        const struct buf *b = &auditrig_blob(k->r, &k->r->last.round.sheet)->b;
        assert_int_equal(sheet_decode(b->p, b->len, &s, NULL), OK);
        take_receipt(k, &s.rows[2], false, 0);
        sheet_deinit(&s);
    }
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    auditrig_deinit(((struct book *)*state)->r);
    return 0;
}

static void look(struct book *k)
{
    k->b = (struct audit_book){0};
    assert_int_equal(
        receipts_verify(&k->r->source, &k->r->run, NULL, k->rows, k->n, k->v, &k->b, NULL), OK);
}

static void receipts_that_are_on_record_count(void **state)
{
    struct book *k = *state;
    look(k);
    assert_int_equal(k->v[0].state, RECEIPTS_ON_RECORD);
    assert_int_equal(k->v[0].reward, 250); /* of 1000, with 32 of 128 tokens */
    assert_int_equal(k->v[0].entry, 1);
    assert_int_equal(k->v[1].state, RECEIPTS_ON_RECORD);
    assert_int_equal(k->v[1].reward, 0);
    assert_int_equal(audit_count(&k->b, AUDIT_WRONG), 0);
}

static void the_settled_text_itself_is_recognised(void **state)
{
    struct book *k = *state;
    struct sheet_row q = {.contributor = k->rows[0].r.contributor,
                          .seq = 3,
                          .payload = k->rows[0].r.payload,
                          .n_bytes = k->rows[0].r.n_bytes,
                          .n_tokens = k->rows[0].r.n_tokens,
                          .verdict = MSG_ACCEPTED,
                          .reward = 250};
    k->n = 0;
    take_receipt(k, &q, true, 1);
    look(k);
    assert_int_equal(k->v[0].state, RECEIPTS_ON_RECORD);
    q.reward = 251; /* the host promised more than it put on record */
    k->n = 0;
    take_receipt(k, &q, true, 1);
    look(k);
    assert_int_equal(k->v[0].state, RECEIPTS_WRONG);
    assert_non_null(strstr(k->v[0].what, "another reward"));
}

static void a_receipt_of_the_open_round_is_pending(void **state)
{
    struct book *k = *state;
    k->rows[1].r.seq = 7;
    look(k);
    assert_int_equal(k->v[1].state, RECEIPTS_PENDING);
    auditrig_end(k->r); /* now there is no round that it could still come in */
    look(k);
    assert_int_equal(k->v[1].state, RECEIPTS_AFTER_END); /* it is late, and pays nothing anyway */
    k->rows[1].r.verdict = MSG_ACCEPTED;
    look(k);
    assert_int_equal(k->v[1].state, RECEIPTS_WRONG);
    assert_non_null(strstr(k->v[1].what, "left out"));
}

static void a_line_that_says_something_else_is_found(void **state)
{
    struct book *k = *state;
    const struct receipts_row good = k->rows[0];
    k->rows[0].r.n_tokens++;
    look(k);
    assert_non_null(strstr(k->v[0].what, "other tokens"));
    k->rows[0] = good;
    k->rows[0].r.payload = hash_of("x", 1);
    look(k);
    assert_non_null(strstr(k->v[0].what, "another upload"));
    k->rows[0] = good;
    k->rows[0].r.round = 5;
    look(k);
    assert_non_null(strstr(k->v[0].what, "another round"));
    k->rows[0] = good;
    k->rows[0].r.contributor = k->r->peer[0].pub;
    look(k);
    assert_non_null(strstr(k->v[0].what, "somebody else"));
    k->rows[0] = good;
    k->rows[0].r.verdict = MSG_LATE;
    look(k);
    assert_non_null(strstr(k->v[0].what, "another verdict"));
    assert_int_equal(k->v[0].state, RECEIPTS_WRONG);
    k->rows[0] = good;
    k->rows[1].r.reason[0]++;
    look(k);
    assert_non_null(strstr(k->v[1].what, "another verdict"));
}

static void what_cannot_be_read_is_unknown(void **state)
{
    struct book *k = *state;
    auditrig_lose(k->r, &k->r->last.round.sheet);
    look(k);
    assert_int_equal(k->v[0].state, RECEIPTS_ON_RECORD);
    assert_int_equal(k->v[1].state, RECEIPTS_UNKNOWN);
    assert_int_equal(k->b.n[AUDIT_SHEET][AUDIT_NO_DATA], 1);
    auditrig_find(k->r, "checkpoint")->name[0] = 0;
    look(k);
    assert_int_equal(k->v[0].state, RECEIPTS_UNKNOWN);
    assert_non_null(strstr(k->v[0].what, "no record"));
}

static void a_settled_text_that_was_changed_is_found(void **state)
{
    struct book *k = *state;
    struct sheet s = {0};
    const struct buf *b = NULL;
    for (uint32_t i = 0; i < k->r->n_files; i++) { /* the first round's sheet */
        b = &k->r->files[i].b;
        if (b->len > 10 && memcmp(b->p, "{\"round\":0", 10) == 0) break;
    }
    assert_int_equal(sheet_decode(b->p, b->len, &s, NULL), OK);
    auditrig_flip(auditrig_blob(k->r, &s.rows[2].receipt));
    sheet_deinit(&s);
    look(k);
    assert_int_equal(k->v[0].state, RECEIPTS_WRONG);
    assert_non_null(strstr(k->v[0].what, "settled text"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(receipts_that_are_on_record_count),
        CASE(the_settled_text_itself_is_recognised),
        CASE(a_receipt_of_the_open_round_is_pending),
        CASE(a_line_that_says_something_else_is_found),
        CASE(what_cannot_be_read_is_unknown),
        CASE(a_settled_text_that_was_changed_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
