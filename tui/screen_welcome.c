#include "tui/screen.h"

#define MARGIN   2
#define TEXT_MAX 76 /* longer lines are hard to read */

/* Before the first view: who is waited for, and what to do when it takes long. */
void screen_welcome_draw(const struct screen_frame *f)
{
    static const char *const text[] = {
        "The agent, which does the work, has not answered yet.",
        "This screen keeps asking. If it takes longer than a few seconds, end it with q and look "
        "at "
        "what the agent says:",
        "potluck agent",
    };
    struct rect r = f->body;
    int indent = r.w >= 60 ? MARGIN : 0;
    screen_title(f, r, "Welcome to potluck", "", "");
    r.x += indent;
    r.w = r.w - 2 * indent < TEXT_MAX ? r.w - 2 * indent : TEXT_MAX;
    int y = r.h >= 16 ? 2 : 1;
    for (int i = 0; i < 3; i++)
        y += screen_wrap(f, r, y, r.h - y, i == 2 ? STYLE_KEY : STYLE_TEXT, text[i], true) +
             (r.h >= 16);
    if (f->t->home_words && y <= r.h)
        canvas_text(f->c, r.x + 13, r.y + y - 1 - (r.h >= 16), r.w - 13, STYLE_KEY,
                    f->t->home_words);
}
