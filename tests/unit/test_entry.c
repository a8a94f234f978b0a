#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/jws.h"
#include "record/entry.h"
#include "tests/check.h"
#include "tests/unit/keycase.h"

/* One well-formed entry of each kind. */
static void make(enum entry_kind kind, struct entry *m)
{
    memset(m, 0, sizeof *m);
    m->kind = kind;
    m->run = test_hash("run");
    m->index = kind == ENTRY_OPEN ? 0 : 7;
    m->at_ms = 1760000000123;
    if (kind == ENTRY_OPEN)
        m->open = (struct entry_open){test_hash("initial"), test_hash("commit"), 100};
    if (kind == ENTRY_ROUND)
        m->round = (struct entry_round){.round = 6,
                                        .base = test_hash("base"),
                                        .result = test_hash("result"),
                                        .update = test_hash("update"),
                                        .update_bytes = 5000,
                                        .n_merged = 2,
                                        .n_tokens = 8192,
                                        .train_loss = 3.25,
                                        .emission = 1000000,
                                        .paid = 1000000,
                                        .secret = test_hash("secret"),
                                        .commit_next = test_hash("next"),
                                        .rule_merge = ENTRY_RULE_MERGE,
                                        .rule_reward = ENTRY_RULE_REWARD,
                                        .first_seq = 11,
                                        .last_seq = 13,
                                        .sheet = test_hash("sheet"),
                                        .sheet_bytes = 2000};
    if (kind == ENTRY_CHANGE) {
        m->change.from_round = 9;
        m->change.has[ENTRY_F_OUTER_LR] = m->change.has[ENTRY_F_UPLOAD_MS] = true;
        m->change.value[ENTRY_F_OUTER_LR] = 0.7;
        m->change.value[ENTRY_F_UPLOAD_MS] = 60000;
        strcpy(m->change.reason, "many slow lines");
    }
    if (kind == ENTRY_ROLLBACK) {
        m->rollback.next_round = 9;
        m->rollback.to_round = 5;
        m->rollback.result = test_hash("base 5");
        strcpy(m->rollback.reason, "the loss went up");
    }
    if (kind == ENTRY_END) m->end = (struct entry_end){9, test_hash("final"), 9000000};
    if (kind == ENTRY_PAYOUT) m->payout = (struct entry_payout){test_hash("file"), 400, 0, 8, 77};
}

static void make_address(struct entry *m)
{
    struct key k = test_key(3);
    struct buf b = {0};
    struct payee p = {.run = m->run, .contributor = k.pub, .kind = PAYEE_TEXT, .created_at_ms = 5};
    strcpy(p.address, "an address");
    assert_int_equal(payee_sign(&p, &k, &b, NULL), OK);
    strcpy(m->address.text, buf_str(&b));
    m->address.payee = p;
    buf_deinit(&b);
}

static void each_kind_survives_the_wire(void **state)
{
    (void)state;
    struct key k = test_key(9);
    for (int kind = ENTRY_OPEN; kind <= ENTRY_ADDRESS; kind++) {
        struct entry m;
        struct entry back;
        struct buf a = {0};
        struct buf b = {0};
        make((enum entry_kind)kind, &m);
        if (kind == ENTRY_ADDRESS) make_address(&m);
        assert_int_equal(entry_sign(&m, &k, &a, NULL), OK);
        assert_int_equal(entry_verify(a.p, a.len, &k.pub, &back, NULL), OK);
        assert_memory_equal(&m, &back, sizeof m);
        assert_int_equal(entry_sign(&back, &k, &b, NULL), OK);
        assert_int_equal(a.len, b.len);
        assert_memory_equal(a.p, b.p, a.len);
        buf_deinit(&a);
        buf_deinit(&b);
    }
}

static void an_unknown_loss_travels_as_null(void **state)
{
    (void)state;
    struct key k = test_key(9);
    struct entry m;
    struct entry back;
    struct buf a = {0};
    make(ENTRY_ROUND, &m);
    m.round.train_loss = NAN;
    assert_int_equal(entry_sign(&m, &k, &a, NULL), OK);
    assert_int_equal(entry_verify(a.p, a.len, &k.pub, &back, NULL), OK);
    assert_true(isnan(back.round.train_loss));
    buf_deinit(&a);
}

static void one_flipped_bit_anywhere_is_refused(void **state)
{
    (void)state;
    struct key k = test_key(9);
    struct entry m;
    struct entry back;
    struct buf a = {0};
    make(ENTRY_ROUND, &m);
    assert_int_equal(entry_sign(&m, &k, &a, NULL), OK);
    for (size_t i = 0; i < 8 * a.len; i++) {
        a.p[i / 8] ^= (uint8_t)(1 << i % 8);
        if (entry_verify(a.p, a.len, &k.pub, &back, NULL) == OK) fail_msg("bit %zu may change", i);
        a.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    struct key other = test_key(10);
    assert_int_equal(entry_verify(a.p, a.len, &other.pub, &back, NULL), ERR_AUTH);
    buf_deinit(&a);
}

/* Sign any object as an entry, as a host with other software could. */
static int read_object(const json_t *o, struct entry *ret)
{
    struct key k = test_key(9);
    struct buf b = {0};
    struct err e = {0};
    assert_int_equal(jws_sign(o, "potluck-entry+1", &k, &b, NULL), OK);
    int rc = entry_verify(b.p, b.len, &k.pub, ret, &e);
    if (rc) assert_true(e.what[0] != 0);
    buf_deinit(&b);
    return rc;
}

static void each_kind_needs_each_field_and_no_other(void **state)
{
    (void)state;
    struct key key = test_key(9);
    for (int kind = ENTRY_OPEN; kind <= ENTRY_ADDRESS; kind++) {
        struct entry m;
        struct buf a = {0};
        json_t *o = NULL;
        const char *k = NULL;
        json_t *v = NULL;
        make((enum entry_kind)kind, &m);
        if (kind == ENTRY_ADDRESS) make_address(&m);
        assert_int_equal(entry_sign(&m, &key, &a, NULL), OK);
        assert_int_equal(jws_verify((char *)a.p, a.len, "potluck-entry+1", NULL, &o, NULL, NULL),
                         OK);
        json_t *all = json_deep_copy(o);
        assert_int_equal(read_object(o, &m), OK);
        json_object_foreach(all, k, v)
        {
            json_t *copy = json_deep_copy(o);
            json_object_del(copy, k);
            if (read_object(copy, &m) != ERR_PROTO) fail_msg("'%s' may be missing", k);
            json_object_set_new(copy, k, json_pack("{s:i}", "x", 1));
            if (read_object(copy, &m) != ERR_PROTO) fail_msg("'%s' may be an object", k);
            json_decref(copy);
        }
        json_object_set_new(o, "later", json_null());
        assert_int_equal(read_object(o, &m), ERR_PROTO);
        json_decref(all);
        json_decref(o);
        buf_deinit(&a);
    }
}

static void another_spelling_of_the_same_entry_is_refused(void **state)
{
    (void)state;
    struct key key = test_key(9);
    struct entry m;
    struct buf a = {0};
    json_t *o = NULL;
    make(ENTRY_CHANGE, &m);
    m.change.value[ENTRY_F_OUTER_LR] = 1;
    assert_int_equal(entry_sign(&m, &key, &a, NULL), OK);
    assert_int_equal(jws_verify((char *)a.p, a.len, "potluck-entry+1", NULL, &o, NULL, NULL), OK);
    assert_int_equal(read_object(o, &m), OK);
    json_object_set_new(json_object_get(o, "fields"), "outer_lr", json_integer(1)); /* not 1.0 */
    assert_int_equal(read_object(o, &m), ERR_PROTO);
    json_object_set_new(o, "reason", json_string("a\x1b[31m"));
    assert_int_equal(read_object(o, &m), ERR_PROTO);
    json_decref(o);
    buf_deinit(&a);
}

static void refuse(const struct entry *m)
{
    struct key k = test_key(9);
    struct buf a = {0};
    struct err e = {0};
    assert_int_equal(entry_sign(m, &k, &a, &e), ERR_PROTO);
    assert_true(e.what[0] != 0);
    assert_int_equal(a.len, 0);
    buf_deinit(&a);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct entry m;
    make(ENTRY_OPEN, &m);
    m.index = 1;
    refuse(&m);
    make(ENTRY_END, &m);
    m.index = 0;
    refuse(&m);
    make(ENTRY_ROUND, &m);
    m.round.paid = m.round.emission + 1;
    refuse(&m);
    make(ENTRY_ROUND, &m);
    m.round.last_seq = m.round.first_seq; /* one receipt, two merged */
    refuse(&m);
    make(ENTRY_ROUND, &m);
    m.round.first_seq = m.round.last_seq + 2;
    refuse(&m);
    make(ENTRY_CHANGE, &m);
    m.change.value[ENTRY_F_UPLOAD_MS] = 0.5;
    refuse(&m);
    make(ENTRY_CHANGE, &m);
    m.change.value[ENTRY_F_OUTER_LR] = NAN;
    refuse(&m);
    make(ENTRY_CHANGE, &m);
    memset(m.change.has, 0, sizeof m.change.has);
    refuse(&m);
    make(ENTRY_ROLLBACK, &m);
    m.rollback.to_round = m.rollback.next_round;
    refuse(&m);
    make(ENTRY_PAYOUT, &m);
    m.payout.first_round = 9;
    refuse(&m);
    make(ENTRY_ADDRESS, &m);
    make_address(&m);
    m.run = test_hash("another run");
    refuse(&m);
    make(ENTRY_ADDRESS, &m);
    make_address(&m);
    m.address.text[200] ^= 1;
    refuse(&m);
    make(ENTRY_END, &m);
    m.kind = 0;
    refuse(&m);
}

/* Computed with Python's hashlib; the texts are part of the protocol. */
static void secrets_are_of_one_run_and_round(void **state)
{
    (void)state;
    static const uint8_t seed[32] = {1, 2, 3};
    char hex[HASH_HEX];
    struct hash run = test_hash("run");
    struct hash s = entry_secret(seed, &run, 258);
    struct hash c = entry_commit(&run, 258, &s);
    assert_string_equal(hash_hex(&s, hex),
                        "04d87394e53e9f23c5abb104b9e3741ad37ff1d53714b6fae3c69c2d4d8f6cd3");
    assert_string_equal(hash_hex(&c, hex),
                        "c325cb5e68f852b8bdae4b238029b76284744b7b0540f9de86838d730bf3b833");
    struct hash other = entry_secret(seed, &run, 259);
    assert_false(hash_equal(&s, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_survives_the_wire),
        cmocka_unit_test(an_unknown_loss_travels_as_null),
        cmocka_unit_test(one_flipped_bit_anywhere_is_refused),
        cmocka_unit_test(each_kind_needs_each_field_and_no_other),
        cmocka_unit_test(another_spelling_of_the_same_entry_is_refused),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(secrets_are_of_one_run_and_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
