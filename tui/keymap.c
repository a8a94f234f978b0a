#include "tui/keymap.h"

#include <stddef.h>
#include <string.h>

#include "tui/tui.h"

#define ON(s)   (1U << SCREEN_##s)
#define ON_TIME (ON(OVERVIEW) | ON(RUN) | ON(PEERS))

/* clang-format off */
static const struct keymap_entry table[] = {
    {{'p'}, ACTION_PAUSE, 0, "p", "Pause", "Pause",
     "pause at once, or resume; your place in the run is kept", 0},
    {{'f'}, ACTION_FINISH, 3, "f", "Finish round", "Finish",
     "complete this round, then pause; f again: keep going", 0},
    {{'z'}, ACTION_SNOOZE, 6, "z", "Snooze", "Snooze",
     "pause for a while: it goes on by itself", 0},
    {{'o'}, ACTION_ANYWAY, 3, "o", "Go on anyway", "Anyway",
     "go on in spite of what holds training now, for an hour", 0},
    {{'g'}, ACTION_GEAR, 6, "g", "Gear", "Gear",
     "how much training may take: to that line of the Settings", 0},
    {{KEYMAP_ENTER}, ACTION_OPEN, 4, "Enter", "Zoom", "Zoom",
     "look closer: one graph large, one row in full, one setting changed",
     ON(OVERVIEW) | ON(RUN) | ON(PEERS) | ON(CREDITS) | ON(SETTINGS)},
    {{'t'}, ACTION_RANGE, 6, "t", "Range", "Range",
     "how far back graphs look: 10 m, 1 h, 24 h, 7 d, all", ON_TIME},
    {{'s'}, ACTION_SORT, 5, "s", "Sort", "Sort", "Peers: by another column", ON(PEERS)},
    {{'/'}, ACTION_FIND, 5, "/", "Find", "Find",
     "Peers, Log: only what holds the text you type; Esc: all", ON(PEERS) | ON(LOG)},
    {{'v'}, ACTION_LEVEL, 5, "v", "Level", "Level", "Log: all, warnings, errors", ON(LOG)},
    {{'i'}, ACTION_ABOUT, 5, "i", "About", "About",
     "about this run: what holds it now, host, licence, rules, key", ON(RUN)},
    {{'x'}, ACTION_EXPORT, 5, "x", "Export", "Export",
     "write to a file: the log, or every line that was earned (CSV)", ON(CREDITS) | ON(LOG)},
    {{'u'}, ACTION_UNDO, 5, "u", "Undo", "Undo", "Settings: take the last change back",
     ON(SETTINGS)},
    {{'j'}, ACTION_JOIN, 9, "j", NULL, NULL, "join another run: an invite, or one known here", 0},
    {{'<'}, ACTION_SLOWER, 5, "<", "Slower", "Slow", "Replay: slower; > faster; , back; . on", 0},
    {{'>'}, ACTION_FASTER, 5, ">", "Faster", "Fast", NULL, 0},
    {{','}, ACTION_BACKWARD, 5, ",", "Back", "Back", NULL, 0},
    {{'.'}, ACTION_FORWARD, 5, ".", "On", "On", NULL, 0},
    {{' '}, ACTION_FREEZE, 7, "Space", "Freeze", "Freeze",
     "hold the display still; training continues", 0},
    {{'1'}, ACTION_OVERVIEW, 9, "1 .. 6", NULL, NULL,
     "Overview, Run, Peers, Credits, Log, Settings", 0},
    {{'2'}, ACTION_RUN, 9, "2", NULL, NULL, NULL, 0},
    {{'3'}, ACTION_PEERS, 9, "3", NULL, NULL, NULL, 0},
    {{'4'}, ACTION_CREDITS, 9, "4", NULL, NULL, NULL, 0},
    {{'5'}, ACTION_LOG, 9, "5", NULL, NULL, NULL, 0},
    {{'6'}, ACTION_SETTINGS, 9, "6", NULL, NULL, NULL, 0},
    {{KEYMAP_TAB, KEYMAP_RIGHT}, ACTION_NEXT_SCREEN, 9, "Left, Right", NULL, NULL,
     "the screen before or after (Tab: after); Settings: change", 0},
    {{KEYMAP_BACK_TAB, KEYMAP_LEFT}, ACTION_PREVIOUS_SCREEN, 9, "Left", NULL, NULL, NULL, 0},
    {{KEYMAP_UP}, ACTION_UP, 9, "Up, Down", NULL, NULL, "a line, or the next graph", 0},
    {{KEYMAP_DOWN}, ACTION_DOWN, 9, "Down", NULL, NULL, NULL, 0},
    {{KEYMAP_PAGE_UP}, ACTION_PAGE_UP, 9, "PgUp, PgDn", NULL, NULL, "ten lines", 0},
    {{KEYMAP_PAGE_DOWN}, ACTION_PAGE_DOWN, 9, "PgDn", NULL, NULL, NULL, 0},
    {{KEYMAP_HOME}, ACTION_FIRST, 9, "Home, End", NULL, NULL, "first or last line", 0},
    {{KEYMAP_END}, ACTION_LAST, 9, "End", NULL, NULL, NULL, 0},
    {{'?', KEYMAP_F1}, ACTION_HELP, 2, "?", "Help", "Help", "this help (also F1)", 0},
    {{KEYMAP_ESC}, ACTION_BACK, 9, "Esc", NULL, NULL, "back, step by step, to the Overview", 0},
    {{KEYMAP_CTRL_L}, ACTION_REDRAW, 9, "Ctrl-L", NULL, NULL, "draw everything anew", 0},
    {{'q'}, ACTION_CLOSE, 1, "q", "Close, keep training", "Close",
     "close this screen; the agent keeps training", 0},
    {{'Q'}, ACTION_STOP, 9, "Q", NULL, NULL, "stop training and quit (asks first)", 0},
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
    bool is_of_replay = k->action >= ACTION_SLOWER && k->action <= ACTION_FORWARD;
    if (is_of_replay) return t->is_replay;
    if (t->is_replay)
        return k->action != ACTION_FINISH && k->action != ACTION_SNOOZE &&
               k->action != ACTION_ANYWAY && k->action != ACTION_GEAR &&
               k->action != ACTION_FREEZE && k->action != ACTION_EXPORT &&
               k->action != ACTION_RANGE;
    if (k->action == ACTION_PAUSE) return !is_at_rest(v, t);
    if (k->action == ACTION_FINISH) return !is_at_rest(v, t) && !v->is_paused;
    /* Where the agent has settings, it has these as well. */
    bool has_settings = t->options.n > 0;
    if (k->action == ACTION_SNOOZE) return has_settings && !is_at_rest(v, t) && !v->is_paused;
    if (k->action == ACTION_ANYWAY) return has_settings && strncmp(v->override_hint, "o:", 2) == 0;
    if (k->action == ACTION_GEAR) return has_settings && t->screen == SCREEN_OVERVIEW;
    if (k->action == ACTION_OPEN) return v->run_name[0] || t->screen == SCREEN_SETTINGS;
    if (k->action == ACTION_EXPORT && t->screen == SCREEN_CREDITS) return v->run_name[0] != 0;
    if (k->action == ACTION_UNDO) return t->has_undo;
    return k->action != ACTION_FREEZE || !t->is_gone || t->is_frozen;
}

/* What Enter does here. */
static const char *open_label(const struct tui *t)
{
    if (t->is_open) return "Back";
    if (t->screen == SCREEN_SETTINGS) return "Change";
    return t->screen == SCREEN_OVERVIEW || t->screen == SCREEN_RUN ? "Zoom" : "Details";
}

/* In words of the moment; NULL: as it is called always. */
static const char *label_now(const struct keymap_entry *k, const struct view *v,
                             const struct tui *t)
{
    if (k->action == ACTION_OPEN) return open_label(t);
    if (k->action == ACTION_FREEZE) return t->is_frozen ? "Unfreeze" : NULL;
    if (k->action == ACTION_FINISH) return v->is_finishing ? "Keep going" : NULL;
    if (k->action == ACTION_PAUSE) {
        if (t->is_replay) return t->is_held ? "Play" : "Hold";
        if (v->state == VIEW_STOPPED) return "Try again";
        return v->is_paused ? "Resume" : NULL;
    }
    if (k->action != ACTION_CLOSE) return NULL;
    if (t->is_replay) return "Close";
    if (v->is_demo && !t->is_gone) return "End demo";
    return is_at_rest(v, t) || v->is_paused ? "Close" : NULL;
}

const char *keymap_label(const struct keymap_entry *k, const struct view *v, const struct tui *t,
                         bool is_brief)
{
    if (!k->label || !is_offered(k, v, t)) return NULL;
    if (k->where && !(k->where >> t->screen & 1)) return NULL;
    if (t->is_about && (k->action == ACTION_OPEN || k->action == ACTION_RANGE)) return NULL;
    if (t->is_about && k->action == ACTION_ABOUT) return "Back";
    const char *now = label_now(k, v, t);
    if (now) return now;
    return is_brief ? k->brief : k->label;
}
