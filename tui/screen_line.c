#include <stdio.h>
#include <string.h>

#include "tui/screen.h"
#include "view/text.h"

/* "[RUNNING] 412 tok/s +12.4 cr  p f q": what is left of the screen below 40 x 10. The word comes
 * first and is cut last; the rows below it repeat the numbers with their names while there is
 * room.
 */
void screen_line_draw(const struct screen_frame *f)
{
    const struct view *v = f->v;
    char a[TEXT_CAP];
    char b[TEXT_CAP];
    char value[TEXT_CAP + 16];
    char t[200];
    int w = f->c->w;
    snprintf(t, sizeof t, "[%s]", view_state_word(screen_state(f)));
    int x = canvas_text(f->c, 0, 0, w, STYLE_TITLE, t) + 1;
    if (f->t->is_asking) {
        canvas_text(f->c, x, 0, w - x, STYLE_WARN, "stop? y n");
        return;
    }
    screen_unit(text_number(v->tok_per_s, a), "tok/s", value, sizeof value);
    x += canvas_text(f->c, x, 0, w - x, STYLE_VALUE, screen_mark(f, value, t, sizeof t)) + 1;
    screen_unit(text_credits_signed(v->credits_confirmed, b), "cr", value, sizeof value);
    if (x + canvas_width(f->c, value) <= w)
        x += canvas_text(f->c, x, 0, w - x, STYLE_VALUE, screen_mark(f, value, t, sizeof t)) + 2;
    const char *keys = f->t->is_gone ? "q" : v->is_paused ? "p q" : "p f q";
    if (x + (int)strlen(keys) <= w) canvas_text(f->c, x, 0, w - x, STYLE_KEY, keys);
    struct rect r = {0, 0, w, f->c->h};
    screen_pair(f, r, 1, 5, "loss", STYLE_VALUE, text_fixed(v->loss, 3, a));
    screen_pair(f, r, 2, 5, "peers", STYLE_VALUE, screen_peers_text(v, a));
    screen_pair(f, r, 3, 5, "round", STYLE_VALUE, text_count((int64_t)v->round, a));
    bool has_note = f->t->note[0] && f->now_ms < f->t->note_until_ms;
    int last = f->c->h > 4 ? 4 : f->c->h - 1;
    if (last > 0 && has_note) {
        canvas_fill(f->c, 0, last, w, ' ', STYLE_TEXT);
        canvas_text(f->c, 0, last, w, STYLE_WARN, f->t->note);
    } else if (last == 4) {
        canvas_text(f->c, 0, last, w, STYLE_TEXT, v->reason);
    }
}
