#include "client/record_from.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "client/fetch.h"
#include "client/sent.h"
#include "record/checkpoint.h"
#include "record/tiles.h"

#define HTTPS    "https://"
#define LINK     "potluck://"
#define MAX_KEPT AUDIT_MAX_CHECKPOINTS

/* The folders of an aggregator's home in which files are called by their hash. */
static const char *const folders[] = {"payloads", "manifests", "receipts",   "sheets",
                                      "updates",  "payouts",   "checkpoints"};

struct record_from {
    struct rundesc run;
    struct audit_source source;
    char name[PATH_CAP];
    bool is_dir;
    bool is_known;
    bool has_head; /* remembered: */
    struct note_head head;
    struct fetch *fetch;
    uint32_t n_early; /* fetched before they were asked for */
    struct early {
        struct hash h;
        int rc;
        struct buf b;
    } early[AUDIT_SOON];
    uint32_t n_kept; /* DIR: checkpoints, by round */
    struct {
        uint64_t round;
        char path[PATH_CAP];
    } kept[MAX_KEPT];
};

/* ---- a folder ------------------------------------------------------------------------------- */

static int dir_blob(void *ctx, const struct hash *h, size_t max, struct buf *out, struct err *e)
{
    struct record_from *f = ctx;
    char path[PATH_CAP], hex[HASH_HEX];
    hash_hex(h, hex);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (path_format(path, "%s/%s/%s", f->name, folders[i], hex))
            return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", f->name);
        if (file_exists(path)) return file_read(path, out->len + max, out, e);
    }
    return err_set(e, ERR_NOTFOUND, 0, "no file with the hash %.12s...", hex);
}

static int dir_log(void *ctx, const char *path, size_t max, struct buf *out, struct err *e)
{
    struct record_from *f = ctx;
    char full[PATH_CAP];
    if (path_format(full, "%s/record/%s", f->name, path))
        return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", f->name);
    return file_read(full, out->len + max, out, e);
}

static int dir_weights(void *ctx, uint64_t round, size_t max, struct buf *out, struct err *e)
{
    struct record_from *f = ctx;
    for (uint32_t i = 0; i < f->n_kept; i++)
        if (f->kept[i].round == round) return file_read(f->kept[i].path, out->len + max, out, e);
    return err_set(e, ERR_NOTFOUND, 0, "no checkpoint of round %" PRIu64, round);
}

static int dir_rounds(void *ctx, uint64_t *ret, uint32_t cap, uint32_t *ret_n, struct err *e)
{
    struct record_from *f = ctx;
    (void)e;
    for (*ret_n = 0; *ret_n < f->n_kept && *ret_n < cap; ++*ret_n)
        ret[*ret_n] = f->kept[*ret_n].round;
    return OK;
}

/* Take up a checkpoint file by its header; what it holds is checked when it is used. */
static void keep(struct record_from *f, const char *path)
{
    uint8_t head[CHECKPOINT_HEADER_BYTES];
    struct checkpoint c;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    bool is_one = fstat(fd, &st) == 0 && read(fd, head, sizeof head) == (ssize_t)sizeof head &&
                  checkpoint_parse_head(head, sizeof head, (uint64_t)st.st_size, &c, NULL) == OK;
    close(fd);
    if (!is_one || f->n_kept == MAX_KEPT) return;
    f->kept[f->n_kept].round = c.round;
    memcpy(f->kept[f->n_kept++].path, path, strlen(path) + 1);
}

static void list_checkpoints(struct record_from *f)
{
    char path[PATH_CAP];
    const struct dirent *it;
    if (path_format(path, "%s/model/weights", f->name) == 0) keep(f, path); /* what it began with */
    if (path_format(path, "%s/checkpoints", f->name)) return;
    DIR *d = opendir(path);
    while (d && (it = readdir(d))) /* NOLINT(concurrency-mt-unsafe): own stream */
        if (it->d_name[0] != '.' &&
            path_format(path, "%s/checkpoints/%s", f->name, it->d_name) == 0)
            keep(f, path);
    if (d) closedir(d);
}

static int parse_run(struct record_from *f, struct buf *b, const struct key_pub *host,
                     struct err *e)
{
    while (b->len && (b->p[b->len - 1] == '\n' || b->p[b->len - 1] == ' '))
        b->len--;
    return rundesc_parse(b->p, b->len, host, &f->run, e);
}

static int open_dir(struct record_from *f, const char *dir, struct err *e)
{
    char path[PATH_CAP];
    struct buf b = {0};
    if (path_format(f->name, "%s", dir) || path_format(path, "%s/run.potluck", dir))
        return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", dir);
    f->is_dir = true;
    int rc = file_read(path, RUNDESC_MAX_BYTES, &b, e);
    if (rc == OK) rc = parse_run(f, &b, NULL, e);
    buf_deinit(&b);
    if (rc == ERR_NOTFOUND) {
        err_set(e, rc, 0, "'%.120s' is no aggregator's home: there is no run.potluck in it", dir);
        err_hint(e, "of a kept demo it is the folder 'aggregator'");
    }
    if (rc != OK) return rc;
    list_checkpoints(f);
    f->source = (struct audit_source){dir_blob, dir_log, dir_weights, dir_rounds, f, NULL};
    return OK;
}

/* ---- a host --------------------------------------------------------------------------------- */

int record_from_ask(struct record_from *f, const char *path, size_t max, struct buf *out,
                    struct err *e)
{
    if (!f->fetch) return err_set(e, ERR_WRONG_STATE, 0, "there is no host to ask");
    int rc = fetch_ask(f->fetch, path, FETCH_STALL_MS, max, out, e);
    if (rc != OK && rc != ERR_NOTFOUND && rc != ERR_LIMIT)
        return err_wrap(e, "asking %.60s", f->name);
    return rc;
}

static void drop_early(struct record_from *f)
{
    for (uint32_t i = 0; i < f->n_early; i++)
        buf_deinit(&f->early[i].b);
    f->n_early = 0;
}

/* Side by side, and kept until they are asked for or others are announced. */
static int host_soon(void *ctx, const struct hash *h, uint32_t n, size_t max, struct err *e)
{
    struct record_from *f = ctx;
    char hex[HASH_HEX];
    struct fetch_item *items = alloc_zero(n, sizeof *items);
    drop_early(f);
    if (!items || n > AUDIT_SOON) {
        free(items);
        return err_set(e, ERR_NOMEM, 0, "no memory to fetch %" PRIu32 " files", n);
    }
    for (uint32_t i = 0; i < n; i++)
        SENT_PATH(SENT_BLOB, items[i].path, sizeof items[i].path, hash_hex(&h[i], hex));
    int rc = fetch_ask_many(f->fetch, items, n, FETCH_STALL_MS, max, e);
    for (uint32_t i = 0; i < n; i++) {
        if (rc == OK)
            f->early[f->n_early++] = (struct early){h[i], items[i].rc, items[i].out};
        else
            buf_deinit(&items[i].out);
    }
    free(items);
    return rc == OK ? OK : err_wrap(e, "asking %.60s", f->name);
}

/* OK and *ret_rc is the answer when it is here already. */
static bool take_early(struct record_from *f, const struct hash *h, size_t max, struct buf *out,
                       int *ret_rc, struct err *e)
{
    for (uint32_t i = 0; i < f->n_early; i++) {
        struct early *it = &f->early[i];
        if (!hash_equal(&it->h, h)) continue;
        *ret_rc = it->rc == OK && it->b.len > max ? ERR_LIMIT : it->rc;
        if (*ret_rc == OK && out->len == 0) { /* large ones are handed over, not copied */
            struct buf spare = *out;
            *out = it->b;
            it->b = spare;
        } else if (*ret_rc == OK) {
            buf_put(out, it->b.p, it->b.len);
            *ret_rc = buf_ok(out, e);
        } else {
            err_set(e, *ret_rc, 0, "the host does not give it");
        }
        buf_deinit(&it->b);
        f->early[i] = f->early[--f->n_early];
        return true;
    }
    return false;
}

static int host_blob(void *ctx, const struct hash *h, size_t max, struct buf *out, struct err *e)
{
    int rc = OK;
    if (take_early(ctx, h, max, out, &rc, e)) return rc;
    char path[32 + HASH_HEX], hex[HASH_HEX];
    SENT_PATH(SENT_BLOB, path, sizeof path, hash_hex(h, hex));
    return record_from_ask(ctx, path, max, out, e);
}

static int host_log(void *ctx, const char *what, size_t max, struct buf *out, struct err *e)
{
    char path[TILES_PATH_CAP + 32];
    if (strcmp(what, "checkpoint") == 0)
        sent_path(SENT_TREE_HEAD, NULL, 0, path, sizeof path);
    else
        SENT_PATH(SENT_TILE, path, sizeof path, what);
    return record_from_ask(ctx, path, max, out, e);
}

static int host_weights(void *ctx, uint64_t round, size_t max, struct buf *out, struct err *e)
{
    char path[64], number[24];
    snprintf(number, sizeof number, "%" PRIu64, round);
    SENT_PATH(SENT_CHECKPOINT, path, sizeof path, number);
    return record_from_ask(ctx, path, max, out, e);
}

/* A host tells the newest; the one before it may be there too, but nothing says of which round. */
static int host_rounds(void *ctx, uint64_t *ret, uint32_t cap, uint32_t *ret_n, struct err *e)
{
    struct buf b = {0};
    struct msg_round m;
    *ret_n = 0;
    int rc = record_from_ask(ctx, sent_kind(SENT_LOOK)->path, 1 << 16, &b, e);
    if (rc == OK) rc = msg_round_decode(b.p, b.len, &m, e);
    if (rc == OK && cap) ret[(*ret_n)++] = m.checkpoint_round;
    buf_deinit(&b);
    return rc;
}

static int connect_to(struct record_from *f, const char *host, uint16_t port,
                      const struct hash *pin, struct err *e)
{
    snprintf(f->name, sizeof f->name, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    f->source = (struct audit_source){host_blob, host_log, host_weights, host_rounds, f, host_soon};
    return fetch_open(host, port, pin, &f->fetch, e);
}

/* Ask for the description; it must be signed by `key` and be run `id`, where those are known. */
static int ask_run(struct record_from *f, const struct key_pub *key, const struct hash *id,
                   struct err *e)
{
    struct buf b = {0};
    int rc = record_from_ask(f, sent_kind(SENT_RUN)->path, RUNDESC_MAX_BYTES, &b, e);
    if (rc == OK) rc = parse_run(f, &b, key, e);
    buf_deinit(&b);
    if (rc == OK && id && !hash_equal(&f->run.id, id))
        return err_set(e, ERR_AUTH, 0, "%.60s serves another run than the one that is joined",
                       f->name);
    return rc;
}

static int open_link(struct record_from *f, const char *text, struct err *e)
{
    struct rundesc_invite v;
    int rc = rundesc_invite_parse(text, &v, e);
    if (rc == OK) rc = connect_to(f, v.host, v.port, &v.tls_pin, e);
    if (rc == OK) rc = ask_run(f, &v.key, NULL, e);
    f->is_known = true;
    return rc;
}

/* "HOST[:PORT][/]" after https://; an IPv6 address stands in brackets. */
static int parse_host(const char *text, char host[128], uint16_t *ret_port, struct err *e)
{
    bool has_brackets = *text == '[';
    const char *begin = text + has_brackets;
    const char *end = begin + strcspn(begin, has_brackets ? "]" : ":/");
    const char *rest = end + (has_brackets && *end == ']');
    unsigned long port = 443;
    char *after = NULL;
    size_t n = (size_t)(end - begin);
    if (*rest == ':') {
        port = strtoul(rest + 1, &after, 10);
        rest = after;
    }
    if (!n || n >= 128 || port == 0 || port > UINT16_MAX || (*rest && strcmp(rest, "/") != 0)) {
        err_set(e, ERR_ARG, 0, "'%.80s' is not the address of a host", text);
        err_hint(e, "like https://soup.example.org:7333");
        return ERR_ARG;
    }
    memcpy(host, begin, n);
    host[n] = 0;
    *ret_port = (uint16_t)port;
    return OK;
}

static int open_url(struct record_from *f, const char *text, const struct rundesc *joined,
                    struct err *e)
{
    char host[128];
    uint16_t port = 0;
    int rc = parse_host(text, host, &port, e);
    if (rc != OK) return rc;
    for (uint32_t i = 0; joined && i < joined->n_aggregators; i++) {
        const struct rundesc_aggregator *a = &joined->aggregators[i];
        if (a->port != port || strcmp(a->host, host) != 0) continue;
        f->is_known = true;
        rc = connect_to(f, host, port, &a->tls_pin, e);
        return rc == OK ? ask_run(f, &joined->host, &joined->id, e) : rc;
    }
    rc = connect_to(f, host, port, NULL, e);
    if (rc == OK) rc = ask_run(f, NULL, NULL, e);
    if (rc != OK && e && !e->hint[0])
        err_hint(e, "an address of the joined run, or an invite link, names the host's key");
    f->is_known = rc == OK && joined && hash_equal(&joined->id, &f->run.id);
    return rc;
}

static int open_joined(struct record_from *f, const struct rundesc *joined, struct err *e)
{
    int rc = ERR_NOTFOUND;
    for (uint32_t i = 0; i < joined->n_aggregators && rc != OK; i++) {
        const struct rundesc_aggregator *a = &joined->aggregators[i];
        fetch_close(f->fetch);
        f->fetch = NULL;
        rc = connect_to(f, a->host, a->port, &a->tls_pin, e);
        if (rc == OK) rc = ask_run(f, &joined->host, &joined->id, e);
    }
    f->is_known = true;
    return rc;
}

/* ---- which ---------------------------------------------------------------------------------- */

static int load_joined(const struct home *home, struct rundesc **ret, struct err *e)
{
    struct hash id;
    struct rundesc *d;
    int rc = home ? home_current(home, &id, e) : ERR_NOTFOUND;
    if (rc != OK) return rc;
    d = alloc_zero(1, sizeof *d);
    rc = d ? home_load_run(home, &id, d, e) : err_set(e, ERR_NOMEM, 0, "no memory for a run");
    if (rc == OK)
        *ret = d;
    else
        free(d);
    return rc;
}

static int open_any(struct record_from *f, const char *what, const struct home *home, struct err *e)
{
    struct rundesc *joined = NULL;
    if (what && strncmp(what, LINK, strlen(LINK)) == 0) return open_link(f, what, e);
    int rc = load_joined(home, &joined, e);
    if (what && strncmp(what, HTTPS, strlen(HTTPS)) != 0) {
        rc = open_dir(f, what, e);
        f->is_known = rc == OK && joined && hash_equal(&joined->id, &f->run.id);
    } else if (what)
        rc = open_url(f, what + strlen(HTTPS), joined, e);
    else if (rc == OK)
        rc = open_joined(f, joined, e);
    else if (rc == ERR_NOTFOUND) {
        err_set(e, rc, 0, "no run is joined here, so there is no record to look at");
        err_hint(e, "say whose: --from DIR, https://HOST:PORT or an invite link");
    }
    free(joined);
    return rc;
}

/* A file that is missing, or not signed, is no memory. */
static void remember(struct record_from *f, const struct home *home)
{
    char path[PATH_CAP];
    struct buf b = {0};
    bool is_there = home && home_run_path(home, &f->run.id, "treehead", path, NULL) == OK &&
                    file_read(path, NOTE_MAX_BYTES, &b, NULL) == OK;
    f->has_head = is_there && note_verify(b.p, b.len, &f->run.id, &f->run.aggregators[0].key,
                                          &f->head, NULL) == OK;
    buf_deinit(&b);
}

int record_from_open(const char *what, const struct home *home, struct record_from **ret,
                     struct err *e)
{
    struct record_from *f = alloc_zero(1, sizeof *f);
    if (!f) return err_set(e, ERR_NOMEM, 0, "no memory to read a record");
    int rc = open_any(f, what, home, e);
    if (rc != OK) {
        record_from_close(f);
        return rc;
    }
    remember(f, home);
    *ret = f;
    return OK;
}

void record_from_close(struct record_from *f)
{
    if (!f) return;
    drop_early(f);
    fetch_close(f->fetch);
    free(f);
}

const struct rundesc *record_from_run(const struct record_from *f)
{
    return &f->run;
}

const struct audit_source *record_from_source(const struct record_from *f)
{
    return &f->source;
}

const char *record_from_name(const struct record_from *f)
{
    return f->name;
}

const char *record_from_dir(const struct record_from *f)
{
    return f->is_dir ? f->name : NULL;
}

const struct note_head *record_from_remembered(const struct record_from *f)
{
    return f->has_head ? &f->head : NULL;
}

bool record_from_is_known(const struct record_from *f)
{
    return f->is_known;
}
