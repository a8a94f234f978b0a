#include <string.h>

#include "tests/check.h"
#include "tui/keymap.h"
#include "tui/tui.h"

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

static const char *label_of(enum action a, const struct view *v, const struct tui *t, bool is_brief)
{
    int n = 0;
    const struct keymap_entry *k = keymap_table(&n);
    for (int i = 0; i < n; i++)
        if (k[i].action == a) return keymap_label(&k[i], v, t, is_brief);
    return NULL;
}

static void the_bar_calls_things_by_what_they_do_now(void **state)
{
    (void)state;
    static struct view v;
    struct tui t = {0};
    int n = 0;
    const struct keymap_entry *k = keymap_table(&n);
    view_init(&v);
    v.state = VIEW_RUNNING;
    assert_string_equal(label_of(ACTION_PAUSE, &v, &t, false), "Pause");
    assert_string_equal(label_of(ACTION_CLOSE, &v, &t, false), "Close, keep training");
    assert_string_equal(label_of(ACTION_CLOSE, &v, &t, true), "Close");
    v.is_paused = true;
    assert_string_equal(label_of(ACTION_PAUSE, &v, &t, false), "Resume");
    assert_string_equal(label_of(ACTION_CLOSE, &v, &t, false), "Close");
    v.is_demo = true;
    assert_string_equal(label_of(ACTION_CLOSE, &v, &t, true), "End demo");
    t.is_frozen = true;
    assert_string_equal(label_of(ACTION_FREEZE, &v, &t, false), "Unfreeze");
    for (int i = 0; i < n; i++)
        assert_true(!k[i].label == !k[i].brief);
}

static void the_bar_offers_no_key_that_would_do_nothing(void **state)
{
    (void)state;
    static struct view v;
    struct tui t = {0};
    view_init(&v);
    v.state = VIEW_PAUSED;
    v.is_paused = true;
    assert_null(label_of(ACTION_FINISH, &v, &t, false)); /* resume first */
    v.is_paused = false;
    v.state = VIEW_RUNNING;
    assert_non_null(label_of(ACTION_FINISH, &v, &t, false));
    t.is_lost = true;
    t.is_gone = true;
    assert_null(label_of(ACTION_PAUSE, &v, &t, false));
    assert_null(label_of(ACTION_FINISH, &v, &t, false));
    assert_null(label_of(ACTION_FREEZE, &v, &t, false));
    assert_string_equal(label_of(ACTION_CLOSE, &v, &t, false), "Close");
    t = (struct tui){0};
    v.state = VIEW_DONE;
    assert_null(label_of(ACTION_PAUSE, &v, &t, false));
    assert_string_equal(label_of(ACTION_CLOSE, &v, &t, false), "Close");
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
        cmocka_unit_test(the_bar_offers_no_key_that_would_do_nothing),
        cmocka_unit_test(one_letter_never_destroys_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
