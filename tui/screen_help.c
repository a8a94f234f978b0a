#include <stdio.h>

#include "tui/keymap.h"
#include "tui/screen.h"

#define KEY_W 11

/* What the words and signs mean; the keys come from the key table itself. */
static const char *const about[] = {
    "",
    "The agent trains in the background. This screen only looks and asks: closing",
    "it, a crash of it or a slow terminal never touches the training.",
    "",
    "Loss: how surprised the model is by the next word; lower is better. Held-out",
    "loss is measured on text that nobody trains on.",
    "Credits are pending until a round is settled, then they stay.",
    "\"-\" means not known yet, \"?\" after a number means it is old.",
};

static int n_lines(const struct keymap_entry *k, int n)
{
    int lines = (int)(sizeof about / sizeof about[0]);
    for (int i = 0; i < n; i++)
        lines += k[i].help != NULL;
    return lines;
}

void screen_help_draw(const struct screen_frame *f)
{
    int n = 0;
    const struct keymap_entry *k = keymap_table(&n);
    struct rect r = f->body;
    int total = n_lines(k, n);
    int skip = f->t->scroll[SCREEN_HELP];
    bool is_long = total > r.h - 1;
    if (skip > total - (r.h - 1)) skip = total - (r.h - 1);
    if (skip < 0) skip = 0;
    screen_title(f, r, "Keys", "", is_long ? "Up and Down: the rest" : "the same on every screen");
    int y = r.y + 1 - skip;
    for (int i = 0; i < n; i++) {
        if (!k[i].help) continue;
        if (y > r.y && y < r.y + r.h) {
            canvas_text(f->c, r.x, y, KEY_W, STYLE_KEY, k[i].keys);
            canvas_text(f->c, r.x + KEY_W + 1, y, r.w - KEY_W - 1, STYLE_TEXT,
                        k[i].action == ACTION_CLOSE && f->v->is_demo
                            ? "end the demo and everything it started"
                            : k[i].help);
        }
        y++;
    }
    for (size_t i = 0; i < sizeof about / sizeof about[0]; i++, y++)
        if (y > r.y && y < r.y + r.h) canvas_text(f->c, r.x, y, r.w, STYLE_TEXT, about[i]);
}
