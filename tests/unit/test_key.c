#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/key.h"
#include "base/path.h"
#include "tests/check.h"

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/test_key.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char cmd[128];
    strcat(strcpy(cmd, "rm -rf "), dir);
    return system(cmd);
}

static const char *in_dir(const char *name)
{
    static char path[PATH_CAP];
    assert_int_equal(path_format(path, "%s/%s", dir, name), 0);
    return path;
}

/* RFC 8032 section 7.1, test 2: a one-byte message. */
static void signature_is_the_published_one(void **state)
{
    (void)state;
    uint8_t seed[KEY_BYTES];
    uint8_t sig[KEY_SIG_BYTES];
    char text[2 * KEY_SIG_BYTES + 1];
    struct key k;
    assert_int_equal(
        hex_decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", seed, 32),
        0);
    assert_int_equal(key_from_seed(seed, &k, NULL), OK);
    assert_string_equal(key_hex(&k.pub, text),
                        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    key_sign(&k, "\x72", 1, sig);
    assert_string_equal(hex_encode(sig, sizeof sig, text),
                        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    assert_int_equal(key_verify(&k.pub, "\x72", 1, sig, sizeof sig, NULL), OK);
}

static void verify_refuses_other_bytes_keys_and_lengths(void **state)
{
    (void)state;
    struct key k;
    struct key other;
    uint8_t sig[KEY_SIG_BYTES];
    key_generate(&k);
    key_generate(&other);
    key_sign(&k, "soup", 4, sig);
    assert_int_equal(key_verify(&k.pub, "soup", 4, sig, sizeof sig, NULL), OK);
    assert_int_equal(key_verify(&k.pub, "soap", 4, sig, sizeof sig, NULL), ERR_AUTH);
    assert_int_equal(key_verify(&k.pub, "soup", 3, sig, sizeof sig, NULL), ERR_AUTH);
    assert_int_equal(key_verify(&other.pub, "soup", 4, sig, sizeof sig, NULL), ERR_AUTH);
    assert_int_equal(key_verify(&k.pub, "soup", 4, sig, sizeof sig - 1, NULL), ERR_AUTH);
    sig[10] ^= 1;
    assert_int_equal(key_verify(&k.pub, "soup", 4, sig, sizeof sig, NULL), ERR_AUTH);
}

static void key_file_is_made_once_and_private(void **state)
{
    (void)state;
    struct key a;
    struct key b;
    struct stat st = {0};
    assert_int_equal(key_load_or_create(in_dir("key"), &a, NULL), OK);
    assert_int_equal(key_load_or_create(in_dir("key"), &b, NULL), OK);
    assert_true(key_equal(&a.pub, &b.pub));
    assert_int_equal(stat(in_dir("key"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, KEY_BYTES);
}

static void key_file_open_to_others_is_refused_with_the_remedy(void **state)
{
    (void)state;
    struct key k;
    struct err e = {0};
    assert_int_equal(key_load_or_create(in_dir("open"), &k, NULL), OK);
    assert_int_equal(chmod(in_dir("open"), 0644), 0);
    assert_int_equal(key_load_or_create(in_dir("open"), &k, &e), ERR_AUTH);
    assert_non_null(strstr(e.hint, "chmod 600"));
}

static void damaged_key_file_is_refused_and_kept(void **state)
{
    (void)state;
    struct key k;
    struct err e = {0};
    struct stat st = {0};
    assert_int_equal(key_load_or_create(in_dir("short"), &k, NULL), OK);
    assert_int_equal(truncate(in_dir("short"), 31), 0);
    assert_int_equal(key_load_or_create(in_dir("short"), &k, &e), ERR_PROTO);
    assert_non_null(strstr(e.what, "31 bytes"));
    assert_int_equal(stat(in_dir("short"), &st), 0);
    assert_int_equal(st.st_size, 31);
}

static void key_file_is_never_followed_through_a_link(void **state)
{
    (void)state;
    struct key k;
    char target[PATH_CAP];
    strcpy(target, in_dir("target"));
    assert_int_equal(key_load_or_create(target, &k, NULL), OK);
    assert_int_equal(symlink(target, in_dir("link")), 0);
    assert_int_equal(key_load_or_create(in_dir("link"), &k, NULL), ERR_IO);
}

static void key_text_round_trips_and_wipe_clears(void **state)
{
    (void)state;
    struct key k;
    struct key_pub back = {0};
    char text[KEY_HEX];
    static const struct key zero;
    key_generate(&k);
    assert_int_equal(key_from_hex(key_hex(&k.pub, text), &back), 0);
    assert_true(key_equal(&k.pub, &back));
    text[63] = 0;
    assert_int_equal(key_from_hex(text, &back), -1);
    key_wipe(&k);
    assert_memory_equal(&k, &zero, sizeof k);
    key_wipe(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_is_the_published_one),
        cmocka_unit_test(verify_refuses_other_bytes_keys_and_lengths),
        cmocka_unit_test(key_file_is_made_once_and_private),
        cmocka_unit_test(key_file_open_to_others_is_refused_with_the_remedy),
        cmocka_unit_test(damaged_key_file_is_refused_and_kept),
        cmocka_unit_test(key_file_is_never_followed_through_a_link),
        cmocka_unit_test(key_text_round_trips_and_wipe_clears),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
