#include <stdio.h>

#include "tui/screen.h"

#define TITLE_W  10
#define TEXT_MAX 88 /* longer lines are hard to read */

/* What is shown when the agent is too old to say more. */
static const char nothing[] =
    "This agent says nothing more about its run; its note is on the Run screen.";

static const char *const privacy[] = {
    "Others see the name you chose, or a part of your key, and your speed. Nothing else.",
    "Never sent: your files, your screen, what programs you run. `potluck status --what-is-sent` "
    "lists every request.",
};

/* One line of the card at row *y (counted from the top of the card, above `skip` it is not seen). */
static void put(const struct screen_frame *f, struct rect r, int *y, const char *title,
                const char *text)
{
    int w = r.w - TITLE_W - 1;
    if (w > TEXT_MAX) w = TEXT_MAX;
    struct rect t = {r.x + TITLE_W + 1, r.y, w, r.h};
    int n = screen_wrap(f, t, 0, 8, STYLE_TEXT, text, false);
    if (*y >= 0 && *y < r.h) canvas_text(f->c, r.x, r.y + *y, TITLE_W, STYLE_DIM, title);
    if (*y >= 0 && *y < r.h) screen_wrap(f, t, *y, 8, STYLE_TEXT, text, true);
    *y += n ? n : 1;
}

/* Every reason not to train that stands now, and when it ends; nothing when there is none. */
static void put_holds(const struct screen_frame *f, struct rect r, int *y)
{
    const struct view *v = f->v;
    char text[320];
    for (uint32_t i = 0; i < v->n_holds && i < VIEW_HOLDS; i++) {
        const struct view_hold *h = &v->holds[i];
        snprintf(text, sizeof text, "%s; %s%s", h->reason, h->end,
                 h->is_overridden  ? " (goes on anyway, as you asked)"
                 : h->can_override ? " (o: go on anyway)"
                                   : "");
        put(f, r, y, i ? "" : "held by", text);
    }
}

void screen_card_rows(const struct screen_frame *f, struct rect r, const struct view_card *card,
                      uint32_t n, int skip)
{
    int y = -skip;
    for (uint32_t i = 0; i < n && i < VIEW_CARD; i++)
        put(f, r, &y, card[i].title, card[i].text);
    for (size_t i = 0; i < sizeof privacy / sizeof privacy[0]; i++)
        put(f, r, &y, i ? "" : "privacy", privacy[i]);
}

void screen_about_draw(const struct screen_frame *f)
{
    const struct view *v = f->v;
    struct rect r = f->body;
    screen_title(f, r, "About this run", "", "Esc: back");
    r.y++;
    r.h--;
    if (!v->n_card) {
        canvas_text(f->c, r.x, r.y, r.w, STYLE_DIM, nothing);
        r.y++;
        r.h--;
    }
    int y = -f->t->scroll[SCREEN_RUN];
    put_holds(f, r, &y);
    screen_card_rows(f, r, v->card, v->n_card, -y);
}
