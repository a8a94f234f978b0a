#include "tui/keymap.h"

#include <stddef.h>

/* clang-format off */
static const struct keymap_entry table[] = {
    {{'p'}, ACTION_PAUSE, "p", "Pause", "Pause",
     "pause at once, or resume; your place in the run is kept", 0},
    {{'f'}, ACTION_FINISH, "f", "Finish round", "Finish",
     "complete this round, then pause; f again: keep going", 3},
    {{' '}, ACTION_FREEZE, "Space", "Freeze", "Freeze",
     "hold the display still; training continues", 4},
    {{'1'}, ACTION_OVERVIEW, "1 .. 5", NULL, NULL, "Overview, Run, Peers, Credits, Log", 9},
    {{'2'}, ACTION_RUN, "2", NULL, NULL, NULL, 9},
    {{'3'}, ACTION_PEERS, "3", NULL, NULL, NULL, 9},
    {{'4'}, ACTION_CREDITS, "4", NULL, NULL, NULL, 9},
    {{'5'}, ACTION_LOG, "5", NULL, NULL, NULL, 9},
    {{KEYMAP_TAB, KEYMAP_RIGHT}, ACTION_NEXT_SCREEN, "Left, Right", NULL, NULL,
     "the screen before or after (Tab: after)", 9},
    {{KEYMAP_BACK_TAB, KEYMAP_LEFT}, ACTION_PREVIOUS_SCREEN, "Left", NULL, NULL, NULL, 9},
    {{KEYMAP_UP}, ACTION_UP, "Up, Down", NULL, NULL, "a line", 9},
    {{KEYMAP_DOWN}, ACTION_DOWN, "Down", NULL, NULL, NULL, 9},
    {{KEYMAP_PAGE_UP}, ACTION_PAGE_UP, "PgUp, PgDn", NULL, NULL, "ten lines", 9},
    {{KEYMAP_PAGE_DOWN}, ACTION_PAGE_DOWN, "PgDn", NULL, NULL, NULL, 9},
    {{KEYMAP_HOME}, ACTION_FIRST, "Home, End", NULL, NULL, "first or last line", 9},
    {{KEYMAP_END}, ACTION_LAST, "End", NULL, NULL, NULL, 9},
    {{'?', KEYMAP_F1}, ACTION_HELP, "?", "Help", "Help", "this help (also F1)", 2},
    {{KEYMAP_ESC}, ACTION_BACK, "Esc", NULL, NULL, "back to the Overview", 9},
    {{KEYMAP_CTRL_L}, ACTION_REDRAW, "Ctrl-L", NULL, NULL, "draw everything anew", 9},
    {{'q'}, ACTION_CLOSE, "q", "Close, keep training", "Close",
     "close this screen; the agent keeps training", 1},
    {{'Q'}, ACTION_STOP, "Q", NULL, NULL, "stop training and quit (asks first)", 9},
};
/* clang-format on */

const struct keymap_entry *keymap_table(int *ret_n)
{
    *ret_n = (int)(sizeof table / sizeof table[0]);
    return table;
}

enum action keymap_find(int key)
{
    if (key <= 0) return ACTION_NONE;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        for (int k = 0; k < 4 && table[i].key[k]; k++)
            if (table[i].key[k] == key) return table[i].action;
    return ACTION_NONE;
}

const char *keymap_label(const struct keymap_entry *k, const struct view *v, bool is_frozen,
                         bool is_brief)
{
    if (k->action == ACTION_PAUSE && v->state == VIEW_STOPPED) return "Try again";
    if (k->action == ACTION_PAUSE && v->is_paused) return "Resume";
    if (k->action == ACTION_FINISH && v->is_finishing) return "Keep going";
    if (k->action == ACTION_FREEZE && is_frozen) return "Unfreeze";
    if (k->action == ACTION_CLOSE && v->is_demo) return "End demo";
    return is_brief ? k->brief : k->label;
}
