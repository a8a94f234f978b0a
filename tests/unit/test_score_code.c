#include "record/score_code.h"
#include "tests/check.h"

static void codes_and_words_are_one_to_one(void **state)
{
    (void)state;
    for (int c = 0; c < SCORE_CODES; c++)
        assert_int_equal(score_code_of(score_code_word((enum score_code)c)), c);
    assert_int_equal(score_code_of("theft"), SCORE_CODES);
    assert_string_equal(score_code_word(SCORE_CODES), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_and_words_are_one_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
