#include <string.h>

#include "base/alloc.h"
#include "base/hex.h"
#include "record/merkle.h"
#include "record/note.h"
#include "tests/check.h"

#define NAME "potluck/000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define TEXT NAME "\n42\nungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\n"
#define DASH "\xe2\x80\x94 "
#define LINE                                                                                       \
    DASH NAME " YkXujIE9z4ft1drvzUviZqXetep2CpryZVg4kcqcWW7gD7ELAMHKTycGdDQRWzX7lScx3mzRD24xj+"    \
              "1EAw2qgfVXOQc=\n"
#define OTHER DASH "witness.example/w1 AAAAAQECAwQF\n"

/* The key of RFC 8037 appendix A, run id 00 01 .. 1f, 42 entries, root SHA-256("abc"): key id and
 * signature were made by python3-cryptography.
 */
static const char note[] = TEXT "\n" LINE;

static struct key key;
static struct note_head head;

static int set_up(void **state)
{
    static const uint8_t seed[KEY_BYTES] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60,
                                            0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
                                            0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19,
                                            0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
    (void)state;
    head.n_leaves = 42;
    head.root = hash_of("abc", 3);
    for (uint8_t i = 0; i < HASH_BYTES; i++)
        head.run.b[i] = i;
    return key_from_seed(seed, &key, NULL);
}

static int verify(const char *text, size_t n)
{
    struct note_head got = {.n_leaves = 7};
    struct err e = {0};
    int rc = note_verify(text, n, &head.run, &key.pub, &got, &e);
    if (rc) {
        assert_int_equal(got.n_leaves, 7);
        assert_int_not_equal(e.what[0], 0);
    } else {
        assert_int_equal(got.n_leaves, 42);
        assert_true(hash_equal(&got.root, &head.root));
        assert_true(hash_equal(&got.run, &head.run));
    }
    return rc;
}

static void the_note_is_the_one_that_others_make(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_put_str(&b, "before"); /* it appends */
    assert_int_equal(note_sign(&head, &key, &b, NULL), OK);
    assert_string_equal(buf_str(&b) + 6, note);
    assert_int_equal(verify(note, strlen(note)), OK);
    buf_deinit(&b);
}

static void every_flipped_bit_and_every_cut_is_refused(void **state)
{
    (void)state;
    char text[sizeof note];
    for (size_t i = 0; i < strlen(note); i++) {
        assert_int_not_equal(verify(note, i), OK);
        for (int bit = 0; bit < 8; bit++) {
            memcpy(text, note, sizeof note);
            text[i] = (char)(text[i] ^ 1 << bit);
            assert_int_not_equal(verify(text, strlen(note)), OK);
        }
    }
}

static void cosignatures_of_others_are_let_through(void **state)
{
    (void)state;
    static const char before[] = TEXT "\n" OTHER LINE;
    static const char after[] = TEXT "\n" LINE OTHER OTHER;
    static const char alone[] = TEXT "\n" OTHER;
    static const char same_name[] = TEXT "\n" DASH NAME " AAAAAQECAwQF\n" LINE;
    struct note v;
    assert_int_equal(verify(before, strlen(before)), OK);
    assert_int_equal(verify(after, strlen(after)), OK);
    assert_int_equal(verify(same_name, strlen(same_name)), OK); /* another key of that name */
    assert_int_equal(verify(alone, strlen(alone)), ERR_AUTH);
    assert_int_equal(note_parse(after, strlen(after), &v, NULL), OK);
    assert_int_equal(v.n_sigs, 3);
    assert_string_equal(v.sigs[0].name, NAME);
    assert_string_equal(v.sigs[2].name, "witness.example/w1");
    assert_memory_equal(v.sigs[2].id, "\0\0\0\1", 4);
    assert_memory_equal(after + v.sigs[2].at, "AAAAAQECAwQF", v.sigs[2].n);
    assert_int_equal(v.n_text, strlen(TEXT));
}

/* The very name and key id, but not the key's signature: somebody lies. */
static void one_bad_signature_in_the_keys_name_spoils_the_note(void **state)
{
    (void)state;
    struct buf b = {0};
    uint8_t sig[NOTE_ID_BYTES + KEY_SIG_BYTES] = {0};
    note_key_id(NAME, &key.pub, sig);
    buf_put_str(&b, note);
    buf_put_str(&b, DASH NAME " ");
    hex_b64_encode(&b, sig, sizeof sig);
    buf_put_str(&b, "\n");
    assert_int_equal(verify((const char *)b.p, b.len), ERR_AUTH);
    buf_deinit(&b);
}

static void another_run_and_another_key_are_refused(void **state)
{
    (void)state;
    struct key other;
    struct hash run = head.run;
    struct note_head got;
    key_generate(&other);
    run.b[31] ^= 1;
    assert_int_equal(note_verify(note, strlen(note), &run, &key.pub, &got, NULL), ERR_AUTH);
    assert_int_equal(note_verify(note, strlen(note), &head.run, &other.pub, &got, NULL), ERR_AUTH);
}

static void other_forms_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "\n\n\n\n",
        TEXT,
        TEXT "\n",
        TEXT LINE,
        TEXT "more\n\n" LINE,
        TEXT "\n\n" LINE,
        TEXT "\n" LINE "\n",
        TEXT "\n" LINE "x",
        TEXT "\n" DASH NAME "\n",
        TEXT "\n" DASH NAME " \n",
        TEXT "\n" DASH NAME " AAAA\n",
        TEXT "\n" DASH NAME " AAAAAQECAwQF \n",
        TEXT "\n" DASH "a+b AAAAAQECAwQF\n",
        TEXT "\n" DASH "a\xc2\xa0"
             "b AAAAAQECAwQF\n",
        TEXT "\n" DASH " AAAAAQECAwQF\n",
        TEXT "\n- " NAME " AAAAAQECAwQF\n",
        NAME "\n042\nungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\n\n" OTHER,
        NAME "\n-1\nungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\n\n" OTHER,
        NAME "\n\nungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\n\n" OTHER,
        NAME "\n4611686018427387904\nungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\n\n" OTHER,
        NAME "\n99999999999999999999999\nungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\n\n" OTHER,
        NAME "\n42\nungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0\n\n" OTHER,
        NAME "\n42\nungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIA\n\n" OTHER,
        "potluck/0001\n42\nungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\n\n" OTHER,
        "x" NAME "\n42\nungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\n\n" OTHER,
        TEXT "\n" DASH "a\tb AAAAAQECAwQF\n",
        TEXT "\n" DASH "a\xff"
             "b AAAAAQECAwQF\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct note v;
        struct err e = {0};
        if (note_parse(bad[i], strlen(bad[i]), &v, &e) != ERR_PROTO) fail_msg("number %zu", i);
        assert_int_not_equal(e.what[0], 0);
    }
}

static void the_empty_and_the_largest_tree_have_a_note(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, MERKLE_MAX_LEAVES - 1};
    for (size_t i = 0; i < 3; i++) {
        struct buf b = {0};
        struct note_head h = head;
        struct note_head got;
        h.n_leaves = sizes[i];
        assert_int_equal(note_sign(&h, &key, &b, NULL), OK);
        assert_int_equal(note_verify(b.p, b.len, &h.run, &key.pub, &got, NULL), OK);
        assert_int_equal(got.n_leaves, sizes[i]);
        buf_deinit(&b);
    }
    struct buf b = {0};
    struct note_head h = {.n_leaves = MERKLE_MAX_LEAVES};
    assert_int_equal(note_sign(&h, &key, &b, NULL), ERR_LIMIT);
}

static void too_much_is_refused(void **state)
{
    (void)state;
    struct buf b = {0};
    struct note v;
    buf_put_str(&b, note);
    for (int i = 0; i < NOTE_MAX_SIGS - 1; i++)
        buf_put_str(&b, OTHER);
    assert_int_equal(verify((const char *)b.p, b.len), OK);
    buf_put_str(&b, OTHER);
    assert_int_equal(note_parse(b.p, b.len, &v, NULL), ERR_LIMIT);
    while (b.len <= NOTE_MAX_BYTES)
        buf_put_str(&b, OTHER);
    assert_int_equal(note_parse(b.p, b.len, &v, NULL), ERR_LIMIT);
    buf_deinit(&b);
}

static void every_failing_allocation_is_said(void **state)
{
    (void)state;
    struct note_head got;
    struct buf b = {0};
    alloc_fail_nth(0);
    assert_int_equal(verify(note, strlen(note)), OK);
    uint64_t n = alloc_count();
    assert_in_range(n, 2, 20);
    for (uint64_t i = 1; i <= n; i++) {
        alloc_fail_nth(i);
        assert_int_equal(note_verify(note, strlen(note), &head.run, &key.pub, &got, NULL),
                         ERR_NOMEM);
    }
    alloc_fail_nth(1);
    assert_int_equal(note_sign(&head, &key, &b, NULL), ERR_NOMEM);
    alloc_fail_nth(0);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_note_is_the_one_that_others_make),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_refused),
        cmocka_unit_test(cosignatures_of_others_are_let_through),
        cmocka_unit_test(one_bad_signature_in_the_keys_name_spoils_the_note),
        cmocka_unit_test(another_run_and_another_key_are_refused),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(the_empty_and_the_largest_tree_have_a_note),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(every_failing_allocation_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
