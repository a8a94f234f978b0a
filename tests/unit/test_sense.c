#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "client/sense.h"
#include "tests/check.h"
#include "tests/unit/scratch.h"

/* A computer made of files. */
struct rig {
    char root[PATH_CAP];
    struct sense s;
    struct sense_ask ask;
    struct holds_seen seen;
};

static void put(const struct rig *r, const char *path, const char *text)
{
    char full[PATH_CAP], dir[PATH_CAP];
    assert_int_equal(path_format(full, "%s%s", r->root, path), 0);
    assert_int_equal(path_dirname(dir, full), 0);
    assert_int_equal(file_mkdirs(dir, NULL), OK);
    assert_int_equal(file_replace(full, text, strlen(text), 0600, NULL), OK);
}

static void touch(const struct rig *r, const char *path, int64_t at_s)
{
    char full[PATH_CAP];
    struct timespec t[2] = {{.tv_sec = at_s}, {.tv_nsec = UTIME_OMIT}};
    put(r, path, "x");
    assert_int_equal(path_format(full, "%s%s", r->root, path), 0);
    assert_int_equal(utimensat(AT_FDCWD, full, t, 0), 0);
}

static void look(struct rig *r)
{
    sense_look(&r->s, &r->ask, &r->seen);
}

/* Slow sources are read at every fifth look. */
static void look_slowly(struct rig *r)
{
    for (int i = 0; i < 5; i++)
        look(r);
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    scratch_make(r->root);
    r->ask = (struct sense_ask){.disk_path = r->root, .programs = "", .wall_ms = 1000000};
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    scratch_remove(r->root);
    free(r);
    return 0;
}

static void an_empty_machine_is_survived_and_said(void **state)
{
    struct rig *r = *state;
    struct view_source rows[SENSE_SOURCES];
    sense_init(&r->s, r->root);
    look_slowly(r);
    assert_int_equal(r->seen.input_ms_ago, VIEW_NONE);
    assert_true(isnan(r->seen.others_frac) && isnan(r->seen.heat_c));
    assert_int_equal(sense_rows(&r->s, rows, SENSE_SOURCES), SENSE_SOURCES);
    for (int i = 0; i < SENSE_SOURCES; i++) {
        assert_true(rows[i].name[0] && rows[i].text[0]);
        assert_int_equal(rows[i].is_working, i == SENSE_DISK);
    }
}

static void input_is_the_newest_terminal_but_our_own_screen(void **state)
{
    struct rig *r = *state;
    struct stat st;
    char full[PATH_CAP];
    touch(r, "/dev/pts/0", 900);
    touch(r, "/dev/tty1", 940);
    touch(r, "/dev/tty", 999); /* whoever asks: not looked at */
    touch(r, "/dev/pts/ptmx", 999);
    touch(r, "/dev/tty2", 5000); /* from a clock that was wrong */
    sense_init(&r->s, r->root);
    look(r);
    assert_int_equal(r->seen.input_ms_ago, 60000);
    touch(r, "/dev/pts/0", 990);
    look(r);
    assert_int_equal(r->seen.input_ms_ago, 10000);
    assert_int_equal(path_format(full, "%s/dev/pts/0", r->root), 0);
    assert_int_equal(stat(full, &st), 0);
    r->ask.ttys[0] = (uint64_t)st.st_rdev; /* files have none: all are ours now */
    r->ask.n_ttys = 1;
    look(r);
    assert_int_equal(r->seen.input_ms_ago, VIEW_NONE);
    assert_true(r->s.is_working[SENSE_TERMINALS]);
}

static void keys_are_seen_by_their_interrupts(void **state)
{
    struct rig *r = *state;
    put(r, "/proc/interrupts", "   CPU0 CPU1\n  1:  10  5  IO-APIC  1-edge  i8042\n 9: 1 1 acpi\n");
    sense_init(&r->s, r->root);
    look(r);
    assert_true(r->s.is_working[SENSE_KEYBOARD]);
    assert_int_equal(r->seen.input_ms_ago, VIEW_NONE);
    put(r, "/proc/interrupts", "   CPU0 CPU1\n  1:  10  6  IO-APIC  1-edge  i8042\n 9: 7 1 acpi\n");
    look(r);
    assert_int_equal(r->seen.input_ms_ago, 0);
    r->ask.wall_ms += 7000;
    look(r);
    assert_int_equal(r->seen.input_ms_ago, 7000);
}

static void others_are_all_but_us(void **state)
{
    struct rig *r = *state;
    char text[100];
    long hz = sysconf(_SC_CLK_TCK);
    put(r, "/proc/stat", "cpu  1000 0 0 9000 0 0 0 0 0 0\n");
    sense_init(&r->s, r->root);
    look(r);
    assert_true(isnan(r->seen.others_frac));
    /* Of two cores' 10 s, 8 s were busy, 2 s of them ours: 6 of 20. */
    snprintf(text, sizeof text, "cpu  %ld 0 0 %ld 0 0 0 0 0 0\n", 1000 + 8 * hz, 9000 + 12 * hz);
    put(r, "/proc/stat", text);
    r->ask.own_cpu_us = 2000000;
    look(r);
    assert_true(fabs(r->seen.others_frac - 0.3) < 1e-9);
}

static void memory_and_its_pressure_are_read(void **state)
{
    struct rig *r = *state;
    put(r, "/proc/meminfo", "MemTotal: 4000 kB\nMemAvailable: 1000 kB\n");
    put(r, "/proc/pressure/memory", "some avg10=12.50 avg60=0.00 avg300=0.00 total=9\n");
    sense_init(&r->s, r->root);
    look(r);
    assert_int_equal(r->seen.memory_free_bytes, 1024000);
    assert_true(fabs(r->seen.memory_stall_frac - 0.125) < 1e-9);
}

static void a_battery_counts_when_it_discharges_without_mains(void **state)
{
    struct rig *r = *state;
    put(r, "/sys/class/power_supply/AC/type", "Mains\n");
    put(r, "/sys/class/power_supply/AC/online", "1\n");
    put(r, "/sys/class/power_supply/BAT0/type", "Battery\n");
    put(r, "/sys/class/power_supply/BAT0/status", "Discharging\n");
    put(r, "/sys/class/power_supply/BAT0/capacity", "84\n");
    put(r, "/sys/class/power_supply/mouse/type", "Battery\n");
    put(r, "/sys/class/power_supply/mouse/scope", "Device\n");
    put(r, "/sys/class/power_supply/mouse/capacity", "2\n");
    sense_init(&r->s, r->root);
    look_slowly(r);
    assert_false(r->seen.is_on_battery);
    assert_true(fabs(r->seen.battery_frac - 0.84) < 1e-9);
    put(r, "/sys/class/power_supply/AC/online", "0\n");
    look_slowly(r);
    assert_true(r->seen.is_on_battery);
}

static void heat_is_the_processors_own(void **state)
{
    struct rig *r = *state;
    put(r, "/sys/class/hwmon/hwmon0/name", "nvme\n");
    put(r, "/sys/class/hwmon/hwmon0/temp1_input", "99000\n");
    put(r, "/sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n");
    put(r, "/sys/class/thermal/thermal_zone0/temp", "61500\n");
    sense_init(&r->s, r->root);
    look_slowly(r);
    assert_true(r->seen.heat_c == 61.5);
    put(r, "/sys/class/hwmon/hwmon1/name", "coretemp\n");
    put(r, "/sys/class/hwmon/hwmon1/temp1_input", "70000\n");
    sense_init(&r->s, r->root);
    look_slowly(r);
    assert_true(r->seen.heat_c == 70);
    put(r, "/sys/class/hwmon/hwmon1/temp1_input", "999999\n"); /* a sensor that lies */
    look_slowly(r);
    assert_true(isnan(r->seen.heat_c));
}

static void a_named_program_is_found_by_its_kernel_name(void **state)
{
    struct rig *r = *state;
    put(r, "/proc/17/comm", "steam\n");
    put(r, "/proc/18/comm", "a-very-long-nam\n");
    put(r, "/proc/self/comm", "obs\n");
    r->ask.programs = "obs, steamer,  steam ";
    sense_init(&r->s, r->root);
    look(r);
    assert_string_equal(r->seen.app, "steam");
    r->ask.programs = "obs, a-very-long-name-indeed";
    look_slowly(r);
    assert_string_equal(r->seen.app, "a-very-long-nam");
    r->ask.programs = "stea, steame";
    look_slowly(r);
    assert_string_equal(r->seen.app, "");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(an_empty_machine_is_survived_and_said),
        CASE(input_is_the_newest_terminal_but_our_own_screen),
        CASE(keys_are_seen_by_their_interrupts),
        CASE(others_are_all_but_us),
        CASE(memory_and_its_pressure_are_read),
        CASE(a_battery_counts_when_it_discharges_without_mains),
        CASE(heat_is_the_processors_own),
        CASE(a_named_program_is_found_by_its_kernel_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
