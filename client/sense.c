#include "client/sense.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/memfree.h"
#include "view/text.h"

#define SMOOTH     0.4 /* of a new look at the processor */
#define SLOW_EVERY 5   /* looks */

bool sense_read(const struct sense *s, const char *path, char *dst, size_t cap)
{
    char full[PATH_CAP];
    if (path_format(full, "%s%s", s->root, path) != 0) return false;
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    ssize_t n = read(fd, dst, cap - 1);
    close(fd);
    if (n <= 0) return false;
    dst[n] = 0;
    return true;
}

static void look_processor(struct sense *s, int64_t own_us)
{
    char text[512];
    unsigned long long t[8] = {0};
    s->is_working[SENSE_PROCESSOR] =
        sense_read(s, "/proc/stat", text, sizeof text) &&
        sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2], &t[3],
               &t[4], &t[5], &t[6], &t[7]) >= 4;
    if (!s->is_working[SENSE_PROCESSOR]) {
        s->others = (double)NAN;
        return;
    }
    uint64_t busy = t[0] + t[1] + t[2] + t[5] + t[6];
    uint64_t all = busy + t[3] + t[4] + t[7];
    uint64_t d_all = all - s->cpu_all;
    bool is_first = s->cpu_all == 0;
    double own = (double)(own_us - s->own_cpu_us) / 1e6 * (double)sysconf(_SC_CLK_TCK);
    double others = (double)(busy - s->cpu_busy) - own;
    s->cpu_busy = busy;
    s->cpu_all = all;
    s->own_cpu_us = own_us;
    if (is_first || d_all == 0 || d_all > UINT32_MAX) return;
    double frac = others < 0 ? 0 : others / (double)d_all;
    if (frac > 1) frac = 1;
    s->others = isnan(s->others) ? frac : (1 - SMOOTH) * s->others + SMOOTH * frac;
}

static void look_memory(struct sense *s)
{
    char text[256];
    double avg10 = 0;
    uint64_t free = memfree_bytes_below(s->root);
    bool has_stall = sense_read(s, "/proc/pressure/memory", text, sizeof text) &&
                     sscanf(text, "some avg10=%lf", &avg10) == 1;
    s->is_working[SENSE_MEMORY] = free != 0;
    s->seen.memory_free_bytes = free ? free : UINT64_MAX;
    s->seen.memory_stall_frac = has_stall ? avg10 / 100 : (double)NAN;
}

static void look_disk(struct sense *s, const char *path)
{
    struct statvfs v;
    s->is_working[SENSE_DISK] = path && statvfs(path, &v) == 0;
    s->seen.disk_free_bytes =
        s->is_working[SENSE_DISK] ? (uint64_t)v.f_bavail * v.f_frsize : UINT64_MAX;
}

/* Is this program one of the list? Names are as the kernel keeps them, 15 bytes. */
static bool is_named(const char *comm, const char *list)
{
    for (const char *p = list; *p;) {
        p += strspn(p, " ,");
        size_t n = strcspn(p, ",");
        size_t end = n;
        while (end && p[end - 1] == ' ')
            end--;
        if (end > 15) end = 15;
        if (end && strncmp(comm, p, end) == 0 && comm[end] == 0) return true;
        p += n;
    }
    return false;
}

static void look_programs(struct sense *s, const char *list)
{
    char path[PATH_CAP], comm[32];
    s->seen.app[0] = 0;
    s->is_working[SENSE_PROGRAMS] = false;
    if (path_format(path, "%s/proc", s->root) != 0) return;
    DIR *d = opendir(path);
    if (!d) return;
    s->is_working[SENSE_PROGRAMS] = true;
    const struct dirent *it;
    while (list[0] && !s->seen.app[0] && (it = readdir(d))) { /* NOLINT(concurrency-mt-unsafe) */
        if (it->d_name[0] < '1' || it->d_name[0] > '9') continue;
        if (path_format(path, "/proc/%.20s/comm", it->d_name) != 0) continue;
        if (!sense_read(s, path, comm, sizeof comm)) continue;
        comm[strcspn(comm, "\n")] = 0;
        if (is_named(comm, list)) snprintf(s->seen.app, sizeof s->seen.app, "%.15s", comm);
    }
    closedir(d);
}

void sense_init(struct sense *s, const char *root)
{
    memset(s, 0, sizeof *s);
    snprintf(s->root, sizeof s->root, "%s", root);
    s->others = (double)NAN;
    s->seen.input_ms_ago = VIEW_NONE;
    s->seen.heat_c = (double)NAN;
    s->seen.battery_frac = (double)NAN;
    s->seen.disk_free_bytes = UINT64_MAX;
    s->seen.memory_free_bytes = UINT64_MAX;
    s->seen.memory_stall_frac = (double)NAN;
    sense_power_find(s);
    sense_input_find(s);
}

void sense_look(struct sense *s, const struct sense_ask *ask, struct holds_seen *ret)
{
    look_processor(s, ask->own_cpu_us);
    sense_input_look(s, ask);
    if (s->n_looks % SLOW_EVERY == 0) {
        look_memory(s);
        look_disk(s, ask->disk_path);
        look_programs(s, ask->programs);
        sense_power_look(s);
    }
    s->n_looks++;
    s->seen.others_frac = s->others;
    s->seen.minute = ask->minute;
    s->seen.month_bytes = ask->month_bytes;
    *ret = s->seen;
}

/* ---- words --------------------------------------------------------------------------------------- */

static void words_of(const struct sense *s, enum sense_source k, char *dst, size_t cap)
{
    const struct holds_seen *n = &s->seen;
    char a[TEXT_CAP];
    switch (k) {
    case SENSE_TERMINALS:
        snprintf(dst, cap, n->input_ms_ago == VIEW_NONE ? "no input seen" : "last input %s ago",
                 text_duration(n->input_ms_ago, a));
        break;
    case SENSE_KEYBOARD:
        snprintf(dst, cap, "%s", s->key_at_ms ? "input was seen" : "no input since the start");
        break;
    case SENSE_PROCESSOR:
        snprintf(dst, cap, "others use %s", text_percent(n->others_frac, a));
        break;
    case SENSE_MEMORY: snprintf(dst, cap, "%s free", text_bytes(n->memory_free_bytes, a)); break;
    case SENSE_POWER:
        snprintf(dst, cap, n->is_on_battery ? "on battery, %s" : "mains power, battery %s",
                 text_percent(n->battery_frac, a));
        break;
    case SENSE_HEAT: snprintf(dst, cap, "%.0f C", n->heat_c); break;
    case SENSE_PROGRAMS:
        snprintf(dst, cap, "%s", n->app[0] ? n->app : "none of the named ones runs");
        break;
    case SENSE_DISK: snprintf(dst, cap, "%s free", text_bytes(n->disk_free_bytes, a)); break;
    case SENSE_SOURCES: break;
    }
}

uint32_t sense_rows(const struct sense *s, struct view_source *ret, uint32_t cap)
{
    static const struct {
        const char *name, *missing;
    } table[SENSE_SOURCES] = {
        [SENSE_TERMINALS] = {"terminals", "no terminal can be looked at"                   },
        [SENSE_KEYBOARD] = {"keyboard",  "no i8042 here: a desktop's keyboard is not seen"},
        [SENSE_PROCESSOR] = {"processor", "/proc/stat cannot be read"                      },
        [SENSE_MEMORY] = {"memory",    "/proc/meminfo cannot be read"                   },
        [SENSE_POWER] = {"power",     "no power supply is known: taken as mains"       },
        [SENSE_HEAT] = {"heat",      "no sensor of the processor is known"            },
        [SENSE_PROGRAMS] = {"programs",  "/proc cannot be read"                           },
        [SENSE_DISK] = {"disk",      "the home folder's disk cannot be looked at"     },
    };
    uint32_t n = 0;
    for (; n < SENSE_SOURCES && n < cap; n++) {
        ret[n] = (struct view_source){.is_working = s->is_working[n]};
        snprintf(ret[n].name, sizeof ret[n].name, "%s", table[n].name);
        if (s->is_working[n])
            words_of(s, (enum sense_source)n, ret[n].text, sizeof ret[n].text);
        else
            snprintf(ret[n].text, sizeof ret[n].text, "%s", table[n].missing);
    }
    return n;
}
