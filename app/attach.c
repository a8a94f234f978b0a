#include "app/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "app/attach_in.h"
#include "app/dump.h"
#include "app/keep.h"
#include "app/talk.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "net/link.h"
#include "tui/keymap.h"
#include "tui/plain.h"
#include "tui/screen.h"
#include "tui/term.h"
#include "view/text.h"

#define KEY_DRAW_MS   100   /* never more than ten frames a second */
#define DATA_DRAW_MS  950   /* and one a second for numbers */
#define SILENCE_MS    5000  /* then the agent counts as not answering */
#define STALL_MS      10000 /* then the connection is made anew */
#define NOTE_MS       8000
#define MOMENT_MS     30000
#define PLAIN_MS      10000
#define STOP_MS       3000 /* how long Q waits for the agent's answer */
#define FROZEN_MAX_MS (INT64_C(1) << 53)
#define LINE_MAX_LEN  (4u << 20)
#define CALM_DRAW_MS  5000
#define REPLAY_SPEED  60

static void leave(struct attach *a);

int64_t attach_now_ms(const struct attach *a)
{
    if (a->tui.is_replay && a->view->at_ms) return a->view->at_ms;
    return a->o->frozen_time_ms ? a->o->frozen_time_ms : clock_wall_ms();
}

static int64_t data_draw_ms(const struct attach *a)
{
    return a->tui.look.is_calm ? CALM_DRAW_MS : DATA_DRAW_MS;
}

static enum glyphs glyphs(const struct attach *a)
{
    if (a->o->graphs || a->tui.look.graphs < 0 || term_is_ascii(a->term))
        return term_glyphs(a->term);
    return (enum glyphs)a->tui.look.graphs;
}

/* ---- drawing -------------------------------------------------------------------------------- */

static void draw(struct attach *a)
{
    int w = 0;
    int h = 0;
    a->due_ms = 0;
    a->drawn_ms = clock_mono_ms();
    if (!a->term) return;
    term_size(a->term, &w, &h);
    if (!a->canvas.cell || a->canvas.w != w || a->canvas.h != h) {
        canvas_deinit(&a->canvas);
        canvas_init(&a->canvas, w, h, term_is_ascii(a->term));
    }
    if (!a->has_known && a->o->known_runs && wizard_is_shown(&a->tui, a->view)) {
        a->tui.wizard.n_known = a->o->known_runs(a->tui.wizard.knows, a->o->ctx);
        a->has_known = true;
    }
    bool is_still = a->tui.is_frozen && a->still;
    /* By the clock, not by the frame's time: a frozen frame would keep it for ever. */
    if (attach_now_ms(a) >= a->tui.note_until_ms) a->tui.note[0] = 0;
    struct screen_frame f = {.c = &a->canvas,
                             .v = is_still ? a->still : a->view,
                             .t = &a->tui,
                             .glyphs = glyphs(a),
                             .now_ms = is_still ? a->still_ms : attach_now_ms(a)};
    screen_draw(&f);
    term_show(a->term, &a->canvas);
    a->minute = f.now_ms / 60000;
}

static void ask_draw(struct attach *a, int64_t gap_ms);

/* A note goes when its time is over, also where nothing else gives a reason to draw. */
static void on_paint(uv_timer_t *t)
{
    struct attach *a = t->data;
    if (a->is_leaving) return;
    draw(a);
    int64_t left = a->tui.note[0] ? a->tui.note_until_ms - attach_now_ms(a) : 0;
    if (left > 0) ask_draw(a, left + 1);
}

/* Ask for a frame no sooner than gap_ms after the last one; an earlier wish stands. */
static void ask_draw(struct attach *a, int64_t gap_ms)
{
    int64_t now = clock_mono_ms();
    int64_t due = a->drawn_ms + gap_ms;
    if (!a->term || a->is_leaving) return;
    if (due < now) due = now;
    if (a->due_ms && a->due_ms <= due) return;
    a->due_ms = due;
    uv_timer_start(&a->paint, on_paint, (uint64_t)(due - now), 0);
}

void attach_note(struct attach *a, const char *text)
{
    tui_note(&a->tui, text, attach_now_ms(a) + NOTE_MS);
    if (a->term)
        ask_draw(a, KEY_DRAW_MS);
    else
        fprintf(stderr, "%s\n", text);
}

static void plain(struct attach *a)
{
    struct buf out = {0};
    struct err e = {0};
    struct view *v = a->view;
    int64_t now = clock_mono_ms();
    enum view_state seen = v->state;
    if (a->tui.is_lost || !a->tui.has_view) v->state = VIEW_NO_CONTACT;
    bool is_due = now - a->plain_ms >= PLAIN_MS || v->state != a->plain_state;
    if (is_due) {
        plain_line(v, a->tui.is_gone, attach_now_ms(a), &out);
        if (file_write_all(STDOUT_FILENO, out.p, out.len, "standard output", &e)) leave(a);
        a->plain_ms = now;
        a->plain_state = v->state;
    }
    v->state = seen;
    buf_deinit(&out);
}

void attach_draw_soon(struct attach *a)
{
    ask_draw(a, KEY_DRAW_MS);
}

/* ---- the agent ------------------------------------------------------------------------------ */

static void lost(struct attach *a)
{
    if (a->is_idle) return;
    bool is_gone = !talk_is_there(a->o->socket);
    if (a->tui.is_lost && a->tui.is_gone == is_gone) return;
    a->tui.is_gone = is_gone;
    if (is_gone) a->tui.note[0] = 0; /* what was asked of it has no answer to wait for */
    a->tui.is_lost = true;
    a->tui.lost_since_ms = attach_now_ms(a) - (clock_mono_ms() - a->heard_ms);
    if (!a->term) plain(a);
    ask_draw(a, KEY_DRAW_MS);
}

static void take_view(struct attach *a, const uint8_t *p, size_t n)
{
    struct err e = {0};
    enum view_state state = a->view->state;
    bool was_paused = a->view->is_paused;
    bool was_finishing = a->view->is_finishing;
    bool is_first = !a->tui.has_view || a->tui.is_lost || a->is_idle;
    if (view_decode(p, n, a->view, &e)) {
        char text[VIEW_LINE_CAP];
        attach_note(a, err_line(&e, text, sizeof text));
        return;
    }
    a->tui.has_view = true;
    a->tui.is_lost = false;
    a->tui.is_gone = false;
    a->is_idle = false;
    if (is_first && a->term) attach_ask_settings(a);
    if (tui_moment(&a->tui, a->view))
        tui_note(&a->tui, "Your first contribution was accepted. The model changed because of you.",
                 attach_now_ms(a) + MOMENT_MS);
    if (!a->term) {
        plain(a);
        return;
    }
    bool is_news = is_first || state != a->view->state || was_paused != a->view->is_paused ||
                   was_finishing != a->view->is_finishing;
    ask_draw(a, is_first ? 0 : is_news ? KEY_DRAW_MS : data_draw_ms(a));
}

/* One line of the stream: a view, or the framing of server-sent events. */
static bool is_view(const uint8_t **p, size_t *n)
{
    static const char data[] = "data:";
    while (*n && ((*p)[*n - 1] == '\r' || (*p)[*n - 1] == ' '))
        (*n)--;
    if (*n > sizeof data - 1 && memcmp(*p, data, sizeof data - 1) == 0) {
        *p += sizeof data - 1;
        *n -= sizeof data - 1;
    }
    while (*n && **p == ' ') {
        (*p)++;
        (*n)--;
    }
    return *n && **p == '{';
}

static void record(struct attach *a, const uint8_t *p, size_t n)
{
    struct err e = {0};
    struct buf b = {0};
    if (a->record_fd < 0) return;
    buf_put(&b, p, n);
    buf_put_u8(&b, '\n');
    if (b.failed || file_write_all(a->record_fd, b.p, b.len, a->o->record, &e)) {
        char text[VIEW_LINE_CAP];
        close(a->record_fd);
        a->record_fd = -1;
        attach_note(a, err_line(&e, text, sizeof text));
    }
    buf_deinit(&b);
}

/* Only the newest whole view of what has arrived is worth reading. */
static int on_data(const uint8_t *p, size_t n, void *ctx)
{
    struct attach *a = ctx;
    if (a->is_leaving || a->is_turning) return 1;
    a->heard_ms = clock_mono_ms();
    a->n_tries = 0;
    buf_put(&a->line, p, n);
    if (a->line.failed || a->line.len > LINE_MAX_LEN) return 1;
    const uint8_t *best = NULL;
    size_t n_best = 0;
    size_t from = 0;
    for (size_t i = a->line.len - n; i < a->line.len; i++) {
        if (a->line.p[i] != '\n') continue;
        const uint8_t *line = a->line.p + from;
        size_t len = i - from;
        from = i + 1;
        if (!is_view(&line, &len)) continue;
        record(a, line, len);
        best = line;
        n_best = len;
    }
    if (best) take_view(a, best, n_best);
    if (from) {
        memmove(a->line.p, a->line.p + from, a->line.len - from);
        a->line.len -= from;
    }
    return 0;
}

static void on_retry(uv_timer_t *t)
{
    attach_subscribe(t->data);
}

static void on_stream_end(const struct link_reply *r, void *ctx)
{
    struct attach *a = ctx;
    (void)r; /* whatever the reason, the answer is to try again */
    a->stream = 0;
    buf_clear(&a->line);
    if (a->is_leaving) return;
    if (a->is_turning) {
        a->is_turning = false;
        attach_subscribe(a);
        return;
    }
    lost(a);
    uint64_t wait = a->n_tries < 12 ? 250 : 1000;
    a->n_tries++;
    uv_timer_start(&a->retry, on_retry, wait, 0);
}

void attach_subscribe(struct attach *a)
{
    char path[96];
    struct stat st;
    if (a->is_leaving || a->stream || a->tui.is_replay) return;
    /* The agent shall not take typing here for use of the computer. */
    bool is_tty = fstat(STDOUT_FILENO, &st) == 0 && S_ISCHR(st.st_mode);
    snprintf(path, sizeof path, "/v1/events?range=%s&tty=%llu", view_range_name(a->tui.range),
             is_tty ? (unsigned long long)st.st_rdev : 0);
    struct link_request r = {.method = "GET",
                             .path = path,
                             .stall_ms = STALL_MS,
                             .on_data = on_data,
                             .done = on_stream_end,
                             .ctx = a};
    a->stream = link_send(a->link, &r);
}

/* "detail (hint)" of a problem document. */
static void put_problem(const struct link_reply *r, char *dst, size_t cap)
{
    json_t *o = NULL;
    snprintf(dst, cap, "the agent refused (%d)", r->status);
    if (json_parse(r->body, r->n_body, &o, NULL)) return;
    const char *detail = json_string_value(json_object_get(o, "detail"));
    const char *hint = json_string_value(json_object_get(o, "hint"));
    char text[VIEW_LINE_CAP];
    if (detail) {
        snprintf(text, sizeof text, "%s%s%s%s", detail, hint ? " (" : "", hint ? hint : "",
                 hint ? ")" : "");
        utf8_printable(text, dst, cap);
    }
    json_decref(o);
}

/* An agent that ended while it was asked is said in the state line. */
static void lost_if_gone(struct attach *a)
{
    if (!talk_is_there(a->o->socket)) lost(a);
}

static void on_intent_done(const struct link_reply *r, void *ctx)
{
    struct attach *a = ctx;
    char text[320];
    if (a->is_leaving) return;
    if (a->stop_by_ms) {
        leave(a);
        return;
    }
    if (r->code == OK && r->status >= 200 && r->status < 300) return;
    lost_if_gone(a);
    if (a->tui.is_gone) return; /* the state line says so */
    if (r->code == OK)
        put_problem(r, text, sizeof text);
    else
        snprintf(text, sizeof text, "the agent could not be asked: %s", r->err.what);
    attach_note(a, text);
}

/* What would be asked in vain, in words; NULL: nothing stands against it. */
static const char *in_vain(const struct attach *a, enum intent_kind kind)
{
    if (a->is_idle) return "no run is joined yet: potluck join FILE|LINK";
    if (a->tui.is_gone) return "the agent has ended; close this screen and start it again";
    if (kind == INTENT_FINISH && a->view->is_paused) return "paused: resume first (p)";
    return NULL;
}

static void send_intent(struct attach *a, enum intent_kind kind)
{
    const char *why_not = in_vain(a, kind);
    if (why_not) {
        attach_note(a, why_not);
        return;
    }
    struct err e = {0};
    struct buf body = {0};
    struct intent it = {.kind = kind};
    if (intent_encode(&it, &body, &e) == OK) {
        struct link_request r = {.method = "POST",
                                 .path = "/v1/intent",
                                 .type = "application/json",
                                 .body = body.p,
                                 .n_body = body.len,
                                 .stall_ms = STALL_MS,
                                 .done = on_intent_done,
                                 .ctx = a};
        link_send(a->link, &r);
    } else {
        attach_note(a, e.what);
    }
    buf_deinit(&body);
}

static void use_look(struct attach *a)
{
    struct err e = {0};
    char text[VIEW_LINE_CAP];
    term_theme(a->term, (enum theme)a->tui.look.theme);
    if (a->o->folder && !a->o->theme && keep_save(a->o->folder, &a->tui.look, &e) != OK)
        attach_note(a, err_line(&e, text, sizeof text));
}

static void look_back(struct attach *a)
{
    if (!a->stream) return;
    a->is_turning = true;
    link_cancel(a->link, a->stream);
}

/* ---- keys and signals ----------------------------------------------------------------------- */

static void freeze(struct attach *a)
{
    if (a->tui.is_frozen && !a->still) {
        a->still = xmalloc(sizeof *a->still);
        *a->still = *a->view;
        a->still_ms = attach_now_ms(a);
    } else if (!a->tui.is_frozen) {
        free(a->still);
        a->still = NULL;
    }
}

static void on_key(struct attach *a, int key)
{
    bool was_frozen = a->tui.is_frozen;
    enum screen was = a->tui.screen;
    struct tui_command c = tui_key(&a->tui, key, a->view);
    if (a->tui.screen == SCREEN_SETTINGS && was != SCREEN_SETTINGS) attach_ask_settings(a);
    freeze(a);
    switch (c.kind) {
    case TUI_NOTHING: return;
    case TUI_DRAW: break;
    case TUI_REDRAW:
        term_resize(a->term);
        term_forget(a->term);
        break;
    case TUI_ASK: /* the agent's answer is the news to draw, and soon */
        send_intent(a, c.intent);
        if (!was_frozen) return;
        break;
    case TUI_RANGE: look_back(a); return;
    case TUI_LOOK: use_look(a); break;
    case TUI_SET: attach_ask_set(a); break;
    case TUI_SNOOZE: attach_ask_snooze(a, tui_span(c.by)); break;
    case TUI_ANYWAY: attach_ask_anyway(a); break;
    case TUI_LOOK_AT: attach_ask_card(a); break;
    case TUI_JOIN: attach_ask_join(a); break;
    case TUI_EXPORT: attach_ask_export(a); break;
    case TUI_SEEK: attach_replay_show(a, (int64_t)a->tui.i_view + c.by); return;
    case TUI_CLOSE: leave(a); return;
    case TUI_STOP:
        if (a->is_idle || a->tui.is_gone) {
            leave(a); /* there is none to stop */
            return;
        }
        send_intent(a, c.intent);
        a->stop_by_ms = clock_mono_ms() + STOP_MS;
        break;
    }
    ask_draw(a, KEY_DRAW_MS);
}

static void on_tty(uv_poll_t *p, int status, int events)
{
    struct attach *a = p->data;
    (void)events;
    int key = status < 0 ? KEYMAP_EOF : term_key(a->term);
    if (key == KEYMAP_NONE && !term_has_input(a->term)) key = KEYMAP_EOF;
    while (key != KEYMAP_NONE && !a->is_leaving) {
        on_key(a, key);
        if (!a->is_leaving) key = term_key(a->term);
    }
}

static void on_signal(uv_signal_t *s, int sig)
{
    struct attach *a = s->data;
    switch (sig) {
    case SIGWINCH:
        if (a->term) term_resize(a->term);
        ask_draw(a, 0);
        break;
    case SIGTSTP:
        if (a->term) term_suspend(a->term);
        raise(SIGSTOP);
        break;
    case SIGCONT:
        if (a->term) term_resume(a->term);
        ask_draw(a, 0);
        break;
    default: leave(a); break;
    }
}

/* Once a second: silence, countdowns, the clock's minute. Draws only when one of them moved. */
static void on_tick(uv_timer_t *t)
{
    struct attach *a = t->data;
    int64_t now = clock_mono_ms();
    if (a->stop_by_ms && now >= a->stop_by_ms) {
        leave(a);
        return;
    }
    if (a->tui.has_view && !a->tui.is_replay && now - a->heard_ms > SILENCE_MS) lost(a);
    if (!a->term) {
        plain(a);
        return;
    }
    if (a->tui.note[0] && attach_now_ms(a) >= a->tui.note_until_ms) {
        a->tui.note[0] = 0;
        ask_draw(a, 0);
    }
    bool is_moving = a->tui.is_lost || !a->tui.has_view || a->view->ends_at_ms != VIEW_NONE;
    if (is_moving || attach_now_ms(a) / 60000 != a->minute) ask_draw(a, data_draw_ms(a));
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static void leave(struct attach *a)
{
    if (a->is_leaving) return;
    a->is_leaving = true;
    if (a->has_tty) uv_close((uv_handle_t *)&a->tty, NULL);
    uv_close((uv_handle_t *)&a->tick, NULL);
    uv_close((uv_handle_t *)&a->paint, NULL);
    uv_close((uv_handle_t *)&a->retry, NULL);
    for (size_t i = 0; i < a->n_sig; i++)
        uv_close((uv_handle_t *)&a->sig[i], NULL);
    child_drop(a->asking);
    link_close(a->link, NULL, NULL);
}

static void start_signals(struct attach *a)
{
    static const int watched[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};
    size_t n = a->o->is_plain ? 4 : 7; /* lines are stopped and continued by the shell alone */
    signal(SIGPIPE, SIG_IGN);
    for (; a->n_sig < n; a->n_sig++) {
        uv_signal_init(&a->loop, &a->sig[a->n_sig]);
        a->sig[a->n_sig].data = a;
        uv_signal_start(&a->sig[a->n_sig], on_signal, watched[a->n_sig]);
    }
}

static void start_terminal(struct attach *a)
{
    struct err e = {0};
    struct term_options o = {.no_color = a->o->no_color,
                             .glyphs = a->o->graphs ? theme_glyphs(a->o->graphs) : -1,
                             .theme = (enum theme)a->tui.look.theme};
    if (!a->o->is_plain && !isatty(STDOUT_FILENO))
        fputs("no terminal: a line at each change, and every 10 s; Ctrl-C ends\n", stderr);
    if (a->o->is_plain || !isatty(STDOUT_FILENO)) return;
    if (term_open(&o, &a->term, &e)) {
        char text[400];
        fprintf(stderr, "potluck: %s; showing lines instead\n", err_line(&e, text, sizeof text));
        a->term = NULL;
        return;
    }
    draw(a);
    if (uv_poll_init(&a->loop, &a->tty, term_fd(a->term)) == 0) {
        a->has_tty = true;
        a->tty.data = a;
        uv_poll_start(&a->tty, UV_READABLE, on_tty);
    }
}

static void start_timers(struct attach *a)
{
    uv_timer_t *const all[] = {&a->tick, &a->paint, &a->retry};
    for (size_t i = 0; i < 3; i++) {
        uv_timer_init(&a->loop, all[i]);
        all[i]->data = a;
    }
    uv_timer_start(&a->tick, on_tick, 1000, 1000);
}

static int run(struct attach *a, struct err *e)
{
    struct link_config c = {.unix_path = a->o->socket};
    if (uv_loop_init(&a->loop)) return err_set(e, ERR_NOMEM, 0, "cannot make an event loop");
    int rc = link_create(&a->loop, &c, &a->link, e);
    if (rc == OK) {
        a->heard_ms = clock_mono_ms();
        a->tui.lost_since_ms = attach_now_ms(a);
        a->plain_state = VIEW_STATE_COUNT;
        start_signals(a);
        start_timers(a);
        start_terminal(a);
        attach_subscribe(a);
        if (a->tui.is_replay) attach_replay_show(a, 0);
        uv_run(&a->loop, UV_RUN_DEFAULT);
        term_close(a->term);
    }
    uv_loop_close(&a->loop);
    return rc;
}

static int open_record(struct attach *a, struct err *e)
{
    a->record_fd = -1;
    if (!a->o->record) return OK;
    a->record_fd = open(a->o->record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (a->record_fd < 0) return file_error(e, errno, "opening", a->o->record);
    return OK;
}

/* How the person likes it, and what the wizard has to know of this machine and this home. */
static void prepare(struct attach *a)
{
    const struct attach_options *o = a->o;
    struct wizard *w = &a->tui.wizard;
    if (o->folder) (void)!keep_load(o->folder, &a->tui.look, NULL); /* else: as usual */
    if (o->theme) a->tui.look.theme = theme_from_name(o->theme);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    w->n_cores = cores > 0 ? (uint32_t)cores : 1;
}

static int live(const struct attach_options *o, enum screen first, struct err *e)
{
    struct attach a = {
        .o = o,
        .is_idle = o->is_idle,
        .tui = {.screen = first,
                .has_view = o->is_idle,
                .home_words = o->home_words,
                .look = {.graphs = -1},
                .speed = o->speed ? (int)o->speed : REPLAY_SPEED,
                .is_replay = o->replay != NULL}
    };
    prepare(&a);
    int rc = open_record(&a, e);
    if (rc == OK && o->replay) rc = recording_open(o->replay, &a.recording, e);
    a.tui.n_views = (uint32_t)a.recording.n;
    if (rc) return rc;
    a.view = xmalloc(sizeof *a.view);
    view_init(a.view);
    if (o->is_idle) snprintf(a.view->reason, sizeof a.view->reason, "no run joined yet");
    rc = run(&a, e);
    if (a.record_fd >= 0) close(a.record_fd);
    canvas_deinit(&a.canvas);
    recording_deinit(&a.recording);
    buf_deinit(&a.line);
    free(a.view);
    free(a.still);
    return rc;
}

/* The locale decides what can be shown; a frame asked for with finer graphs than it has gets
 * the C library's own UTF-8 locale.
 */
static void choose_locale(const struct attach_options *o)
{
    bool is_ascii = false;
    setlocale(LC_CTYPE, ""); /* NOLINT(concurrency-mt-unsafe): one thread */
    term_glyphs_of("", &is_ascii);
    if (is_ascii && o->dump && o->graphs && strcmp(o->graphs, "ascii") != 0)
        setlocale(LC_CTYPE, "C.UTF-8"); /* NOLINT(concurrency-mt-unsafe): one thread */
}

int attach_screen(const struct attach_options *o, struct err *e)
{
    int screen = o->screen ? tui_screen(o->screen) : SCREEN_OVERVIEW;
    if (screen < 0) {
        err_set(e, ERR_ARG, 0, "there is no screen '%s'", o->screen);
        err_hint(e, "choose overview, run, peers, credits, log, settings or help");
        return ERR_ARG;
    }
    if (o->graphs && theme_glyphs(o->graphs) < 0) {
        err_set(e, ERR_ARG, 0, "there are no graphs '%s'", o->graphs);
        err_hint(e, "choose braille, blocks or ascii");
        return ERR_ARG;
    }
    if (o->theme && theme_from_name(o->theme) < 0) {
        err_set(e, ERR_ARG, 0, "there are no colours '%s'", o->theme);
        err_hint(e, "choose default, light, \"high contrast\", \"colour-blind safe\" or mono");
        return ERR_ARG;
    }
    if (o->frozen_time_ms < 0 || o->frozen_time_ms > FROZEN_MAX_MS) {
        err_set(e, ERR_ARG, 0, "that is no time to freeze the clock at");
        err_hint(e, "give milliseconds since 1970");
        return ERR_ARG;
    }
    choose_locale(o);
    if (o->dump) return dump_frame(o, (enum screen)screen, e);
    return live(o, (enum screen)screen, e);
}
