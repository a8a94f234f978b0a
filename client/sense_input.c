/* When did a person last touch this computer? */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/sense.h"

#define AHEAD_MS 10000 /* an access time further in the future is a clock that jumped */

static bool is_ours(const struct sense_ask *ask, uint64_t device)
{
    for (uint32_t i = 0; i < ask->n_ttys; i++)
        if (ask->ttys[i] == device) return true;
    return false;
}

/* "tty1", "pts/0"; not "tty" itself, which is whoever asks, nor serial lines that nobody uses. */
static bool is_console(const char *name)
{
    return strncmp(name, "tty", 3) == 0 && name[3] >= '1' && name[3] <= '9';
}

/* The newest access time below dir, ms; and whether there was anything to look at. */
static int64_t newest(const struct sense *s, const struct sense_ask *ask, const char *dir,
                      bool is_pts, bool *any)
{
    char path[PATH_CAP];
    int64_t best = INT64_MIN;
    struct stat st;
    if (path_format(path, "%s%s", s->root, dir) != 0) return best;
    DIR *d = opendir(path);
    const struct dirent *it;
    while (d && (it = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): own stream */
        bool is_wanted =
            is_pts ? it->d_name[0] >= '0' && it->d_name[0] <= '9' : is_console(it->d_name);
        if (!is_wanted || fstatat(dirfd(d), it->d_name, &st, 0) != 0) continue;
        *any = true;
        if (is_ours(ask, (uint64_t)st.st_rdev)) continue;
        int64_t ms = (int64_t)st.st_atim.tv_sec * 1000 + st.st_atim.tv_nsec / 1000000;
        if (ms > best && ms <= ask->wall_ms + AHEAD_MS) best = ms;
    }
    if (d) closedir(d);
    return best;
}

/* Interrupts of the keyboard's controller so far; false when there is none. */
static bool key_irqs(const struct sense *s, uint64_t *ret)
{
    char full[PATH_CAP], line[4096];
    uint64_t n = 0;
    bool has = false;
    if (path_format(full, "%s/proc/interrupts", s->root) != 0) return false;
    FILE *f = fopen(full, "re");
    while (f && fgets(line, sizeof line, f)) {
        if (!strstr(line, "i8042")) continue;
        has = true;
        char *p = strchr(line, ':');
        for (char *end = NULL; p; p = end) {
            unsigned long long v = strtoull(p + 1, &end, 10);
            if (end == p + 1) break;
            n += v;
        }
    }
    if (f) fclose(f);
    *ret = n;
    return has;
}

void sense_input_find(struct sense *s)
{
    s->has_keyboard = key_irqs(s, &s->n_key_irqs);
    s->is_working[SENSE_KEYBOARD] = s->has_keyboard;
}

void sense_input_look(struct sense *s, const struct sense_ask *ask)
{
    bool any = false;
    int64_t pts = newest(s, ask, "/dev/pts", true, &any);
    int64_t tty = newest(s, ask, "/dev", false, &any);
    int64_t last = pts > tty ? pts : tty;
    uint64_t n = 0;
    s->is_working[SENSE_TERMINALS] = any;
    if (s->has_keyboard && key_irqs(s, &n) && n != s->n_key_irqs) {
        s->n_key_irqs = n;
        s->key_at_ms = ask->wall_ms;
    }
    if (s->key_at_ms && s->key_at_ms > last) last = s->key_at_ms;
    if (last == INT64_MIN)
        s->seen.input_ms_ago = VIEW_NONE;
    else
        s->seen.input_ms_ago = last < ask->wall_ms ? ask->wall_ms - last : 0;
}
