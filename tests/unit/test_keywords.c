#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "client/keywords.h"
#include "tests/check.h"

static struct key some(uint8_t first)
{
    uint8_t seed[KEY_BYTES];
    struct key k;
    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(first + 7 * i);
    assert_int_equal(key_from_seed(seed, &k, NULL), OK);
    return k;
}

static void words_bring_the_key_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        struct key k = some((uint8_t)i), back;
        char words[KEYWORDS_CAP];
        keywords_encode(&k, words);
        assert_int_equal(strlen(words), KEYWORDS_CAP - 1);
        assert_int_equal(keywords_decode(words, strlen(words), &back, NULL), OK);
        assert_true(key_equal(&k.pub, &back.pub));
    }
}

static void they_may_be_written_as_people_do(void **state)
{
    (void)state;
    struct key k = some(3), back;
    char words[KEYWORDS_CAP], other[2 * KEYWORDS_CAP] = "\n ";
    keywords_encode(&k, words);
    for (char *p = words; *p; p++)
        *p = *p == ' ' ? '-' : (char)toupper((unsigned char)*p);
    strcat(other, words);
    strcat(other, " \r\n");
    assert_int_equal(keywords_decode(other, strlen(other), &back, NULL), OK);
    assert_true(key_equal(&k.pub, &back.pub));
}

/* Every letter changed, any two words swapped, one lost, one too many: never another key. */
static void no_slip_makes_another_key(void **state)
{
    (void)state;
    struct key k = some(200), back;
    struct err e = {0};
    char words[KEYWORDS_CAP], bad[KEYWORDS_CAP + 8];
    keywords_encode(&k, words);
    for (size_t i = 0; words[i]; i++) {
        memcpy(bad, words, sizeof words);
        bad[i] = words[i] == 'b' ? 'd' : 'b';
        assert_int_equal(keywords_decode(bad, strlen(bad), &back, &e), ERR_ARG);
    }
    for (size_t i = 0; i + 1 < KEYWORDS_N; i++) {
        memcpy(bad, words, sizeof words);
        if (memcmp(bad + 6 * i, bad + 6 * i + 6, 5) == 0) continue;
        memcpy(bad + 6 * i, words + 6 * i + 6, 5);
        memcpy(bad + 6 * i + 6, words + 6 * i, 5);
        assert_int_equal(keywords_decode(bad, strlen(bad), &back, &e), ERR_ARG);
    }
    assert_int_equal(keywords_decode(words, strlen(words) - 6, &back, &e), ERR_ARG);
    snprintf(bad, sizeof bad, "%s babab", words);
    assert_int_equal(keywords_decode(bad, strlen(bad), &back, &e), ERR_ARG);
    assert_int_equal(keywords_decode("", 0, &back, &e), ERR_ARG);
    assert_int_equal(keywords_decode("\xff\0x", 3, &back, &e), ERR_ARG);
    assert_non_null(strstr(e.what, "word 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_bring_the_key_back),
        cmocka_unit_test(they_may_be_written_as_people_do),
        cmocka_unit_test(no_slip_makes_another_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
