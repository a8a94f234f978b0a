/* How a contribution leaves. The session asks for one chunk after the other; one more is sent ahead,
 * so that the line is not idle while a chunk's answer is on its way. The bodies go in line: whatever
 * moment the connection breaks at, at most one chunk was under way and not yet whole.
 *
 *   never tried                 PUT whole
 *   tried, or maybe tried by a  HEAD: complete -> stored; offset -> PATCH from there, or PUT from 0
 *   process before this one
 *
 * So what is sent twice is what had left here and did not arrive, or was not on the aggregator's disk
 * when that one went down.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "client/sent.h"
#include "client/wire_in.h"
#include "client/work_state.h"

#define AHEAD        2 /* chunks under way at a time */
#define MAX_RESTARTS 3
#define MAX_ANSWER   (64u << 10)
#define TYPE_BYTES   "application/octet-stream"
#define TYPE_PARTIAL "application/partial-upload"

static bool has(const uint8_t *bits, uint32_t i)
{
    return bits[i / 8] >> (i % 8) & 1;
}

static void set(uint8_t *bits, uint32_t i)
{
    bits[i / 8] = (uint8_t)(bits[i / 8] | 1u << (i % 8));
}

int wire_up_load(struct wire *w, const struct session *s, struct err *e)
{
    struct wire_upload *u = &w->up;
    if (u->bytes.len && hash_equal(&u->hash, &s->payload.hash)) return OK;
    char path[PATH_CAP];
    wire_up_stop(w); /* what is under way is of the bytes before */
    buf_clear(&u->bytes);
    u->id[0] = '\0';
    if (work_state_payload(w->run_dir, &s->payload.hash, path) != 0)
        return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    int rc = file_read(path, (size_t)s->payload.n_bytes, &u->bytes, e);
    if (rc != OK) return err_wrap(e, "reading the packed contribution");
    struct hash h = hash_of(u->bytes.p, u->bytes.len);
    if (!hash_equal(&h, &s->payload.hash)) {
        buf_clear(&u->bytes);
        return err_set(e, ERR_AUTH, 0, "the packed contribution on disk was changed");
    }
    u->hash = h;
    return OK;
}

size_t wire_up_piece(const struct wire *w, uint32_t i, const uint8_t **ret)
{
    size_t from = (size_t)i * MSG_CHUNK_BYTES;
    size_t left = w->up.bytes.len - from;
    *ret = w->up.bytes.p + from;
    return left < MSG_CHUNK_BYTES ? left : MSG_CHUNK_BYTES;
}

/* ---- calls ---- */

static struct call *carrier_of(const struct wire *w, uint32_t i)
{
    for (struct call *k = w->calls; k; k = k->next)
        if (k->purpose == FOR_CHUNK && !k->is_dropped && k->i_chunk == i) return k;
    return NULL;
}

/* The session's own call that waits for chunk i. */
static struct call *waiter_of(const struct wire *w, uint32_t i)
{
    for (struct call *k = w->calls; k; k = k->next)
        if (k->is_waiting && k->action.i_chunk == i) return k;
    return NULL;
}

static void on_moved(void *ctx)
{
    const struct call *k = ctx;
    const struct call *waiter = waiter_of(k->wire, k->i_chunk);
    struct session_event ev = {.kind = SESSION_EV_PROGRESS};
    if (k->is_dropped || !waiter) return;
    ev.tag = waiter->tag;
    k->wire->config.on_event(&ev, k->wire->config.ctx);
}

static void ask_offset(struct wire *w, struct call *k)
{
    char path[96], one[WIRE_NUMBER_CAP];
    SENT_PATH(SENT_CHUNK_OFFSET, path, sizeof path, w->up.id, wire_number(one, k->i_chunk));
    k->is_asking = true;
    struct link_request r = {
        .method = "HEAD", .path = path, .is_upload = true, .max_reply_bytes = MAX_ANSWER};
    wire_call_start(w, k, &r);
}

static void send_from(struct wire *w, struct call *k, size_t at)
{
    const uint8_t *p = NULL;
    size_t n = wire_up_piece(w, k->i_chunk, &p);
    char path[96], one[WIRE_NUMBER_CAP], part[HASH_HEX], whole[HASH_HEX];
    struct hash h = hash_of(p + at, n - at);
    SENT_PATH(at ? SENT_CHUNK_REST : SENT_CHUNK, path, sizeof path, w->up.id,
              wire_number(one, k->i_chunk));
    struct link_request r = {.method = at ? "PATCH" : "PUT",
                             .path = path,
                             .type = at ? TYPE_PARTIAL : TYPE_BYTES,
                             .body = p + at,
                             .n_body = n - at,
                             .digest = hash_hex(&h, part),
                             .is_upload = true,
                             .is_in_line = true,
                             .upload_at = at,
                             .signer = w->config.key,
                             .signed_at_s = clock_wall_ms() / 1000,
                             .max_reply_bytes = MAX_ANSWER,
                             .on_moved = on_moved};
    if (at) {
        h = hash_of(p, n);
        r.repr = hash_hex(&h, whole);
    }
    set(w->up.tried, k->i_chunk);
    k->is_asking = false;
    wire_call_start(w, k, &r);
}

static void start_chunk(struct wire *w, uint32_t i)
{
    struct call *k = wire_call_add(w, FOR_CHUNK);
    k->i_chunk = i;
    if (has(w->up.tried, i))
        ask_offset(w, k);
    else
        send_from(w, k, 0);
}

void wire_up_stop(struct wire *w)
{
    for (struct call *k = w->calls; k; k = k->next) {
        if (k->purpose != FOR_CHUNK || k->is_dropped) continue;
        k->is_dropped = true;
        if (k->id && w->link && k->i_link == w->i_link) link_cancel(w->link, k->id);
    }
}

void wire_up_reserved(struct wire *w)
{
    memset(w->up.stored, 0, sizeof w->up.stored);
}

/* Another upload than before: nothing is known of it. What the first one of this process has sent
 * already an earlier process may know; it is asked.
 */
static void begin_upload(struct wire *w, const char *id)
{
    struct wire_upload *u = &w->up;
    if (strcmp(u->id, id) == 0) return;
    wire_up_stop(w);
    memcpy(u->id, id, sizeof u->id);
    memset(u->tried, u->n_begun++ == 0 ? 0xff : 0, sizeof u->tried);
    memset(u->stored, 0, sizeof u->stored);
}

int wire_up_begin(struct wire *w, struct call *k, const struct session *s, struct err *e)
{
    const struct session_action *a = &k->action;
    int rc = wire_up_load(w, s, e);
    if (rc != OK) return rc;
    begin_upload(w, a->id);
    uint32_t n_chunks = (uint32_t)((w->up.bytes.len + MSG_CHUNK_BYTES - 1) / MSG_CHUNK_BYTES);
    if (a->i_chunk >= n_chunks) return err_set(e, ERR_ARG, 0, "there is no such chunk");
    if (has(w->up.stored, a->i_chunk)) { /* went ahead, and is there */
        struct err none = {0};
        wire_call_later(w, k, &none);
    } else {
        k->is_waiting = true;
        if (!carrier_of(w, a->i_chunk)) start_chunk(w, a->i_chunk);
    }
    uint32_t n_ahead = 1;
    for (uint32_t i = a->i_chunk + 1; i < n_chunks && n_ahead < AHEAD; i++) {
        if (has(s->have, i) || has(w->up.stored, i)) continue;
        n_ahead++;
        if (!carrier_of(w, i)) start_chunk(w, i);
    }
    return OK;
}

/* ---- later ---- */

/* A request that could not even be built fails like any other, from the loop. A chunk that went ahead
 * of the session's asking is told so as well, with the code OK.
 */
struct stillborn {
    uv_timer_t timer;
    struct call *call;
    struct err err;
};

static void stillborn_closed(uv_handle_t *h)
{
    struct wire *w = ((struct stillborn *)h->data)->call->wire;
    struct stillborn *b = h->data;
    wire_call_end(b->call);
    free(b);
    wire_part_closed(w);
}

static void stillborn_due(uv_timer_t *t)
{
    struct stillborn *b = t->data;
    if (!b->call->is_dropped && !b->call->wire->is_closing) {
        struct session_event ev = {.kind = SESSION_EV_CHUNK, .tag = b->call->tag};
        if (b->err.code == OK)
            b->call->wire->config.on_event(&ev, b->call->wire->config.ctx);
        else
            wire_call_err(b->call, &b->err);
    }
    uv_close((uv_handle_t *)t, stillborn_closed);
}

void wire_call_later(struct wire *w, struct call *k, const struct err *e)
{
    struct stillborn *b = alloc_zero(1, sizeof *b);
    check(b != NULL);
    b->call = k;
    b->err = *e;
    uv_timer_init(w->config.loop, &b->timer);
    b->timer.data = b;
    w->n_open++;
    uv_timer_start(&b->timer, stillborn_due, 0, 0);
}

/* ---- answers ---- */

static void stored(struct call *k)
{
    struct wire *w = k->wire;
    struct call *waiter = waiter_of(w, k->i_chunk);
    set(w->up.stored, k->i_chunk);
    wire_call_end(k);
    if (!waiter) return;
    struct session_event ev = {.kind = SESSION_EV_CHUNK, .tag = waiter->tag};
    wire_call_end(waiter);
    w->config.on_event(&ev, w->config.ctx);
}

/* Nobody waits for one that went ahead: it is asked for again when its turn comes. */
static void failed(struct call *k, const struct link_reply *reply)
{
    struct call *waiter = waiter_of(k->wire, k->i_chunk);
    wire_call_end(k);
    if (!waiter) return;
    if (reply->code != OK)
        wire_call_err(waiter, &reply->err);
    else
        wire_call_refused(waiter, reply);
    wire_call_end(waiter);
}

void wire_up_done(struct call *k, const struct link_reply *reply)
{
    struct wire *w = k->wire;
    if (k->is_dropped || w->is_closing) {
        wire_call_end(k);
        return;
    }
    const uint8_t *p = NULL;
    size_t n = wire_up_piece(w, k->i_chunk, &p);
    bool is_good = reply->code == OK && reply->status >= 200 && reply->status < 300;
    bool is_told = reply->code == OK && reply->upload_offset >= 0;
    bool is_moved = is_told && !k->is_asking && reply->status == 409;
    bool is_old = reply->code == OK && k->is_asking && reply->status == 405;
    if (is_good && (!k->is_asking || reply->is_upload_complete)) {
        stored(k);
    } else if ((is_good && is_told) || is_moved || is_old) {
        if (is_moved && ++k->n_restarts > MAX_RESTARTS) {
            failed(k, reply);
            return;
        }
        size_t at = is_told ? (size_t)reply->upload_offset : 0;
        send_from(w, k, at < n ? at : 0);
    } else {
        failed(k, reply);
    }
}
