#pragma once
/* Why: the live screen is one object that several files serve: attach.c (loop, stream, keys, signals),
 * attach_ask.c (commands that work for it) and attach_replay.c (a recording in place of an agent).
 * Nothing else includes this.
 */

#include <uv.h>

#include "app/attach.h"
#include "app/child.h"
#include "app/recording.h"
#include "base/buf.h"
#include "base/path.h"
#include "tui/canvas.h"
#include "tui/term.h"
#include "tui/tui.h"

struct link;

/* Timeline: term or plain lines start; the event stream is asked for and asked for again until
 * it comes; every view marks the screen dirty; `paint` draws when it is due. `leave` closes every
 * handle once, and the loop ends when the last is closed.
 */
struct attach {
    const struct attach_options *o;
    uv_loop_t loop;
    uv_poll_t tty;
    uv_timer_t tick, paint, retry; /* retry: also the recording's next view */
    uv_signal_t sig[7];
    size_t n_sig;
    bool has_tty, is_leaving;
    bool has_known; /* the wizard has the list of known runs */
    bool is_idle;   /* no agent yet, and none is wanted before a run is joined */

    struct link *link;
    uint64_t stream; /* event stream under way; 0: none */
    bool is_turning; /* its end was asked for: the next one looks back differently */
    uint32_t n_tries;
    struct buf line; /* a view not yet complete */
    int record_fd;

    struct terminal *term; /* NULL: plain lines */
    struct canvas canvas;
    struct tui tui;
    struct view *view;          /* newest */
    struct view *still;         /* frozen */
    struct recording recording; /* of a replay */
    struct child *asking;       /* a command that works for the screen; NULL: none */
    char export_path[PATH_CAP];
    int64_t still_ms;
    int64_t heard_ms;   /* monotonic: last byte of the stream */
    int64_t drawn_ms;   /* monotonic: last frame */
    int64_t due_ms;     /* monotonic: next frame; 0: none asked for */
    int64_t stop_by_ms; /* monotonic: leave without the answer to Q; 0: not asked */
    int64_t minute;     /* shown by the clock */
    int64_t plain_ms;   /* monotonic: last plain line */
    enum view_state plain_state;
};

int64_t attach_now_ms(const struct attach *a);        /* wall clock of the frame */
void attach_draw_soon(struct attach *a);              /* something a person waits to see */
void attach_note(struct attach *a, const char *text); /* a sentence for a few seconds */
void attach_subscribe(struct attach *a);              /* ask for the views; again and again */

/* attach_ask.c: what takes a while is done by a command; the answer comes to the wizard or as a note. */
void attach_ask_card(struct attach *a);
void attach_ask_join(struct attach *a);
void attach_ask_export(struct attach *a);
void attach_ask_settings(struct attach *a); /* `potluck config list` into tui.options */
void attach_ask_snooze(struct attach *a, const char *span); /* `potluck pause --for` */
void attach_ask_anyway(struct attach *a);                   /* `potluck resume --anyway` */
void attach_ask_set(struct attach *a); /* `potluck config set`, then the list anew */

/* attach_replay.c: show view i (brought into range) and go on from there. */
void attach_replay_show(struct attach *a, int64_t i);
