#include "aggregator/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aggregator/describe.h"
#include "aggregator/store_driver.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/file_out.h"
#include "base/json.h"
#include "base/path.h"

#define PIECE     (1u << 20)
#define MAX_DEPTH 6
#define NOTE_MAX  4096

struct copying {
    struct backup_report report;
    struct hasher *hasher;
    char *piece;
    bool may_vanish; /* a run that is served drops files past its retention */
};

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(name, *names) == 0) return true;
    return false;
}

/* Copied apart, made anew, or of this moment only; and what is half written. */
static bool is_left_out(const char *name, int depth)
{
    static const char *const top[] = {
        "aggregator.db", "aggregator.db-wal", "aggregator.db-shm", "serve.lock", "spool",
        "record",        "backup.json",       "run.potluck",       NULL};
    if (name[0] == '.' || strstr(name, ".tmp")) return true;
    return depth == 0 && is_one_of(name, top);
}

static int join_path(char dst[PATH_CAP], const char *dir, const char *name, struct err *e)
{
    if (path_format(dst, "%s/%s", dir, name) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path of '%.60s' is too long", name);
}

static int copy_bytes(struct copying *c, int fd, uint64_t n, const char *from, struct file_out *o,
                      struct err *e)
{
    int rc = OK;
    for (uint64_t at = 0; rc == OK && at < n;) {
        size_t len = n - at < PIECE ? (size_t)(n - at) : PIECE;
        rc = file_read_at(fd, c->piece, len, at, from, e);
        if (rc != OK) break;
        hasher_add(c->hasher, c->piece, len);
        rc = file_out_put(o, c->piece, len, e);
        at += len;
    }
    return rc;
}

static int mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int)(st.st_mode & 0777) : 0600;
}

/* One file, as durably as it was; named: its name is its hash and it never changes. */
static int copy_file(struct copying *c, const char *from, const char *to, const char *name,
                     struct err *e)
{
    struct hash named;
    struct file_out o;
    uint64_t n = 0;
    struct stat there;
    int fd = -1;
    bool is_named = hash_from_hex(name, &named) == 0;
    int rc = file_open(from, &fd, &n, e);
    if (rc == ERR_NOTFOUND && c->may_vanish && is_named) return OK;
    if (rc != OK) return rc;
    if (is_named && stat(to, &there) == 0 && (uint64_t)there.st_size == n) {
        c->report.n_kept++;
        close(fd);
        return OK;
    }
    rc = file_out_begin(&o, to, mode_of(from), e);
    if (rc == OK) rc = copy_bytes(c, fd, n, from, &o, e);
    struct hash got = hasher_end(c->hasher);
    if (rc == OK && is_named && !hash_equal(&got, &named)) {
        rc = err_set(e, ERR_PROTO, 0,
                     "'%.120s' is damaged: it does not have the hash it is named by", from);
        err_hint(e, "look for a good copy of this one file in an earlier backup");
    }
    if (rc == OK)
        rc = file_out_commit(&o, e);
    else
        file_out_abandon(&o);
    close(fd);
    if (rc != OK) return rc;
    c->report.n_files++;
    c->report.n_bytes += n;
    return OK;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most MAX_DEPTH folders deep */
static int copy_folder(struct copying *c, const char *from, const char *to, int depth,
                       struct err *e)
{
    if (depth > MAX_DEPTH) return err_set(e, ERR_LIMIT, 0, "'%.120s' lies too deep", from);
    DIR *dir = opendir(from);
    if (!dir) return file_error(e, errno, "cannot read", from);
    int rc = file_mkdirs(to, e);
    for (struct dirent *d;
         rc == OK && (d = readdir(dir)) != NULL;) { /* NOLINT(concurrency-mt-unsafe) */
        char source[PATH_CAP], target[PATH_CAP];
        struct stat st;
        if (is_left_out(d->d_name, depth)) continue;
        rc = join_path(source, from, d->d_name, e);
        if (rc == OK) rc = join_path(target, to, d->d_name, e);
        if (rc != OK || lstat(source, &st) != 0) continue;
        if (S_ISDIR(st.st_mode)) rc = copy_folder(c, source, target, depth + 1, e);
        if (S_ISREG(st.st_mode)) rc = copy_file(c, source, target, d->d_name, e);
    }
    closedir(dir);
    return rc == OK ? file_sync_dir(to, e) : rc;
}

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    bool has = false;
    if (!dir) return errno == ENOENT;
    for (struct dirent *d; (d = readdir(dir)) != NULL;) /* NOLINT(concurrency-mt-unsafe) */
        has = has || (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0);
    closedir(dir);
    return !has;
}

static int begin(struct copying *c, struct err *e)
{
    c->hasher = hasher_create();
    c->piece = malloc(PIECE);
    return c->hasher && c->piece ? OK : err_set(e, ERR_NOMEM, 0, "no memory to copy files");
}

static void end(struct copying *c)
{
    hasher_destroy(c->hasher);
    free(c->piece);
}

/* Says that the backup is whole, and of which moment. */
static int write_note(const char *path, const struct backup_report *r, struct err *e)
{
    struct buf b = {0};
    json_t *o = json_object();
    json_set_u64(o, "version", 1);
    json_set_hash(o, "run", &r->run);
    json_set_i64(o, "taken_at_ms", r->taken_at_ms);
    int rc = json_write(o, &b, e);
    if (rc == OK) rc = file_replace(path, b.p, b.len, 0600, e);
    json_decref(o);
    buf_deinit(&b);
    return rc;
}

static int read_note(const char *path, struct backup_report *ret, struct err *e)
{
    struct buf b = {0};
    json_t *o = NULL;
    struct json_reader r = {.e = e};
    int rc = file_read(path, NOTE_MAX, &b, e);
    if (rc == OK) rc = json_parse(b.p, b.len, &o, e);
    if (rc == OK) {
        (void)json_u64(&r, o, "version", 1, 1);
        json_hash(&r, o, "run", &ret->run);
        ret->taken_at_ms = json_i64(&r, o, "taken_at_ms", 0, INT64_C(1) << 53);
        if (json_bad(&r)) rc = ERR_PROTO;
    }
    json_decref(o);
    buf_deinit(&b);
    return rc;
}

/* The folder is ours to fill: nothing in it, or an earlier backup of this run. */
static int may_fill(const char *to, const char *note, const struct hash *run, struct err *e)
{
    char path[PATH_CAP];
    struct rundesc d;
    struct backup_report before;
    if (is_empty(to)) return OK;
    int rc = join_path(path, to, "run.potluck", e);
    if (rc != OK) return rc;
    bool is_ours = read_note(note, &before, NULL) == OK      ? hash_equal(&before.run, run)
                   : describe_read(to, &d, NULL, NULL) == OK ? hash_equal(&d.id, run)
                                                             : false;
    if (is_ours) return OK;
    err_set(e, ERR_WRONG_STATE, 0, "'%.120s' holds something else than a backup of this run", to);
    err_hint(e, "name a new folder");
    return ERR_WRONG_STATE;
}

static int inside(const char *home, const char *to, struct err *e)
{
    char *h = realpath(home, NULL), *t = realpath(to, NULL);
    size_t n = h ? strlen(h) : 0;
    bool is = h && t && strncmp(h, t, n) == 0 && (t[n] == 0 || t[n] == '/');
    free(h);
    free(t);
    if (!is) return OK;
    err_set(e, ERR_ARG, 0, "a backup inside the home would be lost with it");
    err_hint(e, "name a folder on another disk");
    return ERR_ARG;
}

static int copy_one(struct copying *c, const char *from, const char *to, const char *name,
                    struct err *e)
{
    char source[PATH_CAP], target[PATH_CAP];
    int rc = join_path(source, from, name, e);
    if (rc == OK) rc = join_path(target, to, name, e);
    return rc == OK ? copy_file(c, source, target, name, e) : rc;
}

int backup_take(const char *home, const char *to, struct backup_report *ret, struct err *e)
{
    struct copying c = {.may_vanish = true};
    struct rundesc d;
    char note[PATH_CAP], books[PATH_CAP], copy[PATH_CAP];
    int rc = describe_read(home, &d, NULL, e);
    if (rc == OK) rc = join_path(note, to, "backup.json", e);
    if (rc == OK) rc = join_path(books, home, "aggregator.db", e);
    if (rc == OK) rc = join_path(copy, to, "aggregator.db", e);
    if (rc == OK) rc = may_fill(to, note, &d.id, e);
    if (rc == OK) rc = file_mkdirs(to, e);
    if (rc == OK) rc = inside(home, to, e);
    if (rc == OK) rc = begin(&c, e);
    if (rc == OK) {
        c.report.run = d.id;
        c.report.taken_at_ms = clock_wall_ms();
        if (unlink(note) != 0 && errno != ENOENT) rc = file_error(e, errno, "cannot remove", note);
    }
    /* First, so that an interrupted first backup is known as one of this run. */
    if (rc == OK) rc = copy_one(&c, home, to, "run.potluck", e);
    if (rc == OK && file_exists(books)) rc = store_sqlite_copy(books, copy, e);
    if (rc == OK) rc = copy_folder(&c, home, to, 0, e);
    if (rc == OK) rc = write_note(note, &c.report, e);
    end(&c);
    if (rc == OK) *ret = c.report;
    return rc;
}

int backup_restore(const char *from, const char *home, struct backup_report *ret, struct err *e)
{
    struct copying c = {0};
    char note[PATH_CAP], books[PATH_CAP], copy[PATH_CAP];
    int rc = join_path(note, from, "backup.json", e);
    if (rc == OK) rc = join_path(copy, from, "aggregator.db", e);
    if (rc == OK) rc = join_path(books, home, "aggregator.db", e);
    if (rc == OK && read_note(note, &c.report, e) != OK) {
        err_set(e, ERR_NOTFOUND, 0, "'%.120s' is not a whole backup", from);
        err_hint(e, "take one with: potluck-aggregator backup --home HOME DIR");
        rc = ERR_NOTFOUND;
    }
    if (rc == OK && !is_empty(home)) {
        err_set(e, ERR_WRONG_STATE, 0, "'%.120s' is not empty, and nothing in it will be replaced",
                home);
        err_hint(e, "put it aside first, or restore into another --home");
        rc = ERR_WRONG_STATE;
    }
    if (rc == OK) rc = begin(&c, e);
    if (rc == OK) rc = copy_folder(&c, from, home, 0, e);
    if (rc == OK && file_exists(copy)) rc = store_sqlite_copy(copy, books, e);
    if (rc == OK) rc = copy_one(&c, from, home, "run.potluck", e);
    end(&c);
    if (rc == OK) *ret = c.report;
    return rc;
}
