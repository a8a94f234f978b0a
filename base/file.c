#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"

enum { LONGEST_NAMED = 80 }; /* bytes of a path in an error's text */

int file_error(struct err *e, int sys, const char *doing, const char *path)
{
    /* A long path would push the reason out of the line; its end is what tells files apart. */
    size_t n = strlen(path);
    bool is_long = n > LONGEST_NAMED;
    err_set(e, ERR_IO, sys, "cannot %s '%s%s'", doing, is_long ? "..." : "",
            is_long ? path + n - LONGEST_NAMED : path);
    if (sys == ENOSPC || sys == EDQUOT)
        err_hint(e, "the disk is full: free some space, or choose another folder with --home");
    else if (sys == EROFS)
        err_hint(e, "the disk is read-only: choose another folder with --home");
    else if (sys == EACCES || sys == EPERM)
        err_hint(e, "check who owns it, or choose another folder with --home");
    return ERR_IO;
}

int file_write_all(int fd, const void *p, size_t n, const char *name, struct err *e)
{
    const uint8_t *b = p;
    while (n) {
        ssize_t w = write(fd, b, n);
        if (w < 0 && errno == EINTR) continue;
        if (w <= 0) return file_error(e, w < 0 ? errno : ENOSPC, "write", name);
        b += w;
        n -= (size_t)w;
    }
    return OK;
}

int file_sync_dir(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return file_error(e, errno, "open folder", path);
    int rc = fsync(fd) ? file_error(e, errno, "sync folder", path) : OK;
    close(fd);
    return rc;
}

enum { PAGE = 4096 }; /* what every disk and file system of today is content with */

/* Write whole pages past the page cache, as far as that works. Returns how many bytes it did; the
 * rest, and every error that is not about the way of writing, is left to file_write_all.
 */
static size_t write_direct(int fd, const uint8_t *p, size_t n)
{
    size_t whole = n / PAGE * PAGE, at = 0;
    int flags = fcntl(fd, F_GETFL);
    if ((uintptr_t)p % PAGE || !whole || flags < 0 || fcntl(fd, F_SETFL, flags | O_DIRECT))
        return 0;
    while (at < whole) {
        ssize_t w = write(fd, p + at, whole - at);
        if (w < 0 && errno == EINTR) continue;
        if (w <= 0 || w % PAGE) break;
        at += (size_t)w;
    }
    /* A short write may have moved on: what comes next goes to where we say. */
    if (fcntl(fd, F_SETFL, flags) || lseek(fd, (off_t)at, SEEK_SET) < 0) return SIZE_MAX;
    return at;
}

static int write_synced(const char *tmp, const void *p, size_t n, int mode, bool is_large,
                        struct err *e)
{
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) return file_error(e, errno, "create", tmp);
    size_t done = is_large ? write_direct(fd, p, n) : 0;
    int rc = OK;
    if (done == SIZE_MAX)
        rc = file_error(e, errno, "write", tmp);
    else if (done < n) /* p may be NULL when there is nothing */
        rc = file_write_all(fd, (const uint8_t *)p + done, n - done, tmp, e);
    if (!rc && fsync(fd)) rc = file_error(e, errno, "sync", tmp);
    if (close(fd) && !rc) rc = file_error(e, errno, "close", tmp);
    return rc;
}

static int sync_together(struct file_group *g, const char *dir, struct err *e)
{
    pthread_mutex_lock(&g->lock);
    uint64_t mine = g->n_begun + 1; /* one that runs already may not have seen our rename */
    int rc = OK;
    while (g->n_ended < mine) {
        if (g->is_running) {
            pthread_cond_wait(&g->ended, &g->lock);
            continue;
        }
        g->is_running = true;
        uint64_t number = ++g->n_begun;
        pthread_mutex_unlock(&g->lock);
        rc = file_sync_dir(dir, e);
        pthread_mutex_lock(&g->lock);
        g->is_running = false;
        g->n_ended = number;
        if (rc) g->n_failed = number;
        pthread_cond_broadcast(&g->ended);
    }
    bool is_failed = g->n_failed >= mine;
    pthread_mutex_unlock(&g->lock);
    return is_failed && !rc ? err_set(e, ERR_IO, EIO, "cannot sync folder '%s'", dir) : rc;
}

static int replace(const char *path, const void *p, size_t n, int mode, bool is_large,
                   struct file_group *g, struct err *e)
{
    char tmp[PATH_CAP];
    char dir[PATH_CAP];
    if (path_format(tmp, "%s.tmp", path) || path_dirname(dir, path))
        return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", path);
    int rc = write_synced(tmp, p, n, mode, is_large, e);
    if (!rc && rename(tmp, path)) rc = file_error(e, errno, "replace", path);
    if (rc) {
        unlink(tmp);
        return rc;
    }
    return g ? sync_together(g, dir, e) : file_sync_dir(dir, e);
}

int file_replace(const char *path, const void *p, size_t n, int mode, struct err *e)
{
    return replace(path, p, n, mode, false, NULL, e);
}

int file_replace_large(const char *path, const void *p, size_t n, int mode, struct file_group *g,
                       struct err *e)
{
    return replace(path, p, n, mode, true, g, e);
}

int file_read(const char *path, size_t max, struct buf *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOTFOUND, 0, "there is no file '%s'", path);
    if (fd < 0) return file_error(e, errno, "open", path);
    int rc = OK;
    for (;;) {
        if (out->len > max) {
            rc = err_set(e, ERR_LIMIT, 0, "'%s' is larger than %zu bytes", path, max);
            break;
        }
        uint8_t block[65536];
        ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) rc = file_error(e, errno, "read", path);
        if (n <= 0) break;
        buf_put(out, block, (size_t)n);
    }
    close(fd);
    return rc ? rc : buf_ok(out, e);
}

int file_open(const char *path, int *ret_fd, uint64_t *ret_bytes, struct err *e)
{
    struct stat st = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOTFOUND, 0, "there is no file '%s'", path);
    if (fd < 0) return file_error(e, errno, "open", path);
    int rc = fstat(fd, &st) ? file_error(e, errno, "look at", path) : OK;
    if (rc == OK && !S_ISREG(st.st_mode)) {
        err_set(e, ERR_PROTO, 0, "'%s' is not a plain file", path);
        err_hint(e, "name the file itself, or a copy of it");
        rc = ERR_PROTO;
    }
    if (rc != OK) {
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    if (ret_bytes) *ret_bytes = (uint64_t)st.st_size;
    return OK;
}

int file_read_at(int fd, void *p, size_t n, uint64_t at, const char *name, struct err *e)
{
    uint8_t *b = p;
    while (n) {
        ssize_t got = pread(fd, b, n, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return file_error(e, errno, "read", name);
        if (got == 0) {
            err_set(e, ERR_PROTO, 0, "'%s' ends too early", name);
            err_hint(e, "it was cut short: copy or fetch it again");
            return ERR_PROTO;
        }
        b += got;
        n -= (size_t)got;
        at += (uint64_t)got;
    }
    return OK;
}

/* One folder; when it is new, its name is made durable in the folder above. */
static int make_dir(const char *dir, struct err *e)
{
    char above[PATH_CAP];
    if (mkdir(dir, 0700) == 0) {
        if (path_dirname(above, dir))
            return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", dir);
        return file_sync_dir(above, e);
    }
    return errno == EEXIST ? OK : file_error(e, errno, "create folder", dir);
}

int file_mkdirs(const char *path, struct err *e)
{
    char dir[PATH_CAP];
    int rc = OK;
    if (path_format(dir, "%s", path))
        return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", path);
    for (char *p = dir + 1; rc == OK && *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        rc = make_dir(dir, e);
        *p = '/';
    }
    if (rc == OK) rc = make_dir(dir, e);
    if (rc != OK) return rc;
    struct stat st = {0};
    if (stat(dir, &st) || !S_ISDIR(st.st_mode))
        return err_set(e, ERR_IO, 0, "'%s' exists and is not a folder", dir);
    return OK;
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}
