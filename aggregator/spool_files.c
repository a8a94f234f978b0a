#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "aggregator/spool.h"
#include "aggregator/spool_driver.h"
#include "base/file.h"

static int where(const struct spool *s, const char *name, char dst[PATH_CAP], struct err *e)
{
    if (path_format(dst, "%s/%s", s->home, name) == 0) return OK;
    return err_set(e, ERR_LIMIT, 0, "the path of the aggregator's home is too long");
}

static int files_open(struct spool *s, struct err *e)
{
    return file_mkdirs(s->home, e);
}

static void files_close(struct spool *s)
{
    (void)s;
}

/* The folder is made when the first file of it comes. */
static int place(const struct spool *s, const char *name, char path[PATH_CAP], struct err *e)
{
    char dir[PATH_CAP];
    int rc = where(s, name, path, e);
    if (rc != OK) return rc;
    return path_dirname(dir, path) == 0 && !file_exists(dir) ? file_mkdirs(dir, e) : OK;
}

static int files_put(const struct spool *s, const char *name, const void *p, size_t n,
                     struct err *e)
{
    char path[PATH_CAP];
    int rc = place(s, name, path, e);
    return rc == OK ? file_replace(path, p, n, 0600, e) : rc;
}

static int files_put_many(struct spool *s, const char *name, const void *p, size_t n, struct err *e)
{
    char path[PATH_CAP];
    int rc = place(s, name, path, e);
    return rc == OK ? file_replace_large(path, p, n, 0600, &s->chunks, e) : rc;
}

static int files_read(const struct spool *s, const char *name, size_t max, struct buf *out,
                      struct err *e)
{
    char path[PATH_CAP];
    size_t before = out->len;
    int rc = where(s, name, path, e);
    if (rc == OK) rc = file_read(path, max > SIZE_MAX - before ? SIZE_MAX : before + max, out, e);
    if (rc != OK && out->len > before) out->len = before;
    return rc;
}

static bool files_exists(const struct spool *s, const char *name)
{
    char path[PATH_CAP];
    return where(s, name, path, NULL) == OK && file_exists(path);
}

static void files_drop(const struct spool *s, const char *name)
{
    char path[PATH_CAP];
    if (where(s, name, path, NULL) == OK) unlink(path);
}

static void files_list(const struct spool *s, const char *folder, spool_name_fn fn, void *ctx)
{
    char path[PATH_CAP];
    if (where(s, folder, path, NULL) != OK) return;
    DIR *d = opendir(path);
    if (!d) return;
    struct dirent *f = NULL;
    while ((f = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): the stream is ours alone */
        if (f->d_name[0] == '.' || strlen(f->d_name) >= SPOOL_NAME_CAP) continue;
        fn(f->d_name, ctx);
    }
    closedir(d);
}

static uint64_t files_room(const struct spool *s)
{
    struct statvfs v;
    if (statvfs(s->home, &v) != 0) return 0;
    return (uint64_t)v.f_bavail * v.f_frsize;
}

static int files_fd(const struct spool *s, const char *name)
{
    char path[PATH_CAP];
    return where(s, name, path, NULL) == OK ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

const struct spool_driver *spool_files(void)
{
    static const struct spool_driver driver = {.name = "files",
                                               .open = files_open,
                                               .close = files_close,
                                               .put = files_put,
                                               .put_many = files_put_many,
                                               .read = files_read,
                                               .exists = files_exists,
                                               .drop = files_drop,
                                               .list = files_list,
                                               .room = files_room,
                                               .fd = files_fd};
    return &driver;
}
