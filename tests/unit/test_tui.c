#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tui/keymap.h"
#include "tui/settings.h"
#include "tui/tui.h"

static struct view v;
static struct tui t;

static int setup(void **state)
{
    (void)state;
    view_init(&v);
    v.n_log = 30;
    snprintf(v.run_name, sizeof v.run_name, "tiny");
    v.n_peer_rows = 5;
    memset(&t, 0, sizeof t);
    return 0;
}

static enum tui_command_kind press(int key)
{
    return tui_key(&t, key, &v).kind;
}

static void numbers_and_tab_turn_the_screens(void **state)
{
    (void)state;
    for (int i = 0; i < TUI_TABS; i++) {
        press('1' + i);
        assert_int_equal(t.screen, i);
    }
    assert_int_equal(press(KEYMAP_TAB), TUI_DRAW);
    assert_int_equal(t.screen, SCREEN_OVERVIEW);
    press(KEYMAP_LEFT);
    assert_int_equal(t.screen, SCREEN_SETTINGS);
    assert_int_equal(press('6'), TUI_NOTHING); /* already there: nothing to draw */
}

static void p_pauses_and_resumes(void **state)
{
    (void)state;
    struct tui_command c = tui_key(&t, 'p', &v);
    assert_true(c.kind == TUI_ASK && c.intent == INTENT_PAUSE);
    v.is_paused = true;
    assert_int_equal(tui_key(&t, 'p', &v).intent, INTENT_RESUME);
    v.is_paused = false;
    v.state = VIEW_STOPPED;
    assert_int_equal(tui_key(&t, 'p', &v).intent, INTENT_RESUME);
}

static void f_finishes_and_f_again_keeps_going(void **state)
{
    (void)state;
    assert_int_equal(tui_key(&t, 'f', &v).intent, INTENT_FINISH);
    v.is_finishing = true;
    assert_int_equal(tui_key(&t, 'f', &v).intent, INTENT_RESUME);
}

static void the_next_key_takes_a_note_away(void **state)
{
    (void)state;
    tui_note(&t, "the agent could not be asked", 5000);
    (void)tui_key(&t, KEYMAP_NONE, &v);
    assert_string_equal(t.note, "the agent could not be asked");
    (void)tui_key(&t, '2', &v);
    assert_string_equal(t.note, "");
    tui_note(&t, "no run is joined yet", 9000); /* and the one that it causes stays */
    assert_string_equal(t.note, "no run is joined yet");
}

static void q_closes_and_leaves_the_agent_alone(void **state)
{
    (void)state;
    struct tui_command c = tui_key(&t, 'q', &v);
    assert_true(c.kind == TUI_CLOSE && c.intent == INTENT_NONE);
    assert_int_equal(press(KEYMAP_EOF), TUI_CLOSE);
}

static void stopping_asks_and_only_yes_stops(void **state)
{
    (void)state;
    for (int key = 1; key < 128; key++) {
        setup(NULL);
        assert_int_equal(press('Q'), TUI_DRAW);
        assert_true(t.is_asking);
        struct tui_command c = tui_key(&t, key, &v);
        assert_false(t.is_asking);
        if (key == 'y' || key == 'Y')
            assert_true(c.kind == TUI_STOP && c.intent == INTENT_STOP);
        else
            assert_int_equal(c.kind, TUI_DRAW);
    }
    press('Q');
    assert_int_equal(press(0), TUI_NOTHING); /* a resize is no answer */
    assert_true(t.is_asking);
    assert_int_equal(press(KEYMAP_EOF), TUI_CLOSE);
}

static void a_frozen_display_thaws_when_something_is_asked(void **state)
{
    (void)state;
    press(' ');
    assert_true(t.is_frozen);
    press('p');
    assert_false(t.is_frozen);
    press(' ');
    press(' ');
    assert_false(t.is_frozen);
}

static void help_returns_to_where_it_was_opened(void **state)
{
    (void)state;
    press('3');
    press('?');
    assert_int_equal(t.screen, SCREEN_HELP);
    press('?');
    assert_int_equal(t.screen, SCREEN_PEERS);
    press(KEYMAP_F1);
    press(KEYMAP_ESC);
    assert_int_equal(t.screen, SCREEN_PEERS);
    press(KEYMAP_ESC);
    assert_int_equal(t.screen, SCREEN_OVERVIEW);
}

static void scrolling_stays_within_the_rows(void **state)
{
    (void)state;
    press('3');
    for (int i = 0; i < 100; i++)
        press(KEYMAP_DOWN);
    assert_int_equal(t.scroll[SCREEN_PEERS], 4);
    assert_int_equal(press(KEYMAP_DOWN), TUI_NOTHING);
    press(KEYMAP_HOME);
    assert_int_equal(t.scroll[SCREEN_PEERS], 0);
    press('5');
    press(KEYMAP_PAGE_UP); /* older */
    assert_int_equal(t.scroll[SCREEN_LOG], 10);
    press(KEYMAP_END); /* newest */
    assert_int_equal(t.scroll[SCREEN_LOG], 0);
    press('1');
    for (int i = 0; i < 10; i++)
        press(KEYMAP_DOWN);
    assert_int_equal(t.scroll[SCREEN_OVERVIEW], 4); /* the last of the four graphs */
}

static void enter_looks_closer_and_escape_steps_back(void **state)
{
    (void)state;
    assert_int_equal(press(KEYMAP_ENTER), TUI_DRAW);
    assert_true(t.is_open);
    assert_int_equal(t.scroll[SCREEN_OVERVIEW], 1);
    assert_int_equal(press(KEYMAP_ESC), TUI_DRAW);
    assert_false(t.is_open);
    press('2');
    assert_int_equal(press('i'), TUI_DRAW);
    assert_true(t.is_about);
    assert_int_equal(press(KEYMAP_ENTER), TUI_NOTHING);
    press('3');
    assert_false(t.is_about); /* another screen is another screen */
    press(KEYMAP_ENTER);
    assert_true(t.is_open);
    press('4');
    assert_false(t.is_open);
    assert_int_equal(press(KEYMAP_ENTER), TUI_NOTHING); /* no row: nothing to open */
}

static void t_walks_through_all_ranges(void **state)
{
    (void)state;
    for (int i = 1; i <= VIEW_RANGES; i++) {
        assert_int_equal(press('t'), TUI_RANGE);
        assert_int_equal(t.range, i % VIEW_RANGES);
    }
}

static void typed_letters_are_text_and_no_commands(void **state)
{
    (void)state;
    press('3');
    assert_int_equal(press('/'), TUI_DRAW);
    assert_int_equal(press('q'), TUI_DRAW);
    assert_int_equal(press('Q'), TUI_DRAW);
    assert_int_equal(press('p'), TUI_DRAW);
    assert_string_equal(t.find[SCREEN_PEERS], "qQp");
    press(0xc3);
    press(0xa9);
    press(KEYMAP_BACKSPACE); /* one character, not one byte */
    assert_string_equal(t.find[SCREEN_PEERS], "qQp");
    press(KEYMAP_ENTER);
    assert_false(t.is_typing);
    assert_int_equal(press('s'), TUI_DRAW);
    assert_int_equal(t.sort, TUI_BY_SPEED);
    press(KEYMAP_ESC);
    assert_string_equal(t.find[SCREEN_PEERS], "");
    assert_int_equal(t.screen, SCREEN_PEERS);
    for (int i = 0; i < 200; i++) {
        if (i == 0) press('/');
        press('x');
    }
    assert_true(strlen(t.find[SCREEN_PEERS]) < TUI_TEXT);
}

static void keys_of_one_screen_mean_nothing_on_another(void **state)
{
    (void)state;
    press('1');
    assert_int_equal(press('s'), TUI_NOTHING);
    assert_int_equal(press('/'), TUI_NOTHING);
    assert_int_equal(press('v'), TUI_NOTHING);
    assert_int_equal(press('x'), TUI_NOTHING);
    assert_int_equal(press('u'), TUI_NOTHING);
    assert_int_equal(press('<'), TUI_NOTHING);
    press('5');
    assert_int_equal(press('x'), TUI_EXPORT);
    press('v');
    assert_int_equal(t.level, 2);
}

static void settings_change_with_arrows_and_undo(void **state)
{
    (void)state;
    press('6');
    assert_int_equal(press('u'), TUI_NOTHING);
    assert_int_equal(press(KEYMAP_RIGHT), TUI_LOOK);
    assert_int_equal(t.look.theme, 1);
    assert_int_equal(press('u'), TUI_LOOK);
    assert_int_equal(t.look.theme, 0);
    assert_int_equal(press('u'), TUI_LOOK); /* undo of the undo */
    assert_int_equal(t.look.theme, 1);
    assert_int_equal(press(KEYMAP_TAB), TUI_DRAW);
    assert_int_equal(t.screen, SCREEN_OVERVIEW);
}

static void snooze_gear_and_anyway_need_an_agent_that_has_them(void **state)
{
    (void)state;
    assert_int_equal(press('z'), TUI_NOTHING);
    assert_int_equal(press('g'), TUI_NOTHING);
    assert_int_equal(press('o'), TUI_NOTHING);
    t.options.n = 2;
    snprintf(t.options.at[0].key, sizeof t.options.at[0].key, "gear_in_use");
    assert_int_equal(press('z'), TUI_DRAW);
    struct tui_command c = tui_key(&t, '2', &v);
    assert_int_equal(c.kind, TUI_SNOOZE);
    assert_string_equal(tui_span(c.by), "1h");
    press('z');
    assert_int_equal(press('9'), TUI_DRAW); /* no answer: nothing is paused */
    assert_false(t.is_snoozing);
    assert_int_equal(press('o'), TUI_NOTHING); /* nothing holds it */
    snprintf(v.override_hint, sizeof v.override_hint, "o: go on anyway");
    assert_int_equal(press('o'), TUI_ANYWAY);
    assert_int_equal(press('g'), TUI_DRAW);
    assert_int_equal(t.screen, SCREEN_SETTINGS);
    assert_ptr_equal(settings_option(&t, t.scroll[SCREEN_SETTINGS]), &t.options.at[0]);
}

static void a_replay_asks_no_agent_anything(void **state)
{
    (void)state;
    t.is_replay = true;
    t.speed = 60;
    for (int key = 1; key < 0x110020; key += key == 300 ? 0x110000 - 301 : 1) {
        struct tui_command c = tui_key(&t, key, &v);
        assert_true(c.kind != TUI_ASK && c.kind != TUI_STOP && c.kind != TUI_JOIN);
        t.is_typing = false;
    }
    t.speed = 60;
    assert_int_equal(press('>'), TUI_SEEK);
    assert_int_equal(t.speed, 120);
    for (int i = 0; i < 20; i++)
        press('<');
    assert_int_equal(t.speed, 1);
    assert_int_equal(tui_key(&t, ',', &v).by, -10);
    t.is_held = false;
    assert_int_equal(press('p'), TUI_SEEK);
    assert_true(t.is_held);
}

static void the_first_accepted_contribution_is_a_moment_once(void **state)
{
    (void)state;
    v.n_accepted = 3;
    assert_false(tui_moment(&t, &v)); /* was there before this screen */
    v.n_accepted = 0;
    assert_false(tui_moment(&t, &v));
    v.n_accepted = 1;
    assert_true(tui_moment(&t, &v));
    assert_false(tui_moment(&t, &v));
}

static void every_key_on_every_screen_leaves_a_sound_state(void **state)
{
    (void)state;
    for (int s = 0; s < SCREEN_COUNT; s++)
        for (int frozen = 0; frozen < 2; frozen++)
            for (int key = -2; key < KEYMAP_F1 + 5; key += key == 300 ? 0x110000 - 301 : 1) {
                setup(NULL);
                t.screen = (enum screen)s;
                t.is_frozen = frozen;
                struct tui_command c = tui_key(&t, key, &v);
                assert_true((unsigned)c.kind <= TUI_STOP);
                assert_true((unsigned)t.screen < SCREEN_COUNT);
                assert_true(c.kind != TUI_STOP);
                if (c.kind == TUI_ASK) assert_non_null(intent_name(c.intent));
                if (keymap_find(key) == ACTION_NONE && key >= 0)
                    assert_int_equal(c.kind, TUI_NOTHING);
            }
}

static void screens_are_known_by_name(void **state)
{
    (void)state;
    assert_int_equal(tui_screen("overview"), SCREEN_OVERVIEW);
    assert_int_equal(tui_screen("help"), SCREEN_HELP);
    assert_int_equal(tui_screen("moon"), -1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        T(numbers_and_tab_turn_the_screens),
        T(p_pauses_and_resumes),
        T(f_finishes_and_f_again_keeps_going),
        T(the_next_key_takes_a_note_away),
        T(q_closes_and_leaves_the_agent_alone),
        T(stopping_asks_and_only_yes_stops),
        T(a_frozen_display_thaws_when_something_is_asked),
        T(help_returns_to_where_it_was_opened),
        T(scrolling_stays_within_the_rows),
        T(enter_looks_closer_and_escape_steps_back),
        T(t_walks_through_all_ranges),
        T(typed_letters_are_text_and_no_commands),
        T(keys_of_one_screen_mean_nothing_on_another),
        T(settings_change_with_arrows_and_undo),
        T(snooze_gear_and_anyway_need_an_agent_that_has_them),
        T(a_replay_asks_no_agent_anything),
        T(the_first_accepted_contribution_is_a_moment_once),
        T(every_key_on_every_screen_leaves_a_sound_state),
        T(screens_are_known_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
