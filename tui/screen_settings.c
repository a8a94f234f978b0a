#include <stdio.h>

#include "tui/rows.h"
#include "tui/screen.h"
#include "tui/settings.h"

#define TITLE_W 21
#define VALUE_W 24

static void draw_row(const struct screen_frame *f, struct rect r, int y, int i, bool is_here)
{
    struct settings_row s;
    char value[180];
    if (!settings_row(f->v, f->t, i, &s)) return;
    canvas_text(f->c, r.x, y, 1, STYLE_KEY, is_here ? ">" : " ");
    canvas_text(f->c, r.x + 2, y, TITLE_W, is_here ? STYLE_VALUE : STYLE_TEXT, s.title);
    snprintf(value, sizeof value, s.can_change ? "< %s >" : "  %s", s.value);
    int x = r.x + 2 + TITLE_W;
    int w = r.w >= 100 ? VALUE_W + 12 : r.w >= 60 ? VALUE_W : r.w - 2 - TITLE_W;
    canvas_text(f->c, x, y, w, s.can_change ? STYLE_VALUE : STYLE_TEXT, value);
    if (r.w >= 60) canvas_text(f->c, x + w + 1, y, r.x + r.w - x - w - 1, STYLE_DIM, s.why);
}

/* The picked row's help and its reason, in full. */
static void draw_help(const struct screen_frame *f, struct rect r, const struct settings_row *s)
{
    char text[700];
    canvas_fill(f->c, r.x, r.y, r.w, theme_rule(f->glyphs), STYLE_DIM);
    snprintf(text, sizeof text, "%s: %s", s->title, s->help);
    int y = 1 + screen_wrap(f, r, 1, r.h - 2, STYLE_TEXT, text, true);
    snprintf(text, sizeof text, "Now in effect: %s. Why: %s.", s->value, s->why);
    if (s->why[0]) screen_wrap(f, r, y, r.h - y, STYLE_VALUE, text, true);
}

void screen_settings_draw(const struct screen_frame *f)
{
    struct rect r = f->body;
    struct settings_row s;
    int n = settings_n(f->t);
    int pick = f->t->scroll[SCREEN_SETTINGS];
    if (pick >= n) pick = n - 1;
    screen_title(f, r, "Settings", "", "changes apply at once  Left, Right: change");
    r.y++;
    r.h--;
    int help_h = r.h >= 12 ? 6 : r.h >= 8 ? 4 : 0;
    int h = r.h - help_h < n ? r.h - help_h : n;
    int first = rows_first(pick, n, h);
    for (int i = 0; i < h && first + i < n; i++)
        draw_row(f, r, r.y + i, first + i, first + i == pick);
    if (help_h && settings_row(f->v, f->t, pick, &s))
        draw_help(f, (struct rect){r.x, r.y + h, r.w, r.h - h < help_h ? r.h - h : help_h}, &s);
}
