#include <string.h>

#include "base/json.h"
#include "base/jws.h"
#include "record/payee.h"
#include "tests/unit/keycase.h"

#define ALICE "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"

static struct payee make(enum payee_kind kind, const char *address)
{
    struct payee m = {.run = test_hash("run"), .kind = kind, .created_at_ms = 1760000000123};
    strcpy(m.address, address);
    return m;
}

static void each_kind_survives_the_wire(void **state)
{
    (void)state;
    struct key k = test_key(3);
    const struct payee all[] = {make(PAYEE_NONE, ""), make(PAYEE_SS58, ALICE),
                                make(PAYEE_TEXT, "IBAN DE89 \"3704\", Łódź")};
    for (size_t i = 0; i < 3; i++) {
        struct payee back;
        struct buf a = {0};
        assert_int_equal(payee_sign(&all[i], &k, &a, NULL), OK);
        assert_int_equal(payee_verify(a.p, a.len, NULL, &back, NULL), OK);
        assert_true(key_equal(&back.contributor, &k.pub));
        assert_int_equal(back.kind, all[i].kind);
        assert_string_equal(back.address, all[i].address);
        assert_int_equal(back.created_at_ms, all[i].created_at_ms);
        assert_true(hash_equal(&back.run, &all[i].run));
        buf_deinit(&a);
    }
}

static void what_no_reader_takes_is_not_signed(void **state)
{
    (void)state;
    struct key k = test_key(3);
    struct payee bad[] = {make(PAYEE_NONE, "x"),      make(PAYEE_TEXT, ""),
                          make(PAYEE_SS58, "5Grwva"), make(PAYEE_TEXT, "a\033[2J"),
                          make(PAYEE_TEXT, "a\nb"),   make((enum payee_kind)9, "a"),
                          make(PAYEE_TEXT, "a")};
    bad[6].created_at_ms = -1;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf a = {0};
        struct err e = {0};
        assert_int_equal(payee_sign(&bad[i], &k, &a, &e), ERR_PROTO);
        assert_true(e.what[0]);
        assert_int_equal(a.len, 0);
        buf_deinit(&a);
    }
}

static void the_longest_address_has_room(void **state)
{
    (void)state;
    struct key k = test_key(3);
    struct payee m = make(PAYEE_TEXT, ""), back;
    struct buf a = {0};
    memset(m.address, '"', sizeof m.address - 1); /* each takes two bytes of JSON */
    m.created_at_ms = INT64_C(1) << 48;
    assert_int_equal(payee_sign(&m, &k, &a, NULL), OK);
    assert_true(a.len <= PAYEE_MAX_BYTES);
    assert_int_equal(payee_verify(a.p, a.len, &k.pub, &back, NULL), OK);
    buf_deinit(&a);
}

/* A wrong checksum under a good signature is refused, and the sentence says what is wrong. */
static void a_signature_does_not_mend_a_checksum(void **state)
{
    (void)state;
    struct key k = test_key(3);
    struct buf a = {0};
    struct payee m;
    struct err e = {0};
    char hex[HASH_HEX];
    struct hash run = test_hash("run");
    json_t *o = json_object();
    json_set_text(o, "run", hash_hex(&run, hex));
    json_set_text(o, "kind", "ss58");
    json_set_text(o, "address", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ");
    json_set_i64(o, "created_at_ms", 5);
    assert_int_equal(jws_sign(o, "potluck-payout+1", &k, &a, NULL), OK);
    assert_int_equal(payee_verify(a.p, a.len, NULL, &m, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "checksum of that SS58 address is wrong"));
    assert_true(e.hint[0]);
    buf_deinit(&a);
    json_decref(o);
}

static void another_key_or_another_kind_of_message_is_refused(void **state)
{
    (void)state;
    struct key k = test_key(3), other = test_key(4);
    struct payee m = make(PAYEE_SS58, ALICE), back;
    struct buf a = {0}, b = {0};
    json_t *o = json_object();
    assert_int_equal(payee_sign(&m, &k, &a, NULL), OK);
    assert_int_equal(payee_verify(a.p, a.len, &other.pub, &back, NULL), ERR_AUTH);
    a.p[a.len - 3] ^= 1;
    assert_int_not_equal(payee_verify(a.p, a.len, &k.pub, &back, NULL), OK);
    assert_int_equal(jws_sign(o, "potluck-join+1", &k, &b, NULL), OK);
    assert_int_equal(payee_verify(b.p, b.len, NULL, &back, NULL), ERR_PROTO);
    buf_deinit(&a);
    buf_deinit(&b);
    json_decref(o);
}

static void words_and_kinds_are_one_to_one(void **state)
{
    (void)state;
    for (int k = PAYEE_NONE; k <= PAYEE_SS58; k++) {
        enum payee_kind back = PAYEE_NONE;
        assert_int_equal(payee_kind_parse(payee_kind_word((enum payee_kind)k), &back), 0);
        assert_int_equal(back, k);
    }
    enum payee_kind back;
    assert_int_equal(payee_kind_parse("iban", &back), -1);
    assert_string_equal(payee_kind_word((enum payee_kind)77), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_survives_the_wire),
        cmocka_unit_test(what_no_reader_takes_is_not_signed),
        cmocka_unit_test(the_longest_address_has_room),
        cmocka_unit_test(a_signature_does_not_mend_a_checksum),
        cmocka_unit_test(another_key_or_another_kind_of_message_is_refused),
        cmocka_unit_test(words_and_kinds_are_one_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
