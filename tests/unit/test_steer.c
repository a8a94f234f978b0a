#include <string.h>

#include "aggregator/steer.h"
#include "tests/check.h"

static struct err e;

static void words_are_names_and_units_of_init(void **state)
{
    (void)state;
    struct entry_change m = {0};
    const char *const words[] = {"reward=2.5",      "lr=1e-3",           "outer-lr=0.7",
                                 "inner-steps=30",  "upload-seconds=90", "inner-seconds=0",
                                 "min-senders=2.5", "rounds=0"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (steer_word(words[i], &m, &e)) fail_msg("%s: %s", words[i], e.what);
    assert_true(m.value[ENTRY_F_REWARD_PER_ROUND] == 2500000);
    assert_true(m.value[ENTRY_F_LR] == 1e-3);
    assert_true(m.value[ENTRY_F_OUTER_LR] == 0.7);
    assert_true(m.value[ENTRY_F_INNER_STEPS] == 30);
    assert_true(m.value[ENTRY_F_UPLOAD_MS] == 90000);
    assert_true(m.has[ENTRY_F_INNER_MS] && m.value[ENTRY_F_INNER_MS] == 0);
    assert_true(m.value[ENTRY_F_MERGE_MIN_SENDERS] == 2.5);
    assert_false(m.has[ENTRY_F_MIN_CONTRIBUTIONS]);
}

static void other_words_change_nothing(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "",       "reward",   "reward=",   "reward=x", "reward=-1", "inner-steps=1.5", "lr=nan",
        "lr=inf", "chunk=64", "reward =5", "=5",       "reward=5x", "reward=1e99"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct entry_change m = {0}, none = {0};
        e = (struct err){0};
        if (steer_word(odd[i], &m, &e) != ERR_ARG) fail_msg("taken: '%s'", odd[i]);
        assert_true(e.what[0]);
        assert_memory_equal(&m, &none, sizeof m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_names_and_units_of_init),
        cmocka_unit_test(other_words_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
