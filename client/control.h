#pragma once
/* Why: the agent's own little server on a Unix socket that only the same user may open. Screens
 * and scripts look (views as JSON) and ask (intents); the agent owns the work.
 *
 *   GET  /v1/view     one view; ?range=10m|1h|24h|7d|all: how far its graphs look back
 *   GET  /v1/events   views, one a line, endless: at once when told, else at most one a second,
 *                     at least one every 2 s as a sign of life; ?range as above
 *   POST /v1/intent   {"intent":"pause"}; 200 {"ok":true}, or a problem document
 *
 * Owner: control_create / control_close (asynchronous). Thread: main.
 */

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "view/intent.h"
#include "view/view.h"

struct control;

struct control_config {
    uv_loop_t *loop;
    const char *socket_path;
    void (*look)(struct view *ret,
                 void *ctx); /* fill a view: view_init was called and its range set */
    int (*ask)(const struct intent *it, void *ctx, struct err *e);
    void *ctx;
};

int control_create(const struct control_config *c, struct control **ret, struct err *e) MUST_CHECK;
void control_close(struct control *c, void (*closed_fn)(void *ctx), void *ctx); /* accepts NULL */

/* Something a person waits to see has changed: push a view now (at most every 100 ms). */
void control_changed(struct control *c);

uint32_t control_n_watchers(const struct control *c);
