/* The host's record, looked at after each update: its newest tree head, then the few tiles that show
 * that it goes on from the remembered one. One request at a time, all of them one call.
 */
#include "client/sent.h"
#include "client/wire_in.h"

#define STATUS_NONE 404 /* there is no log */

void wire_log_begin(struct wire *w)
{
    treehead_check_clear(&w->check);
}

static bool is_head(const struct call *k)
{
    return k->wire->check.note.len == 0;
}

bool wire_log_wants(const struct call *k, const struct link_reply *reply)
{
    return k->action.what == SESSION_DO_CHECK_RECORD && reply->status == STATUS_NONE && is_head(k);
}

static void tell(struct call *k, enum session_event_kind kind, const char *why)
{
    struct session_event ev = {.kind = kind, .tag = k->tag};
    ev.failed.code = why ? ERR_AUTH : OK;
    ev.failed.why = why;
    k->wire->config.on_event(&ev, k->wire->config.ctx);
}

/* The check's result; what is neither good nor bad is asked again. */
static int conclude(struct call *k, int rc, const struct err *e)
{
    treehead_check_clear(&k->wire->check);
    if (rc == OK) tell(k, SESSION_EV_RECORD, NULL);
    if (rc == ERR_AUTH) tell(k, SESSION_EV_REWRITTEN, e->what);
    return rc == ERR_AUTH ? OK : rc;
}

static void ask_tile(struct call *k, const struct tiles_at *at)
{
    char tile[TILES_PATH_CAP];
    char path[TILES_PATH_CAP + 16];
    SENT_PATH(SENT_TILE, path, sizeof path, tiles_path(at, tile));
    wire_call_get(k->wire, k, path, TILES_MAX_BYTES + 1);
}

int wire_log_answer(struct call *k, const struct link_reply *reply, struct err *e)
{
    struct wire *w = k->wire;
    if (reply->status == STATUS_NONE) return conclude(k, treehead_gone(&w->treehead, e), e);
    int rc = is_head(k)
                 ? treehead_check_begin(&w->check, &w->treehead, reply->body, reply->n_body, e)
                 : treehead_check_feed(&w->check, reply->body, reply->n_body, e);
    if (rc) return rc;
    const struct tiles_at *next = treehead_check_next(&w->check);
    if (next) {
        ask_tile(k, next);
        return ERR_AGAIN;
    }
    /* Rounds 0 to round - 1 are merged, and the log begins with an entry of its own. */
    return conclude(k, treehead_check_end(&w->check, &w->treehead, k->action.round + 1, e), e);
}
