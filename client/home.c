#include "client/home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"

int home_open(struct home *h, const char *dir, struct err *e)
{
    h->lock_fd = -1;
    int rc = path_find(&h->paths, dir, e);
    if (rc != OK && e && !e->hint[0])
        err_hint(e, "choose a folder of your own that can be written: --home DIR");
    return rc;
}

void home_close(struct home *h)
{
    if (h->lock_fd >= 0) close(h->lock_fd);
    h->lock_fd = -1;
}

static int too_long(struct err *e)
{
    err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    err_hint(e, "choose a shorter --home");
    return ERR_ARG;
}

int home_lock(struct home *h, struct err *e)
{
    char path[PATH_CAP];
    if (path_format(path, "%s/agent.lock", h->paths.data) != 0) return too_long(e);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return file_error(e, errno, "open", path);
    char pid[24] = "";
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int sys = errno;
        ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
        close(fd);
        if (sys != EWOULDBLOCK) return file_error(e, sys, "lock", path);
        pid[n > 0 ? n : 0] = 0;
        err_set(e, ERR_WRONG_STATE, 0, "an agent already runs for this home (process %ld)",
                strtol(pid, NULL, 10));
        err_hint(
            e, "use it with `potluck status`, end it with `potluck stop`, or take another --home");
        return ERR_WRONG_STATE;
    }
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n) {
        int sys = errno;
        close(fd);
        return file_error(e, sys, "write", path);
    }
    h->lock_fd = fd;
    return OK;
}

bool home_is_locked(const struct home *h)
{
    char path[PATH_CAP];
    if (path_format(path, "%s/agent.lock", h->paths.data) != 0) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool yes = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return yes;
}

int home_key(const struct home *h, struct key *ret, struct err *e)
{
    char path[PATH_CAP];
    if (path_format(path, "%s/key", h->paths.data) != 0) return too_long(e);
    int rc = key_load_or_create(path, ret, e);
    if (rc != OK) (void)err_wrap(e, "loading your key");
    return rc;
}

int home_name_set(const struct home *h, const char *name, struct err *e)
{
    char path[PATH_CAP], clean[MSG_NAME_CAP];
    utf8_printable(name, clean, sizeof clean);
    if (strcmp(clean, name) != 0) {
        err_set(e, ERR_ARG, 0, "that name is too long or has characters that cannot be shown");
        err_hint(e, "use at most 32 bytes of plain text");
        return ERR_ARG;
    }
    if (path_format(path, "%s/name", h->paths.data) != 0) return too_long(e);
    return file_replace(path, name, strlen(name), 0600, e);
}

void home_name(const struct home *h, char dst[MSG_NAME_CAP])
{
    char path[PATH_CAP];
    struct buf b = {0};
    dst[0] = 0;
    if (path_format(path, "%s/name", h->paths.data) == 0 &&
        file_read(path, MSG_NAME_CAP - 1, &b, NULL) == OK)
        utf8_printable(buf_str(&b), dst, MSG_NAME_CAP);
    buf_deinit(&b);
}

void home_display_name(const char *name, const struct key_pub *k, char dst[40])
{
    char hex[KEY_HEX];
    if (name && *name)
        utf8_printable(name, dst, 40);
    else
        snprintf(dst, 40, "peer-%.4s", key_hex(k, hex));
}

int home_current(const struct home *h, struct hash *ret, struct err *e)
{
    char path[PATH_CAP];
    if (path_format(path, "%s/current", h->paths.data) != 0) return too_long(e);
    struct buf b = {0};
    int rc = file_read(path, 128, &b, e);
    if (rc == OK) {
        char *text = (char *)b.p;
        while (b.len && (text[b.len - 1] == '\n' || text[b.len - 1] == ' '))
            b.len--;
        if (hash_from_hex(buf_str(&b), ret) != 0) {
            rc = err_set(e, ERR_PROTO, 0, "'%s' does not name a run", path);
            err_hint(e, "join the run again with `potluck join FILE`");
        }
    }
    buf_deinit(&b);
    return rc;
}

int home_set_current(const struct home *h, const struct hash *run, struct err *e)
{
    char path[PATH_CAP], hex[HASH_HEX];
    if (path_format(path, "%s/current", h->paths.data) != 0) return too_long(e);
    hash_hex(run, hex);
    return file_replace(path, hex, strlen(hex), 0600, e);
}

int home_forget_current(const struct home *h, struct err *e)
{
    char path[PATH_CAP];
    if (path_format(path, "%s/current", h->paths.data) != 0) return too_long(e);
    if (unlink(path) != 0 && errno != ENOENT) return file_error(e, errno, "remove", path);
    return file_sync_dir(h->paths.data, e);
}

int home_run_path(const struct home *h, const struct hash *run, const char *name,
                  char dst[PATH_CAP], struct err *e)
{
    char hex[HASH_HEX];
    const char *slash = *name ? "/" : "";
    if (path_format(dst, "%s/runs/%s%s%s", h->paths.data, hash_hex(run, hex), slash, name) == 0)
        return OK;
    return too_long(e);
}

int home_cache_path(const struct home *h, const struct hash *run, char dst[PATH_CAP], struct err *e)
{
    char hex[HASH_HEX];
    if (path_format(dst, "%s/%s", h->paths.cache, hash_hex(run, hex)) == 0) return OK;
    return too_long(e);
}

int home_store_run(const struct home *h, const struct hash *run, const void *jws, size_t n,
                   struct err *e)
{
    char dir[PATH_CAP], path[PATH_CAP];
    int rc = home_run_path(h, run, "", dir, e);
    if (rc == OK) rc = home_run_path(h, run, "run.potluck", path, e);
    if (rc == OK) rc = file_mkdirs(dir, e);
    if (rc == OK) rc = file_replace(path, jws, n, 0600, e);
    return rc;
}

int home_load_run(const struct home *h, const struct hash *run, struct rundesc *ret, struct err *e)
{
    char path[PATH_CAP];
    int rc = home_run_path(h, run, "run.potluck", path, e);
    struct buf b = {0};
    if (rc == OK) rc = file_read(path, RUNDESC_MAX_BYTES, &b, e);
    if (rc == OK) rc = rundesc_parse(b.p, b.len, NULL, ret, e);
    if (rc == OK && !hash_equal(&ret->id, run)) {
        rc = err_set(e, ERR_AUTH, 0, "'%s' is not the run description that was joined", path);
        err_hint(e, "join the run again with `potluck join FILE`");
    }
    buf_deinit(&b);
    return rc;
}
