#include "tui/screen.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "tui/graph.h"
#include "tui/keymap.h"
#include "view/text.h"

#define STATE_TEXT 512
#define CORNER_W   7 /* the clock and its distance */
#define HOUR_MS    INT64_C(3600000)

/* ---- shared by the screens ------------------------------------------------------------------ */

enum view_state screen_state(const struct screen_frame *f)
{
    return f->t->is_lost || !f->t->has_view ? VIEW_NO_CONTACT : f->v->state;
}

char *screen_mark(const struct screen_frame *f, const char *text, char *dst, size_t cap)
{
    bool is_number = strcmp(text, "-") != 0;
    snprintf(dst, cap, "%s%s", text, f->is_old && is_number ? "?" : "");
    return dst;
}

char *screen_unit(const char *text, const char *unit, char *dst, size_t cap)
{
    if (strcmp(text, "-") == 0)
        snprintf(dst, cap, "-");
    else
        snprintf(dst, cap, "%s %s", text, unit);
    return dst;
}

char *screen_peers_text(const struct view *v, char *dst)
{
    return text_count(v->run_name[0] ? (int64_t)v->n_peers : VIEW_NONE, dst);
}

void screen_fact(char *dst, size_t cap, const char *label, const char *text, const char *unit)
{
    size_t n = strlen(dst);
    if (strcmp(text, "-") == 0) return;
    snprintf(dst + n, cap - n, "%s%s%s%s%s%s", n ? "  " : "", label, label[0] ? " " : "", text,
             unit[0] ? " " : "", unit);
}

char *screen_age(int64_t ms, char *dst, size_t cap)
{
    char t[TEXT_CAP];
    if (ms == VIEW_NONE)
        snprintf(dst, cap, "-");
    else if (ms < 2000)
        snprintf(dst, cap, "now");
    else
        snprintf(dst, cap, "%s ago", text_duration(ms / 1000 * 1000, t));
    return dst;
}

/* Facts stand two spaces apart; the last one leaves first. */
static void drop_last(char *text)
{
    size_t n = strlen(text);
    while (n && !(n >= 2 && text[n - 1] == ' ' && text[n - 2] == ' '))
        n--;
    while (n && text[n - 1] == ' ')
        n--;
    text[n] = 0;
}

void screen_title(const struct screen_frame *f, struct rect r, const char *title, const char *value,
                  const char *extra)
{
    char marked[160];
    if (r.h < 1 || r.w < 1) return;
    int x = r.x;
    int end = r.x + r.w;
    x += canvas_text(f->c, x, r.y, end - x, STYLE_TITLE, title);
    if (value[0] && end - x > 3) {
        screen_mark(f, value, marked, sizeof marked);
        x += 2;
        x += canvas_text(f->c, x, r.y, end - x, STYLE_VALUE, marked);
    }
    char part[160];
    snprintf(part, sizeof part, "%s", extra);
    while (part[0] && canvas_width(f->c, part) + 2 > end - x)
        drop_last(part);
    if (part[0]) x += 2 + canvas_text(f->c, x + 2, r.y, end - x - 2, STYLE_DIM, part);
    if (end - x > 1) canvas_fill(f->c, x + 1, r.y, end - x - 1, theme_rule(f->glyphs), STYLE_DIM);
}

void screen_pair(const struct screen_frame *f, struct rect r, int y, int label_w, const char *label,
                 enum style style, const char *value)
{
    char marked[320];
    if (y < r.y || y >= r.y + r.h) return;
    canvas_text(f->c, r.x, y, label_w < r.w ? label_w : r.w, STYLE_DIM, label);
    screen_mark(f, value, marked, sizeof marked);
    canvas_text(f->c, r.x + label_w + 1, y, r.w - label_w - 1, style, marked);
}

void screen_log_line(const struct screen_frame *f, struct rect r, int y, const struct view_log *l)
{
    static const char *const word[] = {"debug", "info", "warn", "error"};
    static const enum style look[] = {STYLE_DIM, STYLE_DIM, STYLE_WARN, STYLE_BAD};
    char at[16] = "-";
    int level = l->level <= LOG_ERROR ? l->level : LOG_ERROR;
    if (l->at_ms != VIEW_NONE) clock_hms(l->at_ms, at);
    int x = r.x;
    int end = r.x + r.w;
    x += canvas_text(f->c, x, y, end - x, STYLE_DIM, at) + 2;
    canvas_text(f->c, x, y, end - x, look[level], word[level]);
    x += 7;
    canvas_text(f->c, x, y, end - x, level >= LOG_WARN ? STYLE_VALUE : STYLE_TEXT, l->text);
}

const char *screen_gauge_label(const struct view *v)
{
    if (v->fetch_frac >= 0) return "download";
    return v->n_steps ? "steps" : "deadline";
}

/* The curve is remembered in nats a token; the text measured on is the same in every round, and so
 * is what a nat a token is in bits a byte.
 */
static struct view_series in_bits(const struct view *v)
{
    struct view_series s = v->val_curve;
    double by = v->val_bits_per_byte / v->val_loss;
    if (!isfinite(by)) s.n = 0;
    for (uint32_t i = 0; i < s.n && i < VIEW_SERIES; i++)
        s.v[i] = (float)((double)s.v[i] * by);
    return s;
}

void screen_graph(const struct screen_frame *f, struct rect r, enum screen_graph which,
                  bool is_bare)
{
    const struct view *v = f->v;
    struct graph g = {.glyphs = f->glyphs,
                      .is_bare = is_bare,
                      .last_round = v->round,
                      .marks = v->marks,
                      .n_marks = v->n_marks,
                      .now_ms = v->at_ms};
    struct view_series bits;
    switch (which) {
    case SCREEN_GRAPH_SPEED:
        g.s = &v->speed;
        g.style = STYLE_SPEED;
        break;
    case SCREEN_GRAPH_LOSS:
        g.s = &v->loss_curve;
        g.kind = GRAPH_LINE;
        g.style = STYLE_LOSS;
        break;
    case SCREEN_GRAPH_HELD_OUT:
        bits = in_bits(v);
        g.s = &bits;
        g.kind = GRAPH_LINE;
        g.style = STYLE_LOSS;
        g.last_round = v->val_round;
        break;
    case SCREEN_GRAPH_EARNED:
        g.s = v->earned.n >= v->earned_pending.n ? &v->earned : &v->earned_pending;
        g.on_top = g.s == &v->earned ? &v->earned_pending : NULL;
        g.kind = GRAPH_BARS;
        g.style = STYLE_EARNED;
        break;
    case SCREEN_GRAPH_PEERS:
    default:
        g.s = &v->peers_curve;
        g.style = STYLE_PEERS;
        g.n_marks = 0; /* the others did not pause */
        break;
    }
    if (f->is_old) g.style = STYLE_DIM;
    graph_draw(f->c, r, &g);
}

int screen_picked(const struct screen_frame *f)
{
    static const enum screen_graph on_run[] = {SCREEN_GRAPH_LOSS, SCREEN_GRAPH_HELD_OUT};
    int i = f->t->scroll[f->t->screen] - 1;
    if (f->t->screen == SCREEN_OVERVIEW && i >= 0 && i < 4) return i;
    if (f->t->screen == SCREEN_RUN && i >= 0 && i < 2) return (int)on_run[i];
    return -1;
}

static const char *unit(const struct view *v)
{
    return v->reward_unit[0] ? v->reward_unit : "credits";
}

void screen_graph_title(const struct screen_frame *f, struct rect r, enum screen_graph which)
{
    static const char *const name[] = {"Your speed", "Training loss", "Earned", "Contributors",
                                       "Held-out"};
    const struct view *v = f->v;
    char title[32];
    char a[TEXT_CAP];
    char value[128] = "";
    char extra[160] = "";
    switch (which) {
    case SCREEN_GRAPH_SPEED:
        screen_unit(text_number(v->tok_per_s, a), "tok/s", value, sizeof value);
        screen_fact(extra, sizeof extra, "avg", text_number(v->tok_per_s_avg, a), "");
        screen_fact(extra, sizeof extra, "best", text_number(v->tok_per_s_best, a), "");
        break;
    case SCREEN_GRAPH_LOSS:
        text_fixed(v->loss, 3, value);
        screen_fact(extra, sizeof extra, "best", text_fixed(v->loss_best, 3, a), "");
        break;
    case SCREEN_GRAPH_EARNED:
        screen_unit(text_credits(v->credits_confirmed, a), unit(v), value, sizeof value);
        screen_fact(extra, sizeof extra, "", text_credits_signed(v->credits_pending, a), "pending");
        break;
    case SCREEN_GRAPH_PEERS:
        screen_peers_text(v, value);
        screen_fact(extra, sizeof extra, "", text_number(v->swarm_tok_per_s, a), "tok/s together");
        break;
    case SCREEN_GRAPH_HELD_OUT:
        screen_unit(text_fixed(v->val_bits_per_byte, 3, a), "bits/byte", value, sizeof value);
        if (isfinite(v->val_bits_per_byte))
            screen_fact(extra, sizeof extra, "round", text_count((int64_t)v->val_round, a), "");
        break;
    }
    bool is_picked = screen_picked(f) == (int)which && !f->t->is_open;
    snprintf(title, sizeof title, "%s%s", is_picked ? "> " : "", name[which]);
    screen_title(f, r, title, value, extra);
}

int screen_wrap(const struct screen_frame *f, struct rect r, int y, int max_rows, enum style style,
                const char *text, bool is_drawn)
{
    const char *s = text;
    int row = 0;
    for (; *s && row < max_rows; row++) {
        size_t cut = row == max_rows - 1 ? strlen(s) : canvas_break(f->c, s, r.w);
        char part[STATE_TEXT];
        snprintf(part, sizeof part, "%.*s", (int)cut, s);
        if (is_drawn && y + row < r.h) canvas_text(f->c, r.x, r.y + y + row, r.w, style, part);
        s += cut;
        while (*s == ' ')
            s++;
    }
    return row;
}

char *screen_ranges(const struct view *v, char *dst, size_t cap)
{
    size_t n = 0;
    dst[0] = 0;
    for (int i = 0; i < VIEW_RANGES; i++) {
        bool is_it = (int)v->range == i;
        int m = snprintf(dst + n, cap - n, "%s%s%s%s", i ? " " : "", is_it ? "[" : "",
                         view_range_text((enum view_range)i), is_it ? "]" : "");
        if (m < 0 || n + (size_t)m >= cap) break;
        n += (size_t)m;
    }
    return dst;
}

/* ---- the state line ------------------------------------------------------------------------- */

static enum style state_style(enum view_state s)
{
    switch (s) {
    case VIEW_RUNNING:
    case VIEW_SENDING:
    case VIEW_JOINING:
    case VIEW_FETCHING:
    case VIEW_DONE: return STYLE_GOOD;
    case VIEW_STOPPED:
    case VIEW_NO_CONTACT:
    case VIEW_RETRYING: return STYLE_BAD;
    case VIEW_WAITING:
    case VIEW_PAUSED:
    case VIEW_SNOOZED:
    case VIEW_FINISHING:
    case VIEW_LEAVING:
    case VIEW_ENDING: return STYLE_WARN;
    case VIEW_IDLE:
    case VIEW_STATE_COUNT: break;
    }
    return STYLE_TITLE;
}

/* "38 s left" for what is near, a time of the day for what is not. */
static void put_end(const struct screen_frame *f, char *dst, size_t cap)
{
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    dst[0] = 0;
    if (f->v->ends_at_ms == VIEW_NONE || f->v->ends_at_ms < f->now_ms) return;
    int64_t left = (f->v->ends_at_ms - f->now_ms + 999) / 1000 * 1000;
    if (f->v->state == VIEW_SNOOZED) /* the reason names the time */
        snprintf(dst, cap, " (%s)", text_duration(left, a));
    else if (left < HOUR_MS)
        snprintf(dst, cap, " - %s left", text_duration(left, a));
    else
        snprintf(dst, cap, " - until %s (%s)", text_clock(f->v->ends_at_ms, a),
                 text_duration(left, b));
}

static void put_no_contact(const struct screen_frame *f, char *dst, size_t cap)
{
    char age[TEXT_CAP];
    int64_t ms = f->now_ms - f->t->lost_since_ms;
    const char *home = f->t->home_words ? f->t->home_words : "";
    if (f->t->is_gone) {
        snprintf(dst, cap, "%s (q, then `potluck%s`, starts it again)%s",
                 f->t->has_view ? "the agent has ended" : "no agent runs here", home,
                 f->t->has_view && f->c->w >= 60 ? "; numbers below are old" : "");
        return;
    }
    text_duration(ms < 1000 ? 1000 : ms / 1000 * 1000, age);
    if (f->t->has_view)
        snprintf(dst, cap, "the agent has not answered for %s; numbers below are old, trying again",
                 age);
    else
        snprintf(dst, cap, "waiting for the agent to answer (%s)", age);
}

static int chip_width(const struct screen_frame *f)
{
    return (int)strlen(view_state_word(screen_state(f))) + 2;
}

/* Reason, end and override in one text. An override that is a key ("p: resume") stands in the key
 * bar as well, so it gives way before the line would need a second row.
 */
static void put_state(const struct screen_frame *f, char *dst, size_t cap)
{
    char end[2 * TEXT_CAP + 24];
    if (screen_state(f) == VIEW_NO_CONTACT) {
        put_no_contact(f, dst, cap);
        return;
    }
    put_end(f, end, sizeof end);
    /* The key is named once, in the sentence; a snooze and a hold end by themselves. */
    bool is_by_wish = f->v->is_paused && f->v->snooze_until_ms == VIEW_NONE;
    if (f->v->state == VIEW_PAUSED && is_by_wish) {
        snprintf(dst, cap, "%s, until you press p", f->v->reason);
        return;
    }
    char hint[sizeof f->v->override_hint + 64];
    bool is_command =
        strncmp(f->v->override_hint, "potluck ", 8) == 0 && !strchr(f->v->override_hint, ',');
    int m = snprintf(hint, sizeof hint, "%s%s", f->v->override_hint,
                     is_command && f->t->home_words ? f->t->home_words : "");
    int n = snprintf(dst, cap, "%s%s", f->v->reason, end);
    int used = chip_width(f) + 1 + canvas_width(f->c, dst) + canvas_width(f->c, hint) + 4;
    bool is_cut = m >= (int)sizeof hint || chip_width(f) + canvas_width(f->c, hint) + 3 > f->c->w;
    if (is_command && f->t->home_words && f->t->home_words[0] && is_cut)
        snprintf(hint, sizeof hint, "%s, with this --home", f->v->override_hint); /* whole, short */
    bool is_key = hint[0] && hint[1] == ':';
    if (hint[0] && (!is_key || used + CORNER_W <= f->c->w))
        snprintf(dst + n, cap - (size_t)n, "  (%s)", hint);
}

static int draw_chip(const struct screen_frame *f, int max_w)
{
    char chip[32];
    snprintf(chip, sizeof chip, "[%s]", view_state_word(screen_state(f)));
    return canvas_text(f->c, 0, 0, max_w, state_style(screen_state(f)), chip);
}

/* Row 0 gives way at its right end: first the run's name, then the clock. */
static void draw_corner(const struct screen_frame *f, int used)
{
    char clock[TEXT_CAP];
    char name[64];
    int w = f->c->w;
    text_clock(f->now_ms, clock);
    int need = canvas_width(f->c, clock);
    if (used + 2 + need > w) return;
    canvas_text_right(f->c, 0, 0, w, STYLE_DIM, clock);
    w -= need;
    screen_mark(f, f->v->run_name, name, sizeof name);
    if (!f->v->run_name[0] || used + 4 + canvas_width(f->c, name) > w) return;
    canvas_text_right(f->c, 0, 0, w - 2, STYLE_TITLE, name);
}

/* The state's text over at most max_rows rows; returns how many it wants. Row 0 ends at `end`. */
static int wrap_state(const struct screen_frame *f, const char *s, int end, int max_rows,
                      bool is_drawn)
{
    int x = chip_width(f) + 1;
    int row = 0;
    for (; *s && row < max_rows; row++) {
        int w = (row == 0 ? end : f->c->w) - x;
        size_t cut = is_drawn && row == max_rows - 1 ? strlen(s) : canvas_break(f->c, s, w);
        char part[STATE_TEXT];
        snprintf(part, sizeof part, "%.*s", (int)cut, s);
        if (is_drawn) canvas_text(f->c, x, row, w, STYLE_TEXT, part);
        s += cut;
        while (*s == ' ')
            s++;
    }
    return row > 0 ? row : 1;
}

/* Rows that the state wants: one when all of it fits beside the clock, up to three. */
static int state_rows(const struct screen_frame *f, const char *text)
{
    if (chip_width(f) + 1 + canvas_width(f->c, text) <= f->c->w) return 1;
    return wrap_state(f, text, f->c->w - CORNER_W, 3, false);
}

static void draw_state(const struct screen_frame *f, const char *text, int n_rows)
{
    int x = draw_chip(f, f->c->w) + 1;
    int end = f->c->w;
    if (n_rows > 1)
        draw_corner(f, f->c->w - CORNER_W); /* the clock stays, the run's name goes */
    else
        draw_corner(f, x + canvas_width(f->c, text));
    if (n_rows > 1) end -= CORNER_W;
    wrap_state(f, text, end, n_rows, true);
}

/* ---- tabs and keys -------------------------------------------------------------------------- */

static void draw_tabs(const struct screen_frame *f, struct rect r)
{
    static const char *const name[TUI_TABS] = {"Overview", "Run", "Peers",
                                               "Credits",  "Log", "Settings"};
    int x = r.x;
    bool is_tight = r.w < 80;
    for (int i = 0; i < TUI_TABS; i++) {
        bool is_here = (int)f->t->screen == i;
        char tab[32];
        snprintf(tab, sizeof tab,
                 is_here    ? "<%d %s>"
                 : is_tight ? "%d %s"
                            : " %d %s ",
                 i + 1, name[i]);
        x += canvas_text(f->c, x, r.y, r.x + r.w - x, is_here ? STYLE_HERE : STYLE_TEXT, tab) + 1;
    }
    const char *right = f->t->screen == SCREEN_HELP ? "<? Help>" : "? Help ";
    if (x + (int)strlen(right) + 1 <= r.x + r.w)
        canvas_text_right(f->c, r.x, r.y, r.w, f->t->screen == SCREEN_HELP ? STYLE_HERE : STYLE_DIM,
                          right);
}

/* How long the labels are: all in full, all short, or short but for what q does, which people must
 * not have to guess.
 */
enum length { LENGTH_FULL, LENGTH_SHORT_BUT_CLOSE, LENGTH_SHORT };

static const char *key_label(const struct screen_frame *f, const struct keymap_entry *k,
                             enum length length, int rank)
{
    bool is_brief =
        length == LENGTH_SHORT || (length == LENGTH_SHORT_BUT_CLOSE && k->action != ACTION_CLOSE);
    return k->rank <= rank ? keymap_label(k, f->v, f->t, is_brief) : NULL;
}

static int keys_width(const struct screen_frame *f, int rank, enum length length)
{
    int n = 0;
    int need = 0;
    const struct keymap_entry *k = keymap_table(&n);
    for (int i = 0; i < n; i++) {
        const char *label = key_label(f, &k[i], length, rank);
        if (label) need += (int)strlen(k[i].keys) + 1 + (need ? 2 : 0) + (int)strlen(label);
    }
    return need;
}

/* Long labels for all keys, else short ones, else fewer keys. */
static void draw_keys(const struct screen_frame *f, struct rect r, int x)
{
    int n = 0;
    const struct keymap_entry *k = keymap_table(&n);
    int end = r.x + r.w;
    int rank = KEYMAP_BAR_RANKS;
    enum length length = LENGTH_FULL;
    if (keys_width(f, rank, length) > end - x)
        length = end - x >= 72 ? LENGTH_SHORT_BUT_CLOSE : LENGTH_SHORT;
    while (rank > 0 && keys_width(f, rank, length) > end - x)
        rank--;
    bool is_first = true;
    for (int i = 0; i < n; i++) {
        const char *label = key_label(f, &k[i], length, rank);
        if (!label) continue;
        if (!is_first) x += 2;
        is_first = false;
        x += canvas_text(f->c, x, r.y, end - x, STYLE_KEY, k[i].keys) + 1;
        x += canvas_text(f->c, x, r.y, end - x, STYLE_TEXT, label);
    }
}

/* Before anything is stopped, what stopping costs: nothing, the agent saves first. */
static void draw_question(const struct screen_frame *f, struct rect r)
{
    canvas_printf(f->c, r.x, r.y, r.w, STYLE_WARN,
                  r.w < 70 ? "Stop training and quit? y Yes  n No"
                           : "Stop training and quit? What was trained is saved.  y Yes  n No");
}

static void draw_bottom(const struct screen_frame *f, struct rect r)
{
    int x = r.x;
    if (r.h < 1) return;
    if (f->t->is_asking) {
        draw_question(f, r);
        return;
    }
    if (f->t->is_snoozing) {
        canvas_text(f->c, r.x, r.y, r.w, STYLE_WARN,
                    r.w < 64
                        ? "Pause: 1 30 min 2 1 h 3 3 h 4 till 8"
                        : "Pause for how long?  1 30 min  2 1 h  3 3 h  4 until 08:00  Esc No");
        return;
    }
    if (wizard_is_shown(f->t, f->v) && !(f->t->note[0] && f->now_ms < f->t->note_until_ms)) {
        canvas_text(f->c, r.x, r.y, r.w, STYLE_KEY, screen_wizard_keys(&f->t->wizard));
        return;
    }
    if (f->t->is_typing) {
        bool is_value = f->t->screen == SCREEN_SETTINGS;
        x += canvas_text(f->c, x, r.y, r.w, STYLE_KEY, is_value ? "New value: " : "Find: ");
        char text[TUI_TEXT];
        utf8_printable(f->t->find[f->t->screen], text, sizeof text);
        x += canvas_text(f->c, x, r.y, r.w - x, STYLE_VALUE, text);
        x += canvas_text(f->c, x, r.y, r.w - x, STYLE_HERE, "_");
        canvas_text(f->c, x + 2, r.y, r.w - x - 2, STYLE_DIM,
                    is_value ? "Enter: set  Esc: leave as it is" : "Enter: keep  Esc: all");
        return;
    }
    if (f->t->note[0] && f->now_ms < f->t->note_until_ms) {
        canvas_text(f->c, r.x, r.y, r.w, STYLE_WARN, f->t->note);
        return;
    }
    if (f->t->is_replay) {
        char at[96];
        snprintf(at, sizeof at, "[REPLAY %dx, %u of %u%s]", f->t->speed, f->t->i_view + 1,
                 f->t->n_views, f->t->is_held ? ", held" : "");
        x += canvas_text(f->c, x, r.y, r.w, STYLE_WARN, at) + 2;
    }
    bool is_training = !f->v->is_paused && screen_state(f) == VIEW_RUNNING;
    if (f->t->is_frozen)
        x += canvas_text(f->c, x, r.y, r.w, STYLE_WARN,
                         r.w < 72      ? "[FROZEN]"
                         : is_training ? "[FROZEN, training continues]"
                                       : "[display frozen]") +
             2;
    draw_keys(f, r, x);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void draw_body(const struct screen_frame *f, enum layout_kind kind)
{
    if (kind == LAYOUT_LINE) {
        screen_line_draw(f);
        return;
    }
    bool has_graphs = f->t->screen == SCREEN_OVERVIEW || f->t->screen == SCREEN_RUN;
    if (f->t->is_open && has_graphs && f->t->has_view) {
        screen_zoom_draw(f);
        return;
    }
    switch (f->t->screen) {
    case SCREEN_OVERVIEW:
        if (wizard_is_shown(f->t, f->v))
            screen_wizard_draw(f);
        else if (!f->t->has_view)
            screen_welcome_draw(f);
        else if (kind == LAYOUT_COMPACT)
            screen_compact_draw(f);
        else
            screen_overview_draw(f);
        break;
    case SCREEN_RUN: f->t->is_about ? screen_about_draw(f) : screen_run_draw(f); break;
    case SCREEN_PEERS: screen_peers_draw(f); break;
    case SCREEN_CREDITS: screen_credits_draw(f); break;
    case SCREEN_LOG: screen_log_draw(f); break;
    case SCREEN_SETTINGS: screen_settings_draw(f); break;
    case SCREEN_HELP: screen_help_draw(f); break;
    case SCREEN_COUNT: break;
    }
}

void screen_draw(struct screen_frame *f)
{
    char text[STATE_TEXT];
    canvas_clear(f->c);
    f->is_old = f->t->is_lost && f->t->has_view;
    put_state(f, text, sizeof text);
    struct layout l = layout_frame(f->c->w, f->c->h, state_rows(f, text));
    f->body = l.body;
    if (l.kind == LAYOUT_LINE) {
        f->body = (struct rect){0, 0, f->c->w, f->c->h};
    } else {
        draw_state(f, text, l.n_state);
        if (l.tabs.h) draw_tabs(f, l.tabs);
        draw_bottom(f, l.keys);
    }
    draw_body(f, l.kind);
}
