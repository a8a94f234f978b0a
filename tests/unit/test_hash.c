#include <string.h>

#include "base/hash.h"
#include "tests/check.h"

/* FIPS 180-2, appendix B.1. */
static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void hash_of_abc_is_the_published_value(void **state)
{
    (void)state;
    char hex[HASH_HEX];
    struct hash h = hash_of("abc", 3);
    assert_string_equal(hash_hex(&h, hex), abc);
    h = hash_of("", 0);
    assert_int_equal(strncmp(hash_hex(&h, hex), "e3b0c44298fc1c149afbf4c8", 24), 0);
}

static void hasher_in_pieces_equals_one_shot_and_can_be_reused(void **state)
{
    (void)state;
    struct hasher *s = hasher_create();
    for (int i = 0; i < 2; i++) {
        hasher_add(s, "a", 1);
        hasher_add(s, "", 0);
        hasher_add(s, "bc", 2);
        struct hash one = hash_of("abc", 3);
        struct hash got = hasher_end(s);
        assert_true(hash_equal(&got, &one));
    }
    hasher_destroy(s);
    hasher_destroy(NULL);
}

static void hash_of_two_parts_equals_that_of_both(void **state)
{
    (void)state;
    struct hash want = hash_of("abc", 3);
    for (size_t i = 0; i <= 3; i++) {
        struct hash got = hash_of_two("abc", i, &"abc"[i], 3 - i);
        assert_true(hash_equal(&got, &want));
    }
}

static void hash_text_round_trips_and_refuses_other_text(void **state)
{
    (void)state;
    struct hash h = {0};
    struct hash want = hash_of("abc", 3);
    assert_int_equal(hash_from_hex(abc, &h), 0);
    assert_true(hash_equal(&h, &want));
    assert_int_equal(hash_from_hex("", &h), -1);
    assert_int_equal(hash_from_hex("ba78", &h), -1);
    char upper[HASH_HEX];
    strcpy(upper, abc);
    upper[0] = 'B';
    assert_int_equal(hash_from_hex(upper, &h), -1);
    assert_true(hash_equal(&h, &want)); /* untouched on failure */
}

static void hashes_differ_in_a_single_bit(void **state)
{
    (void)state;
    struct hash a = hash_of("abc", 3);
    struct hash b = a;
    b.b[31] ^= 1;
    assert_false(hash_equal(&a, &b));
}

/* RFC 7914, section 12: the first half of its 64 bytes. */
static void scrypt_gives_the_published_value(void **state)
{
    (void)state;
    char hex[HASH_HEX];
    struct hash h;
    struct err e = {0};
    assert_int_equal(hash_scrypt("pleaseletmein", 13, "SodiumChloride", 14, 16384, &h, &e), OK);
    assert_string_equal(hash_hex(&h, hex),
                        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2");
}

/* RFC 7693, appendix A: BLAKE2b-512("abc"), here in two halves. */
static void blake2b_of_two_parts(void **state)
{
    (void)state;
    uint8_t h[HASH_BLAKE_BYTES];
    hash_blake2b("a", 1, "bc", 2, h);
    const uint8_t begin[] = {0xba, 0x80, 0xa5, 0x3f, 0x98, 0x1c, 0x4d, 0x0d};
    assert_memory_equal(h, begin, sizeof begin);
    assert_int_equal(h[63], 0x23);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_of_abc_is_the_published_value),
        cmocka_unit_test(scrypt_gives_the_published_value),
        cmocka_unit_test(hasher_in_pieces_equals_one_shot_and_can_be_reused),
        cmocka_unit_test(hash_of_two_parts_equals_that_of_both),
        cmocka_unit_test(hash_text_round_trips_and_refuses_other_text),
        cmocka_unit_test(hashes_differ_in_a_single_bit),
        cmocka_unit_test(blake2b_of_two_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
