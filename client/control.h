#pragma once
/* Why: the agent's own little server on a Unix socket that only the same user may open. Screens
 * and scripts look (views as JSON) and ask (intents); the agent owns the work.
 *
 *   GET  /v1/view     one view; ?range=10m|1h|24h|7d|all: how far its graphs look back
 *   GET  /v1/events   views, one a line, endless: at once when told, else at most one a second,
 *                     at least one every 2 s as a sign of life; ?range as above, &tty=N: device
 *                     number of the terminal that shows them; typing there is no use of the computer
 *   POST /v1/intent   {"intent":"pause"}; 200 {"ok":true}, or a problem document
 *   GET  /v1/settings all settings: client/config.h, config_json
 *   POST /v1/settings {"key":"cores","value":"2"}, value null: the default again; answers as GET
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
    int (*settings)(struct buf *out, void *ctx, struct err *e);
    int (*set)(const char *key, const char *value, void *ctx,
               struct err *e); /* value may be NULL */
    void *ctx;
};

int control_create(const struct control_config *c, struct control **ret, struct err *e) MUST_CHECK;
void control_close(struct control *c, void (*closed_fn)(void *ctx), void *ctx); /* accepts NULL */

/* Something a person waits to see has changed: push a view now (at most every 100 ms). */
void control_changed(struct control *c);

uint32_t control_n_watchers(const struct control *c);

/* Terminals of the screens that watch, at most cap device numbers; returns how many. */
uint32_t control_ttys(const struct control *c, uint64_t *ret, uint32_t cap);
