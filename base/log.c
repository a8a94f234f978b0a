#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "base/utf8.h"

static struct {
    pthread_mutex_t lock;
    enum log_level level;
    int to_stderr;
    log_sink_fn sink;
    void *sink_ctx;
    FILE *file;
    long max_bytes;
    char path[PATH_CAP];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_INFO, .to_stderr = 1};

void log_set_level(enum log_level level)
{
    pthread_mutex_lock(&state.lock);
    state.level = level;
    pthread_mutex_unlock(&state.lock);
}

void log_set_stderr(int on)
{
    pthread_mutex_lock(&state.lock);
    state.to_stderr = on;
    pthread_mutex_unlock(&state.lock);
}

void log_set_sink(log_sink_fn fn, void *ctx)
{
    pthread_mutex_lock(&state.lock);
    state.sink = fn;
    state.sink_ctx = ctx;
    pthread_mutex_unlock(&state.lock);
}

int log_open(const char *path, long max_bytes, struct err *e)
{
    FILE *f = fopen(path, "ae");
    if (!f) return file_error(e, errno, "open log", path);
    setvbuf(f, NULL, _IOLBF, 0);
    log_close();
    pthread_mutex_lock(&state.lock);
    state.file = f;
    state.max_bytes = max_bytes;
    snprintf(state.path, sizeof state.path, "%s", path);
    pthread_mutex_unlock(&state.lock);
    return OK;
}

void log_close(void)
{
    pthread_mutex_lock(&state.lock);
    if (state.file) fclose(state.file);
    state.file = NULL;
    pthread_mutex_unlock(&state.lock);
}

static void rotate(void)
{
    char old[PATH_CAP];
    if (ftell(state.file) < state.max_bytes || path_format(old, "%s.1", state.path)) return;
    fclose(state.file);
    rename(state.path, old);
    state.file = fopen(state.path, "ae");
    if (state.file) setvbuf(state.file, NULL, _IOLBF, 0);
}

void log_write(enum log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    char raw[1024];
    char text[1024];
    char hms[16];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(raw, sizeof raw, fmt, ap);
    va_end(ap);
    utf8_printable(raw, text, sizeof text);
    int64_t now = clock_wall_ms();
    pthread_mutex_lock(&state.lock);
    if (level >= state.level) {
        clock_hms(now, hms);
        if (state.to_stderr) fprintf(stderr, "%s %-5s %s\n", hms, names[level], text);
        if (state.file) {
            fprintf(state.file, "%s %-5s %s\n", hms, names[level], text);
            rotate();
        }
        if (state.sink) state.sink(level, now, text, state.sink_ctx);
    }
    pthread_mutex_unlock(&state.lock);
}

void log_err(enum log_level level, const struct err *e, const char *doing)
{
    if (e->hint[0])
        log_write(level, "%s: %s; to fix: %s", doing, e->what, e->hint);
    else
        log_write(level, "%s: %s", doing, e->what);
}
