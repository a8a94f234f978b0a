/* Mains or battery, and the heat of the processor. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/sense.h"

/* The text of base/name/leaf without its line end; "" when it cannot be read. */
static const char *leaf(const struct sense *s, const char *base, const char *name, const char *file,
                        char dst[64])
{
    char path[PATH_CAP];
    dst[0] = 0;
    if (path_format(path, "%s/%.64s/%s", base, name, file) != 0) return dst;
    if (!sense_read(s, path, dst, 64)) dst[0] = 0;
    dst[strcspn(dst, "\n")] = 0;
    return dst;
}

static DIR *open_dir(const struct sense *s, const char *path)
{
    char full[PATH_CAP];
    return path_format(full, "%s%s", s->root, path) == 0 ? opendir(full) : NULL;
}

/* ---- power --------------------------------------------------------------------------------------- */

#define SUPPLIES "/sys/class/power_supply"

struct supplies {
    bool has_mains, is_online, has_battery, is_discharging;
    double sum;
    int n;
};

static void count_supply(const struct sense *s, const char *name, struct supplies *ret)
{
    char text[64];
    leaf(s, SUPPLIES, name, "type", text);
    if (strcmp(text, "Mains") == 0 || strncmp(text, "USB", 3) == 0) {
        ret->has_mains = true;
        ret->is_online = ret->is_online || leaf(s, SUPPLIES, name, "online", text)[0] == '1';
        return;
    }
    if (strcmp(text, "Battery") != 0) return;
    if (strcmp(leaf(s, SUPPLIES, name, "scope", text), "Device") == 0) return; /* of a mouse */
    ret->has_battery = true;
    leaf(s, SUPPLIES, name, "status", text);
    ret->is_discharging = ret->is_discharging || strcmp(text, "Discharging") == 0;
    if (leaf(s, SUPPLIES, name, "capacity", text)[0]) {
        ret->sum += strtod(text, NULL);
        ret->n++;
    }
}

static void look_supplies(struct sense *s)
{
    struct supplies all = {0};
    DIR *d = open_dir(s, SUPPLIES);
    const struct dirent *it;
    while (d && (it = readdir(d))) /* NOLINT(concurrency-mt-unsafe): own stream */
        if (it->d_name[0] != '.') count_supply(s, it->d_name, &all);
    if (d) closedir(d);
    s->is_working[SENSE_POWER] = all.has_mains || all.has_battery;
    s->seen.is_on_battery = all.has_battery && all.is_discharging && !all.is_online;
    s->seen.battery_frac = all.n ? all.sum / all.n / 100 : (double)NAN;
}

/* ---- heat ---------------------------------------------------------------------------------------- */

static bool is_processor(const char *name)
{
    static const char *const names[] = {"coretemp",     "k10temp",     "zenpower",   "cpu_thermal",
                                        "x86_pkg_temp", "cpu-thermal", "soc_thermal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

/* The first below base whose `kind` file names a processor, that has a value. */
static bool find_in(struct sense *s, const char *base, const char *kind, const char *value)
{
    char text[64];
    DIR *d = open_dir(s, base);
    const struct dirent *it;
    bool found = false;
    while (d && !found && (it = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): own stream */
        if (it->d_name[0] == '.' || !is_processor(leaf(s, base, it->d_name, kind, text))) continue;
        found = leaf(s, base, it->d_name, value, text)[0] &&
                path_format(s->heat_path, "%s/%.64s/%s", base, it->d_name, value) == 0;
    }
    if (d) closedir(d);
    return found;
}

void sense_power_find(struct sense *s)
{
    if (!find_in(s, "/sys/class/hwmon", "name", "temp1_input") &&
        !find_in(s, "/sys/class/thermal", "type", "temp"))
        s->heat_path[0] = 0;
}

void sense_power_look(struct sense *s)
{
    char text[64];
    look_supplies(s);
    bool has = s->heat_path[0] && sense_read(s, s->heat_path, text, sizeof text);
    double c = has ? strtod(text, NULL) / 1000 : (double)NAN;
    if (!(c > -40 && c < 150)) c = (double)NAN;
    s->seen.heat_c = c;
    s->is_working[SENSE_HEAT] = isfinite(c);
}
