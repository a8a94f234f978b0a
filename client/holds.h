#pragma once
/* Why: reasons not to train come and go by themselves: the person is back, another program needs the
 * processor, the battery, the heat. They are a set, each with a threshold on the way in, another on
 * the way out, and times for both, so that nothing flaps; and they never touch what the person
 * asked for. Training runs iff the wish allows it and no hold stands that was not overridden.
 *
 *   hold         stands when                              after   ends when                    after
 *   heat         at or above the gear's limit             5 s     10 C below it                30 s
 *   disk         less left than disk_free_mib             0       a fifth more than that       30 s
 *   memory       less left than memory_free_mib, or       10 s    that and what the trainer    120 s
 *                programs wait for memory                         needs is there again
 *   battery      no mains power                           5 s     mains power                  30 s
 *   in use       input within idle_after_s, and the       0       none for idle_after_s        0
 *                gear for that is off
 *   app          a named program runs                     0       it has ended                 20 s
 *   busy         others take more than the gear allows    10 s    less than 0.6 of that        60 s
 *   hours        outside of the hours                     0       within them                  0
 *   network cap  the month's bytes are used up            0       another month, or more       0
 *
 * What is not known (no sensor, no file) holds nothing. Override: every hold that stands and allows
 * it counts as if it did not, until it ends by itself or HOLDS_OVERRIDE_MS have passed; heat, disk
 * and memory do not allow it. Pure; times are ms of one monotonic clock.
 */

#include <stdbool.h>
#include <stdint.h>

#include "client/hours.h"
#include "view/view.h"

#define HOLDS_OVERRIDE_MS 3600000

/* Most serious first: the first that stands is the one that is told. */
enum hold {
    HOLD_HEAT,
    HOLD_DISK,
    HOLD_MEMORY,
    HOLD_BATTERY,
    HOLD_IN_USE,
    HOLD_APP,
    HOLD_BUSY,
    HOLD_HOURS,
    HOLD_NETWORK_CAP,
    HOLDS
};

/* What was seen. */
struct holds_seen {
    int64_t input_ms_ago; /* VIEW_NONE: not known */
    double others_frac;   /* of the whole processor; NaN */
    bool is_on_battery;
    double battery_frac;        /* NaN */
    double heat_c;              /* NaN */
    char app[16];               /* the program of the list that runs; "" */
    uint64_t disk_free_bytes;   /* UINT64_MAX: not known */
    uint64_t memory_free_bytes; /* UINT64_MAX: not known */
    double memory_stall_frac;   /* of the last 10 s, in which some program waited; NaN */
    uint64_t month_bytes;
    uint32_t minute; /* of the week, local time */
};

/* What counts now: of the gear and the settings. */
struct holds_limits {
    int64_t idle_after_ms;
    bool is_off_in_use; /* nothing while somebody is here */
    double busy_frac;   /* >= 1: never */
    bool is_battery_fine;
    double heat_c;
    uint64_t disk_free_bytes, memory_free_bytes; /* 0: no limit */
    uint64_t memory_needed_bytes;                /* by the trainer, when it does not have it now */
    uint64_t month_bytes;                        /* 0: no limit */
    struct hours hours;
};

struct holds_one {
    bool stands;
    int64_t over_since, calm_since; /* 0: not */
    int64_t override_until;         /* 0: not */
};

struct holds {
    struct holds_one one[HOLDS];
    struct holds_seen seen; /* the last */
    struct holds_limits limits;
    int64_t now_ms;
    bool is_in_use;
};

/* Zeroed is a valid beginning. Returns whether a hold came, went, or was given back. */
bool holds_step(struct holds *h, const struct holds_seen *seen, const struct holds_limits *limits,
                int64_t now_ms);

/* Go on in spite of what stands now; false when nothing that stands allows it. */
bool holds_override(struct holds *h, int64_t now_ms);

/* Does one stand that was not overridden? */
bool holds_stop(const struct holds *h);
/* The first such; HOLDS when none does. */
enum hold holds_top(const struct holds *h);

const char *holds_word(enum hold k); /* "in use" */

/* The row of one that stands, for people. wall_ms: now. */
void holds_row(const struct holds *h, enum hold k, int64_t wall_ms, struct view_hold *ret);
