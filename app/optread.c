#include "app/optread.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/near.h"

enum { NAME_CAP = 40, NAMES_MAX = 96 };

bool optread_whole(const char *text, uint64_t lo, uint64_t hi, uint64_t *ret)
{
    char *end = NULL;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || v < lo || v > hi) return false;
    *ret = v;
    return true;
}

bool optread_whole32(const char *text, uint32_t lo, uint32_t hi, uint32_t *ret)
{
    uint64_t v = 0;
    if (!optread_whole(text, lo, hi, &v)) return false;
    *ret = (uint32_t)v;
    return true;
}

bool optread_real(const char *text, double *ret)
{
    char *end = NULL;
    double v = strtod(text, &end);
    if (!*text || *end || !isfinite(v)) return false;
    *ret = v;
    return true;
}

uint32_t optread_cores(uint32_t most)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > (long)most ? most : (uint32_t)cores;
}

/* ---- what was meant ---- */

const char *optread_nearest(const char *text, const char *const *names)
{
    return near_word(text, names);
}

/* ---- what getopt_long did not like ---- */

/* It stands still in a cluster of short options until the last one is done. */
static const char *short_option(char *const *argv)
{
    const char *arg = argv[optind];
    if (optopt < ' ' || optopt > '~') return NULL;
    if (arg && arg[0] == '-' && arg[1] && arg[1] != '-' && strchr(arg + 1, optopt)) return arg;
    arg = argv[optind - 1];
    return arg[0] == '-' && arg[1] != '-' && strchr(arg + 1, optopt) ? arg : NULL;
}

static void hint_help(const char *command, struct err *e)
{
    err_hint(e, "see %s --help", command);
}

static int no_such(const char *name, const struct option *longs, const char *command, struct err *e)
{
    const char *names[NAMES_MAX + 1] = {NULL};
    for (size_t i = 0; longs[i].name && i < NAMES_MAX; i++)
        names[i] = longs[i].name;
    const char *near = optread_nearest(name, names);
    err_set(e, ERR_ARG, 0, "there is no option --%.60s", name);
    if (near)
        err_hint(e, "did you mean --%s? See %s --help", near, command);
    else
        hint_help(command, e);
    return ERR_ARG;
}

int optread_fault(int c, char *const *argv, const struct option *longs, const char *command,
                  struct err *e)
{
    const char *cluster = short_option(argv);
    char name[NAME_CAP * 2];
    if (cluster) {
        err_set(e, ERR_ARG, 0, "there is no option -%c", optopt);
        hint_help(command, e);
        return ERR_ARG;
    }
    const char *arg = argv[optind - 1];
    arg += strspn(arg, "-");
    size_t n = strcspn(arg, "=");
    snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), arg);
    const struct option *first = NULL;
    const struct option *other = NULL;
    for (const struct option *o = longs; o->name; o++) {
        if (n == 0 || strncmp(o->name, name, n) != 0) continue;
        bool is_exact = o->name[n] == 0;
        other = is_exact ? NULL : first;
        first = o;
        if (is_exact) break;
    }
    if (!first) return no_such(name, longs, command, e);
    if (other)
        err_set(e, ERR_ARG, 0, "--%s may be --%s or --%s", name, other->name, first->name);
    else if (c == ':')
        err_set(e, ERR_ARG, 0, "--%s wants a value after it", first->name);
    else
        err_set(e, ERR_ARG, 0, "--%s takes no value", first->name);
    hint_help(command, e);
    return ERR_ARG;
}

/* ---- telling ---- */

int optread_fail(const char *command, const struct err *e)
{
    char line[sizeof e->what + sizeof e->hint + 8];
    fprintf(stderr, "%s: %s\n", command, err_line(e, line, sizeof line));
    return 1;
}

int optread_told(const char *command, struct err *e)
{
    if (!e->hint[0]) hint_help(command, e);
    (void)optread_fail(command, e);
    return 2;
}

int optread_usage(const char *command, const char *what)
{
    struct err e = {0};
    err_set(&e, ERR_ARG, 0, "%s", what);
    return optread_told(command, &e);
}

int optread_each(const struct optread *r, int argc, char **argv, void *ctx)
{
    int c;
    opterr = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread */
    while ((c = getopt_long(argc, argv, ":", r->longs, NULL)) != -1) {
        struct err e = {0};
        if (c == r->help) {
            fputs(r->usage_text, stdout);
            return 1;
        }
        if (c == '?' || c == ':') {
            (void)optread_fault(c, argv, r->longs, r->command, &e);
            return optread_told(r->command, &e);
        }
        const char *wrong = r->take(c, ctx);
        if (wrong) return optread_usage(r->command, wrong);
    }
    return 0;
}
