#pragma once
/* Why: every limit and every choice in one list: its value, why that value is in effect, what it
 * does in a sentence, and how it is changed. The list follows from the view (what the agent says of
 * itself) and from the person's own look (struct tui_look); keys and drawing share it.
 */

#include "tui/tui.h"

struct settings_row {
    char title[32];
    char value[160];
    char why[240]; /* why this value is in effect, or how it is changed elsewhere */
    char help[400];
    bool can_change; /* here, with Left, Right and Enter */
};

int settings_n(const struct tui *t);

/* Row i of settings_n; false outside. */
bool settings_row(const struct view *v, const struct tui *t, int i, struct settings_row *ret);

/* The agent's setting that row i shows; NULL: it is another row. */
const struct option_row *settings_option(const struct tui *t, int i);

enum settings_changed { SETTINGS_NOTHING = 0, SETTINGS_LOOK, SETTINGS_SET };

/* Take the next (by 1) or former (by -1) value of row i into t->look, or into t->set_key and set_value;
 * the old one is kept for undo. SETTINGS_NOTHING when the row cannot be changed so.
 */
enum settings_changed settings_change(struct tui *t, int i, int by);

/* Ask for a value of the agent's setting in row i; the old one is kept for undo. */
enum settings_changed settings_set(struct tui *t, int i, const char *value);

/* Take the last change back; another undo makes it again. */
enum settings_changed settings_undo(struct tui *t);
