#pragma once
/* Why: one request on the serving side, from its head to the last byte of its answer. server.h
 * shows the handler's half (request_reply and friends); this header is the other half, which only
 * net/server.c calls, with the fields that its clock looks at.
 *
 *     begin -> data* -> end -> [handler] -> reply -> read* -> closed
 *
 * Owner: request_begin / request_closed. One loop thread. No sockets in here.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/h2.h"
#include "net/server.h"

/* What the requests of one connection share; lives in the connection's struct. */
struct request_home {
    struct request *first;
    const char *address;
    size_t max_body_bytes;
    uint64_t *n_bodies;    /* bytes of request bodies held by the whole server */
    const int64_t *now_ms; /* the loop's clock */
    void (*handle)(struct request *r, void *ctx);
    void *handle_ctx;
    void (*kick)(struct request_home *home); /* there is something to send */
};

void request_begin(struct request_home *home, struct h2_stream *s);
void request_data(struct request_home *home, struct h2_stream *s, const uint8_t *p, size_t n);
void request_end(struct request_home *home, struct h2_stream *s);
long request_read(struct h2_stream *s, uint8_t *dst, size_t cap, bool *ret_end);
void request_closed(struct h2_stream *s);

/* Reset the requests of this connection that have not moved for LIMIT_STALL_MS, or crawl. */
void request_expire(struct request_home *home);
