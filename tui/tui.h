#pragma once
/* Why: what a key does is decided here and nowhere else, without a terminal and without a
 * socket: (state, key, view) to (state, command). Every key can be tried on every screen in a
 * test.
 */

#include <stdbool.h>
#include <stdint.h>

#include "tui/options.h"
#include "tui/wizard.h"
#include "view/intent.h"
#include "view/view.h"

enum screen {
    SCREEN_OVERVIEW = 0,
    SCREEN_RUN,
    SCREEN_PEERS,
    SCREEN_CREDITS,
    SCREEN_LOG,
    SCREEN_SETTINGS,
    SCREEN_HELP,
    SCREEN_COUNT,
};

#define TUI_TABS 6 /* screens with a number; help is none of them */
#define TUI_TEXT 128

enum tui_sort { TUI_BY_HOST = 0, TUI_BY_SPEED, TUI_BY_NAME, TUI_BY_SEEN, TUI_SORTS };

/* How the screen looks, as the person likes it; kept in a file by app/attach. */
struct tui_look {
    int theme;  /* enum theme */
    int graphs; /* enum glyphs; -1: the best that the terminal can show */
    bool is_calm;
};

struct tui {
    enum screen screen;
    enum screen before_help;
    /* Lines moved down; in the log: up from the newest; in a table: the picked row; where there are
     * graphs: the picked one, counted from 1.
     */
    int scroll[SCREEN_COUNT];
    bool is_open;  /* Enter: one graph large, one row in full */
    bool is_about; /* i: the run's card in place of the Run screen */
    enum view_range range;
    enum tui_sort sort;
    char find[SCREEN_COUNT][TUI_TEXT]; /* only rows that hold this text; "" all */
    bool is_typing;                    /* that text */
    int level;                         /* least enum log_level that the log shows */
    struct tui_look look, before;      /* before: what undo brings back */
    bool has_undo;
    struct options options; /* the agent's settings */
    /* The setting to be made so (TUI_SET), and what undo makes it again; key "": the look. */
    char set_key[32], set_value[OPTIONS_VALUE];
    char undo_key[32], undo_value[OPTIONS_VALUE];
    bool awaits_first; /* no contribution has been accepted yet */
    struct wizard wizard;
    bool is_replay; /* a recording is shown: no agent, p holds it, < > . , move in it */
    bool is_held;
    int speed; /* how many times faster */
    uint32_t i_view, n_views;
    bool is_frozen;
    bool is_asking;           /* "stop training and quit?" is on the screen */
    bool is_snoozing;         /* "pause for how long?" is */
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
    TUI_REDRAW,  /* from scratch */
    TUI_ASK,     /* send the intent */
    TUI_CLOSE,   /* leave; the agent goes on */
    TUI_RANGE,   /* ask for views that look back as far as t->range */
    TUI_LOOK,    /* t->look has changed: use it and keep it */
    TUI_SET,     /* ask for set_key to be set_value */
    TUI_SNOOZE,  /* pause for tui_span(by) */
    TUI_ANYWAY,  /* go on in spite of what holds training */
    TUI_LOOK_AT, /* fetch the card of wizard_source */
    TUI_JOIN,    /* and take part in it */
    TUI_SEEK,    /* move `by` views in the recording */
    TUI_EXPORT,  /* write a file: what depends on t->screen */
    TUI_STOP,    /* send the intent, then leave */
};

struct tui_command {
    enum tui_command_kind kind;
    enum intent_kind intent;
    int by;
};

struct tui_command wizard_key(struct tui *t, int key); /* while wizard_is_shown */
struct tui_command tui_key(struct tui *t, int key, const struct view *v);

/* Show a sentence until until_ms. */
void tui_note(struct tui *t, const char *text, int64_t until_ms);

/* What the answers 1 to TUI_SPANS to "for how long?" mean, as `potluck pause --for` takes it. */
#define TUI_SPANS 4
const char *tui_span(int answer);

/* A new view has come: true when it holds the moment that is worth a sentence for a while, the first
 * contribution that was accepted.
 */
bool tui_moment(struct tui *t, const struct view *v);

/* "overview", "run", ...; -1 when unknown. */
int tui_screen(const char *name);
