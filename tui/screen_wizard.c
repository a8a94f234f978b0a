#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "tui/graph.h"
#include "tui/screen.h"
#include "view/text.h"

#define MARGIN   2
#define HILL     30 /* samples, and cells */
#define TEXT_MAX 76 /* longer lines are hard to read */

/* Rows put one below the other until the space ends. */
struct page {
    const struct screen_frame *f;
    struct rect r;
    int y;
};

static struct page page_of(const struct screen_frame *f)
{
    struct rect r = f->body;
    int margin = r.w >= 60 ? MARGIN : 0;
    r.x += margin;
    r.w -= 2 * margin;
    if (r.w > TEXT_MAX) r.w = TEXT_MAX;
    return (struct page){f, r, 1};
}

static void say(struct page *p, enum style style, const char *text)
{
    if (!text[0]) { /* an empty row, where there is room for such */
        p->y += p->r.h >= 14;
        return;
    }
    if (p->y < p->r.h) p->y += screen_wrap(p->f, p->r, p->y, p->r.h - p->y, style, text, true);
}

static void say_error(struct page *p)
{
    if (p->f->t->wizard.error[0]) say(p, STYLE_BAD, p->f->t->wizard.error);
}

/* The end of a long link is what is being typed, so that is what is seen. */
static void draw_field(struct page *p, const char *text, bool is_here)
{
    char shown[WIZARD_LINK_CAP];
    utf8_printable(text, shown, sizeof shown);
    const char *s = shown;
    while (canvas_width(p->f->c, s) > p->r.w - 4)
        s++;
    if (p->y >= p->r.h) return;
    int x = p->r.x;
    int y = p->r.y + p->y++;
    x += canvas_text(p->f->c, x, y, 2, STYLE_KEY, is_here ? "> " : "  ");
    x += canvas_text(p->f->c, x, y, p->r.w - 3, STYLE_VALUE, s);
    if (is_here) canvas_text(p->f->c, x, y, 1, STYLE_HERE, "_");
}

static void draw_link(struct page *p)
{
    const struct wizard *w = &p->f->t->wizard;
    bool has_run = p->f->v->run_name[0] != 0;
    screen_title(p->f, p->f->body, has_run ? "Join another run" : "Welcome to potluck", "", "");
    if (p->r.h < 10) { /* what is typed and what was wrong with it come first */
        say(p, STYLE_TEXT, "Paste an invite, or a file's path:");
        draw_field(p, w->link, w->known == 0);
        say_error(p);
        return;
    }
    say(p, STYLE_TEXT,
        has_run ? "The run you are in is left first; your key and your receipts stay."
                : "Here many computers train one language model together. This one takes part in "
                  "no run yet.");
    say(p, STYLE_TEXT, "");
    say(p, STYLE_TEXT, "Paste an invite link, or type the path of a run.potluck file:");
    draw_field(p, w->link, w->known == 0);
    say_error(p);
    for (int i = 0; i < w->n_known && i < WIZARD_KNOWN; i++) {
        if (i == 0) {
            say(p, STYLE_TEXT, "");
            say(p, STYLE_TEXT, "Or one that is known here:");
        }
        draw_field(p, w->knows[i].name, w->known == i + 1);
    }
    say(p, STYLE_TEXT, "");
    say(p, STYLE_TEXT, "Then you see what it is, and nothing starts before you say so.");
    char command[1100];
    const char *home = p->f->t->home_words;
    snprintf(command, sizeof command, "potluck join LINK%s", home ? home : "");
    say(p, STYLE_DIM, "Your own files are never read or sent. From a shell it is:");
    say(p, STYLE_DIM, command);
}

static void draw_card(struct page *p)
{
    const struct wizard *w = &p->f->t->wizard;
    screen_title(p->f, p->f->body, "This is the run", "", "Enter: take part  Esc: not this one");
    char t[260];
    snprintf(t, sizeof t, w->verdict[0] ? "Judged here: %s" : "This computer: %s",
             w->verdict[0] ? w->verdict : "being judged for it, which takes some seconds ...");
    if (p->r.h >= 6) say(p, w->verdict[0] ? STYLE_VALUE : STYLE_DIM, t);
    int top = p->y;
    struct rect r = {p->r.x, p->r.y + top, p->f->body.w - 2 * (p->r.x - p->f->body.x),
                     p->r.h - top};
    screen_card_rows(p->f, r, w->card, w->n_card, w->scroll);
}

static void step_title(const struct page *p, const char *title, int step)
{
    char extra[32];
    snprintf(extra, sizeof extra, "step %d of 3", step);
    screen_title(p->f, p->f->body, title, "", extra);
}

static void draw_dots(struct page *p)
{
    struct view_series s = {.n = HILL, .step_ms = 1000};
    struct graph g = {.glyphs = p->f->glyphs, .style = STYLE_SPEED, .s = &s, .is_bare = true};
    step_title(p, "Can you see it?", 1);
    say(p, STYLE_TEXT, "Below is a hill that rises from the left and falls to the right:");
    say(p, STYLE_TEXT, "");
    int h = p->r.h - p->y - 3;
    if (h > 5) h = 5;
    for (int i = 0; i < HILL; i++)
        s.v[i] = (float)(i < HILL / 2 ? i : HILL - i);
    if (h > 0) graph_draw(p->f->c, (struct rect){p->r.x + 2, p->r.y + p->y, HILL, h}, &g);
    p->y += h > 0 ? h : 0;
    say(p, STYLE_TEXT, "");
    say(p, STYLE_TEXT,
        p->f->glyphs == GLYPHS_ASCII
            ? "It is drawn with plain characters, which every terminal has."
            : "If there are boxes or question marks instead, press n.");
}

static void draw_gear(struct page *p)
{
    const struct wizard *w = &p->f->t->wizard;
    uint32_t quarter = wizard_cores(0, w->n_cores);
    uint32_t half = wizard_cores(1, w->n_cores);
    char t[3][120];
    char measured[200];
    step_title(p, "How much may training use?", 2);
    snprintf(measured, sizeof measured, "This computer has %u processor cores.%s%s", w->n_cores,
             w->speed[0] ? " Measured for this run: " : "", w->speed);
    say(p, STYLE_TEXT, measured);
    say(p, STYLE_TEXT, "");
    snprintf(t[0], sizeof t[0],
             "Gentle    while you are here %u of them, half of the time; else %u", quarter, half);
    snprintf(t[1], sizeof t[1], "Balanced  while you are here %u of them; else all %u", half,
             w->n_cores);
    snprintf(t[2], sizeof t[2], "Full      all %u, always; the fan will be loud", w->n_cores);
    for (int i = 0; i < 3; i++) {
        char line[sizeof t[0] + 8];
        snprintf(line, sizeof line, "%s %.*s", w->gear == i ? ">" : " ", (int)sizeof t[0] - 1,
                 t[i]);
        say(p, w->gear == i ? STYLE_HERE : STYLE_TEXT, line);
    }
    say(p, STYLE_TEXT, "");
    say(p, STYLE_TEXT,
        "It pauses by itself on battery, when it is hot, and when other programs need "
        "the processor. p pauses at any moment; all of this can be changed later (6).");
}

static void draw_summary(struct page *p)
{
    const struct wizard *w = &p->f->t->wizard;
    char t[400];
    step_title(p, w->step == WIZARD_STARTING ? "Starting" : "Ready", 3);
    snprintf(t, sizeof t, "Take part in: %s", w->n_card ? w->card[0].text : wizard_source(w));
    say(p, STYLE_VALUE, t);
    uint32_t here = wizard_cores(w->gear, w->n_cores);
    uint32_t idle = w->gear == 0 ? wizard_cores(1, w->n_cores) : w->n_cores;
    snprintf(t, sizeof t,
             "Uses %u of %u cores while you are here, else %u, until you pause or stop it.", here,
             w->n_cores, idle);
    say(p, STYLE_TEXT, t);
    for (uint32_t i = 0; i < w->n_card; i++)
        if (strcmp(w->card[i].title, "needs") == 0) {
            snprintf(t, sizeof t, "Needs %s.", w->card[i].text);
            say(p, STYLE_TEXT, t);
        }
    say(p, STYLE_TEXT, "");
    say(p, STYLE_TEXT,
        "Others can see: the name below, or a part of your key when it is empty, and "
        "your speed. The host also sees your network address.");
    say(p, STYLE_TEXT, "Never sent: your files, your screen, what programs you run.");
    say(p, STYLE_TEXT, "");
    say(p, STYLE_TEXT, "Your name (n: change):");
    draw_field(p, w->name[0] || w->is_naming ? w->name : "(none: anonymous)", w->is_naming);
    say(p, STYLE_TEXT, "");
    if (w->step == WIZARD_STARTING)
        say(p, STYLE_VALUE, "Joining ...");
    else
        say(p, STYLE_VALUE,
            w->is_naming ? "Enter: done" : "Enter starts. Nothing has been started yet.");
    say_error(p);
}

void screen_wizard_draw(const struct screen_frame *f)
{
    struct page p = page_of(f);
    switch (f->t->wizard.step) {
    case WIZARD_LINK: draw_link(&p); break;
    case WIZARD_ASKING:
        screen_title(f, f->body, "One moment", "", "");
        say(&p, STYLE_TEXT, "Asking for the description of the run ...");
        say(&p, STYLE_DIM, "A host that does not answer is given 20 s.");
        break;
    case WIZARD_CARD: draw_card(&p); break;
    case WIZARD_DOTS: draw_dots(&p); break;
    case WIZARD_GEAR: draw_gear(&p); break;
    case WIZARD_SUMMARY:
    case WIZARD_STARTING: draw_summary(&p); break;
    }
}

const char *screen_wizard_keys(const struct wizard *w)
{
    switch (w->step) {
    case WIZARD_LINK:
        return w->n_known ? "Enter Look at it  Up, Down Choose  Esc Clear  q Quit (empty line)"
                          : "Enter Look at it  Esc Clear  q Quit (empty line)  F1 Help";
    case WIZARD_ASKING: return "Esc Back  q Quit";
    case WIZARD_CARD: return "Enter Take part  Up, Down Read  Esc Back  q Quit";
    case WIZARD_DOTS: return "Enter Yes, I see it  n No  b Back  q Quit";
    case WIZARD_GEAR: return "Up, Down Choose  Enter Next  b Back  q Quit";
    case WIZARD_SUMMARY: return "Enter Start  n Name  b Back  q Quit";
    case WIZARD_STARTING: break;
    }
    return "";
}
