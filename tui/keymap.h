#pragma once
/* Why: one table says which key does what, what the key bar calls it and what the help says, so
 * that the three can never disagree. A key means the same on every screen.
 */

#include <stdbool.h>

#include "view/view.h"

struct tui;

/* Keys beyond the characters. A terminal hands over these or a plain character. */
enum keymap_key {
    KEYMAP_NONE = -1,
    KEYMAP_EOF = -2, /* the terminal is gone */
    KEYMAP_CTRL_L = 12,
    KEYMAP_ENTER = 13,
    KEYMAP_TAB = 9,
    KEYMAP_ESC = 27,
    KEYMAP_BACKSPACE = 127,
    KEYMAP_UP = 0x110000,
    KEYMAP_DOWN,
    KEYMAP_LEFT,
    KEYMAP_RIGHT,
    KEYMAP_PAGE_UP,
    KEYMAP_PAGE_DOWN,
    KEYMAP_HOME,
    KEYMAP_END,
    KEYMAP_BACK_TAB,
    KEYMAP_F1,
};

enum action {
    ACTION_NONE = 0,
    ACTION_OVERVIEW, /* the screens with a number, in the order of enum screen */
    ACTION_RUN,
    ACTION_PEERS,
    ACTION_CREDITS,
    ACTION_LOG,
    ACTION_SETTINGS,
    ACTION_NEXT_SCREEN,
    ACTION_PREVIOUS_SCREEN,
    ACTION_UP,
    ACTION_DOWN,
    ACTION_PAGE_UP,
    ACTION_PAGE_DOWN,
    ACTION_FIRST,
    ACTION_LAST,
    ACTION_PAUSE,
    ACTION_FINISH,
    ACTION_SNOOZE,
    ACTION_ANYWAY,
    ACTION_GEAR,
    ACTION_FREEZE,
    ACTION_OPEN,
    ACTION_RANGE,
    ACTION_SORT,
    ACTION_FIND,
    ACTION_LEVEL,
    ACTION_ABOUT,
    ACTION_EXPORT,
    ACTION_UNDO,
    ACTION_JOIN,
    ACTION_SLOWER,
    ACTION_FASTER,
    ACTION_BACKWARD,
    ACTION_FORWARD,
    ACTION_HELP,
    ACTION_CLOSE,
    ACTION_STOP,
    ACTION_BACK,
    ACTION_REDRAW,
};

struct keymap_entry {
    int key[4]; /* 0 ends the list */
    enum action action;
    int rank;          /* key bar: 0 stays longest */
    const char *keys;  /* as shown: "Up" */
    const char *label; /* key bar: "Pause"; NULL: not in the bar */
    const char *brief; /* the same where room is short */
    const char *help;  /* what it does, one line; NULL: explained by its neighbour */
    unsigned where;    /* bit of each enum screen whose bar names it; 0: all of them */
};

#define KEYMAP_BAR_RANKS 7 /* ranks 0 to this appear in the key bar */

/* The table, n entries, in the order of the help. */
const struct keymap_entry *keymap_table(int *ret_n);

enum action keymap_find(int key);

/* The label for this moment: p is "Resume" while paused, q "End demo" in the demo. NULL: the key
 * is not in the bar now, because it would do nothing.
 */
const char *keymap_label(const struct keymap_entry *k, const struct view *v, const struct tui *t,
                         bool is_brief);
