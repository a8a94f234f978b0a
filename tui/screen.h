#pragma once
/* Why: one frame is a pure function of the view, what the person chose (struct tui), what the
 * terminal can show and the time. screen_draw is the whole picture; each screen_*.c fills the
 * space between the state line and the key bar.
 */

#include "tui/canvas.h"
#include "tui/layout.h"
#include "tui/tui.h"
#include "view/view.h"

struct screen_frame {
    struct canvas *c;
    const struct view *v;
    const struct tui *t;
    enum glyphs glyphs;
    int64_t now_ms;   /* wall clock */
    struct rect body; /* set by screen_draw for the screen's own file */
    bool is_old;      /* set by screen_draw: numbers carry a "?" */
};

/* Draw everything; f->c has its size. f->body and f->is_old need not be set. */
void screen_draw(struct screen_frame *f);

/* One for each file. */
void screen_overview_draw(const struct screen_frame *f);
void screen_compact_draw(const struct screen_frame *f); /* Overview below 60 x 16 */
void screen_welcome_draw(const struct screen_frame *f); /* before the agent has answered */
void screen_line_draw(const struct screen_frame *f);    /* anything below 40 x 10 */
void screen_run_draw(const struct screen_frame *f);
void screen_peers_draw(const struct screen_frame *f);
void screen_credits_draw(const struct screen_frame *f);
void screen_log_draw(const struct screen_frame *f);
void screen_settings_draw(const struct screen_frame *f);
void screen_help_draw(const struct screen_frame *f);
void screen_zoom_draw(const struct screen_frame *f); /* one graph large */
void screen_wizard_draw(const struct screen_frame *f);
const char *screen_wizard_keys(const struct wizard *w); /* its key bar */
void screen_about_draw(const struct screen_frame *f);   /* the run's card */

/* ---- shared by the screens ------------------------------------------------------------------ */

/* The state actually shown: NO CONTACT when the agent does not answer. */
enum view_state screen_state(const struct screen_frame *f);

/* "Your speed  412 tok/s  avg 398 -----": a title, its number, what else fits, a rule. The extra
 * text may be "". Returns nothing; takes row r.y.
 */
void screen_title(const struct screen_frame *f, struct rect r, const char *title, const char *value,
                  const char *extra);

/* "label      value" on row y of r; label_w cells for the label. */
void screen_pair(const struct screen_frame *f, struct rect r, int y, int label_w, const char *label,
                 enum style style, const char *value);

/* One log line at row y; long ones are cut. */
void screen_log_line(const struct screen_frame *f, struct rect r, int y, const struct view_log *l);

/* "3.214?" when old: a copy of text with the mark. Returns dst. */
char *screen_mark(const struct screen_frame *f, const char *text, char *dst, size_t cap);

/* "412 tok/s", but "-" alone when the number is missing. Returns dst. */
char *screen_unit(const char *text, const char *unit, char *dst, size_t cap);

/* The rows of a run's card and the promise of privacy, `skip` rows further down. */
void screen_card_rows(const struct screen_frame *f, struct rect r, const struct view_card *card,
                      uint32_t n, int skip);

/* Append "  label text unit" to dst; nothing when the number is missing. */
void screen_fact(char *dst, size_t cap, const char *label, const char *text, const char *unit);

/* "now", "12 s ago", "-". Returns dst. */
char *screen_age(int64_t ms, char *dst, size_t cap);

/* Contributors now; "-" without a run. Returns dst (TEXT_CAP). */
char *screen_peers_text(const struct view *v, char *dst);

/* What the round's gauge measures: "download", "steps", or the time to its "deadline". */
const char *screen_gauge_label(const struct view *v);

/* The graphs that can be looked at closely; the first four are the Overview's, in its order. */
enum screen_graph {
    SCREEN_GRAPH_SPEED = 0,
    SCREEN_GRAPH_LOSS,
    SCREEN_GRAPH_EARNED,
    SCREEN_GRAPH_PEERS,
    SCREEN_GRAPH_HELD_OUT,
};

/* One of them into r, without a title. */
void screen_graph(const struct screen_frame *f, struct rect r, enum screen_graph which,
                  bool is_bare);

/* Its title line, with its number and what else belongs to it. */
void screen_graph_title(const struct screen_frame *f, struct rect r, enum screen_graph which);

/* The one picked on this screen; -1: none. */
int screen_picked(const struct screen_frame *f);

/* A text over at most max_rows rows of r, from row r.y + y on, broken at spaces. Returns the rows it
 * takes; draws nothing when is_drawn is false.
 */
int screen_wrap(const struct screen_frame *f, struct rect r, int y, int max_rows, enum style style,
                const char *text, bool is_drawn);

/* "10 m [1 h] 24 h 7 d all": the ranges, the one in use in brackets. Returns dst. */
char *screen_ranges(const struct view *v, char *dst, size_t cap);
