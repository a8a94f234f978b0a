#pragma once
/* Why: what the holds need to know about this computer, read from small files that every Linux has,
 * without a library, a bus or a right that an ordinary user lacks. Each source says whether it
 * works. All paths lie below a root that tests replace.
 *
 *   terminals     access times of /dev/pts and /dev/tty*: they advance with input alone (in steps of
 *                 up to 8 s), so that is known on servers and over ssh too. Terminals that show our
 *                 own screen are left out, or watching would pause the training.
 *   keyboard      interrupts of the i8042: keyboard and touchpad of most laptops, under any desktop
 *   processor     /proc/stat, less our own time
 *   memory        engine/memfree.h, and /proc/pressure/memory
 *   power         /sys/class/power_supply
 *   heat          the processor's sensors in /sys/class/hwmon, else /sys/class/thermal
 *   programs      /proc/N/comm, only while a program is named in the settings
 *   disk          statvfs
 *
 * Owner: caller's memory, no allocation. Thread: main; blocks on nothing but these files. A look costs
 * some 0.1 ms; sources that change slowly are not read at each.
 */

#include "base/path.h"
#include "client/holds.h"
#include "view/view.h"

enum sense_source {
    SENSE_TERMINALS,
    SENSE_KEYBOARD,
    SENSE_PROCESSOR,
    SENSE_MEMORY,
    SENSE_POWER,
    SENSE_HEAT,
    SENSE_PROGRAMS,
    SENSE_DISK,
    SENSE_SOURCES
};

#define SENSE_TTYS 16

/* What to look at beside the machine itself. */
struct sense_ask {
    const char *disk_path;     /* absolute, not below the root */
    const char *programs;      /* "steam, obs"; "" */
    uint64_t ttys[SENSE_TTYS]; /* device numbers of our own screens */
    uint32_t n_ttys;
    int64_t own_cpu_us; /* this process, so far */
    uint32_t minute;    /* of the week */
    uint64_t month_bytes;
    int64_t wall_ms;
};

struct sense {
    char root[256];
    char heat_path[PATH_CAP]; /* "" */
    bool has_keyboard;
    uint64_t n_key_irqs;
    int64_t key_at_ms;          /* wall clock; 0: no key yet */
    uint64_t cpu_busy, cpu_all; /* ticks, at the last look */
    int64_t own_cpu_us;
    double others; /* smoothed; NaN */
    uint32_t n_looks;
    struct holds_seen seen;
    bool is_working[SENSE_SOURCES];
};

/* root: "" for this machine. */
void sense_init(struct sense *s, const char *root);

/* Look, and copy what is known. Called every two seconds or so. */
void sense_look(struct sense *s, const struct sense_ask *ask, struct holds_seen *ret);

/* A row each, for people; returns how many (SENSE_SOURCES). */
uint32_t sense_rows(const struct sense *s, struct view_source *ret, uint32_t cap);

/* sense_power.c */
void sense_power_find(struct sense *s);
void sense_power_look(struct sense *s);
/* sense_input.c */
void sense_input_find(struct sense *s);
void sense_input_look(struct sense *s, const struct sense_ask *ask);

/* The first bytes of a small file below the root, as text; false when it cannot be read. */
bool sense_read(const struct sense *s, const char *path, char *dst, size_t cap);
