#include "tui/tui.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "tui/keymap.h"
#include "tui/rows.h"
#include "tui/settings.h"

#define PAGE 10

static const struct tui_command draw = {TUI_DRAW, INTENT_NONE, 0};
static const struct tui_command nothing = {TUI_NOTHING, INTENT_NONE, 0};

int tui_screen(const char *name)
{
    static const char *const names[SCREEN_COUNT] = {"overview", "run",      "peers", "credits",
                                                    "log",      "settings", "help"};
    for (int i = 0; i < SCREEN_COUNT; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

void tui_note(struct tui *t, const char *text, int64_t until_ms)
{
    snprintf(t->note, sizeof t->note, "%s", text);
    t->note_until_ms = until_ms;
}

bool tui_moment(struct tui *t, const struct view *v)
{
    bool is_it = t->awaits_first && v->n_accepted > 0;
    t->awaits_first = v->run_name[0] && v->n_accepted == 0;
    return is_it;
}

static struct tui_command show(struct tui *t, enum screen s)
{
    if (t->screen == s && !t->is_open && !t->is_about) return nothing;
    t->screen = s;
    t->is_open = false;
    t->is_about = false;
    t->is_typing = false;
    return draw;
}

static struct tui_command turn(struct tui *t, int by)
{
    int from = t->screen < TUI_TABS ? (int)t->screen : (int)t->before_help;
    return show(t, (enum screen)((from + by + TUI_TABS) % TUI_TABS));
}

/* Positions that the present screen's scroll can have. */
static int length(const struct tui *t, const struct view *v)
{
    uint16_t rows[VIEW_LOG > VIEW_PEERS ? VIEW_LOG : VIEW_PEERS];
    switch (t->screen) {
    case SCREEN_PEERS: return rows_peers(v, t, rows);
    case SCREEN_CREDITS: return (int)v->n_credit_rows;
    case SCREEN_LOG: return rows_log(v, t, rows);
    case SCREEN_HELP: return 50;
    case SCREEN_RUN: return t->is_about ? 40 : 1 + 2;
    case SCREEN_SETTINGS: return settings_n(t);
    case SCREEN_OVERVIEW: return 1 + 4;
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
    return (struct tui_command){TUI_ASK, intent, 0};
}

const char *tui_span(int answer)
{
    static const char *const spans[TUI_SPANS] = {"30m", "1h", "3h", "08:00"};
    return answer >= 1 && answer <= TUI_SPANS ? spans[answer - 1] : NULL;
}

static struct tui_command snooze_key(struct tui *t, int key)
{
    t->is_snoozing = false;
    if (!tui_span(key - '0')) return draw;
    return (struct tui_command){TUI_SNOOZE, INTENT_NONE, key - '0'};
}

static struct tui_command snooze(struct tui *t, const struct view *v)
{
    if (t->is_replay || !t->options.n || v->is_paused) return nothing;
    t->is_snoozing = true;
    t->is_frozen = false;
    return draw;
}

static struct tui_command anyway(const struct tui *t, const struct view *v)
{
    bool is_held = !t->is_replay && t->options.n && strncmp(v->override_hint, "o:", 2) == 0;
    return is_held ? (struct tui_command){TUI_ANYWAY, INTENT_NONE, 0} : nothing;
}

/* The line that counts now: while somebody is at the computer that is the first. */
static struct tui_command gear(struct tui *t)
{
    if (!t->options.n || t->is_replay) return nothing;
    (void)show(t, SCREEN_SETTINGS);
    int i = 0;
    while (i < settings_n(t) && !settings_option(t, i))
        i++;
    t->scroll[SCREEN_SETTINGS] = i < settings_n(t) ? i : 0;
    return draw;
}

static struct tui_command help(struct tui *t)
{
    if (t->screen == SCREEN_HELP) return show(t, t->before_help);
    t->before_help = t->screen;
    return show(t, SCREEN_HELP);
}

static struct tui_command back(struct tui *t)
{
    if (t->is_open || t->is_about) {
        t->is_open = false;
        if (t->is_about) t->scroll[SCREEN_RUN] = 0;
        t->is_about = false;
        return draw;
    }
    if (t->screen < SCREEN_HELP && t->find[t->screen][0]) {
        t->find[t->screen][0] = 0;
        return draw;
    }
    return show(t, t->screen == SCREEN_HELP ? t->before_help : SCREEN_OVERVIEW);
}

static struct tui_command answer(struct tui *t, int key)
{
    t->is_asking = false;
    if (key == 'y' || key == 'Y') return (struct tui_command){TUI_STOP, INTENT_STOP, 0};
    return draw;
}

/* ---- looking closer ------------------------------------------------------------------------- */

static struct tui_command changed(enum settings_changed c)
{
    if (c == SETTINGS_NOTHING) return nothing;
    return (struct tui_command){c == SETTINGS_LOOK ? TUI_LOOK : TUI_SET, INTENT_NONE, 0};
}

/* Enter: the next choice; what has none is typed. */
static struct tui_command edit(struct tui *t)
{
    int i = t->scroll[SCREEN_SETTINGS];
    const struct option_row *o = settings_option(t, i);
    if (!o || o->n_choices) return changed(settings_change(t, i, 1));
    snprintf(t->find[SCREEN_SETTINGS], TUI_TEXT, "%s", o->value);
    t->is_typing = true;
    return draw;
}

static struct tui_command open_it(struct tui *t, const struct view *v)
{
    if (t->screen == SCREEN_SETTINGS) return edit(t);
    bool has_none = t->screen == SCREEN_HELP || t->screen == SCREEN_LOG;
    if (has_none || t->is_about || !v->run_name[0]) return nothing;
    bool is_graph = t->screen == SCREEN_OVERVIEW || t->screen == SCREEN_RUN;
    if (!is_graph && length(t, v) == 0) return nothing;
    if (is_graph && t->scroll[t->screen] == 0) t->scroll[t->screen] = 1;
    t->is_open = !t->is_open;
    return draw;
}

static struct tui_command about(struct tui *t, const struct view *v)
{
    if (!v->run_name[0] || t->screen == SCREEN_HELP) return nothing;
    bool was_about = t->is_about;
    (void)show(t, SCREEN_RUN);
    t->is_about = !was_about;
    t->is_open = false;
    t->scroll[SCREEN_RUN] = 0;
    return draw;
}

static struct tui_command look_back(struct tui *t)
{
    t->range = (enum view_range)((t->range + 1) % VIEW_RANGES);
    t->is_frozen = false;
    return (struct tui_command){TUI_RANGE, INTENT_NONE, 0};
}

static struct tui_command level(struct tui *t)
{
    if (t->screen != SCREEN_LOG) return nothing;
    t->level = t->level == LOG_WARN ? LOG_ERROR : t->level == LOG_ERROR ? 0 : LOG_WARN;
    t->scroll[SCREEN_LOG] = 0;
    return draw;
}

static struct tui_command sort(struct tui *t)
{
    if (t->screen != SCREEN_PEERS) return nothing;
    t->sort = (enum tui_sort)((t->sort + 1) % TUI_SORTS);
    t->scroll[SCREEN_PEERS] = 0;
    return draw;
}

static struct tui_command find(struct tui *t)
{
    if (t->screen != SCREEN_PEERS && t->screen != SCREEN_LOG) return nothing;
    t->is_typing = true;
    t->is_open = false;
    return draw;
}

static struct tui_command undo(struct tui *t)
{
    return t->screen == SCREEN_SETTINGS ? changed(settings_undo(t)) : nothing;
}

static struct tui_command export_it(const struct tui *t, const struct view *v)
{
    if (t->screen == SCREEN_LOG || (t->screen == SCREEN_CREDITS && v->run_name[0]))
        return (struct tui_command){TUI_EXPORT, INTENT_NONE, 0};
    return nothing;
}

/* Remove the last character: its bytes that only continue it, then the first. */
static void shorten(char *s)
{
    size_t n = strlen(s);
    while (n && ((unsigned char)s[n - 1] & 0xc0) == 0x80)
        n--;
    if (n) n--;
    s[n] = 0;
}

/* Keys are letters now; what is typed acts at once. */
static struct tui_command type(struct tui *t, int key)
{
    char *s = t->find[t->screen];
    size_t n = strlen(s);
    if (key == KEYMAP_ENTER || key == KEYMAP_ESC) {
        t->is_typing = false;
        if (key == KEYMAP_ESC) s[0] = 0;
        if (t->screen == SCREEN_SETTINGS) {
            char value[TUI_TEXT];
            snprintf(value, sizeof value, "%s", s);
            s[0] = 0;
            if (key == KEYMAP_ESC) return draw;
            return changed(settings_set(t, t->scroll[SCREEN_SETTINGS], value));
        }
    } else if (key == KEYMAP_BACKSPACE) {
        shorten(s);
    } else if (key >= ' ' && key < 0x100 && n + 1 < TUI_TEXT) {
        s[n] = (char)key;
        s[n + 1] = 0;
    } else {
        return nothing;
    }
    if (t->screen != SCREEN_SETTINGS) t->scroll[t->screen] = 0;
    return draw;
}

static struct tui_command join(struct tui *t)
{
    if (t->is_replay) return nothing;
    t->wizard.is_on = true;
    t->wizard.step = WIZARD_LINK;
    t->screen = SCREEN_OVERVIEW;
    t->is_open = false;
    return draw;
}

/* ---- a recording ---------------------------------------------------------------------------- */

static struct tui_command pace(struct tui *t, int by)
{
    static const int speeds[] = {1, 2, 5, 10, 30, 60, 120, 300, 1000};
    const int n = (int)(sizeof speeds / sizeof speeds[0]);
    int i = 0;
    if (!t->is_replay) return nothing;
    while (i < n - 1 && speeds[i] < t->speed)
        i++;
    i = i + by < 0 ? 0 : i + by > n - 1 ? n - 1 : i + by;
    t->speed = speeds[i];
    return (struct tui_command){TUI_SEEK, INTENT_NONE, 0};
}

static struct tui_command seek(const struct tui *t, int by)
{
    return t->is_replay ? (struct tui_command){TUI_SEEK, INTENT_NONE, by} : nothing;
}

static struct tui_command sideways(struct tui *t, int key, int by)
{
    bool is_arrow = key == KEYMAP_LEFT || key == KEYMAP_RIGHT;
    if (t->screen == SCREEN_SETTINGS && is_arrow)
        return changed(settings_change(t, t->scroll[SCREEN_SETTINGS], by));
    return turn(t, by);
}

static struct tui_command act(struct tui *t, enum action a, int key, const struct view *v)
{
    switch (a) {
    case ACTION_OVERVIEW:
    case ACTION_RUN:
    case ACTION_PEERS:
    case ACTION_CREDITS:
    case ACTION_LOG:
    case ACTION_SETTINGS: return show(t, (enum screen)(a - ACTION_OVERVIEW));
    case ACTION_NEXT_SCREEN: return sideways(t, key, 1);
    case ACTION_PREVIOUS_SCREEN: return sideways(t, key, -1);
    case ACTION_UP: return scroll(t, v, -1);
    case ACTION_DOWN: return scroll(t, v, 1);
    case ACTION_PAGE_UP: return scroll(t, v, -PAGE);
    case ACTION_PAGE_DOWN: return scroll(t, v, PAGE);
    case ACTION_FIRST: return scroll(t, v, -10000);
    case ACTION_LAST: return scroll(t, v, 10000);
    case ACTION_PAUSE:
        if (t->is_replay) {
            t->is_held = !t->is_held;
            return (struct tui_command){TUI_SEEK, INTENT_NONE, 0};
        }
        return ask(t, v->is_paused || v->state == VIEW_STOPPED ? INTENT_RESUME : INTENT_PAUSE);
    case ACTION_FINISH:
        if (t->is_replay) return nothing;
        return ask(t, v->is_finishing ? INTENT_RESUME : INTENT_FINISH);
    case ACTION_SNOOZE: return snooze(t, v);
    case ACTION_ANYWAY: return anyway(t, v);
    case ACTION_GEAR: return gear(t);
    case ACTION_FREEZE: t->is_frozen = !t->is_frozen; return draw;
    case ACTION_HELP: return help(t);
    case ACTION_BACK: return back(t);
    case ACTION_CLOSE: return (struct tui_command){TUI_CLOSE, INTENT_NONE, 0};
    case ACTION_STOP:
        if (t->is_replay) return (struct tui_command){TUI_CLOSE, INTENT_NONE, 0};
        t->is_asking = true;
        return draw;
    case ACTION_JOIN: return join(t);
    case ACTION_SLOWER: return pace(t, -1);
    case ACTION_FASTER: return pace(t, 1);
    case ACTION_BACKWARD: return seek(t, -10);
    case ACTION_FORWARD: return seek(t, 10);
    case ACTION_REDRAW: return (struct tui_command){TUI_REDRAW, INTENT_NONE, 0};
    case ACTION_OPEN: return open_it(t, v);
    case ACTION_RANGE: return look_back(t);
    case ACTION_SORT: return sort(t);
    case ACTION_FIND: return find(t);
    case ACTION_LEVEL: return level(t);
    case ACTION_ABOUT: return about(t, v);
    case ACTION_EXPORT: return export_it(t, v);
    case ACTION_UNDO: return undo(t);
    case ACTION_NONE: break;
    }
    return nothing;
}

/* Keys that no text can hold and no step of the wizard uses. */
static bool is_for_all_screens(int key)
{
    enum action a = key < 0x110000 && key != KEYMAP_TAB && key != KEYMAP_CTRL_L ? ACTION_NONE
                                                                                : keymap_find(key);
    return a == ACTION_HELP || a == ACTION_REDRAW || a == ACTION_NEXT_SCREEN ||
           a == ACTION_PREVIOUS_SCREEN;
}

struct tui_command tui_key(struct tui *t, int key, const struct view *v)
{
    if (key == KEYMAP_EOF) return (struct tui_command){TUI_CLOSE, INTENT_NONE, 0};
    if (key == KEYMAP_NONE || key == 0) return nothing;
    t->note[0] = 0; /* it was about the key before; the key bar lies below it */
    if (t->is_asking) return answer(t, key);
    if (t->is_snoozing) return snooze_key(t, key);
    if (t->is_typing) return type(t, key);
    if (wizard_is_shown(t, v) && !is_for_all_screens(key)) return wizard_key(t, key);
    return act(t, keymap_find(key), key, v);
}
