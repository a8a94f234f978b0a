#include "base/file_out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"

enum { SYNC_BYTES = 8 << 20 };

int file_out_begin(struct file_out *o, const char *path, int mode, struct err *e)
{
    o->fd = -1;
    o->n_bytes = 0;
    if (path_format(o->path, "%s", path) || path_format(o->tmp, "%s.tmp", path))
        return err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", path);
    o->fd = open(o->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    return o->fd < 0 ? file_error(e, errno, "create", o->tmp) : OK;
}

int file_out_put(struct file_out *o, const void *p, size_t n, struct err *e)
{
    int rc = file_write_all(o->fd, p, n, o->tmp, e);
    if (rc) return rc;
    uint64_t before = o->n_bytes;
    o->n_bytes += n;
    /* On its way to the disk while the next piece is computed; fsync reports what this cannot. */
    if (before / SYNC_BYTES != o->n_bytes / SYNC_BYTES)
        (void)sync_file_range(o->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return OK;
}

void file_out_abandon(struct file_out *o)
{
    if (o->fd < 0) return;
    close(o->fd);
    o->fd = -1;
    unlink(o->tmp);
}

int file_out_commit(struct file_out *o, struct err *e)
{
    char dir[PATH_CAP];
    int rc = OK;
    if (path_dirname(dir, o->path))
        rc = err_set(e, ERR_LIMIT, 0, "the path '%.80s...' is too long", o->path);
    if (!rc && fsync(o->fd)) rc = file_error(e, errno, "sync", o->tmp);
    if (!rc && rename(o->tmp, o->path)) rc = file_error(e, errno, "replace", o->path);
    if (rc) {
        file_out_abandon(o);
        return rc;
    }
    int fd = o->fd;
    o->fd = -1;
    if (close(fd)) return file_error(e, errno, "close", o->path);
    return file_sync_dir(dir, e);
}
