#include "client/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "client/agent_parts.h"
#include "engine/budget.h"
#include "view/text.h"

#define LOOK_EVERY   2  /* seconds, while it matters */
#define LOOK_SELDOM  10 /* while a person's wish stands against training anyway */
#define DUTY_MS      400
#define KEEP_EVERY_S 60
#define GB           UINT64_C(1000000000)
#define MIB          (UINT64_C(1) << 20)

/* ---- clocks -------------------------------------------------------------------------------------- */

static int64_t boot_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct tm local_now(void)
{
    struct tm tm = {0};
    time_t t = (time_t)(clock_wall_ms() / 1000);
    (void)localtime_r(&t, &tm);
    return tm;
}

/* ---- settings ------------------------------------------------------------------------------------ */

static int64_t file_mtime_ns(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) return 0;
    return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

void guest_caps(struct agent *a)
{
    const struct config_value *v = a->guest.config.v;
    if (a->wire) wire_set_caps(a->wire, (double)v[CONFIG_UPLOAD].n, (double)v[CONFIG_DOWNLOAD].n);
}

/* The file, and above it what environment and flags gave. */
static int read_settings(struct agent *a, struct err *e)
{
    struct guest *g = &a->guest;
    const char *path = a->config.home->paths.config;
    struct config c;
    g->config_mtime_ns = file_mtime_ns(path);
    int rc = config_file_read(&c, path, e);
    if (rc != OK) return rc;
    for (int i = 0; i < CONFIG_KEYS; i++)
        if (g->given.v[i].source > CONFIG_FILE) c.v[i] = g->given.v[i];
    g->config = c;
    g->trouble[0] = 0;
    guest_caps(a);
    return OK;
}

/* A file that cannot be read changes nothing: what was in effect stays, and it is said. */
static void follow_file(struct agent *a)
{
    struct err e = {0};
    if (file_mtime_ns(a->config.home->paths.config) == a->guest.config_mtime_ns) return;
    if (read_settings(a, &e) == OK) {
        log_info("the settings were read again");
        return;
    }
    (void)err_line(&e, a->guest.trouble, sizeof a->guest.trouble);
    log_err(LOG_WARN, &e, "the changed settings are not taken up");
}

int guest_set(struct agent *a, const char *key, const char *value, struct err *e)
{
    enum config_key k;
    int rc = config_require(key, &k, e);
    if (rc == OK) rc = config_file_set(a->config.home->paths.config, k, value, e);
    if (rc == OK) rc = read_settings(a, e);
    if (rc != OK) return rc;
    log_info("setting: %s is %s", key, value ? value : "the default again");
    guest_second(a);
    if (a->guest.config.v[k].source <= CONFIG_FILE) return OK;
    err_set(e, ERR_WRONG_STATE, 0, "kept, but the %s stands above the file in this agent",
            config_source_name(a->guest.config.v[k].source));
    err_hint(e, "it counts after the agent is started without it");
    return ERR_WRONG_STATE;
}

int guest_settings(struct agent *a, struct buf *out, struct err *e)
{
    const struct guest *g = &a->guest;
    const char *notes[CONFIG_KEYS] = {NULL};
    char text[6][96];
    const char *who =
        g->holds.is_in_use ? "you are using this computer" : "nobody uses this computer";
    const char *word = gears_word(g->gear.kind);
    snprintf(text[0], sizeof text[0], "%u of %u cores: %s, %s", g->gear.n_cores, a->machine.n_cores,
             word, who);
    snprintf(text[1], sizeof text[1], "%.0f %% of the time: %s", 100 * g->gear.duty_frac, word);
    snprintf(text[2], sizeof text[2], "%s: %s", g->gear.is_idle_priority ? "idle" : "normal", word);
    if (g->gear.busy_frac >= 1)
        snprintf(text[3], sizeof text[3], "never: %s", word);
    else
        snprintf(text[3], sizeof text[3], "above %.0f %%: %s", 100 * g->gear.busy_frac, word);
    snprintf(text[4], sizeof text[4], "above %.0f C: %s", g->gear.heat_c, word);
    snprintf(text[5], sizeof text[5], "%s", who);
    notes[CONFIG_CORES] = text[0];
    notes[CONFIG_DUTY] = text[1];
    notes[CONFIG_PRIORITY] = text[2];
    notes[CONFIG_BUSY] = text[3];
    notes[CONFIG_HEAT] = text[4];
    notes[g->holds.is_in_use ? CONFIG_GEAR_IN_USE : CONFIG_GEAR_IDLE] = text[5];
    return config_json(&g->config, a->config.home->paths.config, notes, out, e);
}

/* ---- bytes of this month ------------------------------------------------------------------------- */

static int traffic_path(const struct agent *a, char dst[PATH_CAP])
{
    return path_format(dst, "%s/traffic.json", a->config.home->paths.data);
}

static void load_traffic(struct agent *a)
{
    char path[PATH_CAP];
    struct buf b = {0};
    json_t *o = NULL;
    if (traffic_path(a, path) == 0 && file_read(path, 4096, &b, NULL) == OK &&
        json_parse(b.p, b.len, &o, NULL) == OK) {
        struct json_reader r = {0};
        int month = (int)json_u32(&r, o, "month", 0, 1u << 20);
        uint64_t bytes = json_u64(&r, o, "bytes", 0, UINT64_C(1) << 53);
        if (!json_bad(&r)) {
            a->guest.month = month;
            a->guest.month_bytes = bytes;
        }
    }
    json_decref(o);
    buf_deinit(&b);
}

static void keep_traffic(struct agent *a)
{
    char path[PATH_CAP];
    struct buf b = {0};
    json_t *o = json_object();
    json_set_u64(o, "month", (uint64_t)a->guest.month);
    json_set_u64(o, "bytes", a->guest.month_bytes);
    if (json_write(o, &b, NULL) == OK && traffic_path(a, path) == 0)
        (void)!file_replace(path, b.p, b.len, 0600, NULL); /* counted again next time */
    json_decref(o);
    buf_deinit(&b);
}

static void count_traffic(struct agent *a, const struct tm *tm)
{
    struct guest *g = &a->guest;
    int month = (tm->tm_year + 1900) * 12 + tm->tm_mon;
    uint64_t down = 0, up = 0;
    if (month != g->month) {
        g->month = month;
        g->month_bytes = 0;
    }
    if (a->wire) wire_traffic(a->wire, &down, &up);
    uint64_t now = down + up;
    if (now < g->counted_bytes) g->counted_bytes = 0; /* another wire */
    bool has_more = now > g->counted_bytes;
    g->month_bytes += now - g->counted_bytes;
    g->counted_bytes = now;
    if (has_more && a->n_seconds % KEEP_EVERY_S == 0) keep_traffic(a);
}

/* ---- looking ------------------------------------------------------------------------------------- */

static struct holds_limits limits_now(const struct agent *a)
{
    const struct guest *g = &a->guest;
    const struct config_value *v = g->config.v;
    struct holds_limits l = {
        .idle_after_ms = v[CONFIG_IDLE_AFTER].n * 1000,
        .is_off_in_use = v[CONFIG_GEAR_IN_USE].n == GEAR_OFF,
        .busy_frac = g->gear.busy_frac,
        .is_battery_fine = v[CONFIG_BATTERY].n == 1,
        .heat_c = g->gear.heat_c,
        .disk_free_bytes = (uint64_t)v[CONFIG_DISK_FREE].n * MIB,
        .memory_free_bytes = (uint64_t)v[CONFIG_MEMORY_FREE].n * MIB,
        .memory_needed_bytes = a->progress.is_released ? g->needed_bytes : 0,
        .month_bytes = (uint64_t)v[CONFIG_NETWORK_CAP].n * GB,
    };
    config_hours(&g->config, &l.hours);
    return l;
}

static void say_change(const struct guest *g)
{
    enum hold k = holds_top(&g->holds);
    struct view_hold row;
    if (k == HOLDS) {
        log_info("nothing stands against training any more");
        return;
    }
    holds_row(&g->holds, k, clock_wall_ms(), &row);
    log_info("paused: %s; %s", row.reason, row.end);
}

static void look(struct agent *a, const struct tm *tm)
{
    struct guest *g = &a->guest;
    struct holds_seen seen;
    struct sense_ask ask = {
        .disk_path = a->config.home->paths.data,
        .programs = g->config.v[CONFIG_PAUSE_WHILE].text,
        .own_cpu_us = a->machine.cpu_us,
        .minute = (uint32_t)((tm->tm_wday + 6) % 7 * 1440 + tm->tm_hour * 60 + tm->tm_min),
        .month_bytes = g->month_bytes,
        .wall_ms = clock_wall_ms()};
    ask.n_ttys = control_ttys(a->control, ask.ttys, SENSE_TTYS);
    sense_look(&g->sense, &ask, &seen);
    struct holds_limits l = limits_now(a);
    bool was = holds_stop(&g->holds);
    enum hold top = holds_top(&g->holds);
    if (!holds_step(&g->holds, &seen, &l, clock_mono_ms())) return;
    if (was != holds_stop(&g->holds) || top != holds_top(&g->holds)) say_change(g);
    control_changed(a->control);
}

/* ---- applying ------------------------------------------------------------------------------------ */

static void on_duty(uv_timer_t *t)
{
    struct agent *a = t->data;
    struct guest *g = &a->guest;
    bool is_needed = a->work && a->is_open && g->gear.duty_frac < 1 && !session_stands(&a->session);
    g->is_resting = is_needed && !g->is_resting;
    if (a->work) work_rest(a->work, g->is_resting);
    if (!is_needed) return;
    double part = g->is_resting ? 1 - g->gear.duty_frac : g->gear.duty_frac;
    uv_timer_start(&g->duty, on_duty, (uint64_t)(part * DUTY_MS) + 1, 0);
}

void guest_begin(struct agent *a)
{
    const struct gear *g = &a->guest.gear;
    if (a->work) work_limit(a->work, g->n_cores, g->is_idle_priority);
}

uint32_t guest_threads(const struct agent *a)
{
    return gears_threads(&a->guest.config, a->machine.n_cores);
}

int guest_fits(struct agent *a, struct err *e)
{
    struct guest *g = &a->guest;
    struct budget b;
    struct trainer_options o = {.n_threads = guest_threads(a),
                                .precision = a->config.precision,
                                .moments = a->config.moments,
                                .feedback = a->config.feedback,
                                .recompute = a->config.recompute};
    budget_plan(&a->run->model, &a->run->train, &o, &b);
    g->needed_bytes = b.total_bytes;
    double frac = gears_memory_frac(&g->config, a->machine.n_cores);
    double all = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if ((double)b.total_bytes <= frac * all) return OK;
    char need[TEXT_CAP], may[TEXT_CAP];
    err_set(e, ERR_NOMEM, 0, "training this model needs %s of memory; your settings allow %s",
            text_bytes(b.total_bytes, need), text_bytes((uint64_t)(frac * all), may));
    err_hint(e, "raise memory_percent, or a gear: `potluck config set memory_percent 80`");
    return ERR_NOMEM;
}

/* Of an autogroup, which some kernels make of every session: there, priorities within count for
 * nothing outside.
 */
static void modest_group(bool is_idle)
{
    FILE *f = fopen("/proc/self/autogroup", "we");
    if (!f) return;
    fputs(is_idle ? "19" : "0", f);
    fclose(f);
}

static void shift(struct agent *a)
{
    struct guest *g = &a->guest;
    struct gear was = g->gear;
    g->gear = gears_now(&g->config, g->holds.is_in_use, a->machine.n_cores);
    bool is_other =
        was.n_cores != g->gear.n_cores || was.is_idle_priority != g->gear.is_idle_priority;
    if (is_other) guest_begin(a);
    if (was.is_idle_priority != g->gear.is_idle_priority) modest_group(g->gear.is_idle_priority);
    if (was.n_cores && was.kind != g->gear.kind)
        log_info("gear: %s, %u of %u cores", gears_word(g->gear.kind), g->gear.n_cores,
                 a->machine.n_cores);
    if (g->gear.duty_frac < 1 && !uv_is_active((uv_handle_t *)&g->duty)) on_duty(&g->duty);
}

/* Tell the session what stands now. */
static void tell(struct agent *a)
{
    struct guest *g = &a->guest;
    bool is_held = g->snooze.ms > 0 || holds_stop(&g->holds);
    g->is_held = is_held;
    if (!a->is_open || a->session.is_held == is_held) return;
    struct session_event ev = {.kind = SESSION_EV_HOLD, .is_held = is_held};
    agent_run_event(a, &ev);
}

void guest_restore(struct agent *a)
{
    struct guest *g = &a->guest;
    struct tm tm = local_now();
    g->snooze = (struct wish_snooze){.ms = a->wish.snooze_ms, .until_ms = a->wish.snooze_until_ms};
    wish_restore(&g->snooze, clock_wall_ms(), boot_ms());
    (void)wish_lasts(&g->snooze, clock_wall_ms(), boot_ms());
    look(a, &tm);
    shift(a);
    tell(a);
}

/* A pause that lasts, or memory that others need: the trainer's comes back from disk later. */
static void release_in_time(struct agent *a)
{
    struct guest *g = &a->guest;
    if (!a->work || !a->is_open || !session_stands(&a->session)) {
        g->still_since_ms = 0;
        return;
    }
    int64_t now = clock_mono_ms();
    int64_t after = g->config.v[CONFIG_RELEASE_AFTER].n * 60000;
    if (!g->still_since_ms) g->still_since_ms = now;
    bool is_long = after && now - g->still_since_ms >= after;
    bool is_short = g->holds.one[HOLD_MEMORY].stands;
    if (!a->progress.is_released && (is_long || is_short)) work_release(a->work);
}

void guest_second(struct agent *a)
{
    struct guest *g = &a->guest;
    struct tm tm = local_now();
    bool had_snooze = g->snooze.ms > 0;
    bool is_watched = control_n_watchers(a->control) > 0;
    bool matters = is_watched || (a->has_run && !a->session.is_paused);
    if (a->n_seconds % LOOK_EVERY == 0) follow_file(a);
    count_traffic(a, &tm);
    bool lasts = wish_lasts(&g->snooze, clock_wall_ms(), boot_ms());
    if (had_snooze && !lasts) {
        log_info("the time you set is over: going on");
        agent_run_keep_wish(a);
    }
    shift(a);
    if (a->n_seconds % (uint64_t)(matters ? LOOK_EVERY : LOOK_SELDOM) == 0) look(a, &tm);
    shift(a);
    tell(a);
    release_in_time(a);
}

/* ---- intents ------------------------------------------------------------------------------------- */

void guest_awake(struct agent *a)
{
    if (!a->guest.snooze.ms) return;
    a->guest.snooze = (struct wish_snooze){0};
    tell(a);
    agent_run_keep_wish(a);
}

int guest_snooze(struct agent *a, const char *text, struct err *e)
{
    struct guest *g = &a->guest;
    struct tm tm = local_now();
    char when[TEXT_CAP];
    int64_t ms = 0;
    uint32_t second = (uint32_t)(tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
    int rc = wish_span(text, second, &ms, e);
    if (rc != OK) return rc;
    wish_begin(&g->snooze, ms, clock_wall_ms(), boot_ms());
    tell(a);
    if (a->session.is_paused) { /* a pause without an end becomes one with an end */
        struct session_event ev = {.kind = SESSION_EV_INTENT, .intent = INTENT_RESUME};
        agent_run_event(a, &ev);
    }
    agent_run_keep_wish(a);
    log_info("paused by you until %s", text_clock(g->snooze.until_ms, when));
    return OK;
}

int guest_override(struct agent *a, struct err *e)
{
    struct guest *g = &a->guest;
    enum hold top = holds_top(&g->holds);
    if (top == HOLDS) {
        err_set(e, ERR_WRONG_STATE, 0, "nothing stands against training");
        if (a->session.is_paused || g->snooze.ms) err_hint(e, "you paused it: `potluck resume`");
        return ERR_WRONG_STATE;
    }
    bool any = holds_override(&g->holds, clock_mono_ms());
    struct view_hold row;
    enum hold left = holds_top(&g->holds);
    if (any) log_info("going on in spite of: %s", holds_word(top));
    tell(a);
    if (left == HOLDS) return OK;
    holds_row(&g->holds, left, clock_wall_ms(), &row);
    err_set(e, ERR_WRONG_STATE, 0, "this cannot be passed over: %s", row.reason);
    err_hint(e, "%s; the limit is a setting, see `potluck config list`", row.end);
    return ERR_WRONG_STATE;
}

/* ---- life ---------------------------------------------------------------------------------------- */

int guest_init(struct agent *a, struct err *e)
{
    struct guest *g = &a->guest;
    g->given = a->config.given;
    int rc = read_settings(a, e);
    if (rc != OK) return rc;
    const char *root = getenv("POTLUCK_SENSE_ROOT"); /* NOLINT(concurrency-mt-unsafe): one thread */
    sense_init(&g->sense, root ? root : "");
    load_traffic(a);
    uv_timer_init(&a->loop, &g->duty);
    g->duty.data = a;
    FILE *f = fopen("/proc/self/oom_score_adj", "we");
    if (f) {
        fputs("800", f); /* if somebody has to go when memory ends, it is the guest */
        fclose(f);
    }
    return OK;
}

void guest_lock_up(struct agent *a)
{
    struct guest *g = &a->guest;
    struct err e = {0};
    char text[160];
    if (g->config.v[CONFIG_SANDBOX].n) {
        log_warn("without a sandbox, as the settings say");
        return;
    }
    if (sandbox_enter(&a->config.home->paths, &g->sandbox, &e) != OK)
        log_err(LOG_WARN, &e, "entering the sandbox");
    sandbox_text(&g->sandbox, text, sizeof text);
    log_info("sandbox: %s", text);
}

void guest_close(struct agent *a)
{
    if (a->guest.month) keep_traffic(a);
    uv_close((uv_handle_t *)&a->guest.duty, NULL);
}

/* ---- what is shown ------------------------------------------------------------------------------- */

static void say_hold(struct view *v)
{
    uint32_t n_more = 0;
    const struct view_hold *top = NULL;
    for (uint32_t i = 0; i < v->n_holds; i++) {
        if (v->holds[i].is_overridden) continue;
        if (!top)
            top = &v->holds[i];
        else
            n_more++;
    }
    if (!top) return;
    char more[24] = "";
    if (n_more) snprintf(more, sizeof more, " (+%u more)", n_more);
    v->state = VIEW_WAITING;
    snprintf(v->reason, sizeof v->reason, "%.80s; %.60s%s", top->reason, top->end, more);
    v->ends_at_ms = top->ends_at_ms;
    snprintf(v->override_hint, sizeof v->override_hint, "%s",
             top->can_override ? "o: go on anyway" : "p: pause");
}

void guest_view(struct agent *a, struct view *v)
{
    const struct guest *g = &a->guest;
    const struct session *s = &a->session;
    bool is_leaving = a->is_open && s->ending == INTENT_LEAVE;
    snprintf(v->wish, sizeof v->wish, "%s",
             wish_word(&g->snooze, s->is_paused, s->is_finishing, is_leaving));
    if (g->snooze.ms) v->snooze_until_ms = g->snooze.until_ms;
    v->is_paused = s->is_paused || g->snooze.ms > 0;
    v->is_released = a->progress.is_released;
    snprintf(v->gear, sizeof v->gear, "%s", gears_word(g->gear.kind));
    v->is_in_use = g->holds.is_in_use;
    v->duty_frac = g->gear.duty_frac;
    v->n_threads = g->gear.n_cores;
    v->others_frac = g->holds.seen.others_frac;
    v->heat_c = g->holds.seen.heat_c;
    v->battery_frac = g->holds.seen.battery_frac;
    for (int k = 0; k < HOLDS; k++)
        if (g->holds.one[k].stands)
            holds_row(&g->holds, (enum hold)k, v->at_ms, &v->holds[v->n_holds++]);
    v->n_sources = sense_rows(&g->sense, v->sources, VIEW_SOURCES);
    if (v->n_sources < VIEW_SOURCES) {
        struct view_source *row = &v->sources[v->n_sources++];
        snprintf(row->name, sizeof row->name, "sandbox");
        row->is_working = g->sandbox.has_landlock || g->sandbox.has_seccomp;
        sandbox_text(&g->sandbox, row->text, sizeof row->text);
    }
    if (!a->is_open || s->state != SESSION_PAUSED || s->is_paused) return;
    if (g->snooze.ms) {
        char when[TEXT_CAP];
        v->state = VIEW_SNOOZED;
        snprintf(v->reason, sizeof v->reason, "by you until %s",
                 text_clock(g->snooze.until_ms, when));
        v->ends_at_ms = g->snooze.until_ms;
        snprintf(v->override_hint, sizeof v->override_hint, "p: resume now");
        return;
    }
    say_hold(v);
}
