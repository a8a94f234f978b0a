#include "app/talk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "base/json.h"
#include "net/link.h"

#define WAIT_MS 10000

bool talk_is_there(const char *socket_path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(socket_path) >= sizeof a.sun_path) return false;
    memcpy(a.sun_path, socket_path, strlen(socket_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return false;
    bool yes = connect(fd, (const struct sockaddr *)&a, sizeof a) == 0 || errno == EAGAIN;
    close(fd);
    return yes;
}

struct question {
    struct link *link;
    struct buf *answer;
    int rc;
    struct err *e;
};

/* The agent's problem document says it best. */
static int refusal(const struct link_reply *reply, struct err *e)
{
    json_t *o = NULL;
    err_set(e, ERR_WRONG_STATE, 0, "the agent answered with status %d", reply->status);
    if (json_parse(reply->body, reply->n_body, &o, NULL) != OK) return ERR_WRONG_STATE;
    const char *detail = json_string_value(json_object_get(o, "detail"));
    const char *hint = json_string_value(json_object_get(o, "hint"));
    if (detail) err_set(e, ERR_WRONG_STATE, 0, "%s", detail);
    if (hint) err_hint(e, "%s", hint);
    json_decref(o);
    return ERR_WRONG_STATE;
}

static void on_done(const struct link_reply *reply, void *ctx)
{
    struct question *q = ctx;
    q->rc = reply->code;
    if (reply->code != OK) {
        if (q->e) *q->e = reply->err;
    } else if (reply->status != 200) {
        q->rc = refusal(reply, q->e);
    } else {
        buf_put(q->answer, reply->body, reply->n_body);
        q->rc = buf_ok(q->answer, q->e);
    }
    link_close(q->link, NULL, NULL);
}

static int ask(const char *socket, const char *method, const char *path, const struct buf *body,
               struct buf *answer, struct err *e)
{
    if (!talk_is_there(socket)) {
        err_set(e, ERR_NOTFOUND, 0, "no agent runs for this home");
        err_hint(e, "start one with `potluck` or `potluck agent`");
        return ERR_NOTFOUND;
    }
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct link_config c = {.unix_path = socket};
    struct question q = {.answer = answer, .rc = ERR_IO, .e = e};
    int rc = link_create(&loop, &c, &q.link, e);
    if (rc == OK) {
        struct link_request r = {
            .method = method, .path = path, .stall_ms = WAIT_MS, .done = on_done, .ctx = &q};
        if (body) {
            r.type = "application/json";
            r.body = body->p;
            r.n_body = body->len;
        }
        link_send(q.link, &r);
        uv_run(&loop, UV_RUN_DEFAULT);
        rc = q.rc;
    }
    check(uv_loop_close(&loop) == 0);
    return rc == OK ? OK : err_wrap(e, "asking the agent");
}

int talk_view(const char *socket, struct view *ret, struct err *e)
{
    struct buf b = {0};
    int rc = ask(socket, "GET", "/v1/view", NULL, &b, e);
    if (rc == OK) rc = view_decode(b.p, b.len, ret, e);
    buf_deinit(&b);
    return rc;
}

int talk_intent(const char *socket, const struct intent *it, struct err *e)
{
    struct buf body = {0}, answer = {0};
    int rc = intent_encode(it, &body, e);
    if (rc == OK) rc = ask(socket, "POST", "/v1/intent", &body, &answer, e);
    buf_deinit(&body);
    buf_deinit(&answer);
    return rc;
}

int talk_settings(const char *socket, struct buf *out, struct err *e)
{
    return ask(socket, "GET", "/v1/settings", NULL, out, e);
}

int talk_set(const char *socket, const char *key, const char *value, struct err *e)
{
    struct buf body = {0}, answer = {0};
    json_t *o = json_object();
    json_set_text(o, "key", key);
    if (value)
        json_set_text(o, "value", value);
    else
        json_object_set_new(o, "value", json_null());
    int rc = json_write(o, &body, e);
    if (rc == OK) rc = ask(socket, "POST", "/v1/settings", &body, &answer, e);
    json_decref(o);
    buf_deinit(&body);
    buf_deinit(&answer);
    return rc;
}
