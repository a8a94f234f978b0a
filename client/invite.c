#include "client/invite.h"

#include <string.h>

#include "base/file.h"
#include "client/fetch.h"
#include "client/sent.h"
#include "record/msg_json.h"

#define SCHEME          "potluck://"
#define MAX_ROUND_BYTES (1u << 16)

static int fetch_run(const struct rundesc_invite *v, struct buf *out, struct err *e)
{
    int rc = fetch_get(v->host, v->port, &v->tls_pin, sent_kind(SENT_RUN)->path, FETCH_STALL_MS,
                       RUNDESC_MAX_BYTES, out, e);
    if (rc == ERR_PROTO) err_hint(e, "ask the host whether the invite is still good");
    if (rc == ERR_IO && e) {
        err_wrap(e, "asking %s:%u for the run", v->host, v->port);
        if (!e->hint[0]) err_hint(e, "check the network, or ask the host whether it runs");
    }
    return rc;
}

static int neither(const char *source, int code, struct err *e)
{
    err_set(e, code, 0, "'%.60s' is neither an invite link nor a run description", source);
    err_hint(e, "give the host's run.potluck file, or its link that begins with " SCHEME);
    return code;
}

/* Does it look like a signed text at all: {"... in base64url, and two dots? */
static bool is_jws(const struct buf *b)
{
    uint32_t n_dots = 0;
    for (size_t i = 0; i < b->len; i++)
        n_dots += b->p[i] == '.';
    return b->len > 3 && memcmp(b->p, "ey", 2) == 0 && n_dots == 2;
}

int invite_get(const char *source, struct buf *out, struct rundesc *ret, struct err *e)
{
    bool is_link = strncmp(source, SCHEME, strlen(SCHEME)) == 0;
    struct rundesc_invite v;
    int rc;
    if (is_link) {
        rc = rundesc_invite_parse(source, &v, e);
        if (rc == OK) rc = fetch_run(&v, out, e);
    } else {
        rc = file_read(source, RUNDESC_MAX_BYTES, out, e);
        if (rc == ERR_NOTFOUND) return neither(source, rc, e);
        if (rc == ERR_LIMIT) err_hint(e, "a run description is smaller; is this the right file?");
    }
    if (rc == OK && !is_link && !is_jws(out)) return neither(source, ERR_PROTO, e);
    if (rc == OK) rc = rundesc_parse(out->p, out->len, is_link ? &v.key : NULL, ret, e);
    if (rc != OK && e && !e->hint[0])
        err_hint(e, "ask the run's host for a good run.potluck or invite link");
    return rc;
}

int invite_look(const char *source, struct msg_round *ret, struct err *e)
{
    struct rundesc_invite v;
    struct buf b = {0};
    int rc = strncmp(source, SCHEME, strlen(SCHEME)) == 0
                 ? rundesc_invite_parse(source, &v, e)
                 : err_set(e, ERR_ARG, 0, "a file does not say how its run stands");
    if (rc == OK)
        rc = fetch_get(v.host, v.port, &v.tls_pin, sent_kind(SENT_LOOK)->path, FETCH_STALL_MS,
                       MAX_ROUND_BYTES, &b, e);
    if (rc == OK) rc = msg_round_decode(b.p, b.len, ret, e);
    buf_deinit(&b);
    return rc;
}

void invite_code(const char *source, char dst[RUNDESC_CODE_CAP])
{
    struct rundesc_invite v;
    dst[0] = '\0';
    if (strncmp(source, SCHEME, strlen(SCHEME)) == 0 &&
        rundesc_invite_parse(source, &v, NULL) == OK)
        memcpy(dst, v.code, RUNDESC_CODE_CAP);
}

int invite_accept(const struct home *h, const struct buf *jws, const struct rundesc *run,
                  struct err *e)
{
    struct hash now;
    int rc = home_current(h, &now, NULL);
    if (rc == OK && !hash_equal(&now, &run->id)) {
        err_set(e, ERR_WRONG_STATE, 0, "this home already takes part in another run");
        err_hint(e, "leave it first with `potluck leave`, or use another --home");
        return ERR_WRONG_STATE;
    }
    rc = home_store_run(h, &run->id, jws->p, jws->len, e);
    return rc == OK ? home_set_current(h, &run->id, e) : rc;
}
