#include <string.h>

#include "base/json.h"
#include "base/jws.h"
#include "tests/check.h"

/* The key of RFC 8037 appendix A. */
static const uint8_t rfc_seed[KEY_BYTES] = {
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};

static void sign(struct buf *out, struct key *ret_key)
{
    json_t *o = json_pack("{s:i}", "round", 7);
    assert_int_equal(key_from_seed(rfc_seed, ret_key, NULL), OK);
    assert_int_equal(jws_sign(o, "test+1", ret_key, out, NULL), OK);
    json_decref(o);
}

static int verify(const struct buf *b, const char *typ, const struct key_pub *expect)
{
    json_t *v = NULL;
    int rc = jws_verify((const char *)b->p, b->len, typ, expect, &v, NULL, NULL);
    json_decref(v);
    return rc;
}

static void signed_message_comes_back_with_its_signer(void **state)
{
    (void)state;
    struct buf b = {0};
    struct key k;
    struct key_pub signer = {0};
    json_t *v = NULL;
    sign(&b, &k);
    int rc = jws_verify((const char *)b.p, b.len, "test+1", &k.pub, &v, &signer, NULL);
    assert_int_equal(rc, OK);
    assert_int_equal(json_integer_value(json_object_get(v, "round")), 7);
    assert_true(key_equal(&signer, &k.pub));
    json_decref(v);
    buf_deinit(&b);
}

static void signing_is_deterministic(void **state)
{
    (void)state;
    struct buf a = {0};
    struct buf b = {0};
    struct key k;
    sign(&a, &k);
    sign(&b, &k);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
    buf_deinit(&a);
    buf_deinit(&b);
}

static void every_changed_character_is_noticed(void **state)
{
    (void)state;
    struct buf b = {0};
    struct key k;
    sign(&b, &k);
    for (size_t i = 0; i < b.len; i++) {
        uint8_t old = b.p[i];
        b.p[i] = old == 'A' ? 'B' : 'A';
        assert_int_not_equal(verify(&b, "test+1", &k.pub), OK);
        b.p[i] = old;
    }
    assert_int_equal(verify(&b, "test+1", &k.pub), OK);
    buf_deinit(&b);
}

static void every_cut_is_noticed(void **state)
{
    (void)state;
    struct buf b = {0};
    struct key k;
    sign(&b, &k);
    while (b.len--)
        assert_int_not_equal(verify(&b, "test+1", &k.pub), OK);
    b.len = 0;
    buf_deinit(&b);
}

static void another_kind_or_another_signer_is_refused(void **state)
{
    (void)state;
    struct buf b = {0};
    struct key k;
    struct key other;
    sign(&b, &k);
    key_generate(&other);
    assert_int_equal(verify(&b, "test+2", &k.pub), ERR_PROTO);
    assert_int_equal(verify(&b, "test+1", &other.pub), ERR_AUTH);
    assert_int_equal(verify(&b, "test+1", NULL), OK);
    buf_deinit(&b);
}

static void an_oversize_message_is_refused_unread(void **state)
{
    (void)state;
    json_t *v = NULL;
    int rc = jws_verify("", JWS_MAX_BYTES + 1, "test+1", NULL, &v, NULL, NULL);
    assert_int_equal(rc, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signed_message_comes_back_with_its_signer),
        cmocka_unit_test(signing_is_deterministic),
        cmocka_unit_test(every_changed_character_is_noticed),
        cmocka_unit_test(every_cut_is_noticed),
        cmocka_unit_test(another_kind_or_another_signer_is_refused),
        cmocka_unit_test(an_oversize_message_is_refused_unread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
