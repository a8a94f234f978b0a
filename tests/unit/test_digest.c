#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "tests/check.h"

/* RFC 9530, appendix B.1: {"hello": "world"} and a line feed. */
static const char body[] = "{\"hello\": \"world\"}\n";
static const char field[] = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";

static void the_published_example_is_written_and_read(void **state)
{
    (void)state;
    char text[DIGEST_CAP];
    struct hash h = hash_of(body, sizeof body - 1), back;
    assert_string_equal(digest_text(&h, text), field);
    assert_int_equal(digest_parse(field, &back), 0);
    assert_true(hash_equal(&h, &back));
}

static void other_algorithms_may_stand_beside_it(void **state)
{
    (void)state;
    char text[256];
    struct hash h = hash_of(body, sizeof body - 1), back;
    snprintf(text, sizeof text, "sha-512=:YWJj:,\t%s , md5=:x", field);
    assert_int_equal(digest_parse(text, &back), 0);
    assert_true(hash_equal(&h, &back));
}

static void everything_else_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ",",
        "sha-512=:YWJj:",
        "sha-256",
        "sha-256=",
        "sha-256=::",
        "sha-256=:",
        "sha-256=RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=",
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg:",   /* no padding */
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg==:", /* too much of it */
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDh=:",  /* stray bits */
        "sha-256=:RK_0qy18MlBSVnWgjwz6lZEWjP_lF5HF9bvEF8FabDg=:",  /* the other alphabet */
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8Fab=g=:",
        "SHA-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
    };
    char twice[256];
    struct hash h = hash_of("x", 1), before = h;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (digest_parse(bad[i], &h) != -1) fail_msg("'%s' is taken", bad[i]);
    snprintf(twice, sizeof twice, "%s,%s", field, field);
    assert_int_equal(digest_parse(twice, &h), -1);
    assert_true(hash_equal(&h, &before)); /* untouched on failure */
}

/* RFC 4648, section 10. */
static void base64_is_the_published_one(void **state)
{
    (void)state;
    static const char *const want[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                       "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t n = 0; n <= 6; n++) {
        struct buf b = {0};
        char back[8] = "";
        digest_base64(&b, "foobar", n);
        assert_string_equal(buf_str(&b), want[n]);
        assert_int_equal(digest_unbase64(want[n], strlen(want[n]), back, n), 0);
        assert_memory_equal(back, "foobar", n);
        assert_int_equal(digest_unbase64(want[n], strlen(want[n]), back, n + 1), -1);
        buf_deinit(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_example_is_written_and_read),
        cmocka_unit_test(other_algorithms_may_stand_beside_it),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(base64_is_the_published_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
