#pragma once
/* Why: "gentle" has to mean a number of cores, a share of the time, a priority and limits; which
 * numbers, is here and nowhere else. Single settings stand above the gear. Pure.
 *
 *                 gentle        balanced      full
 *   cores         a quarter     half          all          at least one
 *   time          50 %          100 %         100 %
 *   priority      idle          idle          normal
 *   others busy   30 %          60 %          never holds  of the whole processor
 *   heat          80 C          85 C          95 C
 *   memory        25 %          50 %          90 %         of the machine's
 */

#include <stdbool.h>
#include <stdint.h>

#include "client/config.h"

enum gear_kind { GEAR_OFF, GEAR_GENTLE, GEAR_BALANCED, GEAR_FULL }; /* as the words in config.c */

struct gear {
    enum gear_kind kind;
    uint32_t n_cores;
    double duty_frac; /* (0, 1] */
    bool is_idle_priority;
    double busy_frac; /* 1: never */
    double heat_c;
    double memory_frac;
};

const char *gears_word(enum gear_kind k); /* "gentle" */

/* What counts while somebody uses the computer, or not. OFF: nothing runs; its numbers are gentle's,
 * for whoever goes on all the same.
 */
struct gear gears_now(const struct config *c, bool is_in_use, uint32_t n_cores);

/* The most threads that any gear of this configuration takes: so many have to be there. */
uint32_t gears_most_cores(const struct config *c, uint32_t n_cores);

/* Threads that a trainer is made with, and so its memory is reckoned with: no fewer than the cores, so
 * that a gear can change; at most POOL_MAX_THREADS.
 */
uint32_t gears_threads(const struct config *c, uint32_t n_cores);

/* The share of the machine's memory that a model may need: the larger of both gears'. */
double gears_memory_frac(const struct config *c, uint32_t n_cores);
