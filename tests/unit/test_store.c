#include <pthread.h>
#include <stdlib.h>

#include "aggregator/store.h"
#include "aggregator/store_round.h"
#include "aggregator/store_view.h"
#include "tests/unit/scratch.h"

struct shop {
    char dir[PATH_CAP];
    char path[PATH_CAP];
    struct hash run;
    struct key key;
    struct store *s;
    struct err e;
};

static struct shop the_shop;

static void open_shop(struct shop *x)
{
    assert_int_equal(store_open(x->path, &x->run, &x->s, &x->e), OK);
}

static int set_up(void **state)
{
    struct shop *x = &the_shop;
    memset(x, 0, sizeof *x);
    scratch_make(x->dir);
    assert_int_equal(path_format(x->path, "%s/a.db", x->dir), 0);
    x->run = hash_of("run", 3);
    key_generate(&x->key);
    open_shop(x);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct shop *x = *state;
    store_close(x->s);
    scratch_remove(x->dir);
    return 0;
}

static void reopen(struct shop *x)
{
    store_close(x->s);
    open_shop(x);
}

struct opener {
    const struct shop *x;
    char path[PATH_CAP];
    int rc;
    struct err e;
};

static void *open_new(void *arg)
{
    struct opener *o = arg;
    struct store *s = NULL;
    o->rc = store_open(o->path, &o->x->run, &s, &o->e);
    store_close(s);
    return NULL;
}

static void a_new_file_may_be_opened_by_several_at_once(void **state)
{
    struct shop *x = *state;
    for (int turn = 0; turn < 20; turn++) {
        struct opener o[3];
        pthread_t t[3];
        for (int i = 0; i < 3; i++) {
            o[i] = (struct opener){.x = x};
            assert_int_equal(path_format(o[i].path, "%s/new%d.db", x->dir, turn), 0);
            assert_int_equal(pthread_create(&t[i], NULL, open_new, &o[i]), 0);
        }
        for (int i = 0; i < 3; i++)
            pthread_join(t[i], NULL);
        for (int i = 0; i < 3; i++)
            if (o[i].rc != OK) fail_msg("%s", o[i].e.what);
    }
}

static struct round_op op_of(uint8_t who, uint64_t round, enum msg_verdict verdict)
{
    struct round_op op = {
        .round = round, .contributor = {{who}}, .verdict = verdict, .max_bytes = 99};
    uint8_t name[2] = {who, (uint8_t)round};
    memset(op.id, 'a' + who, MSG_ID_HEX - 1);
    op.claim = (struct round_claim){.payload = hash_of(name, 2),
                                    .n_bytes = 10,
                                    .n_tokens = 100,
                                    .n_steps = 2,
                                    .loss = 1.5,
                                    .tok_per_s = 7};
    if (verdict != MSG_ACCEPTED) strcpy(op.reason, "because");
    return op;
}

static uint64_t put(struct shop *x, const struct round_op *op)
{
    uint64_t seq = 0;
    enum msg_verdict v;
    assert_int_equal(store_receipt_put(x->s, op, &x->run, &x->key, 1000, &seq, &v, &x->e), OK);
    return seq;
}

static void receipts_are_numbered_without_gaps_and_survive(void **state)
{
    struct shop *x = *state;
    struct round_op a = op_of(1, 0, MSG_ACCEPTED), b = op_of(2, 0, MSG_LATE);
    struct buf jws = {0};
    uint64_t seq = 0;
    enum msg_verdict v;
    struct msg_receipt r;
    assert_int_equal(put(x, &a), 1);
    assert_int_equal(put(x, &b), 2);
    reopen(x);
    assert_int_equal(store_receipt_get(x->s, &b.contributor, 0, &jws, &seq, &v, &x->e), OK);
    assert_int_equal(seq, 2);
    assert_int_equal(v, MSG_LATE);
    assert_int_equal(msg_receipt_verify(jws.p, jws.len, &x->key.pub, &r, &x->e), OK);
    assert_int_equal(r.seq, 2);
    assert_string_equal(r.reason, "because");
    buf_deinit(&jws);
}

static void a_second_receipt_for_a_pair_is_the_first_one(void **state)
{
    struct shop *x = *state;
    struct round_op a = op_of(1, 0, MSG_LATE), again = op_of(1, 0, MSG_ACCEPTED);
    uint64_t seq = 0;
    enum msg_verdict v = MSG_ACCEPTED;
    assert_int_equal(put(x, &a), 1);
    assert_int_equal(store_receipt_put(x->s, &again, &x->run, &x->key, 1, &seq, &v, &x->e), OK);
    assert_int_equal(seq, 1);
    assert_int_equal(v, MSG_LATE);
}

static void a_payload_is_accepted_once_for_all_rounds(void **state)
{
    struct shop *x = *state;
    struct round_op a = op_of(1, 3, MSG_ACCEPTED), b = op_of(2, 4, MSG_ACCEPTED);
    uint64_t round = 0, seq = 0;
    enum msg_verdict v;
    b.claim.payload = a.claim.payload;
    assert_int_equal(store_payload_round(x->s, &a.claim.payload, &round, &x->e), ERR_NOTFOUND);
    put(x, &a);
    assert_int_equal(store_payload_round(x->s, &a.claim.payload, &round, &x->e), OK);
    assert_int_equal(round, 3);
    assert_int_not_equal(store_receipt_put(x->s, &b, &x->run, &x->key, 1, &seq, &v, &x->e), OK);
}

static void slots_and_receipts_of_the_open_round_are_restored(void **state)
{
    struct shop *x = *state;
    struct round_op before = op_of(1, 0, MSG_ACCEPTED), slot = op_of(2, 1, MSG_ACCEPTED),
                    done = op_of(3, 1, MSG_ACCEPTED), old = op_of(4, 7, MSG_ACCEPTED);
    struct round_stored *rows = NULL;
    uint32_t n = 0;
    old.round = 100; /* neither this round nor the one before */
    put(x, &before);
    put(x, &old);
    assert_int_equal(store_slot_put(x->s, &slot, &x->e), OK);
    assert_int_equal(store_slot_put(x->s, &done, &x->e), OK);
    put(x, &done);
    reopen(x);
    assert_int_equal(store_restore(x->s, 1, &rows, &n, &x->e), OK);
    assert_int_equal(n, 3);
    assert_int_equal(rows[0].contributor.b[0], 3);
    assert_true(rows[0].has_receipt && rows[0].has_slot);
    assert_int_equal(rows[0].claim.n_tokens, 100);
    assert_true(hash_equal(&rows[0].claim.payload, &done.claim.payload));
    assert_int_equal(rows[1].contributor.b[0], 2);
    assert_string_equal(rows[1].id, slot.id);
    assert_int_equal(rows[1].max_bytes, 99);
    assert_false(rows[1].has_receipt);
    assert_int_equal(rows[2].contributor.b[0], 1);
    assert_false(rows[2].has_slot || rows[2].has_receipt);
    free(rows);
}

static void count_slot(const char *id, uint64_t max_bytes, void *ctx)
{
    assert_int_equal(strlen(id), MSG_ID_HEX - 1);
    assert_int_equal(max_bytes, 99);
    ++*(int *)ctx;
}

static void slots_of_old_rounds_are_told_and_forgotten(void **state)
{
    struct shop *x = *state;
    struct round_op a = op_of(1, 0, MSG_ACCEPTED), b = op_of(1, 1, MSG_ACCEPTED);
    int n = 0;
    assert_int_equal(store_slot_put(x->s, &a, &x->e), OK);
    assert_int_equal(store_slot_put(x->s, &b, &x->e), OK);
    assert_int_equal(store_slots_forget(x->s, 1, count_slot, &n, &x->e), OK);
    assert_int_equal(n, 1);
    assert_int_equal(store_slots_forget(x->s, 1, count_slot, &n, &x->e), OK);
    assert_int_equal(n, 1);
}

static void a_database_of_another_run_is_refused(void **state)
{
    struct shop *x = *state;
    struct hash other = hash_of("other", 5);
    struct store *s = NULL;
    assert_int_equal(store_open(x->path, &other, &s, &x->e), ERR_WRONG_STATE);
    assert_null(s);
    assert_true(x->e.hint[0]);
}

static void a_damaged_database_is_refused_with_the_next_step(void **state)
{
    struct shop *x = *state;
    static const char junk[8192] = "this is not a database";
    struct store *s = NULL;
    char path[PATH_CAP];
    scratch_write(x->dir, "b.db", junk, sizeof junk);
    assert_int_equal(path_format(path, "%s/b.db", x->dir), 0);
    assert_int_equal(store_open(path, &x->run, &s, &x->e), ERR_PROTO);
    assert_non_null(strstr(x->e.what, "damaged"));
    assert_true(x->e.hint[0]);
}

static void the_secret_stays_the_same(void **state)
{
    struct shop *x = *state;
    uint8_t a[32], b[32];
    store_secret(x->s, a);
    reopen(x);
    store_secret(x->s, b);
    assert_memory_equal(a, b, 32);
}

static void receipts_are_listed_after_a_number(void **state)
{
    struct shop *x = *state;
    struct buf out = {0};
    for (uint64_t r = 0; r < 3; r++) {
        struct round_op op = op_of(1, r, MSG_ACCEPTED);
        put(x, &op);
    }
    struct key_pub k = {{1}};
    assert_int_equal(store_receipts_after(x->s, &k, 1, 10, &out, &x->e), OK);
    int lines = 0;
    for (size_t i = 0; i < out.len; i++)
        lines += out.p[i] == '\n';
    assert_int_equal(lines, 2);
    buf_deinit(&out);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_new_file_may_be_opened_by_several_at_once),
        CASE(receipts_are_numbered_without_gaps_and_survive),
        CASE(a_second_receipt_for_a_pair_is_the_first_one),
        CASE(a_payload_is_accepted_once_for_all_rounds),
        CASE(slots_and_receipts_of_the_open_round_are_restored),
        CASE(slots_of_old_rounds_are_told_and_forgotten),
        CASE(a_database_of_another_run_is_refused),
        CASE(a_damaged_database_is_refused_with_the_next_step),
        CASE(the_secret_stays_the_same),
        CASE(receipts_are_listed_after_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
