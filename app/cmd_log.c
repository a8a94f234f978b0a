#include "app/cmd_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "client/flight.h"
#include "client/wish.h"

#define AROUND_MS  120000 /* shown before and after a moment */
#define FOLLOW_MS  500
#define DEFAULT_MS (INT64_C(24) * 3600 * 1000)

/* The log and the one before it, and when the last line was written. */
static int read_log(const struct home *h, struct buf *out, int64_t *ret_last_ms, struct err *e)
{
    char path[PATH_CAP], older[PATH_CAP];
    struct stat st;
    if (path_format(path, "%s/agent.log", h->paths.state) ||
        path_format(older, "%s/agent.log.1", h->paths.state))
        return err_set(e, ERR_ARG, 0, "the home folder's path is too long");
    if (file_exists(older)) (void)!file_read(older, FLIGHT_MAX_BYTES, out, NULL);
    int rc = file_read(path, FLIGHT_MAX_BYTES, out, e);
    if (rc == ERR_NOTFOUND) {
        err_set(e, ERR_NOTFOUND, 0, "no agent has ever run for this home");
        err_hint(e, "it writes %.80s", path);
    }
    if (rc == OK && stat(path, &st) == 0)
        *ret_last_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return rc;
}

static int show(const struct home *h, int64_t from_ms, int64_t to_ms, char *before, size_t cap,
                size_t *ret_n, struct err *e)
{
    struct buf text = {0}, out = {0};
    int64_t last_ms = 0;
    int rc = read_log(h, &text, &last_ms, e);
    if (rc == OK) {
        *ret_n =
            flight_pick((const char *)text.p, text.len, last_ms, from_ms, to_ms, &out, before, cap);
        rc = buf_ok(&out, e);
    }
    if (rc == OK && before && before[0]) printf("before that: %s\n", before);
    if (rc == OK && out.len) fwrite(out.p, 1, out.len, stdout);
    buf_deinit(&text);
    buf_deinit(&out);
    return rc;
}

/* What is added, as it comes; a log that was begun anew is read from its start. */
static void follow(const struct home *h)
{
    char path[PATH_CAP];
    const struct timespec nap = {.tv_nsec = FOLLOW_MS * 1000000};
    struct stat st;
    if (path_format(path, "%s/agent.log", h->paths.state)) return;
    off_t at = stat(path, &st) == 0 ? st.st_size : 0;
    for (;;) {
        fflush(stdout);
        if (ferror(stdout)) return; /* nobody reads any more */
        nanosleep(&nap, NULL);
        if (stat(path, &st) != 0 || st.st_size == at) continue;
        if (st.st_size < at) at = 0;
        struct buf b = {0};
        if (file_read(path, FLIGHT_MAX_BYTES, &b, NULL) == OK && (off_t)b.len > at) {
            fwrite(b.p + at, 1, b.len - (size_t)at, stdout);
            at = (off_t)b.len;
        }
        buf_deinit(&b);
    }
}

int cmd_log(const struct home *h, const struct cmdline *c, int *ret_code, struct err *e)
{
    int64_t span = DEFAULT_MS, now = clock_wall_ms();
    size_t n = 0;
    *ret_code = CMDLINE_EXIT_ERROR;
    int rc = c->since ? wish_span(c->since, 0, &span, e) : OK;
    if (rc != OK) *ret_code = CMDLINE_EXIT_USAGE;
    if (rc == OK) rc = show(h, now - span, INT64_MAX, NULL, 0, &n, e);
    if (rc != OK) return rc;
    *ret_code = CMDLINE_EXIT_OK;
    if (c->is_follow) follow(h);
    return OK;
}

int cmd_explain(const struct home *h, const struct cmdline *c, int *ret_code, struct err *e)
{
    int64_t at = 0;
    char before[1024];
    size_t n = 0;
    *ret_code = CMDLINE_EXIT_USAGE;
    int rc = flight_moment(c->source, clock_wall_ms(), &at, e);
    if (rc != OK) return rc;
    *ret_code = CMDLINE_EXIT_ERROR;
    rc = show(h, at - AROUND_MS, at + 60000 + AROUND_MS, before, sizeof before, &n, e);
    if (rc != OK) return rc;
    if (!n)
        puts(before[0] ? "and nothing changed until after that time"
                       : "nothing is known of that time");
    *ret_code = CMDLINE_EXIT_OK;
    return OK;
}
