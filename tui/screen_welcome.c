#include "tui/screen.h"

#define MARGIN   2
#define TEXT_MAX 76 /* longer lines are hard to read */

static const char what_happens[] =
    "Then the agent fetches the model and a share of the text, trains and, after each round, "
    "sends what was learned. Your own files are never read or sent.";
static const char what_to_do[] =
    "This screen keeps asking. If it takes longer than a few seconds, end it with q and look at "
    "what the agent says:";

/* "" is an empty line. What a newcomer wants to know before anything leaves the computer. */
static const char *const no_run[] = {
    "This computer takes part in no run yet.",
    "",
    "potluck join FILE|LINK",
    "takes part in a run; its host gives you the file or the link.",
    "",
    what_happens,
    "",
    "Others see the name you chose and your speed, nothing else.",
    "",
    "p pauses at any moment. Closing this screen changes nothing.",
};
static const char *const no_agent[] = {
    "The agent, which does the work, has not answered yet.", "", what_to_do, "", "potluck agent",
};

void screen_welcome_draw(const struct screen_frame *f)
{
    const char *const *text = f->t->has_view ? no_run : no_agent;
    size_t n =
        f->t->has_view ? sizeof no_run / sizeof no_run[0] : sizeof no_agent / sizeof no_agent[0];
    struct rect r = f->body;
    int indent = r.w >= 60 ? MARGIN : 0;
    int w = r.w - 2 * indent < TEXT_MAX ? r.w - 2 * indent : TEXT_MAX;
    screen_title(f, r, "Welcome to potluck", "", "");
    int y = r.y + (r.h >= 16 ? 2 : 1);
    for (size_t i = 0; i < n; i++) {
        const char *s = text[i];
        bool is_command = s[0] == 'p' && s[1] == 'o';
        bool is_small = r.h < 12 && !s[0];
        if (is_small) continue;
        do {
            size_t cut = canvas_break(f->c, s, w);
            if (y >= r.y + r.h) return;
            canvas_printf(f->c, r.x + indent, y++, w, is_command ? STYLE_KEY : STYLE_TEXT, "%.*s%s",
                          (int)cut, s, is_command && f->t->home_words ? f->t->home_words : "");
            s += cut;
            while (*s == ' ')
                s++;
        } while (*s);
    }
}
