#include "base/near.h"
#include "tests/check.h"

static void near_word_finds_slips_and_beginnings(void **state)
{
    (void)state;
    static const char *const names[] = {"cores", "busy_percent", "hours", NULL};
    assert_string_equal(near_word("coers", names), "cores");
    assert_string_equal(near_word("busy", names), "busy_percent");
    assert_string_equal(near_word("hour", names), "hours");
    assert_null(near_word("h", names));
    assert_null(near_word("elephants", names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_word_finds_slips_and_beginnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
