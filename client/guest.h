#pragma once
/* Why: the agent's manners. Here the settings, what was seen of the computer, the holds, the gear and
 * the snooze meet, and what follows is carried out: hold the session, limit the trainer's threads,
 * rest between two stretches of work, give memory back. The decisions are pure and elsewhere
 * (client/holds, gears, wish, config); this file only looks at clocks and files and applies.
 *
 * Owner: part of struct agent. Thread: main.
 */

#include <uv.h>

#include "client/config.h"
#include "client/gears.h"
#include "client/holds.h"
#include "client/sandbox.h"
#include "client/sense.h"
#include "client/wish.h"

struct agent;

struct guest {
    struct config given;     /* what environment and flags say: always on top */
    struct config config;    /* in effect */
    int64_t config_mtime_ns; /* of the file that was taken; 0: none */
    struct sense sense;
    struct holds holds;
    struct gear gear;
    struct wish_snooze snooze;
    bool is_held;          /* what the session was told */
    bool is_resting;       /* between two stretches of work: gear.duty_frac */
    uint64_t needed_bytes; /* by the trainer of this run */
    uv_timer_t duty;
    uint64_t month_bytes, counted_bytes; /* network, this month; of the wire that is open */
    int month;                           /* year * 12 + month */
    int64_t still_since_ms;              /* the session stands still; 0: it does not */
    struct sandbox sandbox;
    char trouble[160]; /* the settings file cannot be read: why; "" */
};

/* Before the first run: settings, sensors. The errors are those of the file and the environment. */
int guest_init(struct agent *a, struct err *e) MUST_CHECK;
void guest_lock_up(
    struct agent *a); /* into the sandbox, unless the settings say no; before threads */
void guest_close(struct agent *a); /* uv handles; keeps the month's bytes */

void guest_second(struct agent *a); /* once a second */
void guest_begin(struct agent *a);  /* a trainer was made: tell it its limits */

/* gears_threads of what is in effect. */
uint32_t guest_threads(const struct agent *a);
/* Does the run's model keep within the memory that the settings allow? ERR_NOMEM with both. */
int guest_fits(struct agent *a, struct err *e) MUST_CHECK;
void guest_caps(struct agent *a);    /* a wire was made: tell it how fast it may be */
void guest_restore(struct agent *a); /* the wish was read */

/* The intents that are the guest's: snooze, release, override; and what pause and resume undo. */
int guest_snooze(struct agent *a, const char *text, struct err *e) MUST_CHECK;
int guest_override(struct agent *a, struct err *e) MUST_CHECK;
void guest_awake(struct agent *a); /* the snooze is over by the person's word */

/* The control socket's settings. */
int guest_settings(struct agent *a, struct buf *out, struct err *e) MUST_CHECK;
int guest_set(struct agent *a, const char *key, const char *value, struct err *e) MUST_CHECK;

struct view;
void guest_view(struct agent *a, struct view *v);
