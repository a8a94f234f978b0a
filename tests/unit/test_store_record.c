#include "aggregator/store_db.h"
#include "aggregator/store_record.h"
#include "aggregator/store_round.h"
#include "aggregator/store_view.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tinypub.h"

struct desk {
    char dir[PATH_CAP];
    char path[PATH_CAP];
    struct rundesc d;
    struct key key;
    struct store *s;
    struct err e;
};

static struct desk the_desk;

static int set_up(void **state)
{
    struct desk *x = &the_desk;
    memset(x, 0, sizeof *x);
    scratch_make(x->dir);
    assert_int_equal(path_format(x->path, "%s/a.db", x->dir), 0);
    x->d = (struct rundesc){.id = hash_of("run", 3), .reward_per_round = 1000};
    key_generate(&x->key);
    assert_int_equal(store_open(x->path, &x->d.id, &x->s, &x->e), OK);
    assert_int_equal(tinypub_open(x->s, &x->d, &x->key, &x->e), OK);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct desk *x = *state;
    store_close(x->s);
    scratch_remove(x->dir);
    return 0;
}

static struct round_input answer(struct desk *x, uint8_t who, uint64_t round, enum msg_verdict v,
                                 uint64_t reward)
{
    uint8_t name[2] = {who, (uint8_t)round};
    struct round_op op = {.round = round, .contributor = {{who}}, .verdict = v};
    struct round_input in = {.contributor = op.contributor, .reward = reward};
    op.claim = (struct round_claim){.payload = hash_of(name, 2), .n_bytes = 10, .n_tokens = 100};
    op.claim.manifest = hash_of(name, 1);
    if (v != MSG_ACCEPTED) strcpy(op.reason, "late by 4 s");
    assert_int_equal(store_receipt_put(x->s, &op, &x->d.id, &x->key, 1, &in.receipt_seq, &v, &x->e),
                     OK);
    return in;
}

static struct msg_update update_of(struct desk *x, uint64_t round, uint32_t n)
{
    return (struct msg_update){.run = x->d.id,
                               .round = round,
                               .result = hash_of(&round, 8),
                               .update = hash_of(&round, 7),
                               .update_bytes = 5,
                               .n_merged = n,
                               .n_tokens = 100 * n};
}

/* Ask the database itself, as an auditor with the file would. */
static int64_t ask(struct desk *x, const char *sql)
{
    struct store_db *db = NULL;
    assert_int_equal(store_db_open(x->path, &db, &x->e), OK);
    struct store_query q = store_db_query(db, sql);
    int rc = store_db_step(&q, &x->e);
    int64_t v = rc == OK ? store_db_i64(&q, 0) : INT64_MIN;
    store_db_done(&q);
    store_db_close(db);
    return v;
}

static int try_sql(struct desk *x, const char *sql)
{
    struct store_db *db = NULL;
    assert_int_equal(store_db_open(x->path, &db, &x->e), OK);
    int rc = store_db_exec(db, sql, &x->e);
    store_db_close(db);
    return rc;
}

static void publish_one(struct desk *x)
{
    struct round_input in[2] = {answer(x, 1, 0, MSG_ACCEPTED, 600),
                                answer(x, 2, 0, MSG_ACCEPTED, 400)};
    answer(x, 3, 0, MSG_LATE, 0);
    struct msg_update u = update_of(x, 0, 2);
    assert_int_equal(tinypub_publish(x->s, &x->d.id, &x->key, &u, in, 2, &x->e), OK);
}

static void the_ledger_moves_the_emission_and_sums_to_zero(void **state)
{
    struct desk *x = *state;
    publish_one(x);
    assert_int_equal(ask(x, "SELECT sum(amount) FROM ledger"), 0);
    assert_int_equal(ask(x, "SELECT sum(amount) FROM ledger WHERE account='emission'"), -1000);
    assert_int_equal(ask(x, "SELECT count(*) FROM ledger"), 6); /* two lines for each receipt */
    assert_int_equal(ask(x, "SELECT count(*) FROM (SELECT receipt_seq FROM ledger"
                            " GROUP BY receipt_seq HAVING sum(amount)<>0 OR count(*)<>2)"),
                     0);
    assert_int_equal(ask(x, "SELECT count(*) FROM ledger WHERE amount=0 AND receipt_seq=3 AND"
                            " reason='late by 4 s'"),
                     2);
    assert_int_equal(ask(x, "SELECT count(*) FROM ledger WHERE amount=600 AND"
                            " reason='100 of 200 tokens merged in round 0' AND account LIKE"
                            " 'contributor/01%'"),
                     1);
}

static void nobody_changes_or_deletes_what_is_on_record(void **state)
{
    struct desk *x = *state;
    static const char twice[] =
        "INSERT INTO postings SELECT 99, entry, receipt_seq, from_account, to_account, amount,"
        " reason, at FROM postings WHERE receipt_seq=1";
    static const char *const bad[] = {
        "UPDATE postings SET amount=amount+1",
        "DELETE FROM postings WHERE receipt_seq=1",
        "UPDATE entries SET text='x'",
        "DELETE FROM entries WHERE idx=1",
        "UPDATE receipts SET reward=NULL",
        "UPDATE receipts SET entry=1, reward=5 WHERE seq=3",
        /* A line that is paid twice, for a late receipt, from nowhere, or of less than nothing. */
        twice,
        "INSERT INTO postings VALUES(99, 1, 4, 1, 2, 7, 'x', 1)",
        "INSERT INTO postings VALUES(99, 1, 3, 1, 1, 0, 'x', 1)",
    };
    publish_one(x);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (try_sql(x, bad[i]) == OK) fail_msg("the database takes: %s", bad[i]);
    assert_int_equal(ask(x, "SELECT sum(amount) FROM postings"), 1000);
}

static void the_newest_receipt_says_what_it_paid(void **state)
{
    struct desk *x = *state;
    struct key_pub k = {{1}}, late = {{3}};
    struct buf out = {0};
    struct msg_receipt m;
    publish_one(x);
    assert_int_equal(store_receipts_after(x->s, &k, 0, 10, &out, &x->e), OK);
    assert_int_equal(msg_receipt_verify(out.p, out.len - 1, &x->key.pub, &m, &x->e), OK);
    assert_true(m.is_settled);
    assert_int_equal(m.seq, 1);
    assert_int_equal(m.reward, 600);
    assert_int_equal(m.entry, 1);
    buf_clear(&out);
    assert_int_equal(store_receipts_after(x->s, &late, 0, 10, &out, &x->e), OK);
    assert_int_equal(msg_receipt_verify(out.p, out.len - 1, &x->key.pub, &m, &x->e), OK);
    assert_true(m.is_settled); /* it was late: with nothing, and the reason stands */
    assert_int_equal(m.reward, 0);
    assert_int_equal(m.entry, 1);
    assert_true(m.reason[0]);
    buf_deinit(&out);
}

static void every_receipt_is_on_exactly_one_sheet(void **state)
{
    struct desk *x = *state;
    struct store_tail t;
    publish_one(x);
    struct round_input in = answer(x, 4, 1, MSG_ACCEPTED, 1000);
    answer(x, 5, 0, MSG_LATE, 0); /* of the round before, but it came now */
    struct msg_update u = update_of(x, 1, 1);
    assert_int_equal(tinypub_publish(x->s, &x->d.id, &x->key, &u, &in, 1, &x->e), OK);
    assert_int_equal(store_record_tail(x->s, &t, &x->e), OK);
    assert_int_equal(t.n_entries, 3);
    assert_int_equal(t.next_seq, 6);
    assert_int_equal(t.n_rounds, 2);
    assert_int_equal(t.paid, 2000);
    assert_false(t.is_ended);
    assert_int_equal(ask(x, "SELECT count(*) FROM rounds a JOIN rounds b ON"
                            " b.round=a.round+1 WHERE b.first_seq<>a.last_seq+1"),
                     0);
}

/* Whatever does not fit undoes the whole publication. */
static void a_page_that_was_changed_is_refused(void **state)
{
    struct desk *x = *state;
    struct round_input in[2] = {answer(x, 1, 0, MSG_ACCEPTED, 600),
                                answer(x, 2, 0, MSG_ACCEPTED, 400)};
    struct msg_update u = update_of(x, 0, 2), got;
    for (int how = 0; how < 6; how++) {
        struct publish_page page = {0};
        struct store_tail tail;
        assert_int_equal(tinypub_page(x->s, &x->d, &x->key, &u, in, 2, &tail, &page, &x->e), OK);
        uint32_t n = page.n_rows;
        if (how == 0) page.paid++;
        if (how == 1) page.rows[1].receipt.seq = 77;
        if (how == 2) page.rows[1].receipt.contributor.b[0] = 9;
        if (how == 3) page.n_rows--;
        if (how == 4) page.rows[0].receipt.verdict = MSG_LATE;
        if (how == 5) tail.n_entries++;
        assert_int_not_equal(tinypub_commit(x->s, &u, &page, &tail, &x->e), OK);
        assert_int_equal(store_round_get(x->s, 0, &got, NULL, &x->e), ERR_NOTFOUND);
        assert_int_equal(ask(x, "SELECT count(*) FROM postings"), 0);
        assert_int_equal(ask(x, "SELECT count(*) FROM entries"), 1);
        page.n_rows = n;
        publish_page_deinit(&page);
    }
}

static int count(uint64_t index, const char *text, size_t n, void *ctx, struct err *e)
{
    struct entry m;
    struct desk *x = &the_desk;
    assert_int_equal(entry_verify(text, n, &x->key.pub, &m, e), OK);
    assert_int_equal(m.index, index);
    return ++*(int *)ctx == 2 ? ERR_AGAIN - 100 : OK;
}

static void entries_come_back_in_order_and_fn_may_stop(void **state)
{
    struct desk *x = *state;
    int n = 0;
    publish_one(x);
    assert_int_equal(store_record_each(x->s, 1, count, &n, &x->e), OK);
    assert_int_equal(n, 1);
    assert_int_equal(store_record_each(x->s, 0, count, &n, &x->e), ERR_AGAIN - 100);
    struct store_entry again = {.kind = ENTRY_OPEN};
    buf_put_str(&again.text, "x");
    assert_int_equal(store_record_append(x->s, 1, &again, 1, &x->e), ERR_WRONG_STATE);
    buf_deinit(&again.text);
}

static void an_older_database_is_refused_with_the_next_step(void **state)
{
    struct desk *x = *state;
    struct store *s = NULL;
    assert_int_equal(try_sql(x, "PRAGMA user_version=1"), OK);
    assert_int_equal(store_open(x->path, &x->d.id, &s, &x->e), ERR_VERSION);
    assert_null(s);
    assert_non_null(strstr(x->e.what, "older version"));
    assert_true(x->e.hint[0]);
}

/* Its refused receipts are on sheets as they are, and stay so; those to come are settled. */
static void a_database_of_version_2_is_brought_along(void **state)
{
    struct desk *x = *state;
    publish_one(x);
    assert_int_equal(try_sql(x, "UPDATE receipts SET reward=NULL, entry=NULL WHERE verdict<>1"),
                     OK);
    assert_int_equal(try_sql(x,
                             "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql=replace(sql,"
                             " 'verdict=1 OR coalesce(reward,0)=0', 'entry IS NULL OR verdict=1')"
                             " WHERE name='receipts'; PRAGMA user_version=2"),
                     OK);
    assert_int_equal(ask(x, "SELECT count(*) FROM sqlite_schema WHERE name='receipts'"
                            " AND sql LIKE '%entry IS NULL OR verdict=1%'"),
                     1);
    store_close(x->s);
    x->s = NULL;
    assert_int_equal(store_open(x->path, &x->d.id, &x->s, &x->e), OK);
    assert_int_equal(ask(x, "SELECT user_version FROM pragma_user_version"), 3);
    assert_int_equal(ask(x, "SELECT count(*) FROM receipts"), 3);
    assert_int_equal(ask(x, "SELECT count(*) FROM receipts WHERE entry IS NULL"), 1);
    assert_int_equal(ask(x, "SELECT sum(amount) FROM postings"), 1000);
    assert_int_equal(ask(x, "SELECT count(*) FROM sqlite_schema WHERE type='trigger'"), 5);
    assert_int_not_equal(try_sql(x, "INSERT INTO postings VALUES(99, 1, 3, 1, 2, 7, 'x', 1)"), OK);
    answer(x, 4, 0, MSG_LATE, 0);
    struct msg_update u = update_of(x, 1, 0);
    assert_int_equal(tinypub_publish(x->s, &x->d.id, &x->key, &u, NULL, 0, &x->e), OK);
    assert_int_equal(ask(x, "SELECT count(*) FROM receipts WHERE entry=2 AND reward=0"), 1);
}

static void what_was_forgotten_is_remembered(void **state)
{
    struct desk *x = *state;
    uint64_t r = 9;
    assert_int_equal(store_record_forgotten(x->s, &r, &x->e), OK);
    assert_int_equal(r, 0);
    assert_int_equal(store_record_forget(x->s, 5, &x->e), OK);
    assert_int_equal(store_record_forgotten(x->s, &r, &x->e), OK);
    assert_int_equal(r, 5);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_ledger_moves_the_emission_and_sums_to_zero),
        CASE(nobody_changes_or_deletes_what_is_on_record),
        CASE(the_newest_receipt_says_what_it_paid),
        CASE(every_receipt_is_on_exactly_one_sheet),
        CASE(a_page_that_was_changed_is_refused),
        CASE(entries_come_back_in_order_and_fn_may_stop),
        CASE(an_older_database_is_refused_with_the_next_step),
        CASE(a_database_of_version_2_is_brought_along),
        CASE(what_was_forgotten_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
