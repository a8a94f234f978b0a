#include <stdlib.h>

#include "aggregator/store_round.h"
#include "aggregator/store_view.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tinypub.h"

static char dir[PATH_CAP];
static struct hash run;
static struct key key;
static struct store *s;
static struct err e;

static int set_up(void **state)
{
    char path[PATH_CAP];
    (void)state;
    scratch_make(dir);
    assert_int_equal(path_format(path, "%s/a.db", dir), 0);
    run = hash_of("run", 3);
    key_generate(&key);
    return store_open(path, &run, &s, &e);
}

static int tear_down(void **state)
{
    (void)state;
    store_close(s);
    scratch_remove(dir);
    return 0;
}

static uint64_t receipt(uint8_t who, uint64_t round, enum msg_verdict verdict, uint64_t n_tokens)
{
    uint8_t name[2] = {who, (uint8_t)round};
    struct round_op op = {.round = round, .contributor = {{who}}, .verdict = verdict};
    uint64_t seq = 0;
    enum msg_verdict v;
    op.claim =
        (struct round_claim){.payload = hash_of(name, 2), .n_bytes = 10, .n_tokens = n_tokens};
    if (verdict != MSG_ACCEPTED) strcpy(op.reason, "x");
    assert_int_equal(store_receipt_put(s, &op, &run, &key, 5, &seq, &v, &e), OK);
    return seq;
}

static void credits_show_settled_and_pending_apart(void **state)
{
    struct key_pub k = {{1}};
    struct msg_credits *c = calloc(1, sizeof *c);
    struct round_input in = {
        .contributor = k, .receipt_seq = receipt(1, 0, MSG_ACCEPTED, 100), .reward = 900};
    struct msg_update u = {.run = run, .n_merged = 1, .n_tokens = 100, .update_bytes = 5};
    (void)state;
    assert_int_equal(tinypub_publish(s, &run, &key, &u, &in, 1, &e), OK);
    receipt(1, 1, MSG_ACCEPTED, 100);
    receipt(2, 1, MSG_ACCEPTED, 300);
    receipt(1, 2, MSG_LATE, 100);
    assert_int_equal(store_view_credits(s, &k, 1000, INT64_MAX, c, &e), OK);
    assert_int_equal(c->confirmed, 900);
    assert_int_equal(c->pending, 250); /* a quarter of the tokens so far */
    assert_int_equal(c->n_accepted, 2);
    assert_int_equal(c->n_late, 1);
    assert_int_equal(c->n, 3);
    assert_int_equal(c->lines[0].round, 2); /* newest first */
    assert_int_equal(c->lines[0].amount, 0);
    assert_true(c->lines[0].is_settled);
    assert_false(c->lines[1].is_settled);
    assert_int_equal(c->lines[2].amount, 900);
    assert_string_equal(c->lines[2].reason, "100 of 100 tokens merged in round 0");
    free(c);
}

/* Who has more lines than one answer carries asks for those before the last. */
static void credits_go_on_before_a_receipt(void **state)
{
    struct key_pub k = {{1}};
    struct msg_credits *c = calloc(1, sizeof *c);
    (void)state;
    for (uint64_t i = 0; i < 3; i++)
        receipt(1, i, MSG_LATE, 10);
    assert_int_equal(store_view_credits(s, &k, 1000, 3, c, &e), OK);
    assert_int_equal(c->n, 2);
    assert_int_equal(c->lines[0].receipt_seq, 2);
    assert_int_equal(c->n_late, 3); /* totals are of all */
    assert_int_equal(store_view_credits(s, &k, 1000, 1, c, &e), OK);
    assert_int_equal(c->n, 0);
    free(c);
}

static void a_peer_shows_its_last_ten_rounds(void **state)
{
    struct key_pub k = {{1}};
    struct msg_peer p = {0};
    (void)state;
    assert_int_equal(store_join(s, &k, "Ada", "potluck/0", 1, &e), OK);
    receipt(1, 1, MSG_ACCEPTED, 10);
    receipt(1, 11, MSG_LATE, 10);
    receipt(1, 12, MSG_REJECTED, 10);
    assert_int_equal(store_view_peer(s, &k, 13, &p, &e), OK);
    assert_string_equal(p.name, "Ada");
    assert_string_equal(p.last10, "........lx");
    assert_int_equal(p.n_tokens, 10);
    assert_int_equal(store_view_peer(s, &k, 2, &p, &e), OK);
    assert_string_equal(p.last10, ".#");
    assert_int_equal(store_view_peer(s, &k, 0, &p, &e), OK);
    assert_string_equal(p.last10, "");
}

static void totals_of_an_empty_run_are_zero(void **state)
{
    struct store_totals t;
    (void)state;
    assert_int_equal(store_view_totals(s, &t, &e), OK);
    assert_int_equal(t.n_rounds + t.n_accepted + t.n_tokens + t.n_ledger, 0);
    assert_int_equal(t.first_at_ms, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(credits_show_settled_and_pending_apart),
        CASE(credits_go_on_before_a_receipt),
        CASE(a_peer_shows_its_last_ten_rounds),
        CASE(totals_of_an_empty_run_are_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
