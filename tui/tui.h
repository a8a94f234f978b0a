#pragma once
/* Why: what a key does is decided here and nowhere else, without a terminal and without a
 * socket: (state, key, view) to (state, command). Every key can be tried on every screen in a
 * test.
 */

#include <stdbool.h>
#include <stdint.h>

#include "view/intent.h"
#include "view/view.h"

enum screen {
    SCREEN_OVERVIEW = 0,
    SCREEN_RUN,
    SCREEN_PEERS,
    SCREEN_CREDITS,
    SCREEN_LOG,
    SCREEN_HELP,
    SCREEN_COUNT,
};

#define TUI_TABS 5 /* screens with a number; help is none of them */

struct tui {
    enum screen screen;
    enum screen before_help;
    int scroll[SCREEN_COUNT]; /* lines moved down; in the log: up from the newest */
    bool is_frozen;
    bool is_asking;           /* "stop training and quit?" is on the screen */
    bool is_lost;             /* the agent does not answer */
    bool is_gone;             /* and there is none: its socket is closed */
    bool has_view;            /* at least one view has come */
    int64_t lost_since_ms;    /* wall clock of the last sign of life */
    char note[VIEW_LINE_CAP]; /* a sentence for a few seconds: an error, an answer */
    int64_t note_until_ms;
    const char *home_words; /* " --home a", shown after commands; NULL: none was given */
};

enum tui_command_kind {
    TUI_NOTHING = 0, /* the key meant nothing: no drawing either */
    TUI_DRAW,
    TUI_REDRAW, /* from scratch */
    TUI_ASK,    /* send the intent */
    TUI_CLOSE,  /* leave; the agent goes on */
    TUI_STOP,   /* send the intent, then leave */
};

struct tui_command {
    enum tui_command_kind kind;
    enum intent_kind intent;
};

struct tui_command tui_key(struct tui *t, int key, const struct view *v);

/* Show a sentence until until_ms. */
void tui_note(struct tui *t, const char *text, int64_t until_ms);

/* "overview", "run", ...; -1 when unknown. */
int tui_screen(const char *name);
