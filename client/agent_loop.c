#include "client/agent_loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "client/agent_parts.h"
#include "client/snapshot.h"

#define MAX_LOG_BYTES (4l << 20)

/* --- the end: run, control socket, handles; then the loop has nothing left to do ------------------- */

/* Asked once is enough: a second SIGTERM or Ctrl+C must not kill what is saving. libuv gives a signal
 * back to its default, which is death, when its last watcher closes; so the two are held back until
 * they are ignored.
 */
static void close_signals(struct agent *a)
{
    sigset_t both, before;
    sigemptyset(&both);
    sigaddset(&both, SIGINT);
    sigaddset(&both, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &both, &before);
    uv_close((uv_handle_t *)&a->sigint, NULL);
    uv_close((uv_handle_t *)&a->sigterm, NULL);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void close_all(struct agent *a)
{
    if (a->is_ending) return;
    a->is_ending = true;
    agent_run_end(a);
    control_close(a->control, NULL, NULL);
    a->control = NULL;
    uv_close((uv_handle_t *)&a->wake, NULL);
    uv_close((uv_handle_t *)&a->tick, NULL);
    uv_close((uv_handle_t *)&a->second, NULL);
    guest_close(a);
    close_signals(a);
}

void agent_gone(struct agent *a, enum intent_kind why)
{
    if (why != INTENT_LEAVE) {
        log_info("goodbye");
        close_all(a);
        return;
    }
    a->stopped = (struct err){0};
    log_info("the run was left; your key and receipts are kept");
    agent_run_end(a);
    control_changed(a->control);
}

/* --- what people ask -------------------------------------------------------------------------------- */

/* Here already. A new name is on disk by now, but the host was told the old one. */
static int join_again(struct agent *a, struct err *e)
{
    char name[MSG_NAME_CAP];
    home_name(a->config.home, name);
    if (strcmp(name, a->name) == 0) return OK;
    err_set(e, ERR_WRONG_STATE, 0, "the name '%s' is kept, but others see the old one for now",
            name);
    err_hint(e, "they see it after `potluck stop` and `potluck`; nothing is lost by that");
    return ERR_WRONG_STATE;
}

static int join(struct agent *a, const char *text, struct err *e)
{
    struct hash run;
    if (hash_from_hex(text, &run) != 0) {
        err_set(e, ERR_ARG, 0, "a run is joined by its stored description");
        err_hint(e, "use `potluck join FILE` or `potluck join LINK`");
        return ERR_ARG;
    }
    if (a->has_run && hash_equal(&run, &a->run->id)) {
        agent_run_knock(a);
        return join_again(a, e);
    }
    if (a->has_run) {
        err_set(e, ERR_WRONG_STATE, 0, "this agent already takes part in \"%s\"", a->run->name);
        err_hint(e, "leave it first with `potluck leave`");
        return ERR_WRONG_STATE;
    }
    int rc = agent_run_begin(a, &run, e);
    if (rc == OK) rc = home_set_current(a->config.home, &run, e);
    return rc;
}

/* The wish is changed by these alone; what a hold does is none of theirs. */
static int ask_guest(struct agent *a, const struct intent *it, struct err *e)
{
    struct session *s = &a->session;
    bool is_standing = session_stands(s);
    struct view_hold row;
    switch ((int)it->kind) {
    case INTENT_SNOOZE: return guest_snooze(a, it->text, e);
    case INTENT_OVERRIDE: return guest_override(a, e);
    case INTENT_RESUME:
        if (!s->is_paused && !a->guest.snooze.ms && holds_stop(&a->guest.holds)) {
            holds_row(&a->guest.holds, holds_top(&a->guest.holds), clock_wall_ms(), &row);
            err_set(e, ERR_WRONG_STATE, 0, "you have not paused it: %.90s; %.60s", row.reason,
                    row.end);
            if (row.can_override) err_hint(e, "go on anyway with `potluck resume --anyway`");
            return ERR_WRONG_STATE;
        }
        guest_awake(a);
        return OK;
    case INTENT_PAUSE: guest_awake(a); return OK;
    case INTENT_RELEASE:
        if (!is_standing) {
            struct session_event ev = {.kind = SESSION_EV_INTENT, .intent = INTENT_PAUSE};
            agent_run_event(a, &ev);
        }
        work_release(a->work);
        return OK;
    default: return OK;
    }
}

/* Ask the session; without one, do what makes sense. */
static int ask(const struct intent *it, void *ctx, struct err *e)
{
    struct agent *a = ctx;
    if (it->kind == INTENT_JOIN) return join(a, it->text, e);
    if (it->kind == INTENT_LEAVE && a->has_run) {
        /* Kept at once: a kill in the next second must not bring the run back. */
        int rc = home_forget_current(a->config.home, e);
        if (rc != OK) return rc;
    }
    if (a->is_open) {
        log_info("asked to %s", intent_name(it->kind));
        int rc = ask_guest(a, it, e);
        if (rc != OK) return rc;
        struct session_event ev = {.kind = SESSION_EV_INTENT, .intent = it->kind};
        agent_run_event(a, &ev);
        return OK;
    }
    if (it->kind == INTENT_STOP) {
        close_all(a);
        return OK;
    }
    if (it->kind == INTENT_LEAVE && a->has_run) {
        agent_gone(a, INTENT_LEAVE);
        return OK;
    }
    err_set(e, ERR_WRONG_STATE, 0,
            a->has_run ? "the agent is still getting ready" : "no run is joined");
    err_hint(e, a->has_run ? "try again in a moment" : "join one with `potluck join FILE`");
    return ERR_WRONG_STATE;
}

static int settings(struct buf *out, void *ctx, struct err *e)
{
    return guest_settings(ctx, out, e);
}

static int set(const char *key, const char *value, void *ctx, struct err *e)
{
    return guest_set(ctx, key, value, e);
}

static void look(struct view *v, void *ctx)
{
    snapshot_fill(ctx, v);
}

/* --- handles ------------------------------------------------------------------------------------------ */

static void on_wake(uv_async_t *h)
{
    agent_run_news(h->data);
}

static void on_tick(uv_timer_t *h)
{
    struct session_event ev = {.kind = SESSION_EV_TICK};
    agent_run_event(h->data, &ev);
}

static void on_second(uv_timer_t *h)
{
    struct agent *a = h->data;
    a->n_seconds++;
    snapshot_machine(&a->machine, clock_mono_ms());
    guest_second(a);
    agent_run_second(a);
}

static void on_signal(uv_signal_t *h, int signum)
{
    struct agent *a = h->data;
    (void)signum;
    struct intent it = {.kind = INTENT_STOP};
    if (ask(&it, a, NULL) != OK) close_all(a);
}

static void init_handles(struct agent *a)
{
    uv_async_init(&a->loop, &a->wake, on_wake);
    uv_timer_init(&a->loop, &a->tick);
    uv_timer_init(&a->loop, &a->second);
    uv_signal_init(&a->loop, &a->sigint);
    uv_signal_init(&a->loop, &a->sigterm);
    a->wake.data = a;
    a->tick.data = a;
    a->second.data = a;
    a->sigint.data = a;
    a->sigterm.data = a;
    a->on_tick = on_tick;
    uv_signal_start(&a->sigint, on_signal, SIGINT);
    uv_signal_start(&a->sigterm, on_signal, SIGTERM);
    uv_timer_start(&a->second, on_second, 1000, 1000);
}

static void begin_current(struct agent *a)
{
    struct hash run;
    struct err e = {0};
    int rc = home_current(a->config.home, &run, &e);
    if (rc == ERR_NOTFOUND) {
        log_info("no run is joined yet; join one with `potluck join FILE`");
        return;
    }
    if (rc == OK) rc = agent_run_begin(a, &run, &e);
    if (rc == OK) return;
    a->stopped = e;
    log_err(LOG_ERROR, &e, "the joined run cannot be taken up");
}

static int prepare(struct agent *a, struct err *e)
{
    const struct home *h = a->config.home;
    char path[PATH_CAP];
    int rc = home_key(h, &a->key, e);
    if (rc != OK) return rc;
    home_name(h, a->name);
    if (path_format(path, "%s/agent.log", h->paths.state) != 0)
        return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    rc = log_open(path, MAX_LOG_BYTES, e);
    if (rc != OK) return rc;
    snapshot_machine(&a->machine, clock_mono_ms());
    rc = guest_init(a, e);
    if (rc != OK) return rc;
    struct control_config c = {.loop = &a->loop,
                               .socket_path = h->paths.socket,
                               .look = look,
                               .ask = ask,
                               .settings = settings,
                               .set = set,
                               .ctx = a};
    rc = control_create(&c, &a->control, e);
    if (rc != OK) uv_close((uv_handle_t *)&a->guest.duty, NULL);
    return rc;
}

int agent_loop(const struct agent_config *c, struct err *e)
{
    struct agent *a = alloc_zero(1, sizeof *a);
    if (!a) return err_set(e, ERR_NOMEM, 0, "no memory for the agent");
    a->config = *c;
    logbook_init(&a->logbook);
    uv_loop_init(&a->loop);
    (void)signal(SIGPIPE, SIG_IGN);
    int rc = prepare(a, e);
    if (rc == OK) {
        guest_lock_up(a);
        init_handles(a);
        begin_current(a);
    }
    uv_run(&a->loop, UV_RUN_DEFAULT);
    check(uv_loop_close(&a->loop) == 0);
    logbook_deinit(&a->logbook);
    key_wipe(&a->key);
    free(a);
    log_close();
    return rc;
}
