#pragma once
/* Why: one request on the serving side, from its head to the last byte of its answer. server.h
 * shows the handler's half (request_reply and friends); this header is the other half, which only
 * net/server.c calls, with the fields that its clock looks at.
 *
 *     begin -> data* -> end -> [handler] -> reply -> read* -> closed
 *
 * A body asks net/guard.h for its place as soon as the head says how large it is, and arrives
 * within LIMIT_UPLOAD_WINDOW until it has one. There is no content coding: a body counts as it
 * comes, and nothing is ever unpacked here.
 *
 * Owner: request_begin / request_closed. One loop thread. No sockets in here.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/guard.h"
#include "net/h2.h"
#include "net/server.h"

/* What the requests of one connection share; lives in the connection's struct. */
struct request_home {
    struct request *first;
    const char *address;
    size_t max_body_bytes;
    struct guard_seat *seat;      /* whose bytes these are */
    uint64_t n_answers;           /* bytes of answers waiting to be read */
    struct server_counts *counts; /* of the whole server; may be NULL */
    const int64_t *now_ms;        /* the loop's clock */
    void (*handle)(struct request *r, void *ctx);
    void (*cut)(struct request *r, void *ctx); /* see server_config; may be NULL */
    void *handle_ctx;
    /* An answer is on its way; may be NULL. */
    void (*answered)(const struct server_answer *a, void *ctx);
    void (*kick)(struct request_home *home); /* there is something to send */
};

void request_begin(struct request_home *home, struct h2_stream *s);
void request_data(struct request_home *home, struct h2_stream *s, const uint8_t *p, size_t n);
void request_end(struct request_home *home, struct h2_stream *s);
long request_read(struct h2_stream *s, uint8_t *dst, size_t cap, bool *ret_end);
void request_closed(struct h2_stream *s);

/* End those for this path whose body is still arriving. */
void request_cut(struct request_home *home, const char *path);

/* Reset the requests of this connection that have not moved for LIMIT_STALL_MS, or crawl. */
void request_expire(struct request_home *home);
