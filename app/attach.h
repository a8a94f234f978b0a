#pragma once
/* Why: the screen is a process of its own that only looks and asks. This file is its main(): it
 * joins the control socket (net/link), the terminal (tui/term) and the drawing (tui/screen). It
 * never maps the engine, and no crash or stall of it can reach the agent.
 *
 * What it expects of the agent on the socket (prior-knowledge HTTP/2, view/ has the formats):
 *
 *   GET  /v1/events   200, an endless body of views, one JSON object (view_encode) per line.
 *                     Server-sent-event framing ("data: {...}" and blank lines) is understood
 *                     as well. The first view comes at once, then one at most every 100 ms
 *                     when something changed and at least one every 2 s (a sign of life; after
 *                     5 s of silence the screen says NO CONTACT).
 *   POST /v1/intent   body of intent_encode, for example {"intent":"pause"}; 2xx when taken, else
 *                     a problem document whose "detail" and "hint" are shown to the person.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "tui/wizard.h"

struct attach_options {
    const char *socket;     /* path of the control socket; may be NULL with `dump` */
    bool is_plain;          /* lines instead of a screen, also when stdout is no terminal */
    bool no_color;          /* --no-color; NO_COLOR in the environment counts as well */
    const char *graphs;     /* "braille", "blocks" or "ascii"; NULL: what the terminal can show */
    const char *screen;     /* first screen: "overview", "run", ... (tui_screen) */
    const char *home_words; /* " --home a", to be shown after commands; NULL: none was given */
    bool is_idle;           /* no agent runs because no run is joined: say that, and wait for one */
    const char *record;     /* append every received view to this file, one per line; or NULL */

    const char *theme;  /* theme_name; NULL: the one chosen before */
    const char *replay; /* show this recording as it went, or NULL */
    long speed;         /* of the replay; 0: 60 times faster */
    const char *home;   /* --home for commands that the screen starts; NULL: none was given */
    const char *folder; /* what the screen keeps and exports goes here; NULL: nothing is kept */
    /* Runs that are known here, at most WIZARD_KNOWN; asked for when they are first to be shown, since
     * their signatures are checked.
     */
    int (*known_runs)(struct wizard_known *ret, void *ctx);
    void *ctx;

    const char *dump;       /* "WxH": print one frame as text and return; or NULL */
    const char *recording;  /* NDJSON file; its last view is the one dumped */
    long view;              /* another view of it, from 1; 0: the last */
    bool is_svg;            /* as a picture with the theme's colours */
    int64_t frozen_time_ms; /* wall clock to draw with; 0: now (dump: the view's own time) */
};

/* Run the screen until the person closes it, the terminal goes away or a signal asks. Returns OK
 * also when the agent was not there (the screen says so and keeps trying). Restores the terminal
 * before it returns.
 * Errors: ERR_ARG (unusable option), ERR_IO (recording), ERR_PROTO (recording is not ours).
 * Blocks; owns its event loop; call on the main thread, once.
 */
int attach_screen(const struct attach_options *o, struct err *e) MUST_CHECK;
