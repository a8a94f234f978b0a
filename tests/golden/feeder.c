/* An agent without an engine, for looking at the screen: it serves the last view of a recording
 * on a control socket, lets a little time pass in it, and obeys pause, resume, finish and stop.
 *
 *   feeder SOCKET RECORDING [MS]     a view every MS milliseconds (1000); ends with stop
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/file.h"
#include "net/server.h"
#include "view/intent.h"
#include "view/view.h"

#define WATCHERS 8

struct feeder {
    uv_loop_t loop;
    uv_timer_t tick;
    struct server *server;
    struct request *watcher[WATCHERS];
    struct view view;
};

static void push(struct feeder *f, struct request *only)
{
    struct buf out = {0};
    if (view_encode(&f->view, &out, NULL) != OK) abort();
    buf_put_u8(&out, '\n');
    for (int i = 0; i < WATCHERS; i++)
        if (f->watcher[i] && (!only || only == f->watcher[i]) &&
            request_stream_push(f->watcher[i], out.p, out.len) != OK)
            fprintf(stderr, "a reader is slow: one view skipped\n");
    buf_deinit(&out);
}

static void roll(struct view_series *s, float v)
{
    if (s->n == VIEW_SERIES) memmove(s->v, s->v + 1, (VIEW_SERIES - 1) * sizeof s->v[0]);
    if (s->n < VIEW_SERIES) s->n++;
    s->v[s->n - 1] = v;
}

static void on_tick(uv_timer_t *t)
{
    struct feeder *f = t->data;
    struct view *v = &f->view;
    v->seq++;
    int64_t by_ms = clock_wall_ms() - v->at_ms;
    v->at_ms += by_ms;
    for (uint32_t i = 0; i < v->n_marks; i++) { /* what happened stays as long ago as it was */
        v->marks[i].at_ms += by_ms;
        if (v->marks[i].until_ms != VIEW_NONE) v->marks[i].until_ms += by_ms;
    }
    if (v->is_paused) { /* nothing moves, so that frames can be compared */
        push(f, NULL);
        return;
    }
    v->tok_per_s = 412 + 60 * sin((double)v->seq / 7);
    v->loss -= 0.0005;
    v->i_step++;
    v->saved_ms_ago = (int64_t)(v->seq % 30) * 1000;
    snprintf(v->reason, sizeof v->reason, "round %llu, step %llu of %llu",
             (unsigned long long)v->round, (unsigned long long)v->i_step,
             (unsigned long long)v->n_steps);
    v->round_frac = (double)v->i_step / (double)v->n_steps;
    if (v->i_step >= v->n_steps) {
        v->i_step = 0;
        v->round++;
    }
    v->ends_at_ms = v->at_ms + (int64_t)(v->n_steps - v->i_step) * 1000;
    v->round_ends_at_ms = v->ends_at_ms;
    roll(&v->speed, (float)v->tok_per_s);
    push(f, NULL);
}

static void set_paused(struct view *v, bool is_paused)
{
    v->is_paused = is_paused;
    v->is_finishing = false;
    v->state = is_paused ? VIEW_PAUSED : VIEW_RUNNING;
    v->tok_per_s = is_paused ? 0 : v->tok_per_s_avg;
    v->ends_at_ms = VIEW_NONE;
    if (is_paused) snprintf(v->reason, sizeof v->reason, "by you");
}

static void obey(struct feeder *f, struct request *r)
{
    struct intent it;
    struct err e = {0};
    size_t n = 0;
    const void *body = request_body(r, &n);
    if (intent_decode(body, n, &it, &e)) {
        request_reply_error(r, 400, e.what, e.hint);
        return;
    }
    request_reply(r, 200, "application/json", "{\"ok\":true}", 11);
    if (it.kind == INTENT_PAUSE) set_paused(&f->view, true);
    if (it.kind == INTENT_RESUME) set_paused(&f->view, false);
    if (it.kind == INTENT_FINISH) {
        f->view.is_finishing = true;
        f->view.state = VIEW_FINISHING;
    }
    if (it.kind == INTENT_STOP) uv_stop(&f->loop);
    push(f, NULL);
}

static void on_gone(struct request *r, void *ctx)
{
    struct feeder *f = ctx;
    for (int i = 0; i < WATCHERS; i++)
        if (f->watcher[i] == r) f->watcher[i] = NULL;
}

static void handle(struct request *r, void *ctx)
{
    struct feeder *f = ctx;
    if (strcmp(request_path(r), "/v1/intent") == 0) {
        obey(f, r);
        return;
    }
    if (strcmp(request_path(r), "/v1/view") == 0) {
        struct buf out = {0};
        if (view_encode(&f->view, &out, NULL) != OK) abort();
        request_reply(r, 200, "application/json", out.p, out.len);
        buf_deinit(&out);
        return;
    }
    for (int i = 0; i < WATCHERS; i++)
        if (!f->watcher[i]) {
            f->watcher[i] = r;
            request_on_gone(r, on_gone, f);
            request_stream_begin(r, 200, "application/x-ndjson");
            push(f, r);
            return;
        }
    request_reply_error(r, 503, "too many screens are open", "close one");
}

static int last_view(const char *path, struct view *ret, struct err *e)
{
    struct buf text = {0};
    int rc = file_read(path, 1 << 24, &text, e);
    size_t end = text.len;
    while (end && text.p[end - 1] == '\n')
        end--;
    size_t from = end;
    while (from && text.p[from - 1] != '\n')
        from--;
    if (rc == OK) rc = view_decode(text.p + from, end - from, ret, e);
    buf_deinit(&text);
    return rc;
}

int main(int argc, char **argv)
{
    static struct feeder f;
    struct err e = {0};
    char text[400];
    if (argc < 3) {
        fprintf(stderr, "usage: feeder SOCKET RECORDING [MS]\n");
        return 2;
    }
    struct server_config c = {.unix_path = argv[1], .handle = handle, .ctx = &f};
    if (uv_loop_init(&f.loop) || last_view(argv[2], &f.view, &e) ||
        server_create(&f.loop, &c, &f.server, &e)) {
        fprintf(stderr, "feeder: %s\n", err_line(&e, text, sizeof text));
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    int64_t shift_ms = clock_wall_ms() - f.view.at_ms;
    for (uint32_t i = 0; i < f.view.n_log; i++)
        f.view.log[i].at_ms += shift_ms;
    for (uint32_t i = 0; i < f.view.n_credit_rows; i++)
        f.view.credits[i].at_ms += shift_ms;
    uv_timer_init(&f.loop, &f.tick);
    f.tick.data = &f;
    uint64_t ms = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000;
    uv_timer_start(&f.tick, on_tick, ms, ms);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    return 0;
}
