#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tui/settings.h"
#include "tui/theme.h"

static struct view v;
static struct tui t;

static int setup(void **state)
{
    (void)state;
    view_init(&v);
    memset(&t, 0, sizeof t);
    t.look.graphs = -1;
    return 0;
}

static void every_row_says_its_name_its_value_and_its_help(void **state)
{
    (void)state;
    struct settings_row r;
    for (int i = 0; i < settings_n(&t); i++) {
        assert_true(settings_row(&v, &t, i, &r));
        assert_true(r.title[0] && r.value[0] && r.help[0]);
    }
    assert_false(settings_row(&v, &t, -1, &r));
    assert_false(settings_row(&v, &t, settings_n(&t), &r));
}

static void a_change_walks_through_all_values_and_back(void **state)
{
    (void)state;
    for (int i = 0; i < settings_n(&t); i++) {
        struct settings_row r;
        assert_true(settings_row(&v, &t, i, &r));
        struct tui_look was = t.look;
        assert_true((settings_change(&t, i, 1) != SETTINGS_NOTHING) == r.can_change);
        if (!r.can_change) continue;
        assert_memory_not_equal(&was, &t.look, sizeof was);
        assert_true(settings_change(&t, i, -1));
        assert_memory_equal(&was, &t.look, sizeof was);
        for (int k = 0; k < 60; k++) /* a number of steps that every circle divides */
            assert_true(settings_change(&t, i, 1));
        assert_memory_equal(&was, &t.look, sizeof was);
    }
}

static void what_cannot_be_changed_here_stays_and_leaves_undo_alone(void **state)
{
    (void)state;
    assert_false(settings_change(&t, settings_n(&t), 1));
    assert_false(t.has_undo);
    assert_true(settings_change(&t, 0, 1));
    assert_true(t.has_undo);
    assert_int_equal(t.before.theme, THEME_DEFAULT);
}

static void an_agents_setting_is_asked_for_and_undone_by_its_key(void **state)
{
    (void)state;
    struct option_row *o = &t.options.at[0];
    t.options.n = 1;
    snprintf(o->key, sizeof o->key, "heat_limit_c");
    snprintf(o->value, sizeof o->value, "80");
    snprintf(o->source, sizeof o->source, "file");
    snprintf(o->unit, sizeof o->unit, "C");
    o->is_number = true;
    o->most = 110;
    struct settings_row r;
    int at = 3; /* after the look */
    assert_true(settings_row(&v, &t, at, &r));
    assert_string_equal(r.title, "Heat limit");
    assert_string_equal(r.value, "80 C");
    assert_true(r.can_change);
    assert_int_equal(settings_change(&t, at, 1), SETTINGS_SET);
    assert_string_equal(t.set_key, "heat_limit_c");
    assert_string_equal(t.set_value, "85");
    snprintf(o->value, sizeof o->value, "85"); /* the agent took it */
    assert_int_equal(settings_undo(&t), SETTINGS_SET);
    assert_string_equal(t.set_value, "80");
    assert_int_equal(settings_set(&t, at, ""), SETTINGS_SET); /* back to the default */
    snprintf(o->source, sizeof o->source, "flag");            /* stronger than the file */
    assert_true(settings_row(&v, &t, at, &r));
    assert_false(r.can_change);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        T(every_row_says_its_name_its_value_and_its_help),
        T(a_change_walks_through_all_values_and_back),
        T(an_agents_setting_is_asked_for_and_undone_by_its_key),
        T(what_cannot_be_changed_here_stays_and_leaves_undo_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
