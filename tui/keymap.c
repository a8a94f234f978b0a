#include "tui/keymap.h"

#include <stddef.h>

#include "tui/tui.h"

/* clang-format off */
static const struct keymap_entry table[] = {
    {{'p'}, ACTION_PAUSE, 0, "p", "Pause", "Pause",
     "pause at once, or resume; your place in the run is kept"},
    {{'f'}, ACTION_FINISH, 3, "f", "Finish round", "Finish",
     "complete this round, then pause; f again: keep going"},
    {{' '}, ACTION_FREEZE, 4, "Space", "Freeze", "Freeze",
     "hold the display still; training continues"},
    {{'1'}, ACTION_OVERVIEW, 9, "1 .. 5", NULL, NULL, "Overview, Run, Peers, Credits, Log"},
    {{'2'}, ACTION_RUN, 9, "2", NULL, NULL, NULL},
    {{'3'}, ACTION_PEERS, 9, "3", NULL, NULL, NULL},
    {{'4'}, ACTION_CREDITS, 9, "4", NULL, NULL, NULL},
    {{'5'}, ACTION_LOG, 9, "5", NULL, NULL, NULL},
    {{KEYMAP_TAB, KEYMAP_RIGHT}, ACTION_NEXT_SCREEN, 9, "Left, Right", NULL, NULL,
     "the screen before or after (Tab: after)"},
    {{KEYMAP_BACK_TAB, KEYMAP_LEFT}, ACTION_PREVIOUS_SCREEN, 9, "Left", NULL, NULL, NULL},
    {{KEYMAP_UP}, ACTION_UP, 9, "Up, Down", NULL, NULL, "a line"},
    {{KEYMAP_DOWN}, ACTION_DOWN, 9, "Down", NULL, NULL, NULL},
    {{KEYMAP_PAGE_UP}, ACTION_PAGE_UP, 9, "PgUp, PgDn", NULL, NULL, "ten lines"},
    {{KEYMAP_PAGE_DOWN}, ACTION_PAGE_DOWN, 9, "PgDn", NULL, NULL, NULL},
    {{KEYMAP_HOME}, ACTION_FIRST, 9, "Home, End", NULL, NULL, "first or last line"},
    {{KEYMAP_END}, ACTION_LAST, 9, "End", NULL, NULL, NULL},
    {{'?', KEYMAP_F1}, ACTION_HELP, 2, "?", "Help", "Help", "this help (also F1)"},
    {{KEYMAP_ESC}, ACTION_BACK, 9, "Esc", NULL, NULL, "back to the Overview"},
    {{KEYMAP_CTRL_L}, ACTION_REDRAW, 9, "Ctrl-L", NULL, NULL, "draw everything anew"},
    {{'q'}, ACTION_CLOSE, 1, "q", "Close, keep training", "Close",
     "close this screen; the agent keeps training"},
    {{'Q'}, ACTION_STOP, 9, "Q", NULL, NULL, "stop training and quit (asks first)"},
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

/* Nothing can be paused or finished: no agent, no run, or no more rounds. */
static bool is_at_rest(const struct view *v, const struct tui *t)
{
    return t->is_gone || v->state == VIEW_IDLE || v->state == VIEW_DONE || v->state == VIEW_ENDING;
}

static bool is_offered(const struct keymap_entry *k, const struct view *v, const struct tui *t)
{
    if (k->action == ACTION_PAUSE) return !is_at_rest(v, t);
    if (k->action == ACTION_FINISH) return !is_at_rest(v, t) && !v->is_paused;
    return k->action != ACTION_FREEZE || !t->is_gone || t->is_frozen;
}

const char *keymap_label(const struct keymap_entry *k, const struct view *v, const struct tui *t,
                         bool is_brief)
{
    if (!k->label || !is_offered(k, v, t)) return NULL;
    if (k->action == ACTION_PAUSE && v->state == VIEW_STOPPED) return "Try again";
    if (k->action == ACTION_PAUSE && v->is_paused) return "Resume";
    if (k->action == ACTION_FINISH && v->is_finishing) return "Keep going";
    if (k->action == ACTION_FREEZE && t->is_frozen) return "Unfreeze";
    if (k->action == ACTION_CLOSE && v->is_demo && !t->is_gone) return "End demo";
    if (k->action == ACTION_CLOSE && (is_at_rest(v, t) || v->is_paused)) return "Close";
    return is_brief ? k->brief : k->label;
}
