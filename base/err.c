#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int(err_set)(struct err *e, int code, int sys, const char *fmt, ...)
{
    if (!e) return code;
    e->code = code;
    e->sys = sys;
    e->hint[0] = 0;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->what, sizeof e->what, fmt, ap);
    va_end(ap);
    if (sys && n >= 0 && (size_t)n < sizeof e->what - 8) {
        char text[96] = "";
        snprintf(e->what + n, sizeof e->what - (size_t)n, ": %s",
                 strerror_r(sys, text, sizeof text));
    }
    return code;
}

void err_hint(struct err *e, const char *fmt, ...)
{
    if (!e) return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->hint, sizeof e->hint, fmt, ap);
    va_end(ap);
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    if (!e) return ERR_WRONG_STATE;
    char old[sizeof e->what];
    memcpy(old, e->what, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->what, sizeof e->what, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof e->what - 3)
        snprintf(e->what + n, sizeof e->what - (size_t)n, ": %s", old);
    return e->code;
}

const char *err_name(int code)
{
    static const char *const names[] = {
        "OK",        "ERR_NOMEM",     "ERR_IO",   "ERR_PROTO",   "ERR_LIMIT", "ERR_WRONG_STATE",
        "ERR_AGAIN", "ERR_CANCELLED", "ERR_AUTH", "ERR_VERSION", "ERR_ARG",   "ERR_NOTFOUND",
    };
    int i = -code;
    return i >= 0 && i < (int)(sizeof names / sizeof *names) ? names[i] : "ERR_UNKNOWN";
}

char *err_line(const struct err *e, char *dst, unsigned long cap)
{
    if (e->hint[0])
        snprintf(dst, cap, "%s (%s)", e->what, e->hint);
    else
        snprintf(dst, cap, "%s", e->what);
    return dst;
}

void err_check_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "%s:%d: this is a bug in potluck: check failed: %s\n", file, line, cond);
    abort();
}
