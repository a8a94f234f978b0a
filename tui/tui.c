#include "tui/tui.h"

#include <stdio.h>
#include <string.h>

#include "tui/keymap.h"

#define PAGE 10

static const struct tui_command draw = {TUI_DRAW, INTENT_NONE};
static const struct tui_command nothing = {TUI_NOTHING, INTENT_NONE};

int tui_screen(const char *name)
{
    static const char *const names[SCREEN_COUNT] = {"overview", "run", "peers",
                                                    "credits",  "log", "help"};
    for (int i = 0; i < SCREEN_COUNT; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

void tui_note(struct tui *t, const char *text, int64_t until_ms)
{
    snprintf(t->note, sizeof t->note, "%s", text);
    t->note_until_ms = until_ms;
}

static struct tui_command show(struct tui *t, enum screen s)
{
    if (t->screen == s) return nothing;
    t->screen = s;
    return draw;
}

static struct tui_command turn(struct tui *t, int by)
{
    int from = t->screen < TUI_TABS ? (int)t->screen : (int)t->before_help;
    return show(t, (enum screen)((from + by + TUI_TABS) % TUI_TABS));
}

/* Lines that can be scrolled on the present screen. */
static int length(const struct tui *t, const struct view *v)
{
    switch (t->screen) {
    case SCREEN_PEERS: return (int)v->n_peer_rows;
    case SCREEN_CREDITS: return (int)v->n_credit_rows;
    case SCREEN_LOG: return (int)v->n_log;
    case SCREEN_HELP: return 40;
    case SCREEN_RUN: return 30;
    case SCREEN_OVERVIEW:
    case SCREEN_COUNT: break;
    }
    return 0;
}

/* The log counts from its newest line at the bottom, so up means older there. */
static struct tui_command scroll(struct tui *t, const struct view *v, int by)
{
    int max = length(t, v) - 1;
    int want = t->scroll[t->screen] + (t->screen == SCREEN_LOG ? -by : by);
    if (want > max) want = max;
    if (want < 0) want = 0;
    if (want == t->scroll[t->screen]) return nothing;
    t->scroll[t->screen] = want;
    return draw;
}

/* What was asked for must be seen to happen, so a frozen display thaws. */
static struct tui_command ask(struct tui *t, enum intent_kind intent)
{
    t->is_frozen = false;
    return (struct tui_command){TUI_ASK, intent};
}

static struct tui_command help(struct tui *t)
{
    if (t->screen == SCREEN_HELP) return show(t, t->before_help);
    t->before_help = t->screen;
    return show(t, SCREEN_HELP);
}

static struct tui_command back(struct tui *t)
{
    return show(t, t->screen == SCREEN_HELP ? t->before_help : SCREEN_OVERVIEW);
}

static struct tui_command answer(struct tui *t, int key)
{
    t->is_asking = false;
    if (key == 'y' || key == 'Y') return (struct tui_command){TUI_STOP, INTENT_STOP};
    return draw;
}

static struct tui_command act(struct tui *t, enum action a, const struct view *v)
{
    switch (a) {
    case ACTION_OVERVIEW:
    case ACTION_RUN:
    case ACTION_PEERS:
    case ACTION_CREDITS:
    case ACTION_LOG: return show(t, (enum screen)(a - ACTION_OVERVIEW));
    case ACTION_NEXT_SCREEN: return turn(t, 1);
    case ACTION_PREVIOUS_SCREEN: return turn(t, -1);
    case ACTION_UP: return scroll(t, v, -1);
    case ACTION_DOWN: return scroll(t, v, 1);
    case ACTION_PAGE_UP: return scroll(t, v, -PAGE);
    case ACTION_PAGE_DOWN: return scroll(t, v, PAGE);
    case ACTION_FIRST: return scroll(t, v, -10000);
    case ACTION_LAST: return scroll(t, v, 10000);
    case ACTION_PAUSE:
        return ask(t, v->is_paused || v->state == VIEW_STOPPED ? INTENT_RESUME : INTENT_PAUSE);
    case ACTION_FINISH: return ask(t, v->is_finishing ? INTENT_RESUME : INTENT_FINISH);
    case ACTION_FREEZE: t->is_frozen = !t->is_frozen; return draw;
    case ACTION_HELP: return help(t);
    case ACTION_BACK: return back(t);
    case ACTION_CLOSE: return (struct tui_command){TUI_CLOSE, INTENT_NONE};
    case ACTION_STOP: t->is_asking = true; return draw;
    case ACTION_REDRAW: return (struct tui_command){TUI_REDRAW, INTENT_NONE};
    case ACTION_NONE: break;
    }
    return nothing;
}

struct tui_command tui_key(struct tui *t, int key, const struct view *v)
{
    if (key == KEYMAP_EOF) return (struct tui_command){TUI_CLOSE, INTENT_NONE};
    if (key == KEYMAP_NONE || key == 0) return nothing;
    t->note[0] = 0; /* it was about the key before; the key bar lies below it */
    if (t->is_asking) return answer(t, key);
    return act(t, keymap_find(key), v);
}
