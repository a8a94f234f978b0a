#include <string.h>

#include "tests/check.h"
#include "tui/keymap.h"

static void every_key_has_one_meaning(void **state)
{
    (void)state;
    int n = 0;
    const struct keymap_entry *t = keymap_table(&n);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 4 && t[i].key[k]; k++)
            assert_int_equal(keymap_find(t[i].key[k]), t[i].action);
    assert_int_equal(keymap_find('~'), ACTION_NONE);
    assert_int_equal(keymap_find(0), ACTION_NONE);
    assert_int_equal(keymap_find(KEYMAP_NONE), ACTION_NONE);
}

static void every_action_has_a_key(void **state)
{
    (void)state;
    int n = 0;
    const struct keymap_entry *t = keymap_table(&n);
    for (int a = ACTION_NONE + 1; a <= ACTION_REDRAW; a++) {
        bool found = false;
        for (int i = 0; i < n; i++)
            found = found || (int)t[i].action == a;
        assert_true(found);
    }
}

static void every_special_key_has_a_plain_letter_too(void **state)
{
    (void)state;
    assert_int_equal(keymap_find(KEYMAP_F1), ACTION_HELP);
    assert_int_equal(keymap_find('?'), ACTION_HELP);
}

static void the_bar_calls_things_by_what_they_do_now(void **state)
{
    (void)state;
    static struct view v;
    int n = 0;
    const struct keymap_entry *t = keymap_table(&n);
    view_init(&v);
    for (int i = 0; i < n; i++) {
        if (t[i].action == ACTION_PAUSE) {
            assert_string_equal(keymap_label(&t[i], &v, false, false), "Pause");
            v.is_paused = true;
            assert_string_equal(keymap_label(&t[i], &v, false, false), "Resume");
        }
        if (t[i].action == ACTION_CLOSE) {
            assert_string_equal(keymap_label(&t[i], &v, false, false), "Close, keep training");
            assert_string_equal(keymap_label(&t[i], &v, false, true), "Close");
            v.is_demo = true;
            assert_string_equal(keymap_label(&t[i], &v, false, true), "End demo");
        }
        if (t[i].action == ACTION_FREEZE)
            assert_string_equal(keymap_label(&t[i], &v, true, false), "Unfreeze");
        assert_true(!t[i].label == !t[i].brief);
    }
}

static void one_letter_never_destroys_anything(void **state)
{
    (void)state;
    int n = 0;
    const struct keymap_entry *t = keymap_table(&n);
    for (int i = 0; i < n; i++)
        if (t[i].action == ACTION_STOP) assert_non_null(strstr(t[i].help, "asks"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_has_one_meaning),
        cmocka_unit_test(every_action_has_a_key),
        cmocka_unit_test(every_special_key_has_a_plain_letter_too),
        cmocka_unit_test(the_bar_calls_things_by_what_they_do_now),
        cmocka_unit_test(one_letter_never_destroys_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
