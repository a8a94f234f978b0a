#pragma once
/* Why: every limit and every choice in one list: its value, why that value is in effect, what it
 * does in a sentence, and how it is changed. The list follows from the view (what the agent says of
 * itself) and from the person's own look (struct tui_look); keys and drawing share it.
 */

#include "tui/tui.h"

struct settings_row {
    const char *title;
    char value[96];
    char why[120]; /* why this value is in effect, or how it is changed elsewhere */
    const char *help;
    bool can_change; /* here, with Left, Right and Enter */
};

int settings_n(const struct view *v);

/* Row i of settings_n; false outside. */
bool settings_row(const struct view *v, const struct tui *t, int i, struct settings_row *ret);

/* Take the next (by 1) or former (by -1) value of row i into t->look; the old one is kept for undo.
 * False when the row cannot be changed here.
 */
bool settings_change(struct tui *t, const struct view *v, int i, int by);
