#pragma once
/* Why: everything that knows a real terminal hides behind these calls. Only what differs from
 * the last frame is written; whatever ends the program, the terminal is put back as it was: by
 * term_close, or after SIGSEGV, SIGABRT and SIGBUS by a handler on its own stack that writes the
 * prepared bytes and lets the signal go on.
 *
 * Keys are read from the terminal opened anew, never from fd 0: an event loop makes its fd
 * non-blocking, and fd 0 often shares that flag with stdout.
 *
 * Owner: term_open / term_close. One at a time in a process. One thread. Install your own
 * SIGWINCH, SIGINT, SIGTERM and SIGTSTP handlers before term_open, or the library's stay.
 */

#include <stdbool.h>

#include "base/err.h"
#include "tui/canvas.h"

struct terminal;

struct term_options {
    bool no_color; /* NO_COLOR in the environment counts as well */
    int glyphs;    /* enum glyphs wanted, or -1: the best that the terminal can show */
    enum theme theme;
};

/* ERR_NOTFOUND when there is no terminal that can place a cursor: use plain lines then; the hint
 * says what to set. Unknown terminal types are tried as xterm-256color, then vt100.
 */
int term_open(const struct term_options *o, struct terminal **ret, struct err *e) MUST_CHECK;
void term_close(struct terminal *t);

int term_fd(const struct terminal *t); /* readable: call term_key until KEYMAP_NONE */

/* The next key (tui/keymap.h), KEYMAP_NONE when there is none, KEYMAP_EOF when the terminal is
 * gone. Never blocks longer than the 25 ms that tell Esc from a function key.
 */
int term_key(struct terminal *t);

/* Bytes are waiting; a terminal that is readable without any is gone. */
bool term_has_input(const struct terminal *t);

/* Other colours from the next term_show on. */
void term_theme(struct terminal *t, enum theme theme);

enum glyphs term_glyphs(const struct terminal *t);
bool term_is_ascii(const struct terminal *t);

void term_size(const struct terminal *t, int *ret_w, int *ret_h);
void term_resize(struct terminal *t); /* after SIGWINCH, from the loop */

void term_show(struct terminal *t, const struct canvas *c);
void term_forget(struct terminal *t); /* the next term_show writes everything */

/* Around a stop: suspend leaves the person's shell a sane terminal, resume takes it again. */
void term_suspend(struct terminal *t);
void term_resume(struct terminal *t);

/* The glyph level that the locale and TERM allow; no terminal needed. */
enum glyphs term_glyphs_of(const char *term_name, bool *ret_is_ascii);
