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

static struct round_input accept(uint8_t who, uint64_t round, enum msg_verdict verdict)
{
    uint8_t name[2] = {who, (uint8_t)round};
    struct round_op op = {.round = round, .contributor = {{who}}, .verdict = verdict};
    struct round_input in = {.contributor = op.contributor, .reward = 40};
    enum msg_verdict v;
    op.claim = (struct round_claim){.payload = hash_of(name, 2), .n_bytes = 10, .n_tokens = 100};
    if (verdict != MSG_ACCEPTED) strcpy(op.reason, "x");
    assert_int_equal(store_receipt_put(s, &op, &run, &key, 1, &in.receipt_seq, &v, &e), OK);
    return in;
}

static struct msg_update update_of(uint64_t round)
{
    return (struct msg_update){.run = run,
                               .round = round,
                               .result = hash_of(&round, 8),
                               .update = hash_of(&round, 7),
                               .update_bytes = 5,
                               .n_merged = 1,
                               .n_tokens = 100,
                               .train_loss = 2};
}

static void a_round_is_published_with_its_rewards(void **state)
{
    struct round_input in[2] = {accept(1, 0, MSG_ACCEPTED), accept(2, 0, MSG_ACCEPTED)};
    struct msg_update u = update_of(0), got;
    struct store_totals t;
    struct buf head = {0};
    (void)state;
    assert_int_equal(store_round_last(s, &got, &e), ERR_NOTFOUND);
    assert_int_equal(tinypub_publish(s, &run, &key, &u, in, 2, &e), OK);
    assert_int_equal(store_round_last(s, &got, &e), OK);
    assert_true(hash_equal(&got.result, &u.result));
    assert_int_equal(store_round_get(s, 0, &got, &head, &e), OK);
    assert_string_equal(buf_str(&head), "signed");
    assert_int_equal(store_round_get(s, 1, &got, NULL, &e), ERR_NOTFOUND);
    assert_int_equal(store_view_totals(s, &t, &e), OK);
    assert_int_equal(t.n_rounds, 1);
    assert_int_equal(t.ledger_sum, 80);
    assert_int_equal(t.n_ledger, 2);
    buf_deinit(&head);
}

static void publishing_again_changes_nothing(void **state)
{
    struct round_input in = accept(1, 0, MSG_ACCEPTED);
    struct msg_update u = update_of(0);
    struct rundesc d = {.id = run, .reward_per_round = 1000};
    struct publish_page page = {0};
    struct store_tail tail;
    struct store_totals t;
    (void)state;
    assert_int_equal(tinypub_open(s, &d, &key, &e), OK);
    assert_int_equal(tinypub_page(s, &d, &key, &u, &in, 1, &tail, &page, &e), OK);
    assert_int_equal(tinypub_commit(s, &u, &page, &tail, &e), OK);
    assert_int_equal(tinypub_commit(s, &u, &page, &tail, &e), OK);
    assert_int_equal(store_view_totals(s, &t, &e), OK);
    assert_int_equal(t.ledger_sum, 40);
    assert_int_equal(t.n_ledger, 1);
    u.result = hash_of("x", 1);
    assert_int_equal(tinypub_commit(s, &u, &page, &tail, &e), ERR_WRONG_STATE);
    publish_page_deinit(&page);
}

/* A reward without an accepted receipt of its round undoes the whole publication. */
static void a_reward_needs_an_accepted_receipt(void **state)
{
    struct round_input good = accept(1, 0, MSG_ACCEPTED), late = accept(2, 0, MSG_LATE),
                       other = accept(3, 1, MSG_ACCEPTED);
    struct round_input none = good;
    struct msg_update u = update_of(0), got;
    (void)state;
    none.receipt_seq = 999;
    const struct round_input bad[3] = {late, other, none};
    for (int i = 0; i < 3; i++) {
        struct round_input in[2] = {good, bad[i]};
        assert_int_equal(tinypub_publish(s, &run, &key, &u, in, 2, &e), ERR_WRONG_STATE);
        assert_int_equal(store_round_get(s, 0, &got, NULL, &e), ERR_NOTFOUND);
    }
}

static void checkpoints_are_listed_newest_first(void **state)
{
    struct store_checkpoint c[2];
    uint32_t n = 0;
    (void)state;
    for (uint64_t r = 0; r < 30; r += 10) {
        struct store_checkpoint x = {.round = r, .file = hash_of(&r, 8), .n_bytes = 7};
        assert_int_equal(store_round_checkpoint_put(s, &x, &e), OK);
    }
    assert_int_equal(store_round_checkpoints(s, c, 2, &n, &e), OK);
    assert_int_equal(n, 2);
    assert_int_equal(c[0].round, 20);
    assert_int_equal(c[1].round, 10);
    assert_int_equal(store_round_checkpoint_drop(s, 20, &e), OK);
    assert_int_equal(store_round_checkpoints(s, c, 2, &n, &e), OK);
    assert_int_equal(c[0].round, 10);
}

static void first_and_newest_validation_are_kept(void **state)
{
    struct store_val v;
    (void)state;
    assert_int_equal(store_round_val(s, true, &v, &e), ERR_NOTFOUND);
    for (uint64_t r = 0; r < 3; r++) {
        struct store_val x = {.round = r, .nats = (double)r, .n_tokens = 1, .n_bytes = 2};
        assert_int_equal(store_round_val_put(s, &x, &e), OK);
    }
    assert_int_equal(store_round_val(s, false, &v, &e), OK);
    assert_int_equal(v.round, 0);
    assert_int_equal(store_round_val(s, true, &v, &e), OK);
    assert_int_equal(v.round, 2);
}

static void count(const struct hash *h, void *ctx)
{
    (void)h;
    ++*(int *)ctx;
}

static void only_accepted_payloads_are_listed(void **state)
{
    int n = 0;
    (void)state;
    accept(1, 0, MSG_ACCEPTED);
    accept(2, 0, MSG_LATE);
    accept(1, 1, MSG_ACCEPTED);
    assert_int_equal(store_round_payloads(s, 0, count, &n, &e), OK);
    assert_int_equal(n, 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_round_is_published_with_its_rewards), CASE(publishing_again_changes_nothing),
        CASE(a_reward_needs_an_accepted_receipt),    CASE(checkpoints_are_listed_newest_first),
        CASE(first_and_newest_validation_are_kept),  CASE(only_accepted_payloads_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
