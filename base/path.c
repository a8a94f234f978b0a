#include "base/path.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define SOCKET_MAX 107 /* sockaddr_un holds 108 bytes with the NUL */

int path_format(char dst[PATH_CAP], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(dst, PATH_CAP, fmt, ap);
    va_end(ap);
    return n < 0 || n >= PATH_CAP ? -1 : 0;
}

int path_dirname(char dst[PATH_CAP], const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return path_format(dst, ".");
    if (slash == path) return path_format(dst, "/");
    return path_format(dst, "%.*s", (int)(slash - path), path);
}

static int under_home(struct paths *p, const char *home)
{
    return path_format(p->data, "%s", home) || path_format(p->cache, "%s/cache", home) ||
           path_format(p->state, "%s/state", home) ||
           path_format(p->config, "%s/potluck.conf", home) ||
           path_format(p->socket, "%s/agent.sock", home);
}

static int xdg(char dst[PATH_CAP], const char *variable, const char *home, const char *fallback)
{
    const char *v = getenv(variable); /* NOLINT(concurrency-mt-unsafe): before any thread */
    if (v && *v == '/') return path_format(dst, "%s/potluck", v);
    return path_format(dst, "%s/%s/potluck", home, fallback);
}

static int under_xdg(struct paths *p, const char *home)
{
    char dir[PATH_CAP];
    const char *run = getenv("XDG_RUNTIME_DIR"); /* NOLINT(concurrency-mt-unsafe) */
    int rc = xdg(p->data, "XDG_DATA_HOME", home, ".local/share") ||
             xdg(p->cache, "XDG_CACHE_HOME", home, ".cache") ||
             xdg(p->state, "XDG_STATE_HOME", home, ".local/state") ||
             xdg(dir, "XDG_CONFIG_HOME", home, ".config") ||
             path_format(p->config, "%s/potluck.conf", dir);
    if (rc) return rc;
    if (run && *run == '/' && access(run, W_OK) == 0)
        return path_format(p->socket, "%s/potluck.sock", run);
    return path_format(p->socket, "%s/agent.sock", p->data);
}

int path_look(struct paths *ret, const char *home, struct err *e)
{
    struct paths p = {0};
    if (!home || !*home) home = getenv("POTLUCK_HOME"); /* NOLINT(concurrency-mt-unsafe) */
    const char *user = getenv("HOME");                  /* NOLINT(concurrency-mt-unsafe) */
    int rc = 0;
    if (home && *home) {
        char full[PATH_CAP];
        char cwd[PATH_CAP];
        if (*home == '/')
            rc = path_format(full, "%s", home);
        else
            rc = !getcwd(cwd, sizeof cwd) || path_format(full, "%s/%s", cwd, home);
        rc = rc || under_home(&p, full);
    } else if (user && *user == '/') {
        rc = under_xdg(&p, user);
    } else {
        err_set(e, ERR_ARG, 0, "there is no home folder to keep your key and state in");
        err_hint(e, "set HOME, or name a folder with --home DIR");
        return ERR_ARG;
    }
    if (rc || strlen(p.socket) > SOCKET_MAX) {
        err_set(e, ERR_ARG, 0, "the home folder's path is too long");
        err_hint(e, "choose a shorter one with --home DIR");
        return ERR_ARG;
    }
    *ret = p;
    return OK;
}

int path_find(struct paths *ret, const char *home, struct err *e)
{
    struct paths p;
    int rc = path_look(&p, home, e);
    if (rc == OK) rc = file_mkdirs(p.data, e);
    if (rc == OK) rc = file_mkdirs(p.cache, e);
    if (rc == OK) rc = file_mkdirs(p.state, e);
    if (rc == OK) *ret = p;
    return rc;
}
