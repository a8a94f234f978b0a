#include <string.h>

#include "aggregator/store_payee.h"
#include "tests/unit/keycase.h"
#include "tests/unit/scratch.h"

static char dir[PATH_CAP], path[PATH_CAP];
static struct store *s;
static struct err e;
static struct hash run;

static int set_up(void **state)
{
    (void)state;
    run = test_hash("run");
    e = (struct err){0};
    scratch_make(dir);
    assert_int_equal(path_format(path, "%s/a.db", dir), 0);
    assert_int_equal(store_open(path, &run, &s, &e), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(s);
    scratch_remove(dir);
    return 0;
}

static int put(uint8_t who, const char *address, int64_t at_ms)
{
    struct key k = test_key(who);
    struct payee m = {.run = run, .contributor = k.pub, .kind = PAYEE_TEXT, .created_at_ms = at_ms};
    struct buf b = {0};
    strcpy(m.address, address);
    assert_int_equal(payee_sign(&m, &k, &b, &e), OK);
    int rc = store_payee_put(s, &m, (const char *)b.p, b.len, &e);
    buf_deinit(&b);
    return rc;
}

/* Something of theirs was accepted. */
static void accept(uint8_t who, uint64_t round, enum msg_verdict verdict)
{
    struct key k = test_key(who), host = test_key(99);
    struct round_op op = {.round = round,
                          .contributor = k.pub,
                          .max_bytes = 10,
                          .verdict = verdict,
                          .n_passed = verdict == MSG_ACCEPTED ? ROUND_CHECKS : 0};
    uint64_t seq = 0;
    enum msg_verdict v;
    strcpy(op.id, "00112233445566778899aabbccddeeff");
    op.claim = (struct round_claim){
        .payload = hash_of(&who, 1), .n_bytes = 5, .n_tokens = 1, .n_steps = 1};
    if (verdict != MSG_ACCEPTED) strcpy(op.reason, "no");
    assert_int_equal(store_slot_put(s, &op, &e), OK);
    assert_int_equal(store_receipt_put(s, &op, &run, &host, 1, &seq, &v, &e), OK);
}

struct seen {
    uint32_t n;
    struct payee m[4];
};

static int look(const char *text, size_t n, void *ctx, struct err *err)
{
    struct seen *x = ctx;
    assert_true(x->n < 4);
    return payee_verify(text, n, NULL, &x->m[x->n++], err);
}

static struct seen all(void)
{
    struct seen x = {0};
    assert_int_equal(store_payee_each(s, look, &x, &e), OK);
    return x;
}

static void the_newest_counts_and_an_older_one_cannot_come_back(void **state)
{
    (void)state;
    accept(1, 0, MSG_ACCEPTED);
    assert_int_equal(put(1, "first", 10), OK);
    assert_int_equal(put(1, "second", 20), OK);
    assert_int_equal(put(1, "second", 20), OK); /* a lost answer */
    assert_int_equal(put(1, "first", 10), ERR_WRONG_STATE);
    assert_true(strstr(e.what, "later word") && e.hint[0]);
    assert_int_equal(put(1, "other", 20), ERR_WRONG_STATE);
    store_close(s);
    assert_int_equal(store_open(path, &run, &s, &e), OK);
    assert_int_equal(put(1, "first", 10), ERR_WRONG_STATE);
    struct seen x = all();
    assert_int_equal(x.n, 1);
    assert_string_equal(x.m[0].address, "second");
}

static void whoever_never_contributed_is_left_out(void **state)
{
    (void)state;
    accept(1, 0, MSG_ACCEPTED);
    accept(2, 0, MSG_REJECTED);
    for (uint8_t who = 1; who <= 3; who++)
        assert_int_equal(put(who, "a", 5), OK);
    struct seen x = all();
    assert_int_equal(x.n, 1);
    struct key k = test_key(1);
    assert_true(key_equal(&x.m[0].contributor, &k.pub));
    accept(2, 1, MSG_ACCEPTED);
    assert_int_equal(all().n, 2);
}

static int stop(const char *text, size_t n, void *ctx, struct err *err)
{
    (void)text;
    (void)n;
    (void)ctx;
    return err_set(err, ERR_CANCELLED, 0, "enough");
}

static void the_reader_may_stop(void **state)
{
    (void)state;
    accept(1, 0, MSG_ACCEPTED);
    assert_int_equal(store_payee_each(s, stop, NULL, &e), OK);
    assert_int_equal(put(1, "a", 5), OK);
    assert_int_equal(store_payee_each(s, stop, NULL, &e), ERR_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_counts_and_an_older_one_cannot_come_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(whoever_never_contributed_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_reader_may_stop, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
