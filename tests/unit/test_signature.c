#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "net/signature.h"
#include "tests/check.h"
#include "tests/unit/keycase.h"

static const struct signature_target put = {
    .method = "PUT",
    .authority = "run.example:7333",
    .path = "/v1/contributions/00112233445566778899aabbccddeeff/chunks/0",
    .digest = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
};

static char input[SIGNATURE_INPUT_CAP], value[SIGNATURE_VALUE_CAP];

static void sign(void)
{
    struct key k = test_key(1);
    struct err e = {0};
    assert_int_equal(signature_make(&put, &k, 1760000000, input, value, &e), OK);
}

static int check_it(const struct signature_target *t, const char *in, const char *val)
{
    struct key_pub key;
    struct err e = {0};
    return signature_check(t, in, val, &key, &e);
}

/* The signature is held against the text of RFC 9421, section 2.5, written out by hand. */
static void the_base_is_the_standards(void **state)
{
    (void)state;
    struct key k = test_key(1);
    char base[1024], hex[KEY_HEX], want[SIGNATURE_VALUE_CAP];
    uint8_t sig[KEY_SIG_BYTES];
    sign();
    snprintf(
        base, sizeof base,
        "\"@method\": PUT\n\"@authority\": run.example:7333\n\"@path\": %s\n"
        "\"content-digest\": %s\n\"@signature-params\": (\"@method\" \"@authority\" \"@path\" "
        "\"content-digest\");created=1760000000;keyid=\"%s\";alg=\"ed25519\";tag=\"potluck+1\"",
        put.path, put.digest, key_hex(&k.pub, hex));
    key_sign(&k, base, strlen(base), sig);
    struct buf b = {0};
    digest_base64(&b, sig, sizeof sig);
    snprintf(want, sizeof want, "potluck=:%s:", buf_str(&b));
    assert_string_equal(value, want);
    buf_deinit(&b);
}

static void what_was_signed_is_taken_and_names_the_key(void **state)
{
    (void)state;
    struct key k = test_key(1);
    struct key_pub key = {{0}};
    struct err e = {0};
    sign();
    assert_int_equal(signature_check(&put, input, value, &key, &e), OK);
    assert_true(key_equal(&key, &k.pub));
    struct signature_target same = put;
    same.authority = "Run.Example:7333";
    assert_int_equal(check_it(&same, input, value), OK);
}

static void each_covered_part_counts(void **state)
{
    (void)state;
    struct signature_target t = put;
    sign();
    t.method = "POST";
    assert_int_equal(check_it(&t, input, value), ERR_AUTH);
    t = put;
    t.authority = "run.example:7334";
    assert_int_equal(check_it(&t, input, value), ERR_AUTH);
    t = put;
    t.path = "/v1/contributions/00112233445566778899aabbccddeeff/chunks/1";
    assert_int_equal(check_it(&t, input, value), ERR_AUTH);
    t = put;
    t.digest = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    assert_int_equal(check_it(&t, input, value), ERR_AUTH);
    t.digest = "a\nb";
    assert_int_equal(check_it(&t, input, value), ERR_LIMIT);
}

static void replace(char *text, size_t cap, const char *from, const char *to)
{
    char copy[512];
    char *at = strstr(text, from);
    assert_non_null(at);
    snprintf(copy, sizeof copy, "%s%s", to, at + strlen(from));
    snprintf(at, cap - (size_t)(at - text), "%s", copy);
}

static void only_the_one_shape_is_taken(void **state)
{
    (void)state;
    static const char *const changes[][2] = {
        {"\"@path\" ",                 ""                          },
        {"\"@path\" ",                 "\"@path\" \"@query\" "     },
        {"\"@method\" \"@authority\"", "\"@authority\" \"@method\""},
        {"created=1760000000",         "created="                  },
        {"created=1760000000",         "created=1760000000000000"  },
        {"created=1760000000",         "created=-5"                },
        {"ed25519",                    "rsa-pss-sha512"            },
        {"potluck+1",                  "potluck+2"                 },
        {"keyid=\"8",                  "keyid=\"G"                 },
        {"potluck=(",                  "=("                        },
        {"potluck=(",                  "Potluck=("                 },
        {"\"potluck+1\"",              "\"potluck+1\";nonce=\"x\"" },
        {"\"potluck+1\"",              "\"potluck+1\", b=()"       },
    };
    char text[SIGNATURE_INPUT_CAP + 64];
    sign();
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        snprintf(text, sizeof text, "%s", input);
        replace(text, sizeof text, changes[i][0], changes[i][1]);
        if (check_it(&put, text, value) != ERR_PROTO) fail_msg("taken: %s", text);
    }
    assert_int_equal(check_it(&put, NULL, value), ERR_PROTO);
    assert_int_equal(check_it(&put, input, NULL), ERR_PROTO);
    assert_int_equal(check_it(&put, "", ""), ERR_PROTO);
    assert_int_equal(check_it(&put, input, "potluck=::"), ERR_PROTO);
    assert_int_equal(check_it(&put, input, "potluck=:AAAA:"), ERR_PROTO);
    assert_int_equal(check_it(&put, input, value + 1), ERR_PROTO);
    snprintf(text, sizeof text, "sig1%s", input + 7); /* a label of the signer's choice is fine */
    char other[SIGNATURE_VALUE_CAP];
    snprintf(other, sizeof other, "sig1%s", value + 7);
    assert_int_equal(check_it(&put, text, other), OK);
}

static void a_single_changed_character_is_noticed(void **state)
{
    (void)state;
    sign();
    for (size_t i = 9; i < strlen(value) - 1; i++) {
        char text[SIGNATURE_VALUE_CAP];
        snprintf(text, sizeof text, "%s", value);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        assert_int_not_equal(check_it(&put, input, text), OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_base_is_the_standards),
        cmocka_unit_test(what_was_signed_is_taken_and_names_the_key),
        cmocka_unit_test(each_covered_part_counts),
        cmocka_unit_test(only_the_one_shape_is_taken),
        cmocka_unit_test(a_single_changed_character_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
