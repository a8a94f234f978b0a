#pragma once
/* Why: the learning rate as a pure function of the step, so that a restart, an auditor and a test
 * all get the same number.
 */

#include <stdint.h>

/* Warm-up from lr / warmup up to lr in equal steps, then half a cosine down to lr * min_frac at
 * `total`, constant afterwards. i_step counts from 0.
 */
struct sched {
    double lr;
    double min_frac;
    uint64_t warmup_steps;
    uint64_t total_steps;
};

double sched_lr(const struct sched *s, uint64_t i_step);
