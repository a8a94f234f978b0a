#include "client/lists.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "client/fetch.h"
#include "client/sent.h"
#include "net/limits.h"
#include "record/msg_json.h"

#define HTTPS     "https://"
#define POTLUCK   "potluck://"
#define MAX_PIN   4096
#define PORT_HTTP 443

static int bad_url(struct err *e, const char *why)
{
    err_set(e, ERR_ARG, 0, "%s", why);
    err_hint(e, "a list is a file, https://HOST/PATH, or the invite link of a host that has one");
    return ERR_ARG;
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

int lists_url_parse(const char *text, struct lists_url *ret, struct err *e)
{
    struct lists_url u = {.port = PORT_HTTP};
    if (!has_prefix(text, HTTPS)) return bad_url(e, "that is not an https address");
    const char *p = text + strlen(HTTPS);
    size_t n = strcspn(p, ":/?#");
    if (n == 0 || n >= sizeof u.host ||
        strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                  "0123456789.-") < n)
        return bad_url(e, "the host in that address is not a name");
    memcpy(u.host, p, n);
    p += n;
    if (*p == ':') {
        char *end = NULL;
        unsigned long port = p[1] >= '1' && p[1] <= '9' ? strtoul(p + 1, &end, 10) : 0;
        if (port == 0 || port > UINT16_MAX) return bad_url(e, "the port in that address is none");
        u.port = (uint16_t)port;
        p = end;
    }
    if (*p && *p != '/') return bad_url(e, "that address has no path");
    const char *path = *p ? p : "/";
    n = strlen(path);
    if (n >= sizeof u.path || n > LIMIT_PATH_BYTES) return bad_url(e, "that address is too long");
    for (size_t i = 0; i < n; i++)
        if (path[i] <= ' ' || path[i] > '~' || path[i] == '#')
            return bad_url(e, "the path of that address has characters that none can have");
    memcpy(u.path, path, n);
    *ret = u;
    return OK;
}

/* The bytes; and, from an invite link, the key that must have signed them. */
static int read_source(const char *source, struct key_pub *ret_key, bool *ret_has_key,
                       struct buf *out, struct err *e)
{
    struct rundesc_invite v;
    struct lists_url u;
    int rc = OK;
    *ret_has_key = false;
    if (has_prefix(source, POTLUCK)) {
        rc = rundesc_invite_parse(source, &v, e);
        if (rc != OK) return rc;
        *ret_key = v.key;
        *ret_has_key = true;
        rc = fetch_get(v.host, v.port, &v.tls_pin, sent_kind(SENT_RUNS)->path, FETCH_STALL_MS,
                       RUNLIST_MAX_BYTES, out, e);
        if (rc == ERR_PROTO) err_hint(e, "that host may have no list of runs");
        return rc;
    }
    if (has_prefix(source, "http://"))
        return bad_url(e, "plain http is not asked: use https, or fetch the file yourself");
    if (has_prefix(source, HTTPS)) {
        rc = lists_url_parse(source, &u, e);
        if (rc == OK)
            rc = fetch_get(u.host, u.port, NULL, u.path, FETCH_STALL_MS, RUNLIST_MAX_BYTES, out, e);
        if (rc != OK && rc != ERR_ARG && e && !e->hint[0])
            err_hint(e, "it has to speak HTTP/2 over TLS 1.3; or fetch the file yourself");
        return rc;
    }
    rc = file_read(source, RUNLIST_MAX_BYTES, out, e);
    if (rc == ERR_IO && e && e->sys == EISDIR)
        return bad_url(e, "that is a folder (of a host it is the file runs.potluck in it)");
    return rc == ERR_NOTFOUND ? bad_url(e, "there is no such file") : rc;
}

/* ---- what is remembered --------------------------------------------------------------------- */

struct pin {
    struct key_pub key;
    int64_t updated_at_ms;
};

static int pin_path(const struct home *h, const char *source, char dst[PATH_CAP], struct err *e)
{
    char hex[HASH_HEX];
    char *real = has_prefix(source, HTTPS) ? NULL : realpath(source, NULL);
    const char *name = real ? real : source;
    struct hash id = hash_of(name, strlen(name));
    free(real);
    if (path_format(dst, "%s/lists/%s.json", h->paths.data, hash_hex(&id, hex)) == 0) return OK;
    return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
}

static int read_pin(const char *path, struct pin *ret, struct err *e)
{
    struct buf b = {0};
    json_t *o = NULL;
    struct json_reader r = {.e = e};
    int rc = file_read(path, MAX_PIN, &b, e);
    if (rc == OK) rc = json_parse(b.p, b.len, &o, e);
    if (rc == OK) {
        json_key(&r, o, "key", &ret->key);
        ret->updated_at_ms = json_i64(&r, o, "updated_at_ms", 0, MSG_JSON_MAX_MS);
        if (json_bad(&r)) rc = ERR_PROTO;
    }
    json_decref(o);
    buf_deinit(&b);
    /* A damaged memory is not "never seen": that would let a stranger in by a disk fault. */
    if (rc != OK && rc != ERR_NOTFOUND) err_wrap(e, "reading who signed that list before");
    return rc;
}

static int write_pin(const char *path, const char *source, const struct pin *p, struct err *e)
{
    char dir[PATH_CAP];
    json_t *o = json_object();
    struct buf b = {0};
    json_set_key(o, "key", &p->key);
    json_set_text(o, "source", source);
    json_set_i64(o, "updated_at_ms", p->updated_at_ms);
    int rc = json_write(o, &b, e);
    if (rc == OK && path_dirname(dir, path)) rc = err_set(e, ERR_ARG, 0, "that path is too long");
    if (rc == OK) rc = file_mkdirs(dir, e);
    if (rc == OK) rc = file_replace(path, b.p, b.len, 0600, e);
    json_decref(o);
    buf_deinit(&b);
    return rc;
}

static int another_key(const struct key_pub *was, const struct key_pub *is, struct err *e)
{
    char a[KEY_HEX], b[KEY_HEX];
    err_set(e, ERR_AUTH, 0,
            "this list was signed by %.16s... before, and is by %.16s... now; it is not shown",
            key_hex(was, a), key_hex(is, b));
    err_hint(e,
             "ask its keeper; if the change is meant: potluck runs SOURCE --key (the 64 digits)");
    return ERR_AUTH;
}

static int hold_against_memory(const struct home *h, const char *source, bool is_named,
                               const struct runlist *l, struct lists_news *news, struct err *e)
{
    char path[PATH_CAP];
    struct pin was = {0}, now = {.key = l->key, .updated_at_ms = l->updated_at_ms};
    int rc = pin_path(h, source, path, e);
    if (rc != OK) return rc;
    rc = read_pin(path, &was, e);
    if (rc != OK && rc != ERR_NOTFOUND && !is_named) return rc;
    bool is_known = rc == OK;
    bool is_same = is_known && key_equal(&was.key, &l->key);
    if (is_known && !is_same && !is_named) return another_key(&was.key, &l->key, e);
    news->is_first = !is_same;
    news->is_older = is_same && l->updated_at_ms < was.updated_at_ms;
    news->seen_before = is_same ? was.updated_at_ms : 0;
    return news->is_older ? OK : write_pin(path, source, &now, e);
}

int lists_get(const struct home *h, const char *source, const struct key_pub *expect,
              struct runlist *ret, struct lists_news *news, struct err *e)
{
    struct buf b = {0};
    struct key_pub key;
    bool has_key = false;
    *news = (struct lists_news){0};
    int rc = read_source(source, &key, &has_key, &b, e);
    const struct key_pub *named = expect ? expect : has_key ? &key : NULL;
    if (rc == OK) {
        rc = runlist_parse(b.p, b.len, named, ret, e);
        if (rc == ERR_PROTO && e && !e->hint[0]) err_hint(e, "is that a list of runs?");
    }
    buf_deinit(&b);
    return rc == OK ? hold_against_memory(h, source, named != NULL, ret, news, e) : rc;
}
