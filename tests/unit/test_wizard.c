#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tui/keymap.h"
#include "tui/theme.h"
#include "tui/tui.h"

static struct view v;
static struct tui t;

static int setup(void **state)
{
    (void)state;
    view_init(&v);
    memset(&t, 0, sizeof t);
    t.has_view = true;
    t.look.graphs = -1;
    t.wizard.n_cores = 8;
    return 0;
}

static enum tui_command_kind press(int key)
{
    return tui_key(&t, key, &v).kind;
}

static void paste(const char *text)
{
    for (; *text; text++)
        assert_int_equal(press(*text), TUI_DRAW);
}

static void agree_to_a_card(void)
{
    static const struct view_card card[] = {
        {"run", "tiny"}
    };
    paste("potluck://h:1/#qQp?");
    assert_int_equal(press(KEYMAP_ENTER), TUI_LOOK_AT);
    wizard_got_card(&t.wizard, card, 1);
    assert_int_equal(t.wizard.step, WIZARD_CARD);
    assert_string_equal(t.wizard.verdict, ""); /* of another run it would be wrong */
    wizard_got_verdict(&t.wizard, "worth joining", "1k tokens/s");
    assert_int_equal(press(KEYMAP_ENTER), TUI_DRAW);
}

static void enter_three_times_is_enough_and_nothing_starts_before(void **state)
{
    (void)state;
    assert_true(wizard_is_shown(&t, &v));
    agree_to_a_card();
    assert_string_equal(wizard_source(&t.wizard), "potluck://h:1/#qQp?"); /* letters are letters */
    assert_int_equal(press(KEYMAP_ENTER), TUI_DRAW);
    assert_int_equal(press(KEYMAP_ENTER), TUI_DRAW);
    assert_int_equal(press(KEYMAP_ENTER), TUI_JOIN);
    assert_int_equal(t.wizard.step, WIZARD_STARTING);
    assert_int_equal(press(KEYMAP_ENTER), TUI_NOTHING); /* twice is once */
    wizard_done(&t);
    snprintf(v.run_name, sizeof v.run_name, "tiny");
    assert_false(wizard_is_shown(&t, &v));
}

static void what_fails_is_said_and_can_be_tried_again(void **state)
{
    (void)state;
    paste("x");
    assert_int_equal(press(KEYMAP_ENTER), TUI_LOOK_AT);
    wizard_failed(&t.wizard, "there is no file 'x'");
    assert_int_equal(t.wizard.step, WIZARD_LINK);
    assert_string_equal(t.wizard.error, "there is no file 'x'");
    assert_int_equal(press(KEYMAP_BACKSPACE), TUI_DRAW);
    assert_string_equal(t.wizard.link, "");
    assert_int_equal(press(KEYMAP_ENTER), TUI_NOTHING); /* nothing to look at */
    agree_to_a_card();
    for (int i = 0; i < 3; i++)
        press(KEYMAP_ENTER);
    wizard_failed(&t.wizard, "not let in");
    assert_int_equal(t.wizard.step, WIZARD_SUMMARY);
    assert_int_equal(press(KEYMAP_ENTER), TUI_JOIN);
}

static void an_answer_that_comes_too_late_changes_nothing(void **state)
{
    (void)state;
    static const struct view_card card[] = {
        {"run", "tiny"}
    };
    paste("x");
    press(KEYMAP_ENTER);
    press(KEYMAP_ESC);
    assert_int_equal(t.wizard.step, WIZARD_LINK);
    wizard_got_card(&t.wizard, card, 1);
    assert_int_equal(t.wizard.step, WIZARD_LINK);
}

static void every_step_leads_back_to_the_first(void **state)
{
    (void)state;
    agree_to_a_card();
    press(KEYMAP_ENTER);
    press(KEYMAP_ENTER);
    assert_int_equal(t.wizard.step, WIZARD_SUMMARY);
    for (int i = 0; i < 4; i++)
        assert_int_equal(press('b'), TUI_DRAW);
    assert_int_equal(t.wizard.step, WIZARD_LINK);
    assert_int_equal(press(KEYMAP_ESC), TUI_DRAW);
    assert_int_equal(press('q'), TUI_CLOSE);
}

static void no_to_the_dots_goes_one_level_down(void **state)
{
    (void)state;
    agree_to_a_card();
    assert_int_equal(press('n'), TUI_LOOK);
    assert_int_equal(t.look.graphs, GLYPHS_BLOCKS);
    assert_int_equal(t.wizard.step, WIZARD_DOTS);
    assert_int_equal(press('n'), TUI_LOOK);
    assert_int_equal(t.look.graphs, GLYPHS_ASCII);
    assert_int_equal(t.wizard.step, WIZARD_GEAR);
}

static void a_known_run_is_chosen_with_the_arrows(void **state)
{
    (void)state;
    t.wizard.n_known = 2;
    snprintf(t.wizard.knows[1].source, WIZARD_LINK_CAP, "/home/runs/b/run.potluck");
    press(KEYMAP_DOWN);
    press(KEYMAP_DOWN);
    assert_int_equal(press(KEYMAP_DOWN), TUI_NOTHING);
    assert_string_equal(wizard_source(&t.wizard), "/home/runs/b/run.potluck");
    assert_int_equal(press(KEYMAP_ENTER), TUI_LOOK_AT);
}

static void gears_are_parts_of_the_machine_and_never_none(void **state)
{
    (void)state;
    for (uint32_t n = 1; n < 70; n++)
        for (int gear = 0; gear < 3; gear++) {
            uint32_t use = wizard_cores(gear, n);
            assert_true(use >= 1 && use <= n);
        }
    assert_int_equal(wizard_cores(0, 8), 2);
    assert_int_equal(wizard_cores(2, 8), 8);
}

static void any_keys_leave_a_sound_wizard(void **state)
{
    (void)state;
    static const int keys[] = {KEYMAP_ENTER, KEYMAP_ESC,       'b', 'n',  'y',        KEYMAP_UP,
                               KEYMAP_DOWN,  KEYMAP_BACKSPACE, 'x', 0xc3, KEYMAP_TAB, 0x110050};
    unsigned seed = 7;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1103515245u + 12345u;
        enum tui_command_kind k = press(keys[(seed >> 16) % 12]);
        if (k == TUI_LOOK_AT) {
            if (seed & 1024)
                wizard_failed(&t.wizard, "no");
            else
                wizard_got_card(&t.wizard, t.wizard.card, 2);
        }
        if (k == TUI_JOIN) wizard_failed(&t.wizard, "no");
        assert_true((unsigned)t.wizard.step <= WIZARD_STARTING);
        assert_true(t.wizard.gear >= 0 && t.wizard.gear < 3);
        assert_true(strlen(t.wizard.link) < WIZARD_LINK_CAP &&
                    strlen(t.wizard.name) < WIZARD_NAME_CAP);
        t.wizard.is_on = false;
        t.screen = SCREEN_OVERVIEW;
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        T(enter_three_times_is_enough_and_nothing_starts_before),
        T(what_fails_is_said_and_can_be_tried_again),
        T(an_answer_that_comes_too_late_changes_nothing),
        T(every_step_leads_back_to_the_first),
        T(no_to_the_dots_goes_one_level_down),
        T(a_known_run_is_chosen_with_the_arrows),
        T(gears_are_parts_of_the_machine_and_never_none),
        T(any_keys_leave_a_sound_wizard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
