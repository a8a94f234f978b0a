#include "tui/wizard.h"

#include <stdio.h>
#include <string.h>

#include "tui/keymap.h"
#include "tui/theme.h"
#include "tui/tui.h"

bool wizard_is_shown(const struct tui *t, const struct view *v)
{
    if (t->screen != SCREEN_OVERVIEW || !t->has_view || t->is_replay) return false;
    return t->wizard.is_on || (v->state == VIEW_IDLE && !v->run_name[0] && !t->is_lost);
}

const char *wizard_source(const struct wizard *w)
{
    return w->known > 0 && w->known <= w->n_known ? w->knows[w->known - 1].source : w->link;
}

uint32_t wizard_cores(int gear, uint32_t n_cores)
{
    uint32_t n = gear == 0 ? n_cores / 4 : gear == 1 ? n_cores / 2 : n_cores;
    return n ? n : 1;
}

void wizard_got_card(struct wizard *w, const struct view_card *card, uint32_t n)
{
    if (w->step != WIZARD_ASKING) return;
    memcpy(w->card, card, n * sizeof *card);
    w->n_card = n;
    w->scroll = 0;
    w->verdict[0] = 0;
    w->speed[0] = 0;
    w->step = WIZARD_CARD;
}

void wizard_got_verdict(struct wizard *w, const char *verdict, const char *speed)
{
    snprintf(w->verdict, sizeof w->verdict, "%s", verdict);
    snprintf(w->speed, sizeof w->speed, "%s", speed);
}

void wizard_failed(struct wizard *w, const char *why)
{
    if (w->step == WIZARD_ASKING) w->step = WIZARD_LINK;
    if (w->step == WIZARD_STARTING) w->step = WIZARD_SUMMARY;
    snprintf(w->error, sizeof w->error, "%s", why);
}

void wizard_done(struct tui *t)
{
    t->wizard.is_on = false;
    t->wizard.step = WIZARD_LINK;
    t->wizard.link[0] = 0;
    t->wizard.known = 0;
}

/* ---- keys ----------------------------------------------------------------------------------- */

/* A line of text being typed or pasted; true when the key belonged to it. */
static bool type(char *s, size_t cap, int key)
{
    size_t n = strlen(s);
    if (key == KEYMAP_BACKSPACE) {
        while (n && ((unsigned char)s[n - 1] & 0xc0) == 0x80)
            n--;
        s[n ? n - 1 : 0] = 0;
        return true;
    }
    if (key < ' ' || key >= 0x100 || n + 1 >= cap) return false;
    s[n] = (char)key;
    s[n + 1] = 0;
    return true;
}

static bool move(int *at, int key, int n)
{
    int to = *at + (key == KEYMAP_DOWN) - (key == KEYMAP_UP);
    if (to < 0 || to >= n || to == *at) return false;
    *at = to;
    return true;
}

static const struct tui_command draw = {TUI_DRAW, INTENT_NONE, 0};
static const struct tui_command nothing = {TUI_NOTHING, INTENT_NONE, 0};

/* What every step but the typed ones shares; TUI_NOTHING when the key means nothing here. */
static struct tui_command step_key(struct wizard *w, int key, enum wizard_step back)
{
    if (key == KEYMAP_ESC || key == 'b') {
        w->step = back;
        w->error[0] = 0;
        return draw;
    }
    return key == 'q' ? (struct tui_command){TUI_CLOSE, INTENT_NONE, 0} : nothing;
}

static struct tui_command link_key(struct tui *t, int key)
{
    struct wizard *w = &t->wizard;
    bool is_empty = !w->link[0];
    if (is_empty && key == 'q') return (struct tui_command){TUI_CLOSE, INTENT_NONE, 0};
    if (key == KEYMAP_ENTER && wizard_source(w)[0]) {
        w->step = WIZARD_ASKING;
        w->error[0] = 0;
        return (struct tui_command){TUI_LOOK_AT, INTENT_NONE, 0};
    }
    if (key == KEYMAP_ESC) {
        if (is_empty) w->is_on = false;
        w->link[0] = 0;
        w->error[0] = 0;
        return draw;
    }
    if (move(&w->known, key, w->n_known + 1)) return draw;
    if (!type(w->link, sizeof w->link, key)) return nothing;
    w->known = 0;
    return draw;
}

static struct tui_command dots_key(struct tui *t, int key)
{
    struct wizard *w = &t->wizard;
    if (key == KEYMAP_ENTER || key == 'y') {
        w->step = WIZARD_GEAR;
        return draw;
    }
    if (key == 'n') { /* one level plainer; on the plainest the answer is given */
        t->look.graphs = t->look.graphs == GLYPHS_BLOCKS ? GLYPHS_ASCII : GLYPHS_BLOCKS;
        if (t->look.graphs == GLYPHS_ASCII) w->step = WIZARD_GEAR;
        return (struct tui_command){TUI_LOOK, INTENT_NONE, 0};
    }
    return step_key(w, key, WIZARD_CARD);
}

static struct tui_command summary_key(struct tui *t, int key)
{
    struct wizard *w = &t->wizard;
    if (w->is_naming) {
        if (key == KEYMAP_ENTER || key == KEYMAP_ESC)
            w->is_naming = false;
        else if (!type(w->name, sizeof w->name, key))
            return nothing;
        return draw;
    }
    if (key == 'n') {
        w->is_naming = true;
        return draw;
    }
    if (key == KEYMAP_ENTER) {
        w->step = WIZARD_STARTING;
        w->error[0] = 0;
        return (struct tui_command){TUI_JOIN, INTENT_NONE, 0};
    }
    return step_key(w, key, WIZARD_GEAR);
}

struct tui_command wizard_key(struct tui *t, int key)
{
    struct wizard *w = &t->wizard;
    switch (w->step) {
    case WIZARD_LINK: return link_key(t, key);
    case WIZARD_ASKING:
        if (key != KEYMAP_ESC) return step_key(w, key, WIZARD_LINK);
        w->step = WIZARD_LINK;
        return draw;
    case WIZARD_CARD:
        if (key == KEYMAP_ENTER) {
            w->step = WIZARD_DOTS;
            return draw;
        }
        if (move(&w->scroll, key, 40)) return draw;
        return step_key(w, key, WIZARD_LINK);
    case WIZARD_DOTS: return dots_key(t, key);
    case WIZARD_GEAR:
        if (key == KEYMAP_ENTER) {
            w->step = WIZARD_SUMMARY;
            return draw;
        }
        if (move(&w->gear, key, 3)) return draw;
        return step_key(w, key, WIZARD_DOTS);
    case WIZARD_SUMMARY: return summary_key(t, key);
    case WIZARD_STARTING: break; /* a moment: nothing to press */
    }
    return nothing;
}
