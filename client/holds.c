#include "client/holds.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "view/text.h"

#define CALM_FRAC   0.6  /* of the limit on others: below it they are calm again */
#define COOL_C      10.0 /* below the limit on heat */
#define STALL_FRAC  0.10
#define MINUTE_MS   60000
#define BETTER_DISK 5 /* a fifth more than the limit */

static const struct {
    const char *word;
    int64_t enter_ms, leave_ms;
    bool can_override;
} table[HOLDS] = {
    [HOLD_HEAT] = {"heat",        5000,  30000,  false},
    [HOLD_DISK] = {"disk",        0,     30000,  false},
    [HOLD_MEMORY] = {"memory",      10000, 120000, false},
    [HOLD_BATTERY] = {"battery",     5000,  30000,  true },
    [HOLD_IN_USE] = {"in use",      0,     0,      true },
    [HOLD_APP] = {"app",         0,     20000,  true },
    [HOLD_BUSY] = {"busy",        10000, 60000,  true },
    [HOLD_HOURS] = {"hours",       0,     0,      true },
    [HOLD_NETWORK_CAP] = {"network cap", 0,     0,      true },
};

const char *holds_word(enum hold k)
{
    return table[k].word;
}

/* ---- thresholds ---------------------------------------------------------------------------------- */

/* OVER: it would begin; CALM: it would end; BETWEEN: as it was. OFF: there is no limit at all. */
enum level { OFF, CALM, BETWEEN, OVER };

static enum level above(double x, double limit, double calm)
{
    if (!isfinite(x)) return CALM;
    return x >= limit ? OVER : x < calm ? CALM : BETWEEN;
}

static enum level below(uint64_t free, uint64_t limit, uint64_t calm)
{
    if (limit == 0) return OFF;
    return free < limit ? OVER : free >= calm ? CALM : BETWEEN;
}

static enum level memory_level(const struct holds_seen *s, const struct holds_limits *l)
{
    if (l->memory_free_bytes == 0) return OFF;
    if (s->memory_stall_frac > STALL_FRAC) return OVER;
    return below(s->memory_free_bytes, l->memory_free_bytes,
                 2 * l->memory_free_bytes + l->memory_needed_bytes);
}

static enum level level_of(enum hold k, const struct holds *h)
{
    const struct holds_seen *s = &h->seen;
    const struct holds_limits *l = &h->limits;
    switch (k) {
    case HOLD_HEAT: return above(s->heat_c, l->heat_c, l->heat_c - COOL_C);
    case HOLD_DISK:
        return below(s->disk_free_bytes, l->disk_free_bytes,
                     l->disk_free_bytes + l->disk_free_bytes / BETTER_DISK);
    case HOLD_MEMORY: return memory_level(s, l);
    case HOLD_BATTERY: return l->is_battery_fine ? OFF : s->is_on_battery ? OVER : CALM;
    case HOLD_IN_USE: return !l->is_off_in_use ? OFF : h->is_in_use ? OVER : CALM;
    case HOLD_APP: return s->app[0] ? OVER : CALM;
    case HOLD_BUSY:
        return l->busy_frac >= 1 ? OFF
                                 : above(s->others_frac, l->busy_frac, CALM_FRAC * l->busy_frac);
    case HOLD_HOURS: return hours_hold(&l->hours, s->minute) ? CALM : OVER;
    case HOLD_NETWORK_CAP:
        return l->month_bytes == 0 ? OFF : s->month_bytes >= l->month_bytes ? OVER : CALM;
    case HOLDS: break;
    }
    return OFF;
}

/* ---- time ---------------------------------------------------------------------------------------- */

/* How long something has been so; 0 when it is not. `since` remembers. */
static bool lasts(int64_t *since, bool is_so, int64_t now, int64_t ms)
{
    if (!is_so) {
        *since = 0;
        return false;
    }
    if (*since == 0) *since = now;
    return now - *since >= ms;
}

static bool step_one(struct holds *h, enum hold k)
{
    struct holds_one *o = &h->one[k];
    struct holds_one was = *o;
    enum level level = level_of(k, h);
    bool begins = lasts(&o->over_since, level == OVER, h->now_ms, table[k].enter_ms);
    bool ends = lasts(&o->calm_since, level <= CALM, h->now_ms, table[k].leave_ms);
    if (!o->stands && begins) o->stands = true;
    if (o->stands && (ends || level == OFF)) o->stands = false;
    if (!o->stands || h->now_ms >= o->override_until) o->override_until = 0;
    return o->stands != was.stands || !o->override_until != !was.override_until;
}

bool holds_step(struct holds *h, const struct holds_seen *seen, const struct holds_limits *limits,
                int64_t now_ms)
{
    bool has_changed = false;
    h->seen = *seen;
    h->limits = *limits;
    h->now_ms = now_ms;
    h->is_in_use = seen->input_ms_ago != VIEW_NONE && seen->input_ms_ago < limits->idle_after_ms;
    for (int k = 0; k < HOLDS; k++)
        has_changed = step_one(h, (enum hold)k) || has_changed;
    return has_changed;
}

bool holds_override(struct holds *h, int64_t now_ms)
{
    bool any = false;
    for (int k = 0; k < HOLDS; k++) {
        if (!h->one[k].stands || !table[k].can_override) continue;
        h->one[k].override_until = now_ms + HOLDS_OVERRIDE_MS;
        any = true;
    }
    return any;
}

enum hold holds_top(const struct holds *h)
{
    for (int k = 0; k < HOLDS; k++)
        if (h->one[k].stands && !h->one[k].override_until) return (enum hold)k;
    return HOLDS;
}

bool holds_stop(const struct holds *h)
{
    return holds_top(h) != HOLDS;
}

/* ---- words --------------------------------------------------------------------------------------- */

static void reason_of(const struct holds *h, enum hold k, char *dst, size_t cap)
{
    const struct holds_seen *s = &h->seen;
    char a[TEXT_CAP];
    switch (k) {
    case HOLD_HEAT:
        snprintf(dst, cap, "too hot: %.0f C, the limit is %.0f C", s->heat_c, h->limits.heat_c);
        break;
    case HOLD_DISK:
        snprintf(dst, cap, "only %s left on the disk", text_bytes(s->disk_free_bytes, a));
        break;
    case HOLD_MEMORY:
        if (s->memory_free_bytes < h->limits.memory_free_bytes)
            snprintf(dst, cap, "only %s of memory left for others",
                     text_bytes(s->memory_free_bytes, a));
        else
            snprintf(dst, cap, "memory is short on this computer");
        break;
    case HOLD_BATTERY:
        snprintf(dst, cap, "on battery (%s)", text_percent(s->battery_frac, a));
        break;
    case HOLD_IN_USE: snprintf(dst, cap, "you are using this computer"); break;
    case HOLD_APP:
        snprintf(dst, cap, "%s is running", s->app[0] ? s->app : "a named program");
        break;
    case HOLD_BUSY:
        snprintf(dst, cap, "other programs use %s of the processor (limit %.0f%%)",
                 text_percent(s->others_frac, a), 100 * h->limits.busy_frac);
        break;
    case HOLD_HOURS: snprintf(dst, cap, "outside of your hours"); break;
    case HOLD_NETWORK_CAP:
        snprintf(dst, cap, "%s sent and received this month, your limit",
                 text_bytes(s->month_bytes, a));
        break;
    case HOLDS: break;
    }
}

static void end_of(const struct holds *h, enum hold k, char *dst, size_t cap)
{
    char a[TEXT_CAP];
    switch (k) {
    case HOLD_HEAT: snprintf(dst, cap, "goes on below %.0f C", h->limits.heat_c - COOL_C); break;
    case HOLD_DISK:
        snprintf(dst, cap, "goes on when %s are free",
                 text_bytes(h->limits.disk_free_bytes / BETTER_DISK * (BETTER_DISK + 1), a));
        break;
    case HOLD_MEMORY:
        snprintf(dst, cap, "goes on when %s are free",
                 text_bytes(2 * h->limits.memory_free_bytes + h->limits.memory_needed_bytes, a));
        break;
    case HOLD_BATTERY: snprintf(dst, cap, "goes on with mains power"); break;
    case HOLD_IN_USE:
        snprintf(dst, cap, "goes on %s after you stop", text_duration(h->limits.idle_after_ms, a));
        break;
    case HOLD_APP: snprintf(dst, cap, "goes on when it has ended"); break;
    case HOLD_BUSY:
        snprintf(dst, cap, "goes on after %s below %.0f%%", text_duration(table[k].leave_ms, a),
                 100 * CALM_FRAC * h->limits.busy_frac);
        break;
    case HOLD_HOURS: snprintf(dst, cap, "goes on by your hours"); break;
    case HOLD_NETWORK_CAP: snprintf(dst, cap, "goes on next month"); break;
    case HOLDS: break;
    }
}

static int64_t ends_in_ms(const struct holds *h, enum hold k)
{
    const struct holds_one *o = &h->one[k];
    if (k == HOLD_HOURS) {
        uint32_t n = hours_until(&h->limits.hours, h->seen.minute);
        return n < HOURS_WEEK ? (int64_t)n * MINUTE_MS : VIEW_NONE;
    }
    if (k == HOLD_IN_USE && h->seen.input_ms_ago != VIEW_NONE)
        return h->limits.idle_after_ms - h->seen.input_ms_ago;
    if (o->calm_since) return table[k].leave_ms - (h->now_ms - o->calm_since);
    return VIEW_NONE;
}

void holds_row(const struct holds *h, enum hold k, int64_t wall_ms, struct view_hold *ret)
{
    const struct holds_one *o = &h->one[k];
    int64_t left = ends_in_ms(h, k);
    *ret = (struct view_hold){.can_override = table[k].can_override,
                              .is_overridden = o->override_until != 0};
    snprintf(ret->name, sizeof ret->name, "%s", table[k].word);
    reason_of(h, k, ret->reason, sizeof ret->reason);
    end_of(h, k, ret->end, sizeof ret->end);
    ret->ends_at_ms = left == VIEW_NONE ? VIEW_NONE : wall_ms + (left > 0 ? left : 0);
    char when[TEXT_CAP];
    if (k == HOLD_HOURS && left != VIEW_NONE)
        snprintf(ret->end, sizeof ret->end, "goes on at %s", text_clock(ret->ends_at_ms, when));
}
