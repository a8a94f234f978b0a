#include "client/gears.h"

#include "engine/pool.h"

static const struct {
    const char *word;
    uint32_t cores_of; /* one core of so many */
    double duty_frac;
    bool is_idle_priority;
    double busy_frac, heat_c, memory_frac;
} table[] = {
    [GEAR_OFF] = {"off",      4, 0.5, true,  0.3, 80, 0.25},
    [GEAR_GENTLE] = {"gentle",   4, 0.5, true,  0.3, 80, 0.25},
    [GEAR_BALANCED] = {"balanced", 2, 1.0, true,  0.6, 85, 0.5 },
    [GEAR_FULL] = {"full",     1, 1.0, false, 1.0, 95, 0.9 },
};

const char *gears_word(enum gear_kind k)
{
    return table[k].word;
}

static enum gear_kind kind_of(const struct config *c, bool is_in_use)
{
    return (enum gear_kind)c->v[is_in_use ? CONFIG_GEAR_IN_USE : CONFIG_GEAR_IDLE].n;
}

struct gear gears_now(const struct config *c, bool is_in_use, uint32_t n_cores)
{
    enum gear_kind k = kind_of(c, is_in_use);
    uint32_t cores = n_cores / table[k].cores_of;
    struct gear g = {.kind = k,
                     .n_cores = cores > 0 ? cores : 1,
                     .duty_frac = table[k].duty_frac,
                     .is_idle_priority = table[k].is_idle_priority,
                     .busy_frac = table[k].busy_frac,
                     .heat_c = table[k].heat_c,
                     .memory_frac = table[k].memory_frac};
    const struct config_value *v = c->v;
    if (v[CONFIG_CORES].n) g.n_cores = (uint32_t)v[CONFIG_CORES].n;
    if (v[CONFIG_DUTY].n) g.duty_frac = (double)v[CONFIG_DUTY].n / 100;
    if (v[CONFIG_BUSY].n) g.busy_frac = (double)v[CONFIG_BUSY].n / 100;
    if (v[CONFIG_HEAT].n) g.heat_c = (double)v[CONFIG_HEAT].n;
    if (v[CONFIG_MEMORY].n) g.memory_frac = (double)v[CONFIG_MEMORY].n / 100;
    if (v[CONFIG_PRIORITY].n) g.is_idle_priority = v[CONFIG_PRIORITY].n == 1;
    return g;
}

uint32_t gears_most_cores(const struct config *c, uint32_t n_cores)
{
    uint32_t in_use = gears_now(c, true, n_cores).n_cores;
    uint32_t idle = gears_now(c, false, n_cores).n_cores;
    return in_use > idle ? in_use : idle;
}

uint32_t gears_threads(const struct config *c, uint32_t n_cores)
{
    uint32_t n = gears_most_cores(c, n_cores);
    if (n < n_cores) n = n_cores;
    return n < POOL_MAX_THREADS ? n : POOL_MAX_THREADS;
}

double gears_memory_frac(const struct config *c, uint32_t n_cores)
{
    double in_use = gears_now(c, true, n_cores).memory_frac;
    double idle = gears_now(c, false, n_cores).memory_frac;
    return in_use > idle ? in_use : idle;
}
