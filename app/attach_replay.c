#include "app/attach_in.h"

#define LEAST_GAP_MS 50   /* twenty views a second are plenty */
#define MOST_GAP_MS  2000 /* a night without views is no night of waiting */

static void on_next(uv_timer_t *t);

static void await_next(struct attach *a)
{
    uv_timer_stop(&a->retry);
    uint32_t i = a->tui.i_view;
    if (a->tui.is_held || i + 1 >= a->tui.n_views) return;
    int64_t gap = recording_at_ms(&a->recording, i + 1) - recording_at_ms(&a->recording, i);
    gap /= a->tui.speed > 0 ? a->tui.speed : 1;
    if (gap < LEAST_GAP_MS) gap = LEAST_GAP_MS;
    if (gap > MOST_GAP_MS) gap = MOST_GAP_MS;
    uv_timer_start(&a->retry, on_next, (uint64_t)gap, 0);
}

void attach_replay_show(struct attach *a, int64_t i)
{
    struct err e = {0};
    int64_t last = (int64_t)a->recording.n - 1;
    a->tui.i_view = (uint32_t)(i < 0 ? 0 : i > last ? last : i);
    if (recording_view(&a->recording, a->tui.i_view, a->view, &e) != OK) attach_note(a, e.what);
    a->tui.has_view = true;
    attach_draw_soon(a);
    await_next(a);
}

static void on_next(uv_timer_t *t)
{
    struct attach *a = t->data;
    /* At most twenty a second are worth drawing: faster than that, views are left out. */
    int64_t now = recording_at_ms(&a->recording, a->tui.i_view);
    int64_t step = (int64_t)a->tui.speed * LEAST_GAP_MS;
    int64_t i = (int64_t)a->tui.i_view + 1;
    while (i + 1 < (int64_t)a->recording.n &&
           recording_at_ms(&a->recording, (size_t)i + 1) <= now + step)
        i++;
    attach_replay_show(a, i);
}
